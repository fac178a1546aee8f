//! What is done to machines of view 5: the question, what is sent, and what became of it on each.

use super::site::stage;
use super::stage::Stage;
use crate::console::app::afar::{Came, Order, Step};
use crate::console::app::overlay::Overlay;
use crate::console::app::{Effect, Event, Level};
use crate::console::keymap::commands::Id;
use crate::rollout::count::Part;
use crate::rollout::select::Figure;
use crate::site::ids::MachineId;

/// The machines that wait, by id.
fn waiting(width: u16, height: u16) -> Stage {
    let mut stage = stage(400, 11, width, height);
    stage.keys("Enter");
    stage.app.rollout.show(Figure::Part(Part::Waiting));
    stage.tick(1);
    stage.keys("g");
    assert_eq!((stage.app.rollout.level, stage.app.rollout.marked.len()), (Level::Machines, 0));
    stage
}

fn orders(stage: &Stage) -> Vec<Order> {
    let order = |effect: &Effect| match effect {
        Effect::Afar(order) => Some(order.clone()),
        _ => None,
    };
    stage.effects.iter().filter_map(order).collect()
}

fn rows(stage: &Stage, n: usize) -> Vec<MachineId> {
    stage.app.rollout.machines()[..n].iter().map(|row| row.machine).collect()
}

fn step(stage: &mut Stage, machine: MachineId, step: Step) {
    let order = orders(stage).last().unwrap().number;
    stage.event(Event::Afar { order, machine, step });
}

fn ends(stage: &mut Stage, machine: MachineId, status: i32, output: &str, said: &str) {
    step(stage, machine, Step::Begun);
    let came = Came::Answered { status, output: output.into(), said: said.into() };
    step(stage, machine, Step::Came(came));
}

const STARTED: &str = r#"{"request_id":"BP0000Y","state":"running"}"#;
const CLOSED: &str =
    r#"{"error":{"code":"x","message":"BP0000Y is not run: window closed","remedy":"Wait","exit":3}}"#;

#[test]
fn what_is_for_several_machines_wants_their_number_and_tells_of_each() {
    let mut stage = waiting(80, 24);
    let meant = rows(&stage, 5);
    stage.keys("Space Space Space Space Space d");
    let screen = stage.screen();
    assert!(screen.contains("DEFER BP0000Y on 5 machines at BP0 Head office"), "{screen}");
    assert!(screen.contains("type the number of machines: 5"), "{screen}");
    // Neither a yes at once nor another number nor one without a time and a reason counts.
    stage.keys("'y Tab Tab Tab y");
    assert!(orders(&stage).is_empty() && stage.screen().contains("type the number"), "{}", stage.screen());
    stage.keys("Esc d '4 Tab '2h Tab 'too_early Enter y");
    assert!(orders(&stage).is_empty());
    stage.keys("Esc d '5 Enter Enter 'too_early Enter y");
    assert!(orders(&stage).is_empty() && stage.screen().contains("enter a time"), "{}", stage.screen());
    stage.keys("Esc d '5 Enter '2h Enter Enter y");
    assert!(orders(&stage).is_empty() && stage.screen().contains("a reason is needed"), "{}", stage.screen());
    stage.keys("Esc d '5 Enter '2h Enter 'too_early Enter");
    let until = stage.now + chrono::TimeDelta::hours(2);
    stage.keys("y");
    let sent = orders(&stage);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].machines, meant);
    let at = until.format("--until=%Y-%m-%dT%H:%M:%SZ").to_string();
    assert_eq!(sent[0].words, ["defer", "BP0000Y", &at, "--reason=too early", "--json"]);
    assert!(stage.app.rollout.marked.is_empty());
    let screen = stage.screen();
    assert!(screen.contains("defer BP0000Y: 0 of 5 done, 5 not asked yet"), "{screen}");
    let doc =
        format!(r#"{{"request_id":"BP0000Y","state":"deferred","deferred_until":"{}"}}"#, until.to_rfc3339());
    for machine in &meant[..3] {
        ends(&mut stage, *machine, 0, &doc, "");
    }
    ends(&mut stage, meant[3], 3, "", CLOSED);
    step(&mut stage, meant[4], Step::Begun);
    let screen = stage.screen();
    assert!(screen.contains("3 of 5 done, 1 refused, 1 not answered yet"), "{screen}");
    let at = |words: &str| screen.find(words).unwrap_or_else(|| panic!("{words}: {screen}"));
    assert!(at("window closed") < at("begun; no answer yet"), "{screen}");
    assert!(at("begun; no answer yet") < at("deferred until today"), "{screen}");
    step(&mut stage, meant[4], Step::Came(Came::Lost("no answer within 1m".into())));
    assert!(stage.screen().contains("not known"), "{}", stage.screen());
    // Those that failed are gone through: their machines, and one of those alone.
    stage.keys("g Enter j Enter");
    assert_eq!((stage.app.rollout.level, stage.app.rollout.machine()), (Level::Machine, Some(meant[4])));
    assert!(stage.app.overlays.is_empty());
    stage.keys("Esc");
    assert_eq!(stage.app.rollout.level, Level::Machines);
}

#[test]
fn one_machine_is_asked_without_a_number_and_over_its_own_sheet_too() {
    let mut stage = waiting(80, 24);
    let first = rows(&stage, 1)[0];
    stage.keys("Enter r");
    assert_eq!(stage.app.rollout.level, Level::Machine);
    assert!(stage.screen().contains("RUN BP0000Y on 1 machine at"), "{}", stage.screen());
    // A yes that comes with the question was typed for something else.
    stage.key_after(100, crate::console::keymap::Key::Char('y'));
    assert!(orders(&stage).is_empty());
    stage.keys("y");
    let sent = orders(&stage);
    assert_eq!(
        (&sent[0].machines[..], &sent[0].words[..]),
        (&[first][..], &["run", "BP0000Y", "--json"].map(str::to_owned)[..])
    );
    // While it goes on there is no second one.
    stage.keys("Esc r");
    assert!(stage.screen().contains("wait until it has ended"), "{}", stage.screen());
    ends(&mut stage, first, 0, STARTED, "");
    assert!(stage.screen().contains("run BP0000Y: 1 of 1 done"), "{}", stage.screen());
    stage.keys("H");
    assert!(stage.screen().contains("UNHOLD on 1 machine"), "{}", stage.screen());
    stage.keys("y");
    assert_eq!(orders(&stage)[1].words, ["unhold", "--json"]);
    assert_eq!(orders(&stage)[1].number, 2);
    // An answer to another order is none to this.
    stage.event(Event::Afar { order: 1, machine: first, step: Step::Dropped });
    assert!(stage.screen().contains("1 not asked yet"), "{}", stage.screen());
}

#[test]
fn the_rest_is_taken_back_and_what_has_begun_is_said_to_go_on() {
    let mut stage = waiting(80, 24);
    let meant = rows(&stage, 4);
    stage.keys("Space Space Space Space r '4 Enter y");
    step(&mut stage, meant[0], Step::Begun);
    stage.keys("x");
    assert!(stage.effects.contains(&Effect::TakeBack(1)));
    let screen = stage.screen();
    assert!(screen.contains("3 machines not asked any more; 1 begun, and not taken back"), "{screen}");
    assert!(screen.contains("CANCELLED"), "{screen}");
    for machine in &meant[1..] {
        step(&mut stage, *machine, Step::Dropped);
    }
    stage.keys("j");
    assert!(stage.screen().contains("1 not answered yet, 3 not asked"), "{}", stage.screen());
    stage.keys("x");
    assert!(stage.screen().contains("what has begun there goes on"), "{}", stage.screen());
    step(&mut stage, meant[0], Step::Came(Came::NeverThere("No route to host".into())));
    stage.keys("j");
    assert!(stage.screen().contains("0 of 4 done, 1 not reached, 3 not asked"), "{}", stage.screen());
    // Ctrl-C takes the rest back, too, before it quits.
    stage.keys("Esc Space Space r '2 Enter y Esc Ctrl-c");
    assert!(!stage.quit && stage.effects.contains(&Effect::TakeBack(2)));
    for machine in orders(&stage)[1].machines.clone() {
        step(&mut stage, machine, Step::Dropped);
    }
    assert!(stage.screen().contains("2 not asked"), "{}", stage.screen());
    stage.keys("Ctrl-c");
    assert!(stage.quit);
}

#[test]
fn what_keeps_a_machine_from_being_reached_is_said_before() {
    let mut stage = waiting(80, 24);
    let first = rows(&stage, 1)[0];
    let members = std::sync::Arc::make_mut(&mut stage.site.as_mut().unwrap().ground.members);
    members.iter_mut().filter(|member| member.machine == first).for_each(|member| member.host = None);
    stage.keys("F5");
    for key in ["r", "d", "D", "h", "H", "c", "l"] {
        stage.keys(key);
        let screen = stage.screen();
        assert!(screen.contains(&format!("no host name of {first}")), "{key}: {screen}");
        assert!(screen.contains("--host NAME") && stage.app.overlays.is_empty(), "{key}: {screen}");
    }
    // Beside others it is named, and not counted.
    stage.keys("Space Space Space r");
    let screen = stage.screen();
    assert!(screen.contains("on 2 machines") && screen.contains("1 without a host name"), "{screen}");
    stage.keys("Esc l");
    let of_log = stage.effects.iter().find_map(|effect| match effect {
        Effect::Logs(machines) => Some(machines.clone()),
        _ => None,
    });
    let nameless = of_log.unwrap().into_iter().filter(|(_, host)| host.is_none());
    assert_eq!(nameless.map(|(machine, _)| machine).collect::<Vec<_>>(), [first]);
    stage.app.options.site_folder = false;
    for key in ["r", "h", "c", "l", "S"] {
        stage.keys(key);
        assert!(stage.screen().contains("only the site folder"), "{key}: {}", stage.screen());
    }
    stage.app.options.site_folder = true;
    stage.app.options.read_only = true;
    for key in ["r", "d", "D", "h", "H", "S"] {
        stage.keys(key);
        assert!(stage.screen().contains("--read-only"), "{key}: {}", stage.screen());
    }
    assert!(stage.app.overlays.is_empty() && orders(&stage).is_empty());
    // Whoever may only look may look there, too.
    stage.keys("Esc g j c");
    let second = rows(&stage, 2)[1];
    assert!(stage.effects.contains(&Effect::Visit(second)));
    stage.app.options.read_only = false;
    stage.keys("Esc Esc");
    for key in ["r", "d"] {
        stage.keys(key);
        assert!(stage.screen().contains("only in a list of machines"), "{key}: {}", stage.screen());
    }
}

#[test]
fn the_log_is_that_of_all_that_are_marked_and_a_job_is_sent_again_to_those() {
    let mut stage = waiting(80, 24);
    let meant = rows(&stage, 3);
    let hosts: Vec<_> =
        stage.app.rollout.machines()[..3].iter().map(|row| (row.machine, row.host.clone())).collect();
    assert!(hosts.iter().all(|(_, host)| host.is_some()));
    stage.keys("l");
    assert!(stage.effects.contains(&Effect::Logs(hosts[..1].to_vec())));
    stage.keys("Space Space Space l");
    assert!(stage.effects.contains(&Effect::Logs(hosts)));
    stage.keys("S");
    assert!(stage.screen().contains("SEND BP0000AA AGAIN on 3 machines"), "{}", stage.screen());
    stage.keys("Enter y");
    assert!(!stage.effects.iter().any(|effect| matches!(effect, Effect::Verb(_))));
    stage.keys("Esc S '3 Enter y");
    let ids: Vec<String> = meant.iter().map(ToString::to_string).collect();
    let words =
        ["job", "send", "--again", "BP0000AA", "--to", &ids.join(","), "--expect", "3"].map(str::to_owned);
    assert!(stage.effects.contains(&Effect::Verb(words.to_vec())));
}

#[test]
fn evidence_of_marked_machines_asks_for_a_folder_and_tells_of_the_file_of_each() {
    let mut stage = waiting(80, 24);
    let meant = rows(&stage, 3);
    // Nothing is changed there: whoever may only look may have it.
    stage.app.options.read_only = true;
    stage.keys("Space Space Space : 'evidence Enter");
    let screen = stage.screen();
    assert!(screen.contains("EVIDENCE BP0000Y on 3 machines at BP0 Head office"), "{screen}");
    assert!(screen.contains("pcm-evidence-BP0000Y-") && screen.contains("changes nothing there"), "{screen}");
    stage.keys("'3 Enter Ctrl-u Enter y");
    assert!(orders(&stage).is_empty() && stage.screen().contains("enter a folder"), "{}", stage.screen());
    stage.keys("Esc : 'evidence Enter '3 Enter Ctrl-u '~/ticket_7 Enter y");
    let sent = orders(&stage);
    assert_eq!((&sent[0].machines, sent.len()), (&meant, 1));
    assert_eq!(sent[0].words, ["evidence", "BP0000Y", "--out", "-", "--json"]);
    let keep = sent[0].keep.as_ref().unwrap();
    assert_eq!((keep.folder.as_str(), keep.request.as_str()), ("~/ticket 7", "BP0000Y"));
    for (machine, came) in meant.iter().zip([
        Came::Kept("41 KB in /home/ola/ticket 7/x; missing in it: serials".into()),
        Came::NotKept("what it sent is no archive; nothing of it is kept".into()),
        Came::Lost("the connection ended: Broken pipe".into()),
    ]) {
        step(&mut stage, *machine, Step::Begun);
        step(&mut stage, *machine, Step::Came(came));
    }
    let screen = stage.screen();
    assert!(screen.contains("evidence BP0000Y: 1 of 3 done, 2 failed"), "{screen}");
    assert!(screen.contains("41 KB in") && screen.contains("is no archive"), "{screen}");
    // One machine needs no number; no other deed keeps anything.
    stage.keys("Esc Enter : 'evidence Enter Enter y");
    assert_eq!(orders(&stage)[1].machines.len(), 1);
    stage.app.options.read_only = false;
    let only = orders(&stage)[1].machines[0];
    step(&mut stage, only, Step::Dropped);
    stage.keys("Esc r y");
    assert_eq!(orders(&stage)[2].keep, None);
}

#[test]
fn the_newest_answers_are_found_again_and_can_be_copied() {
    let mut stage = waiting(120, 36);
    stage.keys(": 'results Enter");
    assert!(stage.screen().contains("nothing was done to machines of the site yet"), "{}", stage.screen());
    let first = rows(&stage, 1)[0];
    stage.keys("r y");
    ends(&mut stage, first, 1, "", "disk full\n");
    stage.keys("Esc : 'results Enter");
    assert!(matches!(stage.app.overlays.last(), Some(Overlay::Answers)));
    stage.keys("y");
    let copied = |effect: &Effect| matches!(effect, Effect::Copy(lines) if lines[0].as_str().ends_with("failed: disk full"));
    assert!(stage.effects.iter().any(copied));
    assert!(crate::console::app::enabled(&stage.app, Id::Save).is_ok());
}

/// Marked machines of which some have answered.
fn answered(stage: &mut Stage) {
    let meant = rows(stage, 12);
    stage.keys(&"Space ".repeat(12)).keys("r '12 Enter y");
    for machine in &meant[..6] {
        ends(stage, *machine, 0, STARTED, "");
    }
    ends(stage, meant[6], 3, "", CLOSED);
    ends(stage, meant[7], 3, "", CLOSED);
    step(stage, meant[8], Step::Came(Came::NeverThere("No route to host".into())));
    step(stage, meant[9], Step::Begun);
    step(stage, meant[9], Step::Came(Came::Lost("no answer within 1m".into())));
    step(stage, meant[10], Step::Begun);
}

#[test]
fn questions_and_answers_fit_every_screen() {
    for (width, height) in [(80, 24), (120, 36), (200, 50), (40, 15)] {
        let mut stage = waiting(width, height);
        stage.keys(&"Space ".repeat(12)).keys("d '12 Enter '2h");
        insta::assert_snapshot!(format!("afar_defer_{width}x{height}"), stage.picture());
        let mut stage = waiting(width, height);
        stage.keys(&"Space ".repeat(12)).keys(": 'evidence Enter '12 Enter");
        insta::assert_snapshot!(format!("afar_evidence_{width}x{height}"), stage.picture());
        let mut stage = waiting(width, height);
        answered(&mut stage);
        stage.keys("j Enter j");
        insta::assert_snapshot!(format!("afar_answers_{width}x{height}"), stage.picture());
        let mut stage = waiting(width, height);
        insta::assert_snapshot!(format!("afar_machines_{width}x{height}"), stage.picture());
    }
}
