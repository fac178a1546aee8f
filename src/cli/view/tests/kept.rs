//! What is said of what is kept no longer: transcripts, and the details of attempts.

use super::*;
use crate::executor::talk::view::FoldedDoc;

#[test]
fn explain_of_what_has_run_says_where_its_output_is() {
    let transcript = Some("/var/log/pcm/runs/BP0000Y-1.log".into());
    let doc = ExplainDoc { state: State::Failed, transcript, ..explain_doc() };
    assert!(shown(explain(&doc, &look(80))).contains("\nIts output: /var/log/pcm/runs/BP0000Y-1.log\n"));
    let doc = ExplainDoc { transcript_until: Some(later(89 * 24 * 60)), ..doc };
    let text = shown(explain(&doc, &look(120)));
    assert!(text.contains("\nIts output: /var/log/pcm/runs/BP0000Y-1.log, kept until 20"), "{text}");
    let doc = ExplainDoc { transcript: None, ..doc };
    let text = shown(explain(&doc, &look(120)));
    assert!(text.contains("\nThere is no transcript: none was written, or it went to make room"), "{text}");
    let gone = ExplainDoc { transcript_until: Some(later(-1)), ..doc };
    let text = shown(explain(&gone, &look(80)));
    assert!(text.contains("\nIts transcript is kept no longer ([retention] transcripts).\n"), "{text}");
    let never = ExplainDoc { transcript_until: None, ..gone };
    assert!(!shown(explain(&never, &look(80))).contains("transcript"));
}

#[test]
fn explain_history_and_status_say_that_details_were_folded_and_still_how_it_ended() {
    let explained = shown(explain(&ExplainDoc { folded_at: Some(later(-1)), ..explain_doc() }, &look(160)));
    assert!(explained.contains("\nIts details were folded "), "{explained}");
    assert!(!shown(explain(&explain_doc(), &look(160))).contains("folded"));

    let kept = attempt(2, State::Succeeded, 0, "");
    let folded =
        AttemptDoc { folded_at: Some(later(-1)), ..attempt(1, State::Failed, 17, "exit 17: no printer") };
    let doc = HistoryDoc { attempts: vec![kept, folded], older: None };
    let text = shown(attempts(&doc, &look(160)));
    assert!(
        text.contains("exit 17: no printer") && text.contains("The details of 1 attempt were folded"),
        "{text}"
    );

    let folded = Some(FoldedDoc { attempts: 3, until: later(-1) });
    let text = shown(status(&StatusDoc { folded, ..status_doc() }, &look(160)));
    assert!(text.contains("the details of 3 attempts until 20"), "{text}");
    assert!(!shown(status(&status_doc(), &look(160))).contains("folded"));
}
