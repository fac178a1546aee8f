#![allow(clippy::unwrap_used)]
use super::*;
use crate::clock::Wall;
use crate::site::ids::tests::machine as id;

fn order(deed: Deed, machines: usize) -> Afar {
    let request = deed.is_of_request().then(|| "BP0000Y".parse().unwrap());
    let machines = (0..machines).map(|n| (id(n), safe!("web-{n:02}"))).collect();
    Afar::new(1, (deed, request), machines)
}

fn answered(status: i32, output: &str, said: &str) -> Came {
    Came::Answered { status, output: output.into(), said: said.into() }
}

fn tell(at: Wall) -> SafeText {
    safe!("{}", at.format("%H:%M"))
}

fn became(deed: Deed, came: Came) -> (Kind, String) {
    let request = deed.is_of_request().then(|| "BP0000Y".parse().unwrap());
    let fate = answer::fate(deed, request, came, &tell);
    (fate.kind, fate.words.to_string())
}

#[test]
fn only_a_document_that_says_so_is_done() {
    let until = "2026-11-22T22:00:00Z";
    for (deed, output, words) in [
        (Deed::Run, r#"{"request_id":"BP0000Y","state":"running"}"#.to_owned(), "started"),
        (
            Deed::Run,
            r#"{"request_id":"BP0000Y","state":"queued"}"#.to_owned(),
            "queued; it starts in its turn",
        ),
        (
            Deed::Defer,
            format!(r#"{{"request_id":"BP0000Y","state":"deferred","deferred_until":"{until}"}}"#),
            "deferred until 22:00",
        ),
        (
            Deed::Undefer,
            r#"{"request_id":"BP0000Y","state":"waiting","deferred_until":null}"#.to_owned(),
            "not deferred; waiting",
        ),
        (Deed::Hold, format!(r#"{{"held_until":"{until}"}}"#), "held until 22:00"),
        (Deed::Unhold, r#"{"held_until":null}"#.to_owned(), "not held"),
    ] {
        assert_eq!(became(deed, answered(0, &output, "")), (Kind::Done, words.to_owned()), "{deed:?}");
        // Whatever else ends well has not said that this was done.
        for other in ["", "{}", "done", r#"{"request_id":"BP0000Z","state":"running","held_until":7}"#] {
            assert_eq!(became(deed, answered(0, other, "")).0, Kind::Unknown, "{deed:?} {other}");
        }
    }
    let steered = became(Deed::Run, answered(0, r#"{"request_id":"BP0000Y","state":"\u001b[2J"}"#, ""));
    assert_eq!(steered.0, Kind::Unknown, "{steered:?}");
    let quick = answered(0, r#"{"request_id":"BP0000Y","state":"succeeded"}"#, "");
    assert_eq!(became(Deed::Run, quick), (Kind::Done, "started; succeeded by now".to_owned()));
    let steers = answered(3, "", r#"{"error":{"message":"\u001b[2J","remedy":""}}"#);
    assert_eq!(became(Deed::Run, steers), (Kind::Refused, "^[[2J".to_owned()));
}

#[test]
fn why_it_was_not_done_is_what_the_machine_says() {
    let doc = "motd\n{\"error\":{\"code\":\"gate-closed\",\"message\":\"BP0000Y is not run: window closed\",\
               \"remedy\":\"Wait until 22:00\",\"exit\":3}}\nbye";
    let told = "BP0000Y is not run: window closed. Wait until 22:00".to_owned();
    assert_eq!(became(Deed::Run, answered(3, "", doc)), (Kind::Refused, told));
    assert_eq!(
        became(Deed::Run, answered(4, "", "no such request\n\n")),
        (Kind::Refused, "no such request".into())
    );
    assert_eq!(became(Deed::Hold, answered(1, "", "")), (Kind::Failed, "exit status 1".into()));
    assert_eq!(became(Deed::Hold, answered(8, "", "gone")).0, Kind::Unknown);
    assert_eq!(became(Deed::Hold, Came::NeverThere("No route to host".into())).0, Kind::Unreached);
    assert_eq!(became(Deed::Hold, Came::Lost("timed out".into())).0, Kind::Unknown);
}

#[test]
fn of_evidence_a_file_is_what_counts_and_nothing_of_it_is_unknown() {
    let of = |came| became(Deed::Evidence, came);
    assert_eq!(of(Came::Kept("2 KB in /tmp/x".into())), (Kind::Done, "2 KB in /tmp/x".into()));
    assert_eq!(of(Came::NotKept("no archive".into())), (Kind::Failed, "no archive".into()));
    let lost = "the connection ended; nothing of it is kept".to_owned();
    assert_eq!(of(Came::Lost("the connection ended".into())), (Kind::Failed, lost));
    assert_eq!(of(Came::NeverThere("No route".into())).0, Kind::Unreached);
    assert_eq!(of(answered(4, "", "no such request")), (Kind::Refused, "no such request".into()));
}

fn end(afar: &mut Afar, n: usize, came: Came) {
    let deed = afar.deed;
    let request = afar.request;
    afar.take(id(n), Step::Came(came), |came| answer::fate(deed, request, came, &tell));
}

#[test]
fn equal_answers_stand_together_the_worst_first_and_the_keys_stay_on_theirs() {
    let mut afar = order(Deed::Unhold, 6);
    assert_eq!(afar.summary().as_str(), "unhold: 0 of 6 done, 6 not asked yet");
    (0..6).for_each(|n| afar.take(id(n), Step::Begun, |_| panic!("nothing has ended")));
    afar.moved(Id::Down);
    for n in [0, 1, 3] {
        end(&mut afar, n, answered(0, "{\"held_until\":null}", ""));
    }
    end(&mut afar, 2, Came::NeverThere("No route to host".into()));
    // The keys were on those that are not answered yet, which are not the first any more.
    let rows = afar.rows();
    assert_eq!(rows.len(), 3);
    assert!(matches!(&rows[afar.at(&rows)], Row::Fate(fate) if fate.kind == Kind::Asked), "{rows:?}");
    end(&mut afar, 4, Came::Lost("timed out".into()));
    let kind = |row: &Row| match row {
        Row::Fate(fate) => fate.kind,
        Row::Machine(at) => afar.machine(*at).unwrap().fate.kind,
    };
    let kinds: Vec<Kind> = afar.rows().iter().map(kind).collect();
    assert_eq!(kinds, [Kind::Unknown, Kind::Unreached, Kind::Asked, Kind::Done]);
    let words = "unhold: 3 of 6 done, 1 not known, 1 not reached, 1 not answered yet";
    assert_eq!(afar.summary().as_str(), words);
    assert!(afar.is_busy());
    // What has ended stays as it ended.
    afar.take(id(0), Step::Dropped, |_| panic!("it has ended"));
    assert_eq!(afar.of(Kind::Done), 3);
    end(&mut afar, 5, answered(3, "", "no"));
    assert!(!afar.is_busy());
    // Failures are gone through one by one.
    afar.moved(Id::Top);
    assert_eq!(afar.enter(), None);
    afar.moved(Id::Down);
    assert_eq!(afar.enter(), Some(id(4)));
}

#[test]
fn what_is_cancelled_is_never_said_of_what_had_begun() {
    let mut afar = order(Deed::Run, 3);
    afar.take(id(0), Step::Begun, |_| panic!());
    for n in 1..3 {
        afar.take(id(n), Step::Dropped, |_| panic!());
    }
    assert_eq!((afar.of(Kind::Asked), afar.of(Kind::Dropped)), (1, 2));
    assert!(afar.is_busy());
    end(&mut afar, 0, answered(0, r#"{"request_id":"BP0000Y","state":"running"}"#, ""));
    assert_eq!(afar.summary().as_str(), "run BP0000Y: 1 of 3 done, 2 not asked");
}
