//! What the pcm of another machine has answered, in words. It may be of another version, and is not believed to be anything: only
//! a document that says what was done counts as done.

use super::{Came, Deed, Fate, Kind};
use crate::clock::Wall;
use crate::error::Exit;
use crate::safe;
use crate::site::ids::RequestId;
use crate::terms::State;
use crate::text::SafeText;
use serde_json::Value;

/// What became of this on a machine; `tell` says how times are told.
pub fn fate(deed: Deed, request: Option<RequestId>, came: Came, tell: &dyn Fn(Wall) -> SafeText) -> Fate {
    match came {
        Came::Kept(words) => Fate { kind: Kind::Done, words },
        Came::NotKept(why) => Fate { kind: Kind::Failed, words: why },
        // Nothing was to be done there.
        Came::Lost(how) if deed.is_kept() => {
            Fate { kind: Kind::Failed, words: safe!("{how}; nothing of it is kept") }
        }
        Came::NeverThere(why) => Fate { kind: Kind::Unreached, words: why },
        Came::Lost(how) => Fate { kind: Kind::Unknown, words: how },
        Came::Answered { status: 0, output, .. } => match done(deed, request, &output, tell) {
            Some(words) => Fate { kind: Kind::Done, words },
            None => Fate { kind: Kind::Unknown, words: "it ended, and did not say what was done".into() },
        },
        Came::Answered { status, said, .. } => refused(status, &said),
    }
}

/// What was done.
fn done(
    deed: Deed,
    request: Option<RequestId>,
    output: &[u8],
    tell: &dyn Fn(Wall) -> SafeText,
) -> Option<SafeText> {
    let doc: Value = serde_json::from_slice(output).ok()?;
    let text = |name: &str| doc.get(name).and_then(Value::as_str);
    let time = |name: &str| text(name).and_then(|at| at.parse::<Wall>().ok());
    if deed.is_of_request() {
        let of: RequestId = text("request_id")?.parse().ok()?;
        request.filter(|wanted| *wanted == of)?;
    }
    Some(match deed {
        Deed::Run => match text("state")?.parse().ok()? {
            State::Running => "started".into(),
            State::Queued => "queued; it starts in its turn".into(),
            // It was quick.
            state => safe!("started; {state} by now"),
        },
        Deed::Defer => safe!("deferred until {}", tell(time("deferred_until")?)),
        Deed::Undefer => {
            let state: State = text("state")?.parse().ok()?;
            doc.get("deferred_until").filter(|until| until.is_null())?;
            safe!("not deferred; {state}")
        }
        Deed::Hold => safe!("held until {}", tell(time("held_until")?)),
        Deed::Unhold => {
            doc.get("held_until").filter(|until| until.is_null())?;
            "not held".into()
        }
        // No machine is asked.
        Deed::SendAgain => return None,
        // It sends a file, and no answer.
        Deed::Evidence => return None,
    })
}

/// Why it was not done.
fn refused(status: i32, said: &[u8]) -> Fate {
    let is = |exit: Exit| status == i32::from(exit as u8);
    let kind = match () {
        () if is(Exit::ConnectionLost) => Kind::Unknown,
        () if is(Exit::Refused) || is(Exit::NotFound) => Kind::Refused,
        () => Kind::Failed,
    };
    let words = told(said).unwrap_or_else(|| safe!("exit status {status}"));
    Fate { kind, words }
}

/// What pcm says of its failure on standard error; else the last line that stands there.
pub fn told(said: &[u8]) -> Option<SafeText> {
    let said = String::from_utf8_lossy(said);
    let lines = || said.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let error = |line: &str| {
        let doc: Value = serde_json::from_str(line).ok()?;
        let error = doc.get("error")?;
        let of = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default().trim();
        let (message, remedy) = (of("message"), of("remedy"));
        Some(if remedy.is_empty() { message.to_owned() } else { format!("{message}. {remedy}") })
    };
    // A banner, or what a shell's start says, may stand beside it.
    let error = lines().find_map(error).filter(|told| !told.is_empty());
    let words = error.or_else(|| lines().next().map(str::to_owned));
    words.map(|words| SafeText::new(&words))
}
