//! A machine from which a site is published: what it has to do before the site's machines stand still.

use super::super::facts::Facts;
use super::super::publisher::{OnShare, Publisher, Seen};
use super::{block, count, item, named, pass, stamp, unknown};
use crate::error::Failure;
use crate::executor::talk::view::CheckItem;
use crate::site::signed::list::TrustList;

/// All items of a publisher; none on any other machine.
pub fn items(facts: &Facts) -> Vec<CheckItem> {
    let Some(Publisher { dir, seen }) = &facts.publisher else { return Vec::new() };
    match seen {
        Ok(seen) => {
            vec![
                share_matches_folder(facts, seen),
                keys_expiring(facts, seen),
                timer(facts, seen),
                lock(facts, seen),
            ]
        }
        Err(failure) => NAMES
            .iter()
            .map(|name| {
                let finding = match *name {
                    MATCHES => failed(failure),
                    _ => unknown(format!("{} was not read", dir.display()), format!("See `{MATCHES}`")),
                };
                item(name, vec![finding])
            })
            .collect(),
    }
}

const MATCHES: &str = "share-matches-folder";
const NAMES: [&str; 4] = [MATCHES, "keys-expiring", "timer", "lock"];

fn failed(failure: &Failure) -> super::Finding {
    block(failure.message.as_str(), failure.remedy.as_str())
}

/// What is published is what the folder says, and whole.
fn share_matches_folder(facts: &Facts, seen: &Seen) -> CheckItem {
    let publish = || format!("{} site publish", facts.pcm());
    let shown = seen.share.display();
    let mut findings = Vec::new();
    match &seen.on_share {
        Err(failure) => findings.push(failed(failure)),
        Ok(OnShare { published: None, .. }) => {
            findings.push(block(format!("nothing is published on {shown} yet"), publish()));
        }
        Ok(OnShare { published: Some(published), .. }) => {
            let (serial, damaged) = (published.serial, published.damaged);
            if published.begun && seen.held_by.is_none() {
                findings.push(block(
                    format!("publication {serial} was begun and not ended, or {shown} holds an older one"),
                    format!("{} completes it", publish()),
                ));
            }
            if published.says_more {
                findings.push(block(
                    format!("the folder says what is not published on {shown}"),
                    format!("{} --dry-run says what it would do", publish()),
                ));
            }
            if damaged > 0 {
                findings.push(block(
                    format!(
                        "{} of {shown} {} missing or damaged",
                        count(damaged, "file"),
                        super::is(damaged)
                    ),
                    format!("{} puts back what the folder has", publish()),
                ));
            }
            findings.extend(published.faults.iter().map(failed));
            findings.push(pass(format!(
                "{shown} has publication {serial}, and that is all that the folder says"
            )));
        }
    }
    item(MATCHES, findings)
}

/// Every key of the trust list counts for a month yet.
fn keys_expiring(facts: &Facts, seen: &Seen) -> CheckItem {
    let findings = match &seen.list {
        Err(failure) => vec![failed(failure)],
        Ok(None) => vec![pass("the site has no trust list: no key counts there")],
        Ok(Some(list)) => ending(facts, list),
    };
    item("keys-expiring", findings)
}

fn ending(facts: &Facts, list: &TrustList) -> Vec<super::Finding> {
    let ending = list.ending(facts.now).map(|(signer, until)| {
        let (ends, remedy) = match until <= facts.now {
            true => ("ended", "Take it out: pcm key revoke; or trust its successor: pcm key trust"),
            false => ("ends", "Trust its successor: pcm key trust"),
        };
        let words =
            format!("the {} key of {} {ends} at {}", signer.role, signer.principal, stamp(until, facts));
        block(words, remedy)
    });
    let mut findings: Vec<_> = ending.collect();
    findings
        .push(pass(format!("no key of trust list {} ends within 30 days without a successor", list.version)));
    findings
}

/// Jobs go on and what is published stays valid without anybody.
fn timer(facts: &Facts, seen: &Seen) -> CheckItem {
    let finding = match &seen.timers {
        None => unknown(
            "whether anything renews what is published cannot be seen on this system",
            "See that something runs pcm job advance and pcm site publish --renew",
        ),
        Some(timers) if timers.is_empty() => unknown(
            "no timer of pcm's is set up for this folder; whether anything else renews what is published is not known",
            format!("Set it up: {} site install-timer", facts.pcm()),
        ),
        Some(timers) => {
            let shown: Vec<_> = timers.iter().map(|timer| timer.display()).collect();
            pass(format!("jobs go on and are renewed by {}", named(&shown)))
        }
    };
    item("timer", vec![finding])
}

/// Nobody keeps others from publishing who is dead.
fn lock(facts: &Facts, seen: &Seen) -> CheckItem {
    let note = seen.on_share.as_ref().ok().and_then(|on_share| on_share.note.as_ref());
    let finding = match (&seen.held_by, note) {
        (Some(by), _) => pass(format!("{by} publishes now")),
        (None, Some(note)) if note.ours => block(
            format!("{} died while it published", note.who),
            format!("{} site publish takes its place", facts.pcm()),
        ),
        (None, Some(note)) => block(
            format!("{} is at work on {}, or died there", note.who, seen.share.display()),
            format!("Wait for its end; if it died: {} site publish --break-lock", facts.pcm()),
        ),
        (None, None) if seen.on_share.is_err() => unknown(
            "nobody publishes from this folder; whether another one does is not known",
            format!("See `{MATCHES}`"),
        ),
        (None, None) => pass("nobody is publishing"),
    };
    item("lock", vec![finding])
}
