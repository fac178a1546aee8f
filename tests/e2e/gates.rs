//! Every gate and code of DESIGN.md 4 on the real binary: an obstacle that stands alone is seen by its code, its
//! evidence and its next change in `explain --json`; taken away, the package runs.

use super::common::*;
use super::logind::Logind;
use chrono::Timelike;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

/// What is in the way, and how it goes away.
struct Row {
    gate: &'static str,
    code: &'static str,
    /// `block` or `unknown`.
    verdict: &'static str,
    /// `time`, `event` or `never`.
    changes: &'static str,
    /// What the evidence names.
    evidence: &'static str,
    /// Further lines of `pcm.toml`.
    config: &'static str,
    /// Puts it there: the request that is looked at is `BP0000Y`.
    put: fn(&mut Ground) -> Vec<Request>,
    /// Takes it away; the request then runs, by itself or because this runs it.
    remove: fn(&mut Ground),
}

/// A site with one good package, and a service.
struct Ground {
    site: Site,
    service: Option<Service>,
    hash: String,
}

const ID: &str = "BP0000Y";

impl Ground {
    /// A request that would run at once.
    fn request(&self) -> Request {
        self.named(ID)
    }

    fn named(&self, id: &str) -> Request {
        Request::due(id).set("content_sha256", format!("\"{}\"", self.hash))
    }

    fn publish_good(&mut self) {
        let good = self.request();
        self.site.publish(&[good]);
    }

    /// Only its mandatory time is not there yet: everything else is ready, so that what comes now is the only obstacle.
    fn wait_for_its_time(&mut self) {
        self.service = Some(self.site.service());
        let request = self.request();
        self.site.publish_for(&request, 8);
    }

    fn replace_in_config(&self, old: &str, new: &str) {
        let text = fs::read_to_string(self.site.config()).unwrap();
        assert!(text.contains(old), "{old} is not in {text}");
        write(&self.site.config(), text.replace(old, new).as_bytes());
    }

    fn ins(&self) -> std::path::PathBuf {
        self.site.share().join("pcmins.box").join(format!("{MACHINE}.INS"))
    }

    fn gates(&self) -> Vec<Value> {
        self.site.json(&["explain", ID])["gates"].as_array().cloned().unwrap_or_default()
    }

    /// The gates that do not pass; what is unknown because the record is rejected says nothing of its own.
    fn closed(&self) -> Vec<(String, String)> {
        let word = |gate: &Value, key: &str| gate[key].as_str().unwrap_or_default().to_owned();
        let closed = self.gates();
        let own = closed.iter().filter(|g| !word(g, "evidence").contains("the record is rejected"));
        own.filter(|g| g["verdict"] != "pass").map(|g| (word(g, "gate"), word(g, "code"))).collect()
    }
}

/// The rest is blocked by the obstacle alone; it names itself; without it the package runs.
fn check(row: &Row) {
    let mut ground = Ground { site: Site::with_config(row.config), service: None, hash: String::new() };
    ground.hash = ground.site.package("BP00000A", &ground.site.say("ran"));
    let requests = (row.put)(&mut ground);
    if !requests.is_empty() {
        ground.site.publish(&requests);
    }
    if ground.service.is_none() {
        ground.service = Some(ground.site.service());
    }
    let wanted = vec![(row.gate.to_owned(), row.code.to_owned())];
    let mut last = Vec::new();
    wait_for_or(std::time::Duration::from_secs(30), || {
        last = ground.closed();
        let gate = || ground.gates().into_iter().find(|g| g["gate"] == row.gate);
        last == wanted && gate().is_some_and(|g| g["changes_on"] == row.changes)
    })
    .unwrap_or_else(|()| panic!("{}: {last:?}, not alone\n{}", row.code, ground.site.log()));
    let all = ground.gates();
    let order: Vec<&str> = all.iter().filter_map(|g| g["gate"].as_str()).collect();
    let every: Vec<&str> = pcm::terms::Gate::ALL.iter().map(|gate| gate.as_str()).collect();
    assert_eq!(order, every, "every gate is shown, in its order");
    let gate = all.iter().find(|g| g["gate"] == row.gate).unwrap();
    assert_eq!(gate["verdict"], row.verdict, "{gate}");
    assert_eq!(gate["changes_on"], row.changes, "{gate}");
    assert_eq!(gate["next_change"].is_string(), row.changes == "time", "{gate}");
    let evidence = gate["evidence"].as_str().unwrap();
    assert!(evidence.contains(row.evidence), "{}: {evidence:?} does not name {:?}", row.code, row.evidence);
    let listed = ground.site.request(ID).unwrap();
    assert_eq!(listed["blocked_by"][0], row.code, "{listed}");
    assert_ne!(listed["why"], "", "{listed}");
    let before = ground.site.ran(&format!("ran {ID}"));
    (row.remove)(&mut ground);
    wait_for_or(std::time::Duration::from_secs(60), || ground.site.ran(&format!("ran {ID}")) > before)
        .unwrap_or_else(|()| {
            panic!("{} is gone and it does not run: {:?}\n{}", row.code, ground.closed(), ground.site.log())
        });
    ground.site.wait_state(ID, "succeeded");
}

fn rows(names: &[&str]) {
    for row in ROWS.iter().filter(|row| names.contains(&row.code)) {
        check(row);
    }
}

fn run_it(ground: &mut Ground) {
    ground.site.json(&["run", ID, "--wait"]);
}

/// A window that is closed now for hours, as the configuration writes it.
const CLOSED: &str = "[windows]\nweekly = [\"CLOSED\"]\n";

fn other_day() -> String {
    (now() + chrono::TimeDelta::days(3)).format("%a").to_string()
}

const ROWS: &[Row] = &[
    Row {
        gate: "source",
        code: "share-stale",
        verdict: "block",
        changes: "event",
        evidence: "no share was seen since",
        config: "[share]\nstale_after = \"3s\"\n",
        put: |g| {
            // Held back by time until the share is gone.
            g.wait_for_its_time();
            fs::rename(g.site.share(), g.site.path("unmounted")).unwrap();
            Vec::new()
        },
        remove: |g| fs::rename(g.site.path("unmounted"), g.site.share()).unwrap(),
    },
    Row {
        gate: "source",
        code: "ins-missing",
        verdict: "block",
        changes: "event",
        evidence: "withdrawn",
        config: "",
        put: |g| {
            g.wait_for_its_time();
            fs::remove_file(g.ins()).unwrap();
            Vec::new()
        },
        remove: Ground::publish_good,
    },
    Row {
        gate: "record",
        code: "malformed",
        verdict: "block",
        changes: "event",
        evidence: "BP004000.INS, line ",
        config: "",
        put: |g| vec![g.request().set("max_run_time", "\"soon\"")],
        remove: Ground::publish_good,
    },
    Row {
        gate: "record",
        code: "contradiction",
        verdict: "block",
        changes: "event",
        evidence: "BP004000.INS, line ",
        config: "",
        put: |g| vec![g.request().set("expire_after", "2026-11-01T00:30:00Z")],
        remove: Ground::publish_good,
    },
    Row {
        gate: "record",
        code: "duplicate",
        verdict: "block",
        changes: "event",
        evidence: "BP004000.INS, line ",
        config: "",
        put: |g| vec![g.request(), g.request().set("command", "\"Another\"")],
        remove: Ground::publish_good,
    },
    Row {
        gate: "record",
        code: "command-refused",
        verdict: "block",
        changes: "event",
        evidence: "BP004000.INS, line ",
        config: "",
        put: |g| vec![g.request().set("command_line", "'..\\setup.sh'")],
        remove: Ground::publish_good,
    },
    Row {
        gate: "trust",
        code: "loose-permissions",
        verdict: "block",
        changes: "event",
        evidence: "mode 0666",
        config: "",
        put: |g| {
            g.publish_good();
            mode(&g.ins(), 0o666);
            Vec::new()
        },
        remove: |g| mode(&g.ins(), 0o644),
    },
    Row {
        gate: "platform",
        code: "platform",
        verdict: "block",
        changes: "never",
        evidence: "for windows-x86; this machine is",
        config: "",
        put: |g| {
            // Nothing to copy: what is for another platform is not copied here.
            let bare = g.request().set("command_line", "\"dpkg --version\"").set("content_sha256", "");
            vec![bare.set("platforms", "[\"windows-x86\"]")]
        },
        remove: Ground::publish_good,
    },
    Row {
        gate: "kind",
        code: "needs-input",
        verdict: "block",
        changes: "never",
        evidence: "needs a user's input",
        config: "",
        put: |g| vec![g.request().set("background", "").set("automated", "")],
        remove: Ground::publish_good,
    },
    Row {
        gate: "kind",
        code: "application-only",
        verdict: "block",
        changes: "never",
        evidence: "not a background task",
        config: "",
        put: |g| vec![g.request().set("background", "false")],
        remove: run_it,
    },
    Row {
        gate: "job",
        code: "suspended",
        verdict: "block",
        changes: "event",
        evidence: "suspended job BP0000AA (line ",
        config: "",
        put: |g| vec![g.request().set("suspended", "true")],
        remove: Ground::publish_good,
    },
    Row {
        gate: "job",
        code: "dependency",
        verdict: "block",
        changes: "event",
        evidence: "BP0000X has to succeed first",
        config: "",
        put: |g| {
            vec![
                g.named("BP0000X").set("mandatory_after", ""),
                g.request().set("depends_on", "[\"BP0000X\"]"),
            ]
        },
        remove: |g| drop(g.site.json(&["run", "BP0000X", "--wait"])),
    },
    Row {
        gate: "history",
        code: "done",
        verdict: "block",
        changes: "never",
        evidence: "attempt 1 succeeded",
        config: "",
        put: |g| vec![g.request()],
        remove: |g| drop(g.site.json(&["rerun", ID, "--reason", "again", "--wait"])),
    },
    Row {
        gate: "history",
        code: "interrupted",
        verdict: "block",
        changes: "never",
        evidence: "its outcome is not known",
        config: "",
        put: |g| {
            let script = format!("{}\nif [ $PCM_ATTEMPT = 1 ]; then exec sleep 296; fi", g.site.say("ran"));
            g.hash = g.site.package("BP00000A", &script);
            g.publish_good();
            g.service = Some(g.site.service());
            wait_for("it runs", || g.site.ran("ran") == 1);
            let started = fs::read(g.site.state().join("runs/BP0000Y-1/started")).unwrap();
            let host = serde_json::from_slice::<Value>(&started).unwrap()["host"]["pid"].to_string();
            assert!(std::process::Command::new("kill").args(["-9", &host]).status().unwrap().success());
            g.site.wait_state(ID, "interrupted");
            Vec::new()
        },
        remove: |g| drop(g.site.json(&["rerun", ID, "--reason", "it did nothing", "--wait"])),
    },
    Row {
        gate: "history",
        code: "retry-later",
        verdict: "block",
        changes: "time",
        evidence: "attempt 1 asked to be repeated",
        config: "[run]\nretry_after = \"6s\"\n",
        put: |g| {
            let once = format!("[ $PCM_ATTEMPT = 1 ] && exit 17\n{}", g.site.say("ran"));
            g.hash = g.site.package("BP00000A", &once);
            vec![g.request().set("exit_codes", "{ \"17\" = \"retry\" }")]
        },
        remove: |_| {},
    },
    Row {
        gate: "history",
        code: "history-lost",
        verdict: "block",
        changes: "event",
        evidence: "pcm init --adopt",
        config: "",
        put: |g| {
            g.publish_good();
            fs::remove_file(g.site.state().join("history.db")).unwrap();
            Vec::new()
        },
        remove: |g| {
            let adopted = g.site.pcm(&["init", "--adopt=not-done"]);
            assert!(adopted.status.success(), "{}", text(&adopted));
        },
    },
    Row {
        gate: "history",
        code: "state-unreadable",
        verdict: "block",
        changes: "event",
        evidence: "history is not lost and cannot be read: ",
        config: "",
        put: |g| {
            // It cannot be read, whoever asks: a link that leads to itself.
            g.service = None;
            let mark = g.site.path("etc/pcm.mark");
            fs::rename(&mark, g.site.path("kept.mark")).unwrap();
            std::os::unix::fs::symlink(&mark, &mark).unwrap();
            g.publish_good();
            g.service = Some(g.site.service());
            Vec::new()
        },
        remove: |g| fs::rename(g.site.path("kept.mark"), g.site.path("etc/pcm.mark")).unwrap(),
    },
    Row {
        gate: "expiry",
        code: "expired",
        verdict: "block",
        changes: "never",
        evidence: "expired ",
        config: "",
        // What has expired is not copied any more: its content is there from before.
        put: |g| {
            let before = g.request().mandatory(now() + seconds(3600));
            g.site.publish(&[before]);
            g.service = Some(g.site.service());
            g.site.wait_blocked(ID, &["not-mandatory-yet"]);
            vec![g.request().set("expire_after", "2026-11-01T02:00:00Z")]
        },
        remove: Ground::publish_good,
    },
    Row {
        gate: "mandatory",
        code: "not-mandatory-yet",
        verdict: "block",
        changes: "time",
        evidence: "mandatory from ",
        config: "",
        put: |g| {
            g.wait_for_its_time();
            Vec::new()
        },
        remove: |_| {},
    },
    Row {
        gate: "mandatory",
        code: "optional",
        verdict: "block",
        changes: "never",
        evidence: "only an operator runs it",
        config: "",
        put: |g| vec![g.request().set("mandatory_after", "")],
        remove: run_it,
    },
    Row {
        gate: "hold",
        code: "held",
        verdict: "block",
        changes: "time",
        evidence: "\"audit of the month\"",
        config: "",
        put: |g| {
            g.site.json(&["hold", "--for", "2h", "--reason", "audit of the month"]);
            vec![g.request()]
        },
        remove: |g| drop(g.site.json(&["unhold"])),
    },
    Row {
        gate: "hold",
        code: "frozen",
        verdict: "block",
        changes: "time",
        evidence: "this machine is frozen until",
        config: "[[freeze]]\nfrom = 2026-11-01T00:00:00\nuntil = 2036-01-01T00:00:00\nreason = \"end of year\"\n",
        put: |g| vec![g.request()],
        remove: |g| g.replace_in_config("until = 2036-01-01", "until = 2026-11-02"),
    },
    Row {
        gate: "deferral",
        code: "deferred",
        verdict: "block",
        changes: "time",
        evidence: "\"release\"",
        config: "",
        put: |g| {
            g.wait_for_its_time();
            g.site.json(&["defer", ID, "--for", "2h", "--reason", "release"]);
            Vec::new()
        },
        remove: |g| drop(g.site.json(&["undefer", ID])),
    },
    Row {
        gate: "window",
        code: "window-closed",
        verdict: "block",
        changes: "time",
        evidence: "the next one long enough",
        config: CLOSED,
        put: |g| {
            g.replace_in_config("CLOSED", &format!("{} 03:00-06:00", other_day()));
            vec![g.request()]
        },
        remove: |g| g.replace_in_config("weekly = [", "weekly = [] # ["),
    },
    Row {
        gate: "window",
        code: "window-too-short",
        verdict: "block",
        changes: "time",
        evidence: "left, it may take 23h",
        config: CLOSED,
        put: |g| {
            // Between 6 and 20 hours are left whatever the time is now: never 23, and enough for another one.
            let half = if now().hour() < 12 { "00:00-20:00" } else { "12:00-06:00" };
            let today = now().format("%a").to_string();
            let other = other_day();
            g.replace_in_config("CLOSED", &format!("{today} {half}\", \"{other} 00:00-24:00"));
            let from_one = g.request().set("max_run_time", "\"23h\"");
            vec![from_one]
        },
        remove: Ground::publish_good,
    },
    Row {
        gate: "window",
        code: "window-never-fits",
        verdict: "block",
        changes: "never",
        evidence: "the longest maintenance window is 3h",
        config: CLOSED,
        put: |g| {
            g.replace_in_config("CLOSED", &format!("{} 03:00-06:00", other_day()));
            vec![g.request().set("max_run_time", "\"20h\"")]
        },
        remove: |g| g.replace_in_config("weekly = [", "weekly = [] # ["),
    },
    Row {
        gate: "clock",
        code: "clock-suspect",
        verdict: "block",
        changes: "event",
        evidence: "behind its last recorded time",
        config: "",
        put: |g| {
            last_time(g, now() + chrono::TimeDelta::days(2));
            vec![g.request()]
        },
        remove: |g| {
            g.service = None;
            last_time(g, now());
            g.service = Some(g.site.service());
        },
    },
    Row {
        gate: "host",
        code: "restart-pending",
        verdict: "block",
        changes: "event",
        evidence: "BP0000X (Acme Workstation 4.0)",
        config: "",
        put: |g| {
            let restart = g.site.package("BP00000B", "exit 17");
            let first = g.named("BP0000X").set("package_id", "\"BP00000B\"");
            let first = first.set("exit_codes", "{ \"17\" = \"restart\" }");
            vec![
                first.set("content_sha256", format!("\"{restart}\"")),
                g.request().set("depends_on", "[\"BP0000X\"]"),
            ]
        },
        remove: |g| {
            drop(g.site.json(&["run", ID, "--override", "host", "--reason", "it may wait", "--wait"]))
        },
    },
    Row {
        gate: "host",
        code: "booting",
        verdict: "block",
        changes: "time",
        evidence: "the machine started",
        config: "[run]\nafter_boot = \"3000d\"\n",
        put: |g| vec![g.request()],
        remove: |g| g.replace_in_config("3000d", "0s"),
    },
    Row {
        gate: "host",
        code: "disk-space",
        verdict: "block",
        changes: "event",
        evidence: "it needs 900 TB",
        config: "",
        put: |g| vec![g.request().set("disk_space", "\"900 TB\"")],
        remove: Ground::publish_good,
    },
    Row {
        gate: "policy",
        code: "policy-unreadable",
        verdict: "block",
        changes: "event",
        evidence: "pcm.toml, line ",
        config: "",
        put: |g| {
            g.wait_for_its_time();
            g.replace_in_config("[trust]", "nonsense = 1\n[trust]");
            Vec::new()
        },
        remove: |g| g.replace_in_config("nonsense = 1\n", ""),
    },
    Row {
        gate: "content",
        code: "content-missing",
        verdict: "block",
        changes: "event",
        evidence: "BP00000C",
        config: "",
        put: |g| vec![g.request().set("package_id", "\"BP00000C\"")],
        remove: |g| drop(g.site.package("BP00000C", &g.site.say("ran"))),
    },
    Row {
        gate: "content",
        code: "content-mismatch",
        verdict: "block",
        changes: "event",
        evidence: "setup.sh",
        config: "",
        put: |g| {
            write(&g.site.share().join("packages/BP00000A/files/setup.sh"), b"#!/bin/sh\nexit 1\n");
            vec![g.request()]
        },
        remove: |g| drop(g.site.package("BP00000A", &g.site.say("ran"))),
    },
    Row {
        gate: "executor",
        code: "busy",
        verdict: "block",
        changes: "event",
        evidence: "BP0000X runs since",
        config: "",
        put: |g| {
            let slow =
                g.site.package("BP00000B", "while [ ! -e \"$PCM_PACKAGE_DIR/../go\" ]; do sleep 0.2; done");
            let first = g
                .named("BP0000X")
                .set("package_id", "\"BP00000B\"")
                .set("mandatory_after", "2026-11-01T00:30:00Z");
            vec![first.set("content_sha256", format!("\"{slow}\"")), g.request()]
        },
        remove: |g| drop(g.site.json(&["stop", "BP0000X", "--reason", "make room"])),
    },
];

/// Codes that no share, state or configuration of a test can bring about, and where they are checked instead.
const ELSEWHERE: &[(&str, &str)] = &[
    ("share-missing", "without any file held there is no request to explain: defects::share"),
    ("share-denied", "the same, and root is denied nothing: site::share"),
    ("unsigned", "mode signed, with the whole file: e2e::share"),
    ("bad-signature", "keys and lists are needed: e2e::signed"),
    ("bad-algorithm", "the same, and an RSA key or a token: cli::keys, site::signed::signature"),
    ("key-expired", "a key that ends while it is waited for: decision::tests::gates"),
    ("not-targeted", "an index is needed: e2e::indexed"),
    ("phase-not-reached", "the same: e2e::indexed"),
    ("cancelled", "the same: e2e::indexed"),
    ("already-installed", "the same: e2e::indexed::installed"),
    ("installed-unknown", "the same: e2e::indexed::installed"),
    ("superseded", "the same, and a newer job that is done: decision::tests::target"),
    ("issued-ahead", "keys and lists are needed: e2e::signed"),
    ("package-mismatch", "the same: e2e::signed"),
    ("package-withdrawn", "the same: e2e::signed"),
    ("rollback", "what is older is not taken, so no request of it is there to explain: e2e::rollback"),
    ("two-machines", "a second machine is needed: e2e::identity"),
    ("not-offered", "a request that is not offered is not mandatory either: decision::tests::gates"),
    ("older-first", "it goes once the older one is copied: decision::tests::turn, agreement::many"),
    ("user-logged-on", "below, where logind can be imitated"),
    ("no-user", "the same"),
    ("users-unknown", "below, on machines where it cannot be known"),
    ("no-service", "without a service: e2e::next"),
    ("state-unwritable", "a full disk: e2e::starved"),
    ("on-battery", "no battery in a test: decision::tests::machine"),
];

/// The clock that the last executor wrote down.
fn last_time(ground: &Ground, at: chrono::DateTime<chrono::Utc>) {
    let db = rusqlite::Connection::open(ground.site.state().join("history.db")).unwrap();
    db.execute(
        "INSERT INTO meta (key, value) VALUES ('last_time', ?1) ON CONFLICT (key) DO UPDATE SET value = ?1",
        [at.to_rfc3339()],
    )
    .unwrap();
}

#[test]
fn every_code_is_in_the_table_or_checked_elsewhere() {
    let mut seen: BTreeSet<&str> = ROWS.iter().map(|row| row.code).collect();
    seen.extend(ELSEWHERE.iter().map(|(code, _)| *code));
    let all: BTreeSet<&str> = pcm::terms::Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(seen, all);
}

#[test]
fn source_alone_blocks_and_opens() {
    rows(&["share-stale", "ins-missing"]);
}

#[test]
fn record_alone_blocks_and_opens() {
    rows(&["malformed", "contradiction", "duplicate", "command-refused"]);
}

#[test]
fn trust_platform_and_kind_alone_block_and_open() {
    rows(&["loose-permissions", "platform", "needs-input", "application-only"]);
}

#[test]
fn job_and_executor_alone_block_and_open() {
    rows(&["suspended", "dependency", "busy"]);
}

/// One who is logged on where nobody may be, and nobody where somebody has to be.
#[test]
fn users_alone_block_and_open() {
    // No such device: how long she has been idle is logind's word alone, and not that of a terminal of this machine.
    let terminal = "pts/4000";
    for (run_when, code) in [("no-user", "user-logged-on"), ("user", "no-user")] {
        let mut site = Site::with_config("");
        let Some(logind) = Logind::start(&site.path(".")) else { return };
        site.bus = Some(logind.address.clone());
        if code == "user-logged-on" {
            logind.log_on("c1", "anna", terminal);
        }
        let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
        let request = Request::due(ID).set("content_sha256", hash).set("run_when", format!("\"{run_when}\""));
        site.publish(&[request]);
        let service = site.service();
        let ground = Ground { site, service: Some(service), hash: String::new() };
        let wanted = vec![("users".to_owned(), code.to_owned())];
        let mut last = Vec::new();
        wait_for_or(std::time::Duration::from_secs(30), || {
            last = ground.closed();
            last == wanted
        })
        .unwrap_or_else(|()| panic!("{code}: {last:?}, not alone"));
        let gate = ground.gates().into_iter().find(|gate| gate["gate"] == "users").unwrap();
        assert_eq!((&gate["verdict"], &gate["changes_on"]), (&"block".into(), &"event".into()), "{gate}");
        assert_eq!(gate["evidence"].as_str().unwrap().contains("anna"), code == "user-logged-on", "{gate}");
        match code {
            "user-logged-on" => logind.log_off("c1"),
            _ => logind.log_on("c1", "anna", terminal),
        }
        ground.site.wait_state(ID, "succeeded");
        assert_eq!(ground.site.ran("ran"), 1);
    }
}

/// Without logind and utmp nobody knows who is logged on: that closes as a user would, and says so.
#[test]
fn users_that_cannot_be_known_alone_block_until_it_does_not_matter() {
    let mut site = Site::new();
    site.bus = Some("unix:path=/no/such/bus".into());
    let source = site.json(&["who"])["source"].take();
    if source != "unknown" {
        return skipped(format_args!("without logind this machine knows its users from {source}"));
    }
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    let request = Request::due(ID).set("content_sha256", hash);
    site.publish(&[request.clone().set("run_when", "\"no-user\"")]);
    let service = site.service();
    let mut ground = Ground { site, service: Some(service), hash: String::new() };
    let wanted = vec![("users".to_owned(), "users-unknown".to_owned())];
    wait_for("only the users are in its way", || ground.closed() == wanted);
    let gate = ground.gates().into_iter().find(|gate| gate["gate"] == "users").unwrap();
    assert_eq!((&gate["verdict"], &gate["changes_on"]), (&"unknown".into(), &"event".into()), "{gate}");
    assert!(gate["evidence"].as_str().unwrap().contains("cannot be known"), "{gate}");
    ground.site.publish(&[request]);
    ground.site.wait_state(ID, "succeeded");
}

#[test]
fn history_alone_blocks_and_opens() {
    rows(&["done", "interrupted", "retry-later", "history-lost", "state-unreadable"]);
}

#[test]
fn times_alone_block_and_open() {
    rows(&["expired", "not-mandatory-yet", "optional"]);
}

#[test]
fn holds_freezes_and_deferrals_alone_block_and_open() {
    rows(&["held", "frozen", "deferred"]);
}

#[test]
fn windows_alone_block_and_open() {
    rows(&["window-closed", "window-too-short", "window-never-fits"]);
}

#[test]
fn clock_host_and_policy_alone_block_and_open() {
    rows(&["clock-suspect", "restart-pending", "booting", "disk-space", "policy-unreadable"]);
}

#[test]
fn content_alone_blocks_and_opens() {
    rows(&["content-missing", "content-mismatch"]);
}
