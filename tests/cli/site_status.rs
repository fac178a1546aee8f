//! `pcm site status`: what is published, and what somebody has to look at.

use super::keys::{json, refused, ssh_keygen};
use super::{pcm, text};
use crate::common::reports::report_at;
use crate::common::{now, seconds, stamp};
use serde_json::Value;
use std::fs;
use std::path::Path;

const IN: [&str; 2] = ["--folder", "site"];

fn site(dir: &Path, args: &[&str]) -> Value {
    json(dir, &[args, &IN].concat())
}

/// The document, and the codes of its problems, which are what its exit status says.
fn status(dir: &Path) -> (Value, Vec<String>) {
    let done = pcm(dir, &[&["site", "status", "--json"][..], &IN].concat());
    let doc: Value =
        serde_json::from_slice(&done.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&done.stderr)));
    let problems = doc["problems"].as_array().unwrap();
    let codes: Vec<String> = problems.iter().map(|p| p["code"].as_str().unwrap().to_owned()).collect();
    assert_eq!(done.status.code(), Some(if codes.is_empty() { 0 } else { 10 }), "{doc}");
    (doc, codes)
}

#[test]
fn what_is_published_and_what_is_not_is_seen_at_a_glance() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert_eq!(refused(dir, &["site", "status", "--folder", "site"]), "no-site-folder");
    json(dir, &["site", "init", "site", "--site", "BP0", "--example", "BP004000"]);
    let (new, codes) = status(dir);
    assert_eq!((codes, &new["published"]), (vec!["not-published".to_owned()], &Value::Null));
    site(dir, &["site", "publish"]);
    let (well, codes) = status(dir);
    assert_eq!((codes, &well["published"]["serial"], &well["machines"]), (Vec::new(), &1.into(), &1.into()));
    assert_eq!(well["jobs"], serde_json::json!({"active": 1, "suspended": 0, "cancelled": 0}));
    let human = text(&pcm(dir, &[&["site", "status"][..], &IN].concat()).stdout);
    assert!(human.contains("All is well") && human.contains("not signed"), "{human}");

    // What is edited and not published, of each kind; it stays as it is.
    site(dir, &["job", "suspend", "BP0000AA", "--reason", "a look first", "--no-publish"]);
    site(dir, &["site", "machine", "add", "BP004001", "--no-publish"]);
    site(dir, &["site", "freeze", "--until", "12h", "--reason", "x", "--no-publish"]);
    let (edited, codes) = status(dir);
    assert_eq!(codes, ["unpublished"]);
    let unpublished = serde_json::json!({
        "jobs": ["BP0000AA"], "policies": 1, "members": 2, "trust": false, "signatures": [], "settings": false, "damaged": 0
    });
    assert_eq!(edited["unpublished"], unpublished);
    assert_eq!(status(dir).0["published"]["serial"], 1, "looking publishes nothing");
    site(dir, &["site", "publish"]);

    // A publisher that died here, and one that is at work elsewhere.
    let note = dir.join("site/share/PCM.PUBLISHING");
    fs::write(&note, "anna@other since 2026-11-29T12:00:00Z at other:/srv/site\n").unwrap();
    let (elsewhere, codes) = status(dir);
    assert_eq!(codes, ["publishing"]);
    assert!(elsewhere["problems"][0]["remedy"].as_str().unwrap().contains("--break-lock"), "{elsewhere}");
    fs::remove_file(&note).unwrap();

    // A job that the gate halted.
    let path = dir.join("site/jobs/BP0000AA.toml");
    let job =
        fs::read_to_string(&path).unwrap().replace("a look first", "halted: 9 % of 400 failed, limit 5 %");
    fs::write(&path, job).unwrap();
    site(dir, &["site", "publish"]);
    let (halted, codes) = status(dir);
    assert_eq!((codes, &halted["halted"][0]["job_id"]), (vec!["halted".to_owned()], &"BP0000AA".into()));

    // A share of yesterday, and a folder that says nothing sensible.
    fs::remove_file(dir.join("site/share/PCM.INDEX")).unwrap();
    assert!(status(dir).1.contains(&"not-completed".to_owned()));
    fs::write(&path, "job_id = 7\n").unwrap();
    let (damaged, codes) = status(dir);
    assert_eq!((codes[0].as_str(), &damaged["unpublished"]), ("malformed", &Value::Null));
    fs::rename(dir.join("site/share"), dir.join("site/away")).unwrap();
    assert!(status(dir).1.contains(&"share-missing".to_owned()));
}

/// What was edited is no damage, and what is damaged is no edit.
#[test]
fn an_edit_is_told_from_damage() {
    if ssh_keygen().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    super::site::signed(dir);
    site(dir, &["package", "sign", "BP00000A", "--key", "keys/package"]);
    site(dir, &["site", "publish"]);
    assert_eq!(status(dir).1, Vec::<String>::new());
    let share = dir.join("site/share");
    let (name, signature) = (share.join("PCM.SITE"), share.join("packages/BP00000A/1/package.toml.sig"));

    // Another key signs the same release; the site gets another name.
    json(dir, &["key", "generate", "keys/ben"]);
    let trust = ["key", "trust", "keys/ben.pub", "--role", "package", "--principal", "ben"];
    site(dir, &[&trust[..], &["--key", "keys/root"]].concat());
    site(dir, &["site", "publish"]);
    site(dir, &["package", "sign", "BP00000A", "--again", "--key", "keys/ben"]);
    let (signed, codes) = status(dir);
    assert_eq!(
        (codes, &signed["unpublished"]["signatures"]),
        (vec!["unpublished".to_owned()], &serde_json::json!(["BP00000A"]))
    );
    assert!(
        signed["problems"][0]["message"].as_str().unwrap().contains("the signature of BP00000A"),
        "{signed}"
    );
    site(dir, &["site", "publish"]);
    let toml = dir.join("site/site.toml");
    let text = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, text.replace("name = \"Site BP0\"", "name = \"Head office\"")).unwrap();
    let (named, codes) = status(dir);
    assert_eq!((codes, &named["unpublished"]["settings"]), (vec!["unpublished".to_owned()], &true.into()));
    let dry = site(dir, &["site", "publish", "--dry-run"]);
    assert!(dry["written"].to_string().contains("PCM.SITE"), "{dry}");
    site(dir, &["site", "publish"]);
    assert!(fs::read_to_string(&name).unwrap().contains("Head office"));
    assert_eq!(status(dir).1, Vec::<String>::new());

    // Somebody damages the share.
    fs::write(&signature, "half a signa").unwrap();
    assert_eq!(status(dir).1, ["share-differs"]);
    site(dir, &["site", "publish"]);
    fs::remove_file(&signature).unwrap();
    fs::remove_file(&name).unwrap();
    let (damaged, codes) = status(dir);
    assert_eq!((codes, &damaged["unpublished"]["damaged"]), (vec!["share-differs".to_owned()], &2.into()));
    site(dir, &["site", "publish"]);
    assert!(name.exists() && signature.exists());
}

#[test]
fn what_ends_soon_is_said_before_it_has_ended() {
    if ssh_keygen().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    json(dir, &["site", "init", "site", "--site", "BP0"]);
    fs::create_dir(dir.join("keys")).unwrap();
    for (name, role) in [("root", "trust"), ("publish", "publish")] {
        json(dir, &["key", "generate", &format!("keys/{name}")]);
        let file = format!("keys/{name}.pub");
        let trust = ["key", "trust", &file, "--role", role, "--principal", name, "--key", "keys/root"];
        let until: &[&str] = if role == "publish" { &["--until", "20d"] } else { &[] };
        site(dir, &[&trust[..], until].concat());
    }
    let toml = dir.join("site/site.toml");
    let own = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, format!("{own}key = \"../keys/publish\"\n")).unwrap();
    site(dir, &["site", "publish"]);
    let (soon, codes) = status(dir);
    assert_eq!((codes, &soon["keys"][0]["principal"]), (vec!["keys-expiring".to_owned()], &"publish".into()));
    assert_eq!(soon["published"]["left_percent"].as_i64().map(|left| left >= 99), Some(true), "{soon}");

    // Its clock goes on by itself in a real site; here what was published is made to have been issued long ago.
    fs::write(&toml, format!("{own}key = \"../keys/publish\"\nvalid_for = \"1h\"\n")).unwrap();
    let record = dir.join("site/publications.db");
    let text = fs::read_to_string(&record).unwrap();
    let (issued, until) = (now() - seconds(8_000), now() + seconds(1_000));
    let edit = |text: &str, key: &str, at: &str| {
        let (before, rest) = text.split_once(key).unwrap();
        let rest = rest.split_once("\\n").unwrap().1;
        format!("{before}{key}{at}\\n{rest}")
    };
    let text = edit(&edit(&text, "issued = ", &stamp(issued)), "valid_until = ", &stamp(until));
    fs::write(&record, &text).unwrap();
    fs::remove_file(dir.join("site/share/PCM.INDEX")).unwrap();
    let (_, codes) = status(dir);
    assert!(codes.contains(&"validity-left".to_owned()), "{codes:?}");
    fs::write(&record, edit(&text, "valid_until = ", &stamp(now() - seconds(10)))).unwrap();
    assert!(status(dir).1.contains(&"validity-over".to_owned()));
}

#[test]
fn a_timer_advances_jobs_and_renews_what_is_published() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    json(dir, &["site", "init", "my site", "--site", "BP0"]);
    let would = json(dir, &["site", "install-timer", "--folder", "my site", "--dry-run"]);
    assert_eq!((&would["started"], &would["dry_run"]), (&false.into(), &true.into()));
    let text = would["files"][0]["text"].as_str().unwrap();
    let starts: Vec<&str> = text.lines().filter(|line| line.starts_with("ExecSt")).collect();
    assert!(starts[0].starts_with("ExecStart=") && starts[1].starts_with("ExecStopPost="), "{text}");
    let folder = dir.join("my site").canonicalize().unwrap().display().to_string();
    assert!(starts[0].contains(" job advance --folder \"") && starts[0].contains("/my site\""), "{text}");
    assert!(starts[1].contains(" site publish --renew --folder \"") && starts[1].contains(&folder), "{text}");
    assert!(would["files"][1]["path"].as_str().unwrap().contains("/pcm-site-BP0-"));
    assert_eq!(
        (&would["minutes"], would["files"][1]["text"].to_string().contains("*:0/5")),
        (&5.into(), true)
    );
    // The file is named that says a key which no timer can use.
    fs::write(dir.join("key.pub"), "").unwrap();
    fs::write(dir.join("pcm.toml"), format!("[site]\nkey = {:?}\n", dir.join("key.pub"))).unwrap();
    let would = json(dir, &["site", "install-timer", "--folder", "my site", "--dry-run"]);
    let notes = would["notes"].to_string();
    assert!(notes.contains(&format!("`key` in {}", dir.join("pcm.toml").display())), "{notes}");
}

#[test]
fn what_goes_wrong_beside_a_publication_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    json(dir, &["site", "init", "site", "--site", "BP0", "--example", "BP004000"]);
    assert_eq!(site(dir, &["site", "publish"])["warnings"], serde_json::json!([]));
    fs::remove_file(dir.join("site/publications.log")).unwrap();
    fs::create_dir(dir.join("site/publications.log")).unwrap();
    let suspended = site(dir, &["job", "suspend", "BP0000AA", "--reason", "a look first"]);
    let warned = suspended["published"]["warnings"][0].as_str().unwrap();
    assert!(warned.contains("no line in") && warned.contains("publications.log"), "{warned}");
    let args = ["job", "resume", "BP0000AA", "--reason", "seen", "--folder", "site"];
    let said = text(&pcm(dir, &args).stderr);
    assert!(said.contains("this publication has no line in"), "{said}");
}

/// A share that is broken says nothing of a collector, and there never was one.
#[test]
fn a_share_that_cannot_be_read_is_no_fault_of_a_collector() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    json(dir, &["site", "init", "site", "--site", "BP0", "--example", "BP004000"]);
    site(dir, &["site", "publish"]);
    fs::rename(dir.join("site/share"), dir.join("away")).unwrap();
    fs::write(dir.join("site/share"), "no folder").unwrap();
    let (doc, codes) = status(dir);
    assert!(!codes.is_empty() && !codes.iter().any(|code| code == "collected-unused"), "{doc}");
}

/// Whoever prepares something with `--no-publish`, or is in the middle of a file, is not overtaken by a timer.
#[test]
fn what_is_renewed_or_advanced_publishes_no_other_edit() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    json(dir, &["site", "init", "site", "--site", "BP0", "--example", "BP004000"]);
    site(dir, &["site", "machine", "add", "BP004001", "--group", "web", "--no-publish"]);
    site(dir, &["site", "publish"]);
    let send = ["job", "send", "--package", "BP00000A", "--to", "@web", "--mandatory", "22:00"];
    let phased = site(dir, &[&send[..], &["--phases", "5%,100%"]].concat());
    let phased = phased["job_id"].as_str().unwrap().to_owned();
    let held = site(dir, &[&send[..], &["--no-publish"]].concat())["job_id"].as_str().unwrap().to_owned();
    let job = dir.join(format!("site/jobs/{phased}.toml"));
    let edited = fs::read_to_string(&job).unwrap().replace("targets = [\"@web\"]", "targets = [\"@all\"]");
    fs::write(&job, &edited).unwrap();
    let index = || fs::read_to_string(dir.join("site/share/PCM.INDEX")).unwrap();
    let serial = |doc: &Value| doc["serial"].as_u64().unwrap();

    let before = index();
    assert_eq!(site(dir, &["site", "publish", "--renew"])["written"], serde_json::json!([]));
    assert_eq!(index(), before, "it has no end, and so there is nothing to renew");
    let renewed = site(dir, &["site", "publish", "--renew", "--serial", "50"]);
    assert_eq!((serial(&renewed), &renewed["changed"]["jobs"]), (50, &serde_json::json!([])));
    assert!(!index().contains(&held), "{}", index());

    let advanced = site(dir, &["job", "advance", &phased, "--now", "--reason", "seen"]);
    assert_eq!(advanced["published"]["changed"]["jobs"], serde_json::json!([phased]), "{advanced}");
    assert!(!index().contains(&held) && index().contains("percent = 100"), "{}", index());
    let published = fs::read_to_string(dir.join(format!("site/share/jobs/{phased}.1.toml"))).unwrap();
    assert!(published.contains("@web"), "{published}");
    assert!(
        !dir.join(format!("site/share/jobs/{phased}.2.toml")).exists(),
        "its targets wait for their author"
    );
    let text = fs::read_to_string(&job).unwrap();
    assert!(text.contains("percent = 100") && text.contains("@all"), "{text}");
    let (doc, codes) = status(dir);
    assert!(codes.contains(&"unpublished".to_owned()), "{doc}");

    // A file that somebody is writing is no reason to let a publication run out; nobody's publication is renewed over another.
    fs::write(&job, "half a fi").unwrap();
    assert_eq!(serial(&site(dir, &["site", "publish", "--renew", "--serial", "60"])), 60);
    fs::write(&job, text).unwrap();
    fs::remove_dir_all(dir.join("site/past")).unwrap();
    let renew = ["site", "publish", "--renew", "--serial", "70", "--folder", "site"];
    assert_eq!(refused(dir, &renew), "unpublished");
    site(dir, &["site", "publish"]);
    assert!(index().contains(&held));
    assert_eq!(serial(&site(dir, &["site", "publish", "--renew", "--serial", "80"])), 80);
}

#[test]
fn a_machine_may_go_on_from_the_state_that_it_reports() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    json(dir, &["site", "init", "site", "--site", "BP0", "--example", "BP004000"]);
    site(dir, &["site", "publish"]);
    let replace = |id: &str| {
        [&["site", "machine", "replace", id][..], &IN]
            .concat()
            .iter()
            .map(|a| (*a).to_owned())
            .collect::<Vec<_>>()
    };
    let no = |id: &str| {
        let args = replace(id);
        refused(dir, &args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_eq!(no("BP004000"), "no-state", "it has not reported");
    // A real machine reports.
    json(dir, &["init", "--machine", "BP004000", "--share", "site/share", "--trust", "permissions"]);
    let report = dir.join("site/share/machines/BP004000.json");
    let served = |what: &str, is_so: &dyn Fn(&Value) -> bool| {
        let mut service = super::command(dir, &["service", "run"]).spawn().unwrap();
        crate::common::wait_for(what, || is_so(&report_at(&report)));
        service.kill().unwrap();
        service.wait().unwrap();
        report_at(&report)["state_id"].as_str().unwrap().to_owned()
    };
    let whole = served("it has reported", &|report| report["report"].is_number());
    assert_eq!(no("BP004000"), "not-lost", "a line for it would count with the next loss");
    fs::remove_file(dir.join("state/history.db")).unwrap();
    let state = served("its loss is reported", &|report| report.is_object() && report["report"].is_null());
    assert_eq!(state, whole);
    let replaced = site(dir, &["site", "machine", "replace", "BP004000"]);
    assert_eq!((&replaced["changed"], &replaced["replaced"]["adopt"]), (&1.into(), &state.as_str().into()));
    assert_eq!(replaced["replaced"]["two_machines"], false);
    let part = fs::read_to_string(dir.join("site/share/members/all.2")).unwrap();
    assert_eq!(part.split(' ').nth(2).map(str::trim), Some(state.as_str()), "{part}");
    let list = site(dir, &["site", "machine", "list"]);
    assert_eq!(list["machines"][0]["adopt"], state);
    let known = fs::read_to_string(dir.join("site/machines.csv")).unwrap();
    assert!(known.starts_with("smsid,host,groups,host_key,words,adopt\n"), "{known}");
    // One that is not in the list has no line, and a report that says nothing says nothing.
    fs::write(&report, "{}").unwrap();
    assert_eq!(no("BP004000"), "no-state");
}

/// A release that is withdrawn, and one whose key counts no more, run nowhere: that is said, and what is said helps.
#[test]
fn a_package_that_no_machine_takes_is_a_problem_with_a_way_out() {
    if ssh_keygen().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    super::site::signed(dir);
    let sign = ["package", "sign", "BP00000A", "--key", "keys/package"];
    site(dir, &sign);
    site(dir, &["site", "publish"]);
    assert_eq!(status(dir).1, Vec::<String>::new());
    let listed = |dir: &Path| site(dir, &["package", "list"])["packages"][0].clone();
    assert_eq!((&listed(dir)["release"], &listed(dir)["signed_by"]), (&1.into(), &"package".into()));

    let withdraw = ["key", "withdraw", "BP00000A", "--below", "3", "--key", "keys/root"];
    site(dir, &withdraw);
    site(dir, &["site", "publish"]);
    let (withdrawn, codes) = status(dir);
    assert_eq!(codes, ["package-withdrawn"], "{withdrawn}");
    let problem = &withdrawn["problems"][0];
    assert!(problem["message"].as_str().unwrap().contains("BP0000AA"), "{problem}");
    assert!(problem["remedy"].as_str().unwrap().contains("pcm package sign BP00000A"), "{problem}");
    assert!(listed(dir)["problem"].as_str().unwrap().contains("withdrawn"), "{}", listed(dir));

    // What the remedy says makes a release that machines take; the same one again is of no use.
    let again = [&sign[..], &["--again", "--folder", "site"]].concat();
    assert_eq!(refused(dir, &again), "package-withdrawn");
    let signed = site(dir, &sign);
    assert_eq!(
        (&signed["packages"][0]["release"], &signed["packages"][0]["signed"]),
        (&3.into(), &true.into())
    );
    assert_eq!(site(dir, &sign)["packages"][0]["signed"], false);
    site(dir, &["job", "send", "--again", "BP0000AA"]);
    assert_eq!(status(dir).1, Vec::<String>::new());

    // Nobody's signature counts any more.
    site(dir, &["key", "revoke", "keys/package.pub", "--key", "keys/root"]);
    site(dir, &["site", "publish"]);
    let (revoked, codes) = status(dir);
    assert_eq!(codes.len(), 1, "{revoked}");
    let said = revoked["problems"][0]["message"].as_str().unwrap();
    assert!(said.contains("BP0000AA") && said.contains("does not count"), "{revoked}");
    assert!(listed(dir)["problem"].as_str().unwrap().contains("does not count"), "{}", listed(dir));
}

/// Reports that nobody can read are no good sign.
#[test]
fn reports_that_cannot_be_read_are_a_problem_and_the_right_one() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    json(dir, &["site", "init", "site", "--site", "BP0", "--example", "BP004000"]);
    site(dir, &["site", "publish"]);
    assert_eq!(status(dir).1, Vec::<String>::new());
    let (reports, away) = (dir.join("site/share/machines"), dir.join("away"));
    fs::rename(&reports, &away).unwrap();
    assert_eq!(status(dir).1, ["reports-unread"]);
    let replace = ["site", "machine", "replace", "BP004000", "--folder", "site"];
    let said = |dir: &Path| text(&pcm(dir, &replace).stderr);
    assert!(!said(dir).contains("Let it report first") && said(dir).contains("machines"), "{}", said(dir));
    fs::rename(&away, &reports).unwrap();
    assert_eq!(status(dir).1, Vec::<String>::new());
    assert!(said(dir).contains("Let it report first"), "{}", said(dir));
}

/// When the key of a package ends, its packages stop: whoever lists them learns it a month ahead.
#[test]
fn a_package_whose_key_ends_soon_says_so_where_packages_are_listed() {
    if ssh_keygen().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    super::site::signed(dir);
    let trust = |name: &str, until: &str| {
        json(dir, &["key", "generate", &format!("keys/{name}")]);
        let file = format!("keys/{name}.pub");
        let trust = ["key", "trust", &file, "--role", "package", "--principal", name, "--until", until];
        site(dir, &[&trust[..], &["--key", "keys/root"]].concat());
    };
    trust("short", "20d");
    trust("long", "90d");
    for (key, problem) in [("short", "ends at 20"), ("long", "")] {
        let key_file = format!("keys/{key}");
        site(dir, &["package", "sign", "BP00000A", "--again", "--key", &key_file]);
        let listed = site(dir, &["package", "list"])["packages"][0].clone();
        assert_eq!(listed["signed_by"], key, "{listed}");
        let said = listed["problem"].as_str().unwrap_or_default();
        assert!(said.contains(problem) && said.is_empty() == problem.is_empty(), "{listed}");
    }
}
