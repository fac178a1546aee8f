//! Everything about a request as one new file: where it is asked for, and what is done about it.

use super::fake::{Fake, id};
use super::rules::{on, why_not};
use super::stage::Stage;
use crate::console::app::Effect;
use crate::console::app::overlay::Overlay;
use crate::console::keymap::commands::Id;

fn wanted(stage: &Stage) -> Vec<(String, String)> {
    let wish = |effect: &Effect| match effect {
        Effect::Evidence { path, request } => Some((path.clone(), request.to_string())),
        _ => None,
    };
    stage.effects.iter().filter_map(wish).collect()
}

fn asked(stage: &mut Stage) -> &mut Stage {
    stage.keys(": 'evidence Enter")
}

#[test]
fn a_name_is_proposed_and_enter_has_the_file_made() {
    let mut stage = on("BP00007");
    asked(&mut stage);
    let screen = stage.screen();
    assert!(screen.contains("SAVE evidence-BP00007"), "{screen}");
    assert!(screen.contains("a new file on web-01:"), "{screen}");
    assert!(screen.contains("pcm-evidence-BP00007-"), "{screen}");
    stage.keys("Esc");
    assert!(wanted(&stage).is_empty() && stage.screen().contains("nothing was saved"), "{}", stage.screen());
    asked(&mut stage).keys("Enter");
    let made = wanted(&stage);
    assert!(made[0].0.starts_with("pcm-evidence-BP00007-") && made[0].0.ends_with(".tar.zst"), "{made:?}");
    assert!(stage.screen().contains("evidence of BP00007 is gathered"), "{}", stage.screen());
    // Of the details it is their request, whatever is selected below; what is pasted and typed is the name.
    stage.keys("Enter");
    asked(&mut stage).keys("Ctrl-u '/tmp/x Enter");
    assert_eq!(wanted(&stage)[1], ("/tmp/x".to_owned(), "BP00007".to_owned()));
    assert!(matches!(stage.app.overlays[..], [Overlay::Details(_)]));
    stage.keys("Esc");
    asked(&mut stage).keys("Ctrl-u Enter");
    assert_eq!(wanted(&stage).len(), 2, "a file has a name");
}

#[test]
fn whoever_may_only_look_may_have_it_and_where_no_request_is_there_is_none() {
    let mut stage = Stage::with(80, 24, Fake::new(), true);
    let first = stage.app.subject().unwrap();
    stage.keys("2 g");
    asked(&mut stage).keys("Enter");
    assert_eq!(wanted(&stage).len(), 1);
    assert!(first == id(&wanted(&stage)[0].1) || stage.app.subject() == Some(id(&wanted(&stage)[0].1)));
    stage.keys("4");
    assert_eq!(why_not(&stage, Id::Evidence).as_deref(), Some("no request is selected"));
    stage.keys("3");
    assert_eq!(why_not(&stage, Id::Evidence).as_deref(), Some("not in this pane"));
}
