//! The documents of `--json`, field by field as DESIGN.md 7 names them, taken from a machine on which everything has
//! happened once: a success, a failure, a deferral, a stop, a hold, a malformed record, a session of a user.

use super::common::*;
use super::logind::Logind;
use serde_json::Value;

/// What a field may be. Absent is never allowed: what there is not is `null`.
#[derive(Clone, Copy, Debug)]
enum Is {
    Text,
    Number,
    Bool,
    Time,
    List,
    Object,
    Verdict,
    State,
    Group,
    Changes,
}

use Is::{Bool, Changes, Group, List, Number, Object, State, Text, Time, Verdict};

/// A field's name, with `?` where it may be null.
type Fields = [(&'static str, Is)];

const R: &Fields = &[
    ("request_id?", Text),
    ("job_id?", Text),
    ("package_id?", Text),
    ("package", Text),
    ("command?", Text),
    ("group", Group),
    ("state", State),
    ("since?", Time),
    ("offer_after?", Time),
    ("mandatory_after?", Time),
    ("expire_after?", Time),
    ("next_run?", Time),
    ("latest?", Time),
    ("never", Bool),
    ("blocked_by", List),
    ("why", Text),
    ("attempt?", Number),
    ("deferred_until?", Time),
    ("seen?", Object),
    ("queue_position?", Number),
    ("queued?", Object),
];

const LIST: &Fields = &[
    ("machine", Text),
    ("site?", Text),
    ("source?", Text),
    ("polled_at?", Time),
    ("serial?", Number),
    ("service", Text),
    ("held_until?", Time),
    ("problems", List),
    ("requests", List),
];

const PROBLEM: &Fields =
    &[("code", Text), ("file?", Text), ("line?", Number), ("field?", Text), ("message", Text)];

const SHOW: &Fields = &[
    ("command_line?", Text),
    ("platforms", List),
    ("run_when?", Text),
    ("max_run_time_s?", Number),
    ("restarts?", Text),
    ("gates", List),
    ("attempts", List),
    ("deferrals", List),
    ("deferrals_used", Number),
    ("deferrals_limit", Number),
];

const EXPLAIN: &Fields = &[
    ("request_id", Text),
    ("state", State),
    ("next_run?", Time),
    ("latest?", Time),
    ("never", Bool),
    ("why", Text),
    ("gates", List),
    ("allowed", List),
    ("transcript?", Text),
    ("transcript_until?", Time),
    ("folded_at?", Time),
];

const GATE: &Fields = &[
    ("gate", Text),
    ("verdict", Verdict),
    ("code?", Text),
    ("evidence", Text),
    ("next_change?", Time),
    ("changes_on", Changes),
];

const ALLOWED: &Fields = &[("verb", Text), ("ok", Bool), ("code?", Text), ("why", Text)];

const STATUS: &Fields = &[
    ("machine", Text),
    ("host", Text),
    ("service", Text),
    ("poll_due?", Time),
    ("next_run?", Time),
    ("latest?", Time),
    ("next_request?", Text),
    ("held_until?", Time),
    ("hold?", Object),
    ("clock_ok", Bool),
    ("restart_pending", Bool),
    ("counts", Object),
    ("seen", Number),
    ("seen_by_state", Object),
    ("queue", List),
    ("operators", Text),
    ("join?", Text),
    ("space?", Object),
    ("users?", Number),
    ("problems", List),
];

const SEEN: &Fields = &[("request_ids", List), ("by", Text), ("at", Time)];

const SIMULATE: &Fields = &[("from", Time), ("until", Time), ("requests", List)];
const TIMELINE: &Fields = &[
    ("request_id?", Text),
    ("at?", Time),
    ("latest?", Time),
    ("never", Bool),
    ("why", Text),
    ("changes", List),
];
const STEP: &Fields = &[("at", Time), ("state", State), ("code?", Text)];

const WHO: &Fields = &[("source", Text), ("sessions", List), ("connections", List)];
const SESSION: &Fields = &[
    ("user", Text),
    ("terminal?", Text),
    ("from?", Text),
    ("since?", Time),
    ("idle_s?", Number),
    ("locked?", Bool),
    ("kind", Text),
];

const RUN: &Fields = &[
    ("queue_position?", Number),
    ("request_id", Text),
    ("attempt", Number),
    ("state", State),
    ("exit_code?", Number),
    ("result?", Text),
    ("started_at?", Time),
    ("ended_at?", Time),
];

const CHANGED: &Fields = &[("request_id", Text), ("state", State), ("deferred_until?", Time)];

const ATTEMPT: &Fields = &[
    ("request_id", Text),
    ("attempt", Number),
    ("state", State),
    ("claimed_at", Time),
    ("started_at?", Time),
    ("ended_at?", Time),
    ("exit_code?", Number),
    ("result?", Text),
    ("by", Text),
    ("reason?", Text),
    ("transcript?", Text),
    ("transcript_until?", Time),
    ("folded_at?", Time),
];

const AUDIT: &Fields = &[
    ("at", Time),
    ("who", Text),
    ("uid?", Number),
    ("terminal?", Text),
    ("from?", Text),
    ("verb", Text),
    ("request_id?", Text),
    ("reason?", Text),
    ("result?", Text),
    ("times?", Number),
    ("since?", Time),
];

const VERIFY: &Fields =
    &[("ok", Bool), ("entries", Number), ("first_bad?", Number), ("folded", Number), ("folded_until?", Time)];

const LOG: &Fields = &[
    ("file", Text),
    ("line", Number),
    ("time?", Time),
    ("offset_trusted", Bool),
    ("component?", Text),
    ("level", Text),
    ("thread?", Text),
    ("source?", Text),
    ("text", Text),
];

const ITEMS: &Fields = &[("ok", Bool), ("items", List)];
const ITEM: &Fields = &[("item", Text), ("verdict", Verdict), ("evidence", Text), ("remedy?", Text)];

const STATES: &[&str] = &[
    "scheduled",
    "offered",
    "deferred",
    "retry-wait",
    "waiting",
    "due",
    "countdown",
    "running",
    "stopping",
    "succeeded",
    "succeeded-restart",
    "failed",
    "timed-out",
    "stopped",
    "interrupted",
    "expired",
    "not-applicable",
    "not-needed",
    "rejected",
];

/// Every field is there and is what it has to be.
#[track_caller]
fn has(document: &Value, fields: &Fields, what: &str) {
    for (name, is) in fields {
        let key = name.trim_end_matches('?');
        let value = document.get(key).unwrap_or_else(|| panic!("{what} has no `{key}`: {document}"));
        if value.is_null() && name.ends_with('?') {
            continue;
        }
        let word = value.as_str().unwrap_or_default();
        let fits = match is {
            Text => value.is_string(),
            Number => value.is_i64() || value.is_u64(),
            Bool => value.is_boolean(),
            Time => chrono::DateTime::parse_from_rfc3339(word).is_ok(),
            List => value.is_array(),
            Object => value.is_object(),
            Verdict => ["pass", "block", "unknown"].contains(&word),
            State => STATES.contains(&word),
            Group => ["pending", "running", "executed", "expired", "skipped", "rejected"].contains(&word),
            Changes => ["time", "event", "never"].contains(&word),
        };
        assert!(fits, "`{key}` of {what} is no {is:?}: {value}");
    }
}

/// The same for each element of a list, of which there has to be one.
#[track_caller]
fn each<'a>(document: &'a Value, list: &str, fields: &Fields) -> &'a [Value] {
    let all = document[list].as_array().unwrap_or_else(|| panic!("no list `{list}`: {document}"));
    assert!(!all.is_empty(), "`{list}` is empty, which shows nothing: {document}");
    all.iter().for_each(|one| has(one, fields, list));
    all
}

#[test]
fn every_document_has_the_fields_that_are_promised() {
    let mut site = Site::with_config("[run]\ncountdown = \"0s\"\n");
    let logind = Logind::start(&site.path(""));
    if let Some(logind) = &logind {
        logind.log_on("c1", "anna", "tty2");
        site.bus = Some(logind.address.clone());
    }
    let hash = site.package("BP00000A", "case $PCM_REQUEST_ID in *F) exit 17;; *S) sleep 300;; esac");
    let hash = format!("\"{hash}\"");
    let due = |id: &str| Request::due(id).set("content_sha256", &hash);
    let optional = |id: &str| due(id).set("mandatory_after", "");
    site.publish(&[
        due("BP0000Y"),
        due("BP0000F").set("expire_after", "2099-01-01T00:00:00Z"),
        optional("BP0000S"),
        optional("BP0000Z"),
        due("BP0000D").mandatory(now() + seconds(86_400)),
        due("BP0000B").set("max_run_time", "\"two hours\""),
        due("BP0000W").set("platforms", "[\"windows-x86\"]"),
    ]);
    let _service = site.service();
    site.wait_state("BP0000Y", "succeeded");
    site.wait_state("BP0000F", "failed");

    has(&site.json(&["run", "BP0000Z", "--wait"]), RUN, "run");
    let rerun = site.json(&["rerun", "BP0000Y", "--reason", "again", "--wait"]);
    has(&rerun, RUN, "rerun");
    assert_eq!(
        (&rerun["attempt"], &rerun["state"], &rerun["exit_code"]),
        (&2.into(), &"succeeded".into(), &0.into())
    );
    let defer = site.json(&["defer", "BP0000D", "--for", "30h", "--reason", "release"]);
    has(&defer, CHANGED, "defer");
    assert!(!defer["deferred_until"].is_null());
    site.json(&["hold", "--for", "1h", "--reason", "move"]);

    let list = site.json(&["list", "--all"]);
    has(&list, LIST, "list");
    each(&list, "problems", PROBLEM);
    assert_eq!(each(&list, "requests", R).len(), 7);
    for id in ["BP0000Y", "BP0000F", "BP0000D", "BP0000B", "BP0000W"] {
        let show = site.json(&["show", id]);
        has(&show, R, "show");
        has(&show, SHOW, "show");
        each(&show, "gates", GATE);
        let explain = site.json(&["explain", id]);
        has(&explain, EXPLAIN, "explain");
        for gate in each(&explain, "gates", GATE) {
            assert_eq!(gate["code"].is_null(), gate["verdict"] == "pass", "null on pass alone: {gate}");
            let timed = gate["changes_on"] == "time";
            assert_eq!(timed, !gate["next_change"].is_null(), "a time where it changes by time: {gate}");
        }
        each(&explain, "allowed", ALLOWED);
    }
    each(&site.json(&["show", "BP0000F"]), "attempts", ATTEMPT);
    has(&site.json_of(&["status"]), STATUS, "status");
    has(&site.json(&["seen", "BP0000F"]), SEEN, "seen");
    has(&site.request("BP0000F").unwrap()["seen"], &[("by", Text), ("at", Time)], "who has seen it");
    let simulate = site.json(&["simulate"]);
    has(&simulate, SIMULATE, "simulate");
    let timelines = each(&simulate, "requests", TIMELINE);
    let stepping = timelines.iter().find(|t| t["request_id"] == "BP0000D").unwrap();
    each(stepping, "changes", STEP);
    let who = site.json(&["who"]);
    has(&who, WHO, "who");
    if logind.is_some() {
        assert_eq!(who["source"], "logind");
        each(&who, "sessions", SESSION);
    }

    site.json(&["run", "BP0000S", "--override", "hold", "--reason", "now"]);
    site.wait_state("BP0000S", "running");
    has(&site.json(&["stop", "BP0000S", "--reason", "enough"]), CHANGED, "stop");
    site.wait_state("BP0000S", "stopped");
    has(&site.json(&["undefer", "BP0000D"]), CHANGED, "undefer");
    each(&site.json(&["history"]), "attempts", ATTEMPT);
    each(&site.json(&["audit"]), "entries", AUDIT);
    has(&site.json(&["audit", "verify"]), VERIFY, "audit verify");
    let lines = site.pcm(&["log", "--json"]);
    let lines = String::from_utf8(lines.stdout).unwrap();
    assert!(lines.lines().count() > 10, "{lines}");
    lines.lines().for_each(|line| has(&serde_json::from_str(line).unwrap(), LOG, "log"));
    let check = site.json_of(&["check"]);
    has(&check, ITEMS, "check");
    each(&check, "items", ITEM);
    let lint = site.json_of(&["site", "lint", site.share().to_str().unwrap()]);
    has(&lint, ITEMS, "site lint");
    each(&lint, "items", ITEM);
    let error = site.refused(&["run", "BP0000F"], 3);
    has(&error, &[("code", Text), ("message", Text), ("remedy", Text)], "an error");
}
