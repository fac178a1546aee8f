//! How the fake judges its requests: their gates, and what may be done with each.

use super::{HOUR, soon};
use crate::clock::Wall;
use crate::executor::talk::view::{AllowedDoc, ChangesOn, GateDoc, RequestDoc};
use crate::terms::{Code, Gate, Refused, State, Verdict};
use crate::text::SafeText;
use chrono::TimeDelta;

fn gate(
    name: &str,
    verdict: Verdict,
    code: Option<&str>,
    evidence: &str,
    change: Option<Wall>,
    on: &str,
) -> GateDoc {
    GateDoc {
        gate: name.parse().unwrap(),
        verdict,
        code: code.map(|code| code.parse().unwrap()),
        evidence: evidence.into(),
        next_change: change,
        changes_on: match on {
            "time" => ChangesOn::Time,
            "event" => ChangesOn::Event,
            _ => ChangesOn::Never,
        },
    }
}

pub(super) fn gates(row: &RequestDoc, shift: TimeDelta) -> Vec<GateDoc> {
    let passes = |name: &str, evidence: &str| gate(name, Verdict::Pass, None, evidence, None, "event");
    let mut gates = vec![
        passes("source", "serial 42 from /mnt/sms_shr, seen 8m ago"),
        passes("record", "well-formed"),
        passes("trust", "signed by key 8F21 (head office)"),
        passes("platform", "linux-x86_64"),
        passes("kind", "automated, background"),
        passes("job", "active"),
        passes("history", "never attempted"),
        passes("offer", "offered since 09:00"),
        passes("expiry", "expires Tue 22 Dec"),
        passes("mandatory", "since 14:00"),
        passes("hold", "no hold, no freeze"),
        passes("deferral", "not deferred"),
        passes("window", "always open"),
        passes("users", "any"),
        passes("clock", "synchronised"),
        passes("host", "no restart pending, 31 GB free"),
        passes("policy", "/etc/pcm/pcm.toml"),
        passes("content", "staged, 3f9a…21"),
        passes("executor", "free"),
    ];
    let mut set = |new: GateDoc| {
        let old = gates.iter_mut().find(|g| g.gate == new.gate).unwrap();
        *old = new;
    };
    use Verdict::{Block, Unknown};
    match row.state {
        State::Waiting => {
            let opens = soon(8 * HOUR - 130) + shift;
            set(gate(
                "window",
                Block,
                Some("window-closed"),
                "the next one is Sun 22:00-06:00",
                Some(opens),
                "time",
            ));
            set(gate(
                "users",
                Block,
                Some("user-logged-on"),
                "run_when no-user, and anna is logged on (pts/0, idle 0m)",
                None,
                "event",
            ));
        }
        State::Deferred => {
            set(gate(
                "mandatory",
                Block,
                Some("not-mandatory-yet"),
                "mandatory Tue 22:00",
                row.mandatory_after,
                "time",
            ));
            set(gate(
                "deferral",
                Block,
                Some("deferred"),
                "by ola: \"release\", 1 of 3",
                row.deferred_until,
                "time",
            ));
            set(gate("users", Unknown, Some("users-unknown"), "logind does not answer", None, "event"));
        }
        State::Running => set(gate("history", Block, Some("done"), "attempt 1 is running", None, "event")),
        State::Offered => set(gate("mandatory", Block, Some("optional"), "never mandatory", None, "never")),
        State::Scheduled => {
            set(gate("offer", Block, Some("not-offered"), "offered from Wed 08:00", row.offer_after, "time"));
        }
        State::Queued => set(gate("executor", Block, Some("busy"), "BP00010 runs", None, "event")),
        State::Expired => set(gate("expiry", Block, Some("expired"), "since yesterday 14:02", None, "never")),
        _ => set(gate("history", Block, Some("done"), "attempt 1 ended", None, "never")),
    }
    gates
}

pub(super) fn allowed(row: &RequestDoc) -> Vec<AllowedDoc> {
    let refusal = |code: &str| match code.parse::<Code>() {
        Ok(code) => code.into(),
        Err(_) => code.parse::<Refused>().unwrap().into(),
    };
    let no = |verb: &str, code: &str, why: &str| AllowedDoc {
        verb: verb.parse().unwrap(),
        ok: false,
        code: Some(refusal(code)),
        why: why.into(),
        overrides: Vec::new(),
    };
    let yes = |verb: &str| AllowedDoc {
        verb: verb.parse().unwrap(),
        ok: true,
        code: None,
        why: SafeText::default(),
        overrides: Vec::new(),
    };
    let mut run = no("run", "done", "it has been attempted; rerun makes another attempt");
    let mut rerun = no("rerun", "not-attempted", "it was never attempted");
    let mut defer = no("defer", "done", "it is not pending");
    let mut undefer = no("undefer", "not-deferred", "it is not deferred");
    let mut stop = no("stop", "not-running", "it is not running");
    match row.state {
        State::Waiting => {
            run = no("run", "window-closed", "window closed; anna is logged on");
            run.overrides = vec![Gate::Window, Gate::Users];
            defer = yes("defer");
        }
        State::Deferred => {
            run = no("run", "deferred", "deferred until Wed 02:00");
            run.overrides = vec![Gate::Deferral];
            defer = yes("defer");
            undefer = yes("undefer");
        }
        State::Offered => run = yes("run"),
        State::Scheduled => run = no("run", "not-offered", "not offered before Wed 08:00"),
        State::Running => stop = yes("stop"),
        State::Queued => (run, stop) = (yes("run"), yes("stop")),
        State::Expired => {
            run = no("run", "expired", "it has expired");
            defer = no("defer", "deferral-too-late", "not allowed, it has expired");
        }
        State::Failed | State::Interrupted => rerun = yes("rerun"),
        _ => {}
    }
    vec![run, rerun, defer, undefer, stop]
}
