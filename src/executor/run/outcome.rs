//! What the end of a run means (DESIGN.md 5): how it was ended, then a status MIF, then the exit code by table. Pure.

use crate::clock::Wall;
use crate::site::installed::{Finding, Need, Needed};
use crate::site::instruction::Outcome;
use crate::terms::State;
use crate::text::SafeText;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest result that is kept, in characters (FORMATS.md 6 and 7).
pub const MAX_RESULT: usize = 128;

/// Why the process tree ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndedBy {
    /// Of its own accord.
    Itself,
    /// Its time limit.
    TimeLimit,
    /// An operator's stop.
    Operator,
    /// It could not be started at all.
    NotStarted,
    /// The executor went away before it said *go*: nothing was launched.
    NeverTold,
}

/// What the run host writes once the whole process tree is gone: `runs/<run>/exit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// Why it ended.
    pub ended_by: EndedBy,
    /// Of the package's first process; None where a signal ended it or it never started.
    pub exit_code: Option<i64>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Launched.
    pub started_at: Wall,
    /// Tree gone and files synced.
    pub ended_at: Wall,
    /// By the monotonic clock, in milliseconds.
    pub ran_ms: u64,
    /// Why the package's files are not known to survive a power cut; None: they do.
    pub not_synced: Option<SafeText>,
    /// Why it could not be started.
    pub error: Option<SafeText>,
    /// Processes that were still there when the first one had ended of its own accord.
    pub left_behind: bool,
    /// The package had the system ask for a restart while it ran, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_wanted: Option<SafeText>,
}

/// The longest text in an exit record, in characters: the room for a record is reserved before its run is launched.
const MAX_TEXT: usize = 256;

impl ExitRecord {
    /// The bytes of the record, with room to spare below [`ExitRecord::ROOM`].
    ///
    /// # Errors
    /// Never for our own struct of numbers and texts.
    pub fn to_bytes(&self) -> std::io::Result<Vec<u8>> {
        let cut = |text: &Option<SafeText>| {
            let text = text.as_ref()?;
            Some(SafeText::new(&text.as_str().chars().take(MAX_TEXT).collect::<String>()))
        };
        let bounded = ExitRecord {
            not_synced: cut(&self.not_synced),
            error: cut(&self.error),
            restart_wanted: cut(&self.restart_wanted),
            ..self.clone()
        };
        serde_json::to_vec(&bounded).map_err(std::io::Error::other)
    }

    /// No record is longer, in bytes.
    pub const ROOM: usize = 4096;
}

/// What the status MIF said, if the package wrote one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MifSays {
    /// Nothing written.
    Nothing,
    /// A valid one.
    Status {
        /// `Success`.
        success: bool,
        /// The package's words.
        description: SafeText,
    },
    /// One that cannot be read: it counts as failure (DEFECTS Q190135).
    Malformed(SafeText),
}

/// What a retry needs to know.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// How many further attempts.
    pub retries: u32,
    /// How long after the end.
    pub after: Duration,
    /// The request's expire time: no retry is due at or past it.
    pub expires: Option<Wall>,
    /// It runs by itself: what only an operator starts is not repeated without one.
    pub by_itself: bool,
}

/// How the attempt ended, as history keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// One of the group Executed.
    pub state: State,
    /// Set where another attempt is due.
    pub retry_at: Option<Wall>,
    /// In words.
    pub result: SafeText,
}

/// Judges the end of attempt number `number`.
pub fn judge(
    exit: &ExitRecord,
    mif: &MifSays,
    table: &BTreeMap<i64, Outcome>,
    number: u32,
    retry: &RetryPolicy,
) -> Judged {
    let ran = crate::text::duration(Duration::from_millis(exit.ran_ms));
    let plain = |state, words: String| Judged { state, retry_at: None, result: short(&words) };
    match exit.ended_by {
        EndedBy::NotStarted => {
            let why = exit.error.as_ref().map_or("no reason given", |e| e.as_str());
            return plain(State::Failed, format!("could not be started: {why}"));
        }
        EndedBy::NeverTold => {
            return not_launched(exit.ended_at, "the executor went away", number, retry);
        }
        EndedBy::TimeLimit => {
            // A daemon, most likely: whoever reads this has to know that the package itself had ended.
            let left = match exit.exit_code.filter(|_| exit.left_behind) {
                Some(code) => format!(", it had left processes behind with exit {code}"),
                None => String::new(),
            };
            return plain(State::TimedOut, format!("ended by its time limit after {ran}{left}"));
        }
        EndedBy::Operator => return plain(State::Stopped, format!("stopped after {ran}")),
        EndedBy::Itself => {}
    }
    let returned = match (exit.exit_code, exit.signal) {
        (Some(code), _) => format!("exit {code} after {ran}"),
        (None, Some(signal)) => format!("ended by signal {signal} after {ran}"),
        (None, None) => format!("ended after {ran}"),
    };
    let outcome = match exit.exit_code {
        Some(code) => outcome_of(code, table),
        None => Outcome::Failure,
    };
    let outcome = match outcome {
        Outcome::Success if exit.restart_wanted.is_some() => Outcome::Restart,
        outcome => outcome,
    };
    match mif {
        MifSays::Malformed(why) => plain(State::Failed, format!("its status MIF is malformed: {why}")),
        MifSays::Status { success: true, description } => {
            // The MIF says whether it worked; only the exit code or the system says that a restart is wanted.
            let restart = outcome == Outcome::Restart || exit.restart_wanted.is_some();
            let state = if restart { State::SucceededRestart } else { State::Succeeded };
            plain(state, or(description, &returned))
        }
        // What the package returned must not stand alone beside a failure that it does not explain.
        MifSays::Status { success: false, description } => {
            plain(State::Failed, or(description, &format!("its status MIF says that it failed ({returned})")))
        }
        MifSays::Nothing => match outcome {
            Outcome::Success => plain(State::Succeeded, returned),
            Outcome::Restart => plain(State::SucceededRestart, format!("{returned}, restart pending")),
            Outcome::Failure => plain(State::Failed, returned),
            Outcome::Retry => retried(exit.ended_at, &returned, number, retry),
        },
    }
}

/// What is left of a success by what its package's test gave after it: one after which there is as much to do as before is
/// none (SITE.md 2). What cannot be known is said, and changes nothing. Where the machine has yet to restart for it, that may
/// be what finishes it: it is no failure, the restart stays pending, and the result says that nobody could judge it.
pub fn after_a_look(judged: Judged, need: &Need, found: &Finding, restart_ahead: bool) -> Judged {
    if !judged.state.is_success() {
        return judged;
    }
    let result = judged.result.as_str();
    match need.by(Some(found)) {
        Needed::No => judged,
        Needed::Yes => {
            let what = if need.removes { "still installed" } else { "not installed" };
            let (state, when) = match restart_ahead {
                true => (State::SucceededRestart, " before the restart and not judged"),
                false => (State::Failed, ""),
            };
            let result = short(&format!("{what}{when}, {result}: {}", found.words));
            Judged { state, retry_at: None, result }
        }
        Needed::Unknown => {
            let result = short(&format!("{result}; whether it is installed is not known: {}", found.words));
            Judged { result, ..judged }
        }
    }
}

/// What becomes of an attempt that was proven not launched. Nothing ran, so the limit on retries does not count: when
/// the disk has room again it heals by itself (PROMISES.md P15), trying ever more seldom.
pub fn not_launched(ended: Wall, why: &str, number: u32, retry: &RetryPolicy) -> Judged {
    let wait =
        retry.after.saturating_mul(1 << number.saturating_sub(1).min(16)).min(LONGEST_WAIT.max(retry.after));
    let patient = RetryPolicy { retries: u32::MAX, after: wait, ..*retry };
    retried(ended, &format!("not launched: {why}"), number, &patient)
}

/// Between attempts that are not launched.
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3600);

/// What becomes of an attempt that ended as `retry`: another one is due, within policy.
fn retried(ended: Wall, words: &str, number: u32, retry: &RetryPolicy) -> Judged {
    let at = TimeDelta::from_std(retry.after).ok().and_then(|after| ended.checked_add_signed(after));
    match at {
        _ if !retry.by_itself => Judged {
            state: State::Failed,
            retry_at: None,
            result: short(&format!("{words}, not repeated by itself: an operator runs it")),
        },
        _ if number > retry.retries => Judged {
            state: State::Failed,
            retry_at: None,
            result: short(&format!("{words}, gave up after {number} attempts")),
        },
        Some(at) if retry.expires.is_none_or(|expires| at < expires) => Judged {
            state: State::Failed,
            retry_at: Some(at),
            result: short(&format!("{words}, to be retried")),
        },
        _ => Judged {
            state: State::Failed,
            retry_at: None,
            result: short(&format!("{words}, expires before a retry")),
        },
    }
}

/// The default table of DESIGN.md 5 with what the publisher changed.
fn outcome_of(code: i64, table: &BTreeMap<i64, Outcome>) -> Outcome {
    table.get(&code).copied().unwrap_or(match code {
        0 => Outcome::Success,
        // What Windows Installer returns. Exit codes of Unix end at 255; a restart is asked for by the system's note there.
        3010 | 1641 => Outcome::Restart,
        1618 => Outcome::Retry,
        // EX_TEMPFAIL of sysexits.h: the program itself asks to be tried again.
        75 if cfg!(unix) => Outcome::Retry,
        _ => Outcome::Failure,
    })
}

fn or(description: &SafeText, otherwise: &str) -> String {
    if description.is_empty() { otherwise.to_owned() } else { description.as_str().to_owned() }
}

/// Words as a result holds them: at most [`MAX_RESULT`] characters.
pub fn short(words: &str) -> SafeText {
    SafeText::new(&words.chars().take(MAX_RESULT).collect::<String>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn exit(code: i64) -> ExitRecord {
        let at: Wall = "2026-11-22T22:00:00Z".parse().unwrap();
        ExitRecord {
            ended_by: EndedBy::Itself,
            exit_code: Some(code),
            signal: None,
            started_at: at,
            ended_at: at,
            ran_ms: 41_000,
            not_synced: None,
            error: None,
            left_behind: false,
            restart_wanted: None,
        }
    }

    fn policy() -> RetryPolicy {
        RetryPolicy { retries: 3, after: Duration::from_secs(600), expires: None, by_itself: true }
    }

    fn judged(code: i64) -> Judged {
        judge(&exit(code), &MifSays::Nothing, &BTreeMap::new(), 1, &policy())
    }

    #[test]
    fn the_default_table_holds_for_every_code() {
        for code in -5..5000 {
            let state = judged(code).state;
            let wanted = match code {
                0 => State::Succeeded,
                3010 | 1641 => State::SucceededRestart,
                _ => State::Failed,
            };
            assert_eq!(state, wanted, "exit code {code}");
            let retried = code == 1618 || cfg!(unix) && code == 75;
            assert_eq!(judged(code).retry_at.is_some(), retried, "exit code {code}");
        }
    }

    #[test]
    fn a_success_after_which_there_is_as_much_to_do_is_a_failure_and_a_failure_stays_one() {
        use crate::site::installed::Answer;
        use crate::site::package::{InstalledIf, Is};
        let test = InstalledIf::File { path: "/opt/acme".into(), is: Is::There };
        for removes in [false, true] {
            let need = Need { test: test.clone(), removes };
            let found = |answer| Finding::new(answer, "what shows it");
            let (done, undone) = if removes { (Answer::No, Answer::Yes) } else { (Answer::Yes, Answer::No) };
            for (code, restart_ahead) in [(0, false), (0, true), (3010, false), (3010, true)] {
                let after = |answer| after_a_look(judged(code), &need, &found(answer), restart_ahead);
                assert_eq!(after(done), judged(code));
                let not_done = after(undone);
                let what = if removes { "still installed" } else { "not installed" };
                let (state, when) = match restart_ahead {
                    // Whoever does it, and whatever its exit code says of it: the restart may be what finishes it.
                    true => (State::SucceededRestart, " before the restart and not judged"),
                    false => (State::Failed, ""),
                };
                assert_eq!((not_done.state, not_done.retry_at), (state, None));
                let result = not_done.result.as_str();
                assert_eq!(result, format!("{what}{when}, {}: what shows it", judged(code).result));
                let unknown = after(Answer::Unknown);
                assert_eq!(unknown.state, judged(code).state);
                assert!(unknown.result.as_str().ends_with("is not known: what shows it"), "{unknown:?}");
            }
            for answer in [Answer::Yes, Answer::No, Answer::Unknown] {
                for restart_ahead in [false, true] {
                    let after = |code| after_a_look(judged(code), &need, &found(answer), restart_ahead);
                    assert_eq!((after(17), after(1618)), (judged(17), judged(1618)));
                }
            }
        }
    }

    #[test]
    fn a_status_mif_wins_over_the_exit_code() {
        let says = |success| MifSays::Status { success, description: "as told".into() };
        for code in [0, 1, 17, 1618, -1] {
            let good = judge(&exit(code), &says(true), &BTreeMap::new(), 1, &policy());
            assert_eq!((good.state, good.retry_at), (State::Succeeded, None));
            let bad = judge(&exit(code), &says(false), &BTreeMap::new(), 1, &policy());
            assert_eq!((bad.state, bad.result.as_str()), (State::Failed, "as told"));
        }
        let restart = judge(&exit(3010), &says(true), &BTreeMap::new(), 1, &policy());
        assert_eq!(restart.state, State::SucceededRestart);
    }

    #[test]
    fn a_failure_that_a_status_mif_tells_without_a_word_is_not_shown_as_its_exit_code() {
        let says = MifSays::Status { success: false, description: SafeText::default() };
        let judged = judge(&exit(0), &says, &BTreeMap::new(), 1, &policy());
        assert_eq!(judged.state, State::Failed);
        assert_eq!(judged.result.as_str(), "its status MIF says that it failed (exit 0 after 41s)");
    }

    #[test]
    fn a_restart_that_the_system_was_asked_for_counts_where_the_package_succeeded() {
        let wanted = |code| ExitRecord { restart_wanted: Some("linux-image".into()), ..exit(code) };
        let state = |code, says: &MifSays| judge(&wanted(code), says, &BTreeMap::new(), 1, &policy()).state;
        assert_eq!(state(0, &MifSays::Nothing), State::SucceededRestart);
        assert_eq!(state(17, &MifSays::Nothing), State::Failed);
        let told = |success| MifSays::Status { success, description: SafeText::default() };
        assert_eq!(state(17, &told(true)), State::SucceededRestart);
        assert_eq!(state(0, &told(false)), State::Failed);
        let table = BTreeMap::from([(194, Outcome::Restart)]);
        assert_eq!(judge(&exit(194), &MifSays::Nothing, &table, 1, &policy()).state, State::SucceededRestart);
    }

    #[test]
    fn what_only_an_operator_starts_is_not_said_to_be_retried() {
        let policy = RetryPolicy { by_itself: false, ..policy() };
        for judged in [
            judge(&exit(1618), &MifSays::Nothing, &BTreeMap::new(), 1, &policy),
            not_launched("2026-11-22T22:00:00Z".parse().unwrap(), "no space", 1, &policy),
        ] {
            assert_eq!((judged.state, judged.retry_at), (State::Failed, None));
            assert!(judged.result.as_str().ends_with("an operator runs it"), "{}", judged.result);
        }
    }

    #[test]
    fn the_longest_exit_record_fits_into_the_room_that_is_reserved_for_it() {
        let long = || Some(SafeText::new(&"\u{1f600}\"\\".repeat(5000)));
        let longest = ExitRecord {
            ended_by: EndedBy::NeverTold,
            exit_code: Some(i64::MIN),
            signal: Some(i32::MIN),
            ran_ms: u64::MAX,
            not_synced: long(),
            error: long(),
            left_behind: true,
            restart_wanted: long(),
            ..exit(0)
        };
        let bytes = longest.to_bytes().unwrap();
        assert!(bytes.len() < ExitRecord::ROOM, "{}", bytes.len());
        serde_json::from_slice::<ExitRecord>(&bytes).unwrap();
    }

    #[test]
    fn a_malformed_status_mif_is_a_failure_with_its_reason() {
        let says = MifSays::Malformed("line 3: no value".into());
        let judged = judge(&exit(0), &says, &BTreeMap::new(), 1, &policy());
        assert_eq!(judged.state, State::Failed);
        assert!(judged.result.as_str().contains("line 3"), "{}", judged.result);
    }

    #[test]
    fn the_publishers_table_changes_only_what_it_names() {
        let table = BTreeMap::from([(17, Outcome::Success), (0, Outcome::Failure)]);
        let state = |code| judge(&exit(code), &MifSays::Nothing, &table, 1, &policy()).state;
        assert_eq!(state(17), State::Succeeded);
        assert_eq!(state(0), State::Failed);
        assert_eq!(state(3010), State::SucceededRestart);
    }

    #[test]
    fn a_retry_is_bounded_in_number_and_by_expiry() {
        let last = judge(&exit(1618), &MifSays::Nothing, &BTreeMap::new(), 4, &policy());
        assert_eq!((last.state, last.retry_at), (State::Failed, None));
        let third = judge(&exit(1618), &MifSays::Nothing, &BTreeMap::new(), 3, &policy());
        assert!(third.retry_at.is_some());
        let expires = Some("2026-11-22T22:10:00Z".parse().unwrap());
        let late =
            judge(&exit(1618), &MifSays::Nothing, &BTreeMap::new(), 1, &RetryPolicy { expires, ..policy() });
        assert_eq!(late.retry_at, None, "at expire after is too late");
    }

    #[test]
    fn what_was_never_launched_is_tried_for_ever_and_ever_more_seldom() {
        let ended: Wall = "2026-11-22T22:00:00Z".parse().unwrap();
        let wait = |number| {
            (not_launched(ended, "no space", number, &policy()).retry_at.unwrap() - ended).num_minutes()
        };
        assert_eq!([1, 2, 3, 4, 5, 6, 7, 100].map(wait), [10, 20, 40, 80, 160, 320, 360, 360]);
        let expires = Some("2026-11-22T22:05:00Z".parse().unwrap());
        assert_eq!(not_launched(ended, "no space", 1, &RetryPolicy { expires, ..policy() }).retry_at, None);
    }

    #[test]
    fn how_it_was_ended_counts_before_what_it_returned() {
        let ended = |ended_by| {
            let exit = ExitRecord { ended_by, ..exit(0) };
            let says = MifSays::Status { success: true, description: "fine".into() };
            judge(&exit, &says, &BTreeMap::new(), 1, &policy()).state
        };
        assert_eq!(ended(EndedBy::TimeLimit), State::TimedOut);
        assert_eq!(ended(EndedBy::Operator), State::Stopped);
        assert_eq!(ended(EndedBy::NotStarted), State::Failed);
    }

    #[test]
    fn a_signal_is_a_failure_that_names_it() {
        let exit = ExitRecord { exit_code: None, signal: Some(11), ..exit(0) };
        let judged = judge(&exit, &MifSays::Nothing, &BTreeMap::new(), 1, &policy());
        assert_eq!(judged.state, State::Failed);
        assert!(judged.result.as_str().contains("signal 11"), "{}", judged.result);
    }
}
