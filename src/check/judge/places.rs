//! Where this machine's report goes, which locations answer, what they have, and the keys and clocks that this needs.

use super::super::facts::Facts;
use super::{ago, block, count, item, named, not_enrolled, pass, unknown};
use crate::clock::between;
use crate::executor::share::tries::{Cause, Unwritten, Written};
use crate::executor::talk::view::CheckItem;
use crate::host::open::remote;
use crate::site::report;
use crate::site::share::Found;
use crate::site::trust::TrustMode;
use crate::text;
use std::path::Path;
use std::time::Duration;

/// Two clocks that are further apart than this are not both right.
const APART: Duration = Duration::from_secs(5 * 60);

/// The report and the results were written where they go, and removed again: at one of several locations that is enough.
pub fn report_location(facts: &Facts) -> CheckItem {
    let tried = facts.tries.iter().map(|(place, tried)| match tried {
        Err(why) => Some(Err((format!("{}: {why}", place.display()), mended(facts, place, Cause::Away)))),
        Ok(tried) => tried.written.as_ref().map(|written| match written {
            Ok(Written { folders, .. }) => Ok(named(folders)),
            Err(Unwritten { why, cause }) => Err((why.to_string(), mended(facts, place, *cause))),
        }),
    });
    let tried: Vec<Result<String, (String, String)>> = tried.flatten().collect();
    let by = facts.owner().map_or_else(|_| facts.me.name.clone(), |owner| owner.name);
    let findings = match (tried.iter().find_map(|tried| tried.as_ref().ok()), &facts.look) {
        (Some(folders), _) => vec![pass(format!("as {by}: wrote a file in {folders} and removed it"))],
        (None, None) => vec![not_enrolled(facts)],
        (None, Some(Err(why))) => {
            vec![unknown(format!("the share was not written: {why}"), "See `share`")]
        }
        (None, Some(Ok(_))) if facts.tried.is_err() => vec![not_tried(facts)],
        (None, Some(Ok(_))) if tried.is_empty() => {
            vec![unknown("no place for reports can be believed", "See `share` and `trust`")]
        }
        (None, Some(Ok(_))) => tried
            .into_iter()
            .filter_map(Result::err)
            .map(|(why, remedy)| block(format!("as {by}: {why}"), remedy))
            .collect(),
    };
    item("report-location", findings)
}

/// What lets the report be written at this place.
fn mended(facts: &Facts, place: &Path, cause: Cause) -> String {
    let remedy = match cause {
        Cause::Denied if remote::is_remote(place) => return allowed(facts),
        // What is published is read by another key than the one that has to see it before it writes.
        Cause::NotBelieved
            if remote::is_remote(place) && facts.subject.config.share.report_credentials.is_some() =>
        {
            return format!(
                "See `share`, `instructions` and `trust`; where they pass, let {}",
                rights(facts)
            );
        }
        Cause::Away | Cause::NoFolder | Cause::Other if remote::is_remote(place) => {
            "See whether its server answers, the bucket is there ([share] endpoint, region), and the key file that [share] \
             names (report_credentials, or credentials) is there, readable by its owner alone and with its two lines, or \
             name another place: [share] report"
        }
        Cause::Away => {
            "See whether its server answers and it is mounted, or name another place: [share] report"
        }
        Cause::NotBelieved => {
            "See `share`, `instructions` and `trust`: once the publication there is believed, it is written to, too"
        }
        Cause::NoFolder => {
            "See that the share is mounted and whole: each publication makes the folders machines and despoolr.box there"
        }
        Cause::Denied => RIGHTS,
        Cause::Other => {
            "Put the folders machines and despoolr.box there right, or name another place: [share] report"
        }
    };
    remedy.to_owned()
}

/// What lets an account write in folders.
const RIGHTS: &str = "Give the service's account its rights to the folders machines and despoolr.box there, or name another \
                      place: [share] report";

/// What lets this machine's key write in a bucket.
fn allowed(facts: &Facts) -> String {
    format!("Let {}", rights(facts))
}

/// The key that writes there, and all that it has to be allowed: it sees what is published before it writes.
fn rights(facts: &Facts) -> String {
    let config = &facts.subject.config;
    let key = config.share.report_credentials.as_ref().or(config.share.credentials.as_ref());
    let key = key.map_or_else(
        || "what the metadata service gives this machine".to_owned(),
        |file| format!("the key in {}", file.display()),
    );
    let machine = config.machine.map_or_else(|| "ID".to_owned(), |machine| machine.to_string());
    format!(
        "{key} get and put {}/{machine}.json and {}/{machine}/* there, get PCM.* and trust/*, and list the bucket, or \
         name another key or place: [share] report_credentials, report",
        report::FOLDER,
        report::RESULTS
    )
}

/// What lets a report be delivered that was not, as the machine says it.
pub(super) fn delivered(facts: &Facts, said: &str) -> String {
    if said.contains("s3://") { allowed(facts) } else { RIGHTS.to_owned() }
}

fn not_tried(facts: &Facts) -> super::Finding {
    match &facts.tried {
        Err(why) if facts.owner().is_err() => unknown(why.as_str(), "See `state`"),
        Err(why) => unknown(why.as_str(), format!("Look as root: {} check", facts.pcm())),
        Ok(_) => unknown("it was not tried", "See `share`"),
    }
}

/// This machine's clock beside that of whoever keeps the share's files, and that of whoever published.
pub fn clock_against_share(facts: &Facts) -> CheckItem {
    let remedy =
        "Set both clocks and keep them synchronised: freezes, validity and reports are compared by them";
    let mut findings = Vec::new();
    for (place, tried) in &facts.tries {
        let written = tried.as_ref().ok().and_then(|tried| tried.written.as_ref()?.as_ref().ok());
        let Some([before, written, after]) = written.and_then(|written| written.clocks) else { continue };
        let (ahead, behind) = (between(after, written), between(written, before));
        let apart = |by: Duration, word: &str| {
            format!("the clock of {} is {} {word} this machine's", place.display(), text::duration(by))
        };
        findings.push(if ahead > APART {
            block(apart(ahead, "ahead of"), remedy)
        } else if behind > APART {
            block(apart(behind, "behind"), remedy)
        } else {
            pass(format!("a file in {} had the time of this machine", place.display()))
        });
    }
    let issued = facts.file.as_ref().map(|file| file.issued);
    if let Some(issued) = issued.filter(|issued: &crate::clock::Wall| between(facts.now, *issued) > APART) {
        let ahead = text::duration(between(facts.now, issued));
        let words = format!("what is published was issued {ahead} after what this machine's clock says now");
        findings.push(block(words, remedy));
    }
    if findings.is_empty() {
        findings.push(match facts.look {
            None => not_enrolled(facts),
            Some(_) => {
                unknown("no file was written there whose time could be compared", "See `report-location`")
            }
        });
    }
    item("clock-against-share", findings)
}

/// Which location has what: the highest publication counts, and one that lags is only said.
pub fn locations(facts: &Facts) -> CheckItem {
    let shares = &facts.subject.config.shares;
    let findings = match &facts.look {
        None => vec![not_enrolled(facts)],
        Some(Err(why)) => vec![unknown(format!("they were not read: {why}"), "See `share`")],
        Some(Ok(look)) => {
            let found: Vec<&Found> = look.found.iter().chain(&look.others).collect();
            let newest = found.iter().map(|found| found.rank()).max();
            let mut findings = Vec::new();
            for share in shares {
                let there = found.iter().find(|found| found.share == *share);
                let shown = share.display();
                findings.push(match there {
                    Some(found) if Some(found.rank()) < newest => pass(format!(
                        "{shown} lags: serial {}, {}",
                        found.file.serial,
                        ago(found.file.issued, facts)
                    )),
                    Some(found) => pass(format!("{shown}: serial {}", found.file.serial)),
                    None => block(
                        format!("{shown} gave nothing that is published"),
                        "See `share`; put that location right, or take it out of `shares`",
                    ),
                });
            }
            findings
        }
    };
    item("locations", findings)
}

/// What may yet run here has its files in the stage, or the share has them.
pub fn content_source(facts: &Facts) -> CheckItem {
    let missing = facts.tries.iter().filter_map(|(_, tried)| tried.as_ref().ok());
    let missing: Vec<_> = missing.flat_map(|tried| &tried.missing).collect();
    let (staged, asked) = facts.contents;
    // Only the location of what is published is asked for its files.
    let from = facts.look.as_ref().and_then(|look| Some(&look.as_ref().ok()?.found.as_ref()?.share));
    let answered = facts.tries.iter().any(|(place, tried)| Some(place) == from && tried.is_ok());
    let findings = match &facts.look {
        _ if !missing.is_empty() => missing
            .into_iter()
            .map(|why| block(why.as_str(), "Have it published again: what needs these files cannot start"))
            .collect(),
        None => vec![not_enrolled(facts)],
        Some(_) if staged + asked == 0 => vec![pass("nothing that may yet run here has files")],
        Some(Ok(_)) if asked > 0 && !answered => {
            vec![unknown("the share was not asked for the files of packages", "See `share`")]
        }
        Some(Err(why)) if asked > 0 => {
            vec![unknown(format!("{} not staged, and the share: {why}", is_of(asked)), "See `share`")]
        }
        Some(_) => {
            let found = (asked > 0)
                .then(|| format!("{} to be copied {} there", count(asked, "content"), super::is(asked)));
            let ready = (staged > 0).then(|| format!("{} staged", is_of(staged)));
            vec![pass(ready.into_iter().chain(found).collect::<Vec<_>>().join("; "))]
        }
    };
    item("content-source", findings)
}

fn is_of(n: usize) -> String {
    format!("{} {}", count(n, "content"), super::is(n))
}

/// The key that the machine's reports are signed with can be read.
pub fn host_key(facts: &Facts) -> CheckItem {
    let finding = match &facts.tried {
        _ if !facts.subject.config.signs_reports() => pass(match facts.subject.config.trust.mode {
            TrustMode::Permissions => "trust mode permissions: reports are not signed",
            TrustMode::Signed => "[report] sign = false: reports are not signed",
        }),
        Err(_) => not_tried(facts),
        Ok(tried) => match &tried.host_key {
            Ok(done) => pass(format!("as {}: {done}", tried.by)),
            Err(failed) => unknown(
                format!("as {}: {}, so no report of this machine could be signed", tried.by, failed.why),
                format!("Have one made: {} init", facts.pcm()),
            ),
        },
    };
    item("host-key", vec![finding])
}
