//! `--machine` and `--share` (SITE.md 8): every verb of the reference, which a unit test compares with clap's tree, obeys
//! them or refuses, with a service and without.

use super::common::*;
use serde_json::Value;

/// What a verb does about a machine and a share that are not its own.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Means {
    /// Refuses both; with its own it shows something.
    Views,
    /// Refuses both.
    Acts,
    /// Reads the share; is about no machine.
    Reads,
    /// The same, of a site whose folder it needs as well.
    ReadsBeside,
    /// Wrong usage.
    Neither,
}
use Means::*;

/// The verbs with arguments that are right but for the two flags.
const VERBS: &[(&str, &[&str], Means)] = &[
    ("", &[], Acts),
    ("demo", &["--headless", "--for", "1s"], Neither),
    ("status", &[], Views),
    ("list", &[], Views),
    ("show", &["BP0000Y"], Views),
    ("explain", &["BP0000Y"], Views),
    ("simulate", &[], Views),
    ("run", &["BP0000Y"], Acts),
    ("rerun", &["BP0000Y", "--reason", "x"], Acts),
    ("defer", &["BP0000Y", "--for", "1h", "--reason", "x"], Acts),
    ("undefer", &["BP0000Y"], Acts),
    ("stop", &["BP0000Y", "--reason", "x"], Acts),
    ("hold", &["--for", "1h", "--reason", "x"], Acts),
    ("unhold", &[], Acts),
    ("restart now", &[], Acts),
    ("restart defer", &["--for", "1h"], Acts),
    ("restart cancel", &[], Acts),
    ("seen", &["--all"], Acts),
    ("poll", &[], Acts),
    ("who", &[], Views),
    ("notice", &["hello"], Acts),
    ("log", &[], Views),
    ("history", &[], Views),
    ("audit", &[], Views),
    ("audit verify", &[], Views),
    ("offers", &[], Views),
    ("install", &["BP0000Y"], Acts),
    ("evidence", &["BP0000Y", "--out", "evidence.tar.zst"], Views),
    ("check", &[], Views),
    ("init", &[], Acts),
    ("site init", &["new", "--hand-made", "--site", "BP0"], Neither),
    ("site publish", &[], Neither),
    ("site status", &[], Neither),
    ("site install-timer", &["--dry-run"], Neither),
    ("site collect", &[], ReadsBeside),
    ("site freeze", &["--until", "2h", "--reason", "x"], Neither),
    ("site unfreeze", &[], Neither),
    ("site machine add", &["BP004000"], Neither),
    ("site machine import", &["etc/pcm.toml"], Neither),
    ("site machine replace", &["BP004000"], Neither),
    ("site machine remove", &["BP004000"], Neither),
    ("site machine list", &[], Neither),
    ("site lint", &[], Reads),
    ("site verify", &["share/PCM.SITE"], Neither),
    ("package new", &["--name", "Acme"], Reads),
    ("package import", &["etc", "--name", "Acme", "--command-line", "setup.sh"], Reads),
    ("package list", &[], Reads),
    ("package lint", &[], Reads),
    ("package sign", &["BP00000A", "--key", "key"], Neither),
    ("package content", &["BP00000A"], Reads),
    ("job send", &["--package", "BP00000A", "--to", "@all"], Neither),
    ("job list", &[], Neither),
    ("job show", &["BP0000AA"], Neither),
    ("job suspend", &["BP0000AA"], Neither),
    ("job resume", &["BP0000AA"], Neither),
    ("job advance", &[], Neither),
    ("job cancel", &["BP0000AA"], Neither),
    ("rollout", &[], Reads),
    ("key generate", &["key"], Neither),
    (
        "key trust",
        &["etc/pcm.toml", "--role", "trust", "--principal", "anna", "--folder", "site", "--key", "key"],
        Reads,
    ),
    ("key revoke", &["key.pub", "--key", "key"], Neither),
    ("key withdraw", &["BP00000A", "--below", "2", "--key", "key"], Neither),
    ("key list", &[], Neither),
    ("service run", &[], Acts),
    ("service install", &[], Acts),
    ("service uninstall", &[], Acts),
    ("service status", &[], Views),
    ("completions", &["bash"], Neither),
    ("help", &[], Neither),
    ("man", &[], Neither),
];

/// The verbs of the reference.
fn documented() -> Vec<String> {
    let reference = include_str!("../../.github/docs/commands.md");
    let headings = reference.lines().filter_map(|line| line.strip_prefix("### `pcm")?.strip_suffix('`'));
    headings.map(|verb| verb.trim().to_owned()).collect()
}

fn line<'a>(verb: &'a str, args: &[&'a str], flags: &[&'a str]) -> Vec<&'a str> {
    let own = |w: &&str| !w.is_empty();
    // Where a verb may be without a share or a machine, its own flags are not what is tried.
    flags.iter().copied().chain(verb.split(' ').filter(own)).chain(args.iter().copied()).collect()
}

fn with_a_request() -> Site {
    let mut site = Site::new();
    site.package("BP00000A", "exit 0");
    site.publish(&[Request::due("BP0000Y").mandatory(now() + seconds(3600))]);
    site
}

fn code(output: &std::process::Output) -> Value {
    serde_json::from_slice::<Value>(&output.stderr).map_or(Value::Null, |mut e| e["error"]["code"].take())
}

fn every_verb(site: &Site) {
    let elsewhere = site.path("elsewhere");
    let (own, other) = (site.share().display().to_string(), elsewhere.display().to_string());
    // It replaces no file.
    let _ = std::fs::remove_file(site.path("evidence.tar.zst"));
    for (verb, args, means) in VERBS {
        let said = |flags: &[&str]| {
            let json = !["completions", "help", "man"].contains(verb);
            let flags = [flags, if json { &["--json"] } else { &[] }].concat();
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pcm"));
            if *means != Neither {
                command.arg("--config").arg(site.config()).arg("--state").arg(site.state());
            }
            command.current_dir(site.path("")).args(line(verb, args, &flags)).output().unwrap()
        };
        let of_machine = said(&["--machine", "BP004001"]);
        let of_share = said(&["--share", &other]);
        let told = format!("{verb}: {} {}", text(&of_machine), text(&of_share));
        let statuses = (of_machine.status.code(), of_share.status.code());
        match means {
            Views | Acts => {
                assert_eq!(statuses, (Some(3), Some(3)), "{told}");
                assert_eq!(
                    (code(&of_machine), code(&of_share)),
                    ("other-machine".into(), "other-share".into())
                );
                assert!(of_machine.stdout.is_empty() && of_share.stdout.is_empty(), "{told}");
            }
            Reads => {
                assert_eq!((statuses.0, statuses.1), (Some(2), Some(4)), "the share that is named: {told}");
                assert_ne!(said(&["--share", &own]).status.code(), Some(4), "{told}");
            }
            ReadsBeside => {
                assert_eq!(statuses, (Some(2), Some(2)), "{told}");
                assert_eq!(code(&of_share), "no-site-folder", "{told}");
            }
            Neither => assert_eq!(statuses, (Some(2), Some(2)), "{told}"),
        }
        if *means == Views {
            let right = said(&["--machine", "bp004000", "--share", &format!("{own}/")]);
            // A log in which nothing stands yet ends as grep does.
            let nothing = *verb == "log" && right.status.code() == Some(1);
            assert!(
                nothing || [Some(0), Some(10)].contains(&right.status.code()),
                "{verb}: {}",
                text(&right)
            );
        }
    }
    assert_eq!(site.json(&["audit"])["entries"], Value::Array(Vec::new()), "nothing was done, nor asked for");
    assert!(site.json_of(&["status"])["held_until"].is_null());
}

#[test]
fn every_verb_obeys_machine_and_share_or_refuses_service_or_not() {
    for verb in documented() {
        assert!(VERBS.iter().any(|(v, ..)| *v == verb), "what does --machine say to `pcm {verb}`?");
    }
    let site = with_a_request();
    every_verb(&site);
    let _service = site.service();
    every_verb(&site);
}

#[test]
fn a_configuration_of_another_machine_does_not_operate_the_service_in_use() {
    let site = with_a_request();
    let _service = site.service();
    let own = std::fs::read_to_string(site.config()).unwrap();
    let other = site.path("etc/other.toml");
    write(&other, own.replace(MACHINE, "BP004001").as_bytes());
    for args in
        [&["hold", "--for", "1h", "--reason", "x"][..], &["list"], &["stop", "BP0000Y", "--reason", "x"]]
    {
        let other = other.display().to_string();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pcm"));
        command.args(["--config", &other, "--json", "--state"]).arg(site.state()).args(args);
        let output = command.output().unwrap();
        assert_eq!(
            (output.status.code(), code(&output)),
            (Some(3), "other-machine".into()),
            "{}",
            text(&output)
        );
    }
    assert_eq!(site.json(&["audit"])["entries"], Value::Array(Vec::new()));
}

/// The service's words and the columns beside them are of one zone, and so is what is typed.
#[test]
fn times_are_on_the_machines_clock_whatever_the_zone_of_the_operators_shell() {
    let mut site = with_a_request();
    site.publish(&[Request::due("BP0000Y").set("mandatory_after", "2030-01-01T12:00:00Z")]);
    let in_india = |args: &[&str]| text(&site.command(args).env("TZ", "Asia/Kolkata").output().unwrap());
    assert!(
        in_india(&["show", "BP0000Y"]).contains("17:30"),
        "there is no service: {}",
        in_india(&["show", "BP0000Y"])
    );
    let _service = site.service();
    wait_for("it is in force", || site.request("BP0000Y").is_some());
    let said = in_india(&["show", "BP0000Y"]);
    assert!(said.contains("12:00") && !said.contains("17:30"), "{said}");
    let until = (now() + seconds(3600)).format("%Y-%m-%d %H:%M").to_string();
    let deferred = in_india(&["--json", "defer", "BP0000Y", "--until", &until, "--reason", "x", "--dry-run"]);
    assert!(deferred.contains(&until), "{until}: {deferred}");
}

#[test]
fn where_nothing_is_configured_the_flags_show_a_machine_and_change_nothing() {
    let site = with_a_request();
    let (share, state) = (site.share().display().to_string(), site.path("nowhere").display().to_string());
    let pcm = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pcm"));
        command
            .env("PCM_CONFIG", site.path("none.toml"))
            .args(["--state", &state, "--share", &share, "--json"]);
        command.args(["--machine", MACHINE]).args(args).output().unwrap()
    };
    let list = pcm(&["list"]);
    let doc: Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(
        (&doc["machine"], &doc["requests"][0]["request_id"]),
        (&MACHINE.into(), &"BP0000Y".into()),
        "{doc}"
    );
    for args in
        [&["run", "BP0000Y"][..], &["poll"], &["service", "run"], &["hold", "--for", "1h", "--reason", "x"]]
    {
        let refused = pcm(args);
        assert_eq!(
            (refused.status.code(), code(&refused)),
            (Some(3), "not-enrolled".into()),
            "{}",
            text(&refused)
        );
    }
    assert!(!site.path("nowhere").exists() && !site.path("none.toml").exists());
    let of_another_state = std::process::Command::new(env!("CARGO_BIN_EXE_pcm"))
        .env("PCM_CONFIG", site.path("none.toml"))
        .args(["--json", "--machine", "BP004001", "--state"])
        .arg({
            let _service = site.service();
            wait_for("the instruction file is in force", || site.state().join("held.INS").exists());
            site.state()
        })
        .arg("list")
        .output()
        .unwrap();
    assert_eq!(code(&of_another_state), "other-machine", "{}", text(&of_another_state));
}

#[test]
fn what_is_simulated_from_a_file_is_for_the_machine_of_the_file_under_the_freezes_of_the_share_that_is_named()
{
    let site = with_a_request();
    let file = site.share().join(format!("pcmins.box/{MACHINE}.INS")).display().to_string();
    let wrong = site.refused(&["simulate", "--file", &file, "--machine", "BP004001"], 3);
    assert_eq!(wrong["code"], "other-machine");
    let frozen = site.path("frozen");
    make_dir(&frozen);
    let freeze =
        "[[freeze]]\nfrom = 2020-01-01T00:00:00Z\nuntil = 2099-01-01T00:00:00Z\nreason = \"never\"\n";
    let marked = std::fs::read_to_string(site.share().join("PCM.SITE")).unwrap() + freeze;
    write(&frozen.join("PCM.SITE"), marked.as_bytes());
    let why = |args: &[&str]| {
        site.json(&[&["simulate", "--file", &file], args].concat())["requests"][0]["why"].to_string()
    };
    let (free, frozen) = (why(&[]), why(&["--share", frozen.to_str().unwrap()]));
    assert!(!free.contains("frozen") && frozen.contains("frozen"), "{free} {frozen}");
}
