//! `pcm rollout`: the same figures as text, JSON, values and metrics, whatever machines have put there.

use super::keys::json;
use super::rollout::{IN, id, phased, report};
use super::{command, pcm, text};
use crate::common::pty::Terminal;
use crate::common::{now, seconds, skipped, stamp};
use serde_json::{Value, json as doc};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

/// `pcm rollout --json`, and how it ended.
fn rollout(dir: &Path, args: &[&str]) -> (Option<i32>, Value) {
    let done = pcm(dir, &[&["rollout", "--json"][..], args].concat());
    let read = serde_json::from_slice(&done.stdout);
    (done.status.code(), read.unwrap_or_else(|e| panic!("{e}: {}", text(&done.stderr))))
}

/// The same of one job in the site folder.
fn job(dir: &Path, args: &[&str]) -> Value {
    let (_, all) = rollout(dir, &[&["BP0000AB"][..], args, &IN].concat());
    all["jobs"][0].clone()
}

fn n(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}

const PARTS: [&str; 7] = ["done", "not_needed", "running", "waiting", "failed", "interrupted", "silent"];

fn parts(job: &Value) -> Vec<u64> {
    PARTS.iter().map(|part| n(&job[part])).collect()
}

/// A machine waits, for these reasons.
fn waits(dir: &Path, machine: usize, serial: u64, codes: &[&str], change: impl Fn(&mut Value)) {
    report(dir, machine, serial, "waiting");
    let path = dir.join(format!("site/share/machines/{}.json", id(machine)));
    let mut own: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    own["requests"][0]["blocked_by"] = doc!(codes);
    change(&mut own);
    fs::write(path, own.to_string()).unwrap();
}

/// Forty machines: twenty have done it, four failed, six wait, the others say nothing.
fn forty(dir: &Path) {
    phased(dir, 40, "100%");
    for machine in 0..20 {
        report(dir, machine, 2, "succeeded");
    }
    for machine in 20..24 {
        report(dir, machine, 2, "failed");
    }
    let at = stamp(now() + seconds(3_600));
    for machine in 24..27 {
        waits(dir, machine, 2, &["window-closed"], |own| own["requests"][0]["next_run"] = doc!(at));
    }
    waits(dir, 27, 2, &["window-never-fits"], |own| own["requests"][0]["never"] = true.into());
    waits(dir, 28, 2, &["window-closed", "user-logged-on"], |own| own["users"] = 2.into());
    waits(dir, 29, 2, &[], |own| own["requests"][0]["state"] = "queued".into());
    report(dir, 30, 2, "running");
    report(dir, 31, 2, "not-needed");
}

#[test]
fn every_figure_is_a_number_of_rows_and_the_same_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    forty(dir);
    let one = job(dir, &[]);
    assert_eq!(parts(&one), [20, 1, 1, 6, 4, 0, 8], "{one}");
    assert_eq!((n(&one["targets"]), n(&one["never"])), (40, 1));
    let machines = one["machines"].as_array().unwrap();
    let count = |key: &str, word: &str| machines.iter().filter(|m| m[key] == word).count() as u64;
    for part in PARTS {
        assert_eq!(n(&one[part]), count("part", &part.replace('_', "-")), "{part}");
    }
    for (state, many) in one["by_state"].as_object().unwrap() {
        assert_eq!(n(many), count("state", state), "{state}");
    }
    let reasons = one["by_reason"].as_object().unwrap();
    assert_eq!(reasons.values().map(n).sum::<u64>(), 6);
    let wanted = doc!({"window-closed": 3, "window-never-fits": 1, "several": 1, "queued": 1});
    assert_eq!(one["by_reason"], wanted);
    assert_eq!(one["by_result"], doc!([{"exit_code": 0, "result": "failed", "count": 4}]));
    assert_eq!(one["by_silence"], doc!({"never-reported": 8}));
    assert_eq!(one["reasons"][0]["runs_in_a_day"], 3, "{one}");
    let frees = |reason: &str| {
        let row = one["reasons"].as_array().unwrap().iter().find(|row| row["reason"] == reason);
        row.unwrap()["frees_in_a_day"].clone()
    };
    assert_eq!(["window-closed", "window-never-fits"].map(frees), [doc!(3), doc!(1)]);
    assert_eq!(["several", "queued"].map(frees), [Value::Null, Value::Null]);
    let last = one["expected"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((n(&last["done_low"]), n(&last["done_high"])), (21, 24), "{last}");
    // The gate's numbers are those of `advance`.
    let advanced = pcm(dir, &[&["job", "advance", "--dry-run", "--json"][..], &IN].concat());
    assert_eq!(advanced.status.code(), Some(10), "four of 24 are too many");
    let advanced: Value = serde_json::from_slice(&advanced.stdout).unwrap();
    let gate = &advanced["jobs"][0]["gate"];
    for key in ["answer", "n", "f", "limit", "needs"] {
        assert_eq!(one["gate"][key], gate[key], "{key}");
    }
    assert!(one["gate"]["rate_low"].as_f64().unwrap() < 4.0 / 24.0);

    // Without a job all of them are a line each, and say the same; so does the share alone, which knows no limits.
    let (exit, all) = rollout(dir, &IN);
    assert_eq!((exit, all["read"].as_u64(), all["without_report"].as_u64()), (Some(0), Some(32), Some(9)));
    let row = |all: &Value| {
        all["jobs"].as_array().unwrap().iter().find(|j| j["job_id"] == "BP0000AB").unwrap().clone()
    };
    assert_eq!(parts(&row(&all)), parts(&one));
    assert!(row(&all)["machines"].is_null());
    let (_, alone) = rollout(dir, &["--share", "site/share"]);
    assert_eq!(parts(&row(&alone)), parts(&one));
    for unknown in ["gate", "phase", "phases", "over"] {
        assert_eq!(row(&alone)[unknown], Value::Null, "{unknown}");
    }
    assert_eq!(row(&all)["over"], false);
    let wait = pcm(dir, &["rollout", "--share", "site/share", "--wait", "--timeout", "1s"]);
    assert_eq!(wait.status.code(), Some(2), "{}", text(&wait.stderr));
    let watch = pcm(dir, &[&["rollout", "--watch", "--fail-if", "halted"][..], &IN].concat());
    assert_eq!(watch.status.code(), Some(2), "{}", text(&watch.stderr));

    // Values: a line a machine, or a line a job.
    let csv = text(&pcm(dir, &[&["rollout", "BP0000AB", "--csv"][..], &IN].concat()).stdout);
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    for part in PARTS {
        let lines =
            csv.lines().skip(1).filter(|line| cells(line)[3] == part.replace('_', "-")).count() as u64;
        assert_eq!(lines, n(&one[part]), "{part}: {csv}");
    }
    let csv = text(&pcm(dir, &[&["rollout", "--csv"][..], &IN].concat()).stdout);
    let titles = cells(csv.lines().next().unwrap());
    let line = cells(csv.lines().find(|line| line.starts_with("BP0000AB")).unwrap());
    for part in PARTS.iter().chain(&["targets", "never"]) {
        let at = titles.iter().position(|title| title == part).unwrap();
        assert_eq!(line[at], one[*part].to_string(), "{part}");
    }
    metrics_say_the_same(dir, &one);
    // Text, on a terminal of 80 columns.
    let terminal = Terminal::start(&command(dir, &[&["rollout", "BP0000AB"][..], &IN].concat()), 80, 40);
    terminal.wait("SILENT");
    let screen = terminal.screen();
    for words in
        ["targets 40 = done 20", "waiting 6", "failed 4", "WHAT HOLDS THEM UP (ALONE)", "window closed", "##"]
    {
        assert!(screen.contains(words), "{words}: {screen}");
    }
}

/// A metrics file, as those read it that are made for it.
fn metrics_say_the_same(dir: &Path, one: &Value) {
    let file = dir.join("pcm.prom");
    let write = || pcm(dir, &[&["rollout", "--openmetrics", "pcm.prom"][..], &IN].concat());
    let done = write();
    assert!(done.status.success(), "{}", text(&done.stderr));
    let metrics = fs::read_to_string(&file).unwrap();
    assert!(metrics.ends_with("\n# EOF\n"), "{metrics}");
    let lines = metrics.lines().map(|line| Ok(line.to_owned()));
    let scrape = prometheus_parse::Scrape::parse(lines).unwrap();
    let mut found = std::collections::BTreeMap::new();
    for sample in &scrape.samples {
        assert!(
            sample.labels.keys().all(|label| ["job_id", "part", "reason"].contains(&label.as_str())),
            "{sample:?}"
        );
        let prometheus_parse::Value::Gauge(value) = sample.value else { panic!("no gauge: {sample:?}") };
        if sample.labels.get("job_id").is_none_or(|job| job == "BP0000AB") {
            let of = sample.labels.get("part").or(sample.labels.get("reason")).unwrap_or_default().to_owned();
            found.insert((sample.metric.clone(), of), value as u64);
        }
    }
    let value = |name: &str, of: &str| found[&(format!("pcm_rollout_{name}"), of.to_owned())];
    for part in PARTS {
        assert_eq!(value("machines", &part.replace('_', "-")), n(&one[part]), "{part}");
    }
    for (reason, many) in one["by_reason"].as_object().unwrap() {
        assert_eq!(value("waiting", reason), n(many), "{reason}");
    }
    assert_eq!((value("targets", ""), value("never", "")), (n(&one["targets"]), n(&one["never"])));
    others_read(&metrics);
    // What cannot be read leaves the file as it was.
    let is_unknown = || {
        let failed = write();
        assert_eq!(failed.status.code(), Some(5), "{}", text(&failed.stdout));
        assert_eq!(fs::read_to_string(&file).unwrap(), metrics);
        let checked = pcm(dir, &[&["rollout", "--check"][..], &IN].concat());
        assert_eq!(checked.status.code(), Some(3));
        assert!(text(&checked.stdout).starts_with("ROLLOUT UNKNOWN - "), "{}", text(&checked.stdout));
        text(&failed.stderr)
    };
    let (share, away) = (dir.join("site/share"), dir.join("away"));
    let reports = share.join("machines");
    fs::rename(&reports, &away).unwrap();
    fs::write(&reports, "no folder").unwrap();
    is_unknown();
    fs::remove_file(&reports).unwrap();
    fs::rename(&away, &reports).unwrap();
    // The place to mount it is there, and the share is not.
    fs::rename(&share, &away).unwrap();
    fs::create_dir(&share).unwrap();
    let said = is_unknown();
    assert!(said.contains("Is it mounted?"), "{said}");
    fs::remove_dir(&share).unwrap();
    fs::rename(&away, &share).unwrap();
}

/// Programs of others, where they are installed.
fn others_read(metrics: &str) {
    let python = "import sys\nfrom prometheus_client.openmetrics.parser import text_string_to_metric_families as o\n\
                  from prometheus_client.parser import text_string_to_metric_families as p\n\
                  t = sys.stdin.read()\nassert len(list(o(t))) > 5 and len(list(p(t))) > 5\n";
    let there =
        Command::new("python3").args(["-c", "import prometheus_client"]).stderr(Stdio::null()).status();
    let mut readers = vec![("promtool", vec!["check", "metrics"])];
    match there.is_ok_and(|status| status.success()) {
        true => readers.push(("python3", vec!["-c", python])),
        false => skipped("prometheus_client is not installed"),
    }
    for (program, args) in readers {
        let started = Command::new(program).args(&args).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let Ok(mut child) = started else {
            skipped(format_args!("{program} is not installed"));
            continue;
        };
        child.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{program}: {}", text(&done.stderr));
    }
}

#[test]
fn scripts_and_monitoring_are_told_by_the_exit_status() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    forty(dir);
    let exit = |args: &[&str]| {
        let done = pcm(dir, &[&["rollout", "BP0000AB"][..], args, &IN].concat());
        (done.status.code().unwrap(), text(&done.stdout) + &text(&done.stderr))
    };
    for (args, status) in [
        (&["--fail-if", "failed > 10%"][..], 0),
        (&["--fail-if", "failed >= 10% && silent > 7"], 10),
        (&["--fail-if", "waiting > 6 || undelivered || halted"], 0),
        (&["--fail-if", "failed >"], 2),
        (&["--where", "group = \"lab\""], 2),
        (&["--where", "nobody == \"lab\""], 2),
        (&["--warn", "failed > 1"], 2),
        (&["--check"], 0),
        (&["--check", "--warn", "silent"], 1),
        (&["--check", "--warn", "silent", "--crit", "failed > 3"], 2),
        (&["--check", "--crit", "failed >>"], 3),
        (&["--wait", "--timeout", "1s"], 7),
        (&["--wait", "--timeout", "1s", "--fail-if", "failed"], 10),
        (&["--wait", "--timeout", "soon"], 2),
    ] {
        let (found, said) = exit(args);
        assert_eq!(found, status, "{args:?}: {said}");
    }
    let (_, line) = exit(&["--check", "--warn", "silent"]);
    assert_eq!(line.lines().count(), 1);
    let wanted = "ROLLOUT WARNING - BP0000AB 52% of 40 done, 4 failed, 8 silent | done=21;;;0;40 failed=4;;;0;40 \
                  silent=8;;;0;40 halted=0;;;0;1 waiting=6;;;0;40 undelivered=0;;;0;40\n";
    assert_eq!(line, wanted);
    let (found, line) = exit(&["--check", "--where", "group == \"nosuch\""]);
    assert!(
        found == 3 && line.starts_with("ROLLOUT UNKNOWN - no machine is in the group nosuch; "),
        "{found}: {line}"
    );
    // That nobody is what nobody should be is no fault.
    let (found, line) = exit(&["--check", "--where", "last_seen > 3000d"]);
    assert!(found == 0 && line.contains(" of 0 done"), "{found}: {line}");
    assert_eq!(pcm(dir, &[&["rollout", "BP0000ZZ"][..], &IN].concat()).status.code(), Some(4));
    let gone = pcm(dir, &["rollout", "--check", "--folder", "nowhere"]);
    assert_eq!(gone.status.code(), Some(3), "{}", text(&gone.stdout));

    // It is halted, then; what is halted is critical.
    assert_eq!(pcm(dir, &[&["job", "advance"][..], &IN].concat()).status.code(), Some(10));
    for (args, status) in [(&[][..], 10), (&["--check"], 2), (&["--wait"], 10)] {
        let (found, said) = exit(args);
        assert_eq!(found, status, "{args:?}: {said}");
    }
    let (exit, halted) = rollout(dir, &IN);
    let job = halted["jobs"].as_array().unwrap().iter().find(|job| job["job_id"] == "BP0000AB").unwrap();
    assert_eq!((exit, &job["halted"], &job["state"]), (Some(10), &true.into(), &"suspended".into()));

    // Whoever suspends it once more does not clear the alarm, and nobody raises one by words.
    let suspend = |reason: &[&str]| {
        pcm(dir, &[&["job", "suspend", "BP0000AB"][..], reason, &IN].concat()).status.code()
    };
    assert_eq!(suspend(&[]), Some(3));
    // Also where only what is shown of it begins like that, and where there is no room behind what the gate said.
    for reason in ["halted: because I say so", "halted:\tso", &"x".repeat(190)] {
        assert_eq!(suspend(&["--reason", reason]), Some(2), "{reason:?}");
    }
    for (reason, ends) in [("a look first", "; a look first"), ("tomorrow; or later", "; tomorrow; or later")]
    {
        assert_eq!(suspend(&["--reason", reason]), Some(0));
        let (found, halted) = rollout(dir, &IN);
        let job = halted["jobs"].as_array().unwrap().iter().find(|job| job["job_id"] == "BP0000AB").unwrap();
        assert_eq!((found, &job["halted"]), (Some(10), &true.into()));
        assert_eq!(pcm(dir, &[&["rollout", "--check"][..], &IN].concat()).status.code(), Some(2));
        let index = fs::read_to_string(dir.join("site/share/PCM.INDEX")).unwrap();
        let said = index.lines().find(|line| line.starts_with("reason = \"halted: ")).unwrap();
        assert!(said.ends_with(&format!("% of 24 failed, limit 5 %{ends}\"")), "{said}");
    }
}

#[test]
fn a_folder_of_reports_that_is_gone_is_not_taken_for_machines_that_have_not_reported() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    phased(dir, 4, "100%");
    (0..4).for_each(|machine| report(dir, machine, 2, "succeeded"));
    let said = |args: &[&str]| {
        let done = pcm(dir, &[args, &IN].concat());
        (done.status.code(), text(&done.stdout) + &text(&done.stderr))
    };
    assert_eq!(said(&["rollout", "--openmetrics", "metrics"]).0, Some(0));
    assert_eq!(said(&["site", "collect"]).0, Some(0));
    let kept = ["metrics", "site/share/machines.collected"].map(|file| dir.join(file));
    let before = kept.each_ref().map(|file| fs::read(file).unwrap());
    fs::rename(dir.join("site/share/machines"), dir.join("elsewhere")).unwrap();
    for (args, status) in [
        (&["rollout", "--openmetrics", "metrics"][..], 5),
        (&["rollout", "--check"], 3),
        (&["rollout", "--json"], 5),
        (&["site", "collect"], 5),
    ] {
        let (exit, words) = said(args);
        assert_eq!(exit, Some(status), "{args:?}: {words}");
        assert!(words.contains("share/machines"), "{args:?}: {words}");
    }
    assert_eq!(kept.map(|file| fs::read(file).unwrap()), before);
}

#[test]
fn waiting_ends_once_every_machine_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    phased(dir, 10, "100%");
    (0..9).for_each(|machine| report(dir, machine, 2, "succeeded"));
    waits(dir, 9, 2, &["busy"], |_| {});
    let mut waiting =
        command(dir, &[&["rollout", "BP0000AB", "--wait", "--timeout", "10m", "--json"][..], &IN].concat());
    let mut waiting = waiting.stdout(Stdio::piped()).spawn().unwrap();
    let cache = dir.join("cache/pcm");
    // It has looked once.
    while !cache.is_dir() || fs::read_dir(&cache).unwrap().count() == 0 {
        assert!(waiting.try_wait().unwrap().is_none(), "it ended");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    report(dir, 9, 2, "succeeded");
    let done = waiting.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(0));
    let last: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&last["jobs"][0]["over"], n(&last["jobs"][0]["done"])), (&true.into(), 10));
}

#[test]
fn whoever_watches_is_told_of_each_change_once() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    phased(dir, 10, "100%");
    let mut watch = command(dir, &[&["rollout", "BP0000AB", "--watch", "--json"][..], &IN].concat());
    let mut watch = watch.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut told = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut done = || {
        let line = told.next().unwrap().unwrap();
        n(&serde_json::from_str::<Value>(&line).unwrap()["jobs"][0]["done"])
    };
    assert_eq!(done(), 0);
    // Each line is of another figure than the one before: nothing was told between the two.
    report(dir, 1, 2, "succeeded");
    assert_eq!(done(), 1);
    report(dir, 2, 2, "succeeded");
    assert_eq!(done(), 2);
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn waiting_ends_for_a_job_that_expired_or_was_cancelled() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    phased(dir, 10, "10%,100%");
    let wait = |args: &[&str]| {
        let done = pcm(dir, &[&["rollout"][..], args, &["--wait", "--timeout", "1s"], &IN].concat());
        (done.status.code(), text(&done.stderr))
    };
    assert_eq!(wait(&["BP0000AB"]).0, Some(7));
    // It expired before its last phase: no machine begins any more.
    let file = dir.join("site/jobs/BP0000AB.toml");
    let before = fs::read_to_string(&file).unwrap();
    let expired: Vec<String> = before
        .lines()
        .filter(|line| !line.starts_with("mandatory_after") && !line.starts_with("expire_after"))
        .map(|line| match line.starts_with("offer_after") {
            true => "offer_after = 2019-01-01T00:00:00Z\nexpire_after = 2020-01-01T00:00:00Z".to_owned(),
            false => line.to_owned(),
        })
        .collect();
    fs::write(&file, expired.join("\n") + "\n").unwrap();
    assert_eq!(job(dir, &[])["over"], true);
    assert_eq!(wait(&["BP0000AB"]).0, Some(0));
    fs::write(&file, before).unwrap();
    // It was cancelled: a finding for whoever named it, and nothing to wait for for the others.
    json(dir, &[&["job", "cancel", "BP0000AB", "--reason", "bad"][..], &IN].concat());
    assert_eq!(job(dir, &[])["over"], true);
    assert_eq!(wait(&["BP0000AB"]).0, Some(10));
    let (_, all) = wait(&[]);
    assert!(all.contains("cancelled, and not waited for: BP0000AB"), "{all}");
}

#[test]
fn only_those_that_match_are_counted_and_listed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    forty(dir);
    let of = |condition: &str| {
        let job = job(dir, &["--where", condition]);
        assert_eq!(parts(&job).iter().sum::<u64>(), n(&job["targets"]), "{condition}");
        assert_eq!(job["machines"].as_array().unwrap().len() as u64, n(&job["targets"]), "{condition}");
        n(&job["targets"])
    };
    assert_eq!(of("state == \"failed\""), 4);
    assert_eq!(of("state == \"silent\" || state == \"queued\""), 9);
    assert_eq!(of("host == \"node-2?\""), 10);
    assert_eq!(of("users > 0"), 1);
    assert_eq!(of("last_seen < 1h && !restart_pending"), 32);
    assert_eq!(of("job(BP0000AB) == \"succeeded\" && package(BP00000A) == \"succeeded\""), 20);
    // What is not known of a machine is neither true nor false.
    assert_eq!(of("disk_free > 1GB") + of("disk_free <= 1GB"), 0);
    let shown = text(
        &pcm(dir, &[&["rollout", "BP0000AB", "--where", "state == \"waiting\""][..], &IN].concat()).stdout,
    );
    for words in
        ["WHY NOT / NEXT", "BP050024", "window closed; next", "no window is long enough; never", "node-28"]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}

#[test]
fn what_machines_put_there_steers_nothing_and_is_a_row_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    forty(dir);
    let before = job(dir, &[]);
    let machines = dir.join("site/share/machines");
    fs::write(machines.join(format!("{}.json", id(32))), "{\"format\": 1, \"\u{1b}[2J\": 1").unwrap();
    fs::write(machines.join(format!("{}.json", id(33))), vec![b' '; 600 << 10]).unwrap();
    std::os::unix::fs::symlink("/dev/zero", machines.join(format!("{}.json", id(34)))).unwrap();
    fs::copy(machines.join(format!("{}.json", id(1))), machines.join(format!("{}.json", id(35)))).unwrap();
    fs::write(machines.join("BP059999.json"), "{}").unwrap();
    fs::write(machines.join("\u{1b}]0;owned\u{7}.json"), "{}").unwrap();
    waits(dir, 36, 2, &["busy"], |own| {
        own["host"] = "=cmd|' /C calc'!A0\u{1b}[31m".into();
        own["requests"][0]["result"] = "+\u{9b}31m,\"\r\n".into();
        own["reported_at"] = "1601-01-01T00:00:00Z".into();
        own["report"] = doc!(1_u64 << 63);
    });
    let after = job(dir, &[]);
    let mut wanted = parts(&before);
    (wanted[3], wanted[6]) = (wanted[3] + 1, wanted[6] - 1);
    assert_eq!(parts(&after), wanted, "{after}");
    let (_, all) = rollout(dir, &IN);
    let reasons: Vec<String> = all["unusable"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {}", row["file"], row["reason"]))
        .collect();
    for words in [
        "malformed",
        "larger than",
        "is a link",
        "is of BP050001",
        "of no machine of the site",
        "is no report",
    ] {
        assert_eq!(
            reasons.iter().filter(|reason| reason.contains(words)).count(),
            1,
            "{words}: {reasons:#?}"
        );
    }
    assert_eq!((n(&all["unread"]), n(&all["strangers"])), (4, 2));
    for args in
        [&["rollout"][..], &["rollout", "BP0000AB"], &["rollout", "--csv"], &["rollout", "BP0000AB", "--csv"]]
    {
        let said = pcm(dir, &[args, &IN].concat());
        let (out, err) = (text(&said.stdout), text(&said.stderr));
        let steers = |c: char| c.is_control() && !['\n', '\r'].contains(&c);
        assert!(!out.contains(steers) && !err.contains(steers), "{args:?}: {out:?} {err:?}");
        assert!(!out.lines().any(|line| line.split(',').any(|cell| cell.starts_with(['=', '+']))), "{out}");
    }
}

#[test]
fn the_cache_may_be_deleted_or_damaged_and_the_figures_stay() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    forty(dir);
    let first = parts(&job(dir, &[]));
    let folder = dir.join("cache/pcm");
    let files = || fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let [file] = &files()[..] else { panic!("{:?}", files()) };
    assert_eq!(parts(&job(dir, &[])), first);
    fs::write(file, "no database").unwrap();
    let (_, damaged) = rollout(dir, &[&["BP0000AB"][..], &IN].concat());
    assert_eq!(parts(&damaged["jobs"][0]), first);
    assert!(
        damaged["warnings"][0].as_str().unwrap().contains("damaged and is made anew"),
        "{}",
        damaged["warnings"]
    );
    let (_, again) = rollout(dir, &[&["BP0000AB"][..], &IN].concat());
    assert_eq!(again["warnings"], doc!([]));
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(parts(&job(dir, &[])), first);
    // A machine that reports anew is read anew.
    report(dir, 39, 2, "failed");
    assert_eq!(n(&job(dir, &[])["failed"]), 5);
    let none = json(dir, &["rollout", "--folder", "site", "--where", "group == \"nobody\""]);
    assert!(none["jobs"].as_array().unwrap().iter().all(|job| job["targets"] == 0), "{none}");
}

#[test]
fn machines_that_came_or_went_since_the_phase_was_published_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    phased(dir, 10, "100%");
    let moved = || {
        let job = job(dir, &[]);
        (job["targets"].clone(), job["came"].clone(), job["went"].clone())
    };
    assert_eq!(moved(), (10.into(), 0.into(), 0.into()));
    for machine in ["BP051001", "BP051002", "BP051003"] {
        json(dir, &["site", "machine", "add", machine, "--group", "lab", "--folder", "site"]);
    }
    json(dir, &["site", "machine", "remove", "BP050003", "--expect", "1", "--folder", "site"]);
    assert_eq!(moved(), (12.into(), 3.into(), 1.into()));
    let shown = text(&pcm(dir, &[&["rollout", "BP0000AB"][..], &IN].concat()).stdout);
    assert!(shown.contains("targets 12 (+3, -1) = done 0"), "{shown}");
    // What is not kept is not said.
    fs::remove_dir_all(dir.join("site/past")).unwrap();
    assert_eq!(moved(), (12.into(), Value::Null, Value::Null));
}
