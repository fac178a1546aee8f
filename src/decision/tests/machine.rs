//! The gates about this computer: users, clock, restart, start, power, disk, policy, content, executor.

use super::super::decide_one;
use super::super::model::*;
use super::gates::{blocks, only};
use super::scene::*;
use crate::site::content::ContentFact;
use crate::site::instruction::*;
use crate::terms::*;
use chrono::TimeDelta;

fn wanting(run_when: RunWhen, users: Option<Vec<UserFact>>) -> Scene {
    Scene::due().with(|s| {
        s.request().run_when = run_when;
        s.facts.users = users;
    })
}

#[test]
fn users_are_as_run_when_wants_them_and_unknown_closes() {
    let somebody = || Some(vec![user("anna")]);
    for users in [None, Some(Vec::new()), somebody()] {
        assert_eq!(wanting(RunWhen::Any, users).decision().state, State::Due);
    }
    let scene = wanting(RunWhen::NoUser, somebody());
    let gate = blocks(&scene, Gate::Users, Code::UserLoggedOn, Change::Event);
    assert_eq!(gate.evidence, "it wants nobody logged on: anna on pts/0 (idle 3m)");
    assert_eq!(scene.decision().why, "user anna");
    blocks(&wanting(RunWhen::User, Some(Vec::new())), Gate::Users, Code::NoUser, Change::Event);
    for run_when in [RunWhen::NoUser, RunWhen::User] {
        only(&wanting(run_when, None), Gate::Users, Code::UsersUnknown, Verdict::Unknown, Change::Event);
    }
    assert_eq!(wanting(RunWhen::NoUser, Some(Vec::new())).decision().state, State::Due);
    assert_eq!(wanting(RunWhen::User, somebody()).decision().state, State::Due);
}

#[test]
fn a_user_who_has_been_away_for_long_enough_keeps_nothing_waiting() {
    let with = |idle: Option<u64>, locked: Option<bool>| {
        let mut kiosk = user("kiosk");
        (kiosk.idle, kiosk.locked) = (idle.map(minutes), locked);
        wanting(RunWhen::NoUser, Some(vec![kiosk]))
    };
    blocks(&with(Some(14), Some(true)), Gate::Users, Code::UserLoggedOn, Change::Event);
    blocks(&with(None, None), Gate::Users, Code::UserLoggedOn, Change::Event);
    blocks(&with(None, Some(false)), Gate::Users, Code::UserLoggedOn, Change::Event);
    for (scene, known) in
        [(with(Some(15), Some(true)), "idle 15m, locked"), (with(None, Some(true)), "locked")]
    {
        let decision = scene.decision();
        assert_eq!(decision.state, State::Due);
        let gate = decision.gates.iter().find(|g| g.gate == Gate::Users).unwrap();
        let evidence = format!("nobody has been busy for 15m: kiosk on pts/0 ({known})");
        assert_eq!(gate.evidence.as_str(), evidence);
    }
    let shorter = with(Some(14), None).with(|s| s.policy.config.users.busy_within = minutes(14));
    assert_eq!(shorter.decision().state, State::Due);
}

#[test]
fn only_those_who_are_busy_are_named_as_the_reason() {
    let mut kiosk = user("kiosk");
    kiosk.idle = Some(minutes(180));
    let scene = wanting(RunWhen::NoUser, Some(vec![kiosk.clone(), user("anna")]));
    let gate = blocks(&scene, Gate::Users, Code::UserLoggedOn, Change::Event);
    assert_eq!(gate.evidence, "it wants nobody logged on: anna on pts/0 (idle 3m)");
    assert_eq!(scene.decision().why, "user anna");
    assert_eq!(wanting(RunWhen::User, Some(vec![kiosk])).decision().state, State::Due, "logged on is enough");
}

#[test]
fn nothing_runs_by_itself_until_the_machine_has_been_up_for_a_while() {
    let scene = Scene::due().with(|s| s.facts.host.started = Some(now() - TimeDelta::minutes(4)));
    let settled = now() + TimeDelta::minutes(6);
    let gate = blocks(&scene, Gate::Host, Code::Booting, Change::At(settled));
    assert_eq!(
        gate.evidence,
        "the machine started 4m ago; nothing runs by itself for 10m, until Sun 2026-11-22 12:06 +00:00"
    );
    let decision = scene.decision();
    assert_eq!((decision.next_run, decision.why.as_str()), (Some(settled), "just started, until 12:06"));
    assert_eq!(scene.clone().with(|s| s.now = settled).decision().state, State::Due);
    let never_mind = scene.clone().with(|s| s.policy.config.run.after_boot = std::time::Duration::ZERO);
    assert_eq!(never_mind.decision().state, State::Due);
    let unknown = scene.with(|s| s.facts.host.started = None);
    only(&unknown, Gate::Host, Code::Booting, Verdict::Unknown, Change::Event);
}

#[test]
fn nothing_runs_by_itself_on_battery_and_unknown_power_closes() {
    let on = |power: Power| Scene::due().with(|s| s.facts.host.power = power);
    let scene = on(Power::Battery("BAT0 discharging, 41%".into()));
    let gate = blocks(&scene, Gate::Host, Code::OnBattery, Change::Event);
    assert_eq!(gate.evidence, "the machine runs on battery: BAT0 discharging, 41%");
    assert_eq!(scene.decision().why, "on battery");
    let scene = on(Power::Unknown("BAT0: gone".into()));
    only(&scene, Gate::Host, Code::OnBattery, Verdict::Unknown, Change::Event);
}

#[test]
fn a_restart_that_only_the_system_wants_is_evidence_and_closes_nothing() {
    let scene =
        Scene::due().with(|s| s.facts.host.restart_wanted = Some("the system wants one for dbus".into()));
    let decision = scene.decision();
    assert_eq!(decision.state, State::Due);
    let gate = decision.gates.iter().find(|g| g.gate == Gate::Host).unwrap();
    assert!(gate.evidence.as_str().contains("the system wants one for dbus"), "{}", gate.evidence);
}

#[test]
fn a_clock_that_cannot_be_believed_closes() {
    let scene = Scene::due().with(|s| s.facts.clock_suspect = Some("it went back 3 h".into()));
    blocks(&scene, Gate::Clock, Code::ClockSuspect, Change::Event);
}

#[test]
fn a_restart_that_a_package_wants_closes_until_the_next_boot() {
    let mut scene = Scene::due();
    scene.attempted(OTHER, vec![attempt(1, State::SucceededRestart)]);
    let gate = blocks(&scene, Gate::Host, Code::RestartPending, Change::Event);
    assert!(
        gate.evidence.as_str().starts_with("BP0000X (Acme Workstation 4.0) succeeded"),
        "{}",
        gate.evidence
    );
    let restarted = scene.clone().with(|s| s.facts.boot_id = "boot-2".into());
    assert_eq!(restarted.decision().state, State::Due);
    let state = |scene: &Scene| decide_one(&scene.inputs(), id(OTHER)).unwrap().state;
    assert_eq!((state(&scene), state(&restarted)), (State::SucceededRestart, State::Succeeded));
}

#[test]
fn disk_space_is_needed_and_unknown_space_closes() {
    let mut scene = Scene::due();
    scene.request().disk_space = Some(200 << 20);
    scene.facts.disk_free = Some(200 << 20);
    assert_eq!(scene.decision().state, State::Due);
    scene.facts.disk_free = Some((200 << 20) - 1);
    let gate = blocks(&scene, Gate::Host, Code::DiskSpace, Change::Event);
    assert_eq!(gate.evidence, "it needs 200 MB, 199.9 MB are free where the state folder is");
    scene.facts.disk_free = None;
    only(&scene, Gate::Host, Code::DiskSpace, Verdict::Unknown, Change::Event);
}

#[test]
fn a_configuration_that_cannot_be_read_closes() {
    let scene = Scene::due().with(|s| s.policy.unreadable = Some("pcm.toml, line 3: unknown key".into()));
    blocks(&scene, Gate::Policy, Code::PolicyUnreadable, Change::Event);
}

#[test]
fn content_has_to_be_staged_and_verified() {
    let mut scene = Scene::due();
    scene.request().content_sha256 = Some(hash());
    blocks(&scene, Gate::Content, Code::ContentMissing, Change::Event);
    scene.facts.content.insert(hash(), ContentFact::Missing("the share is away".into()));
    blocks(&scene, Gate::Content, Code::ContentMissing, Change::Event);
    scene.facts.content.insert(hash(), ContentFact::Mismatch("files/setup.sh differs".into()));
    blocks(&scene, Gate::Content, Code::ContentMismatch, Change::Event);
    scene.facts.content.insert(hash(), ContentFact::Staged);
    assert_eq!(scene.decision().state, State::Due);
}

#[test]
fn one_package_at_a_time() {
    let scene = Scene::due().with(|s| s.facts.running = Some((id(OTHER), now() - TimeDelta::minutes(4))));
    let gate = blocks(&scene, Gate::Executor, Code::Busy, Change::Event);
    assert_eq!(gate.evidence, "BP0000X runs since Sun 2026-11-22 11:56 +00:00, 4m");
    assert_eq!(scene.decision().why, "BP0000X runs");
}
