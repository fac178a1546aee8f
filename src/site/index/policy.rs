//! The policy of a group (SITE.md 2): what its machines are kept from, beside what they are kept from by their own
//! configuration. It can only close: nothing here loosens anything. Pure.

use super::members::is_group;
use super::{kind, newer, revision};
use crate::fields::{self, Fields, Source};
use crate::site::ids::SiteId;
use crate::site::instruction::render::{duration, line, quoted, when};
use crate::site::site_file::{Freeze, read_freeze};
use crate::terms::Problem;
use std::time::Duration;
use toml::de::{DeTable, DeValue};

/// The folder of the policies, on a share and in a site folder.
pub const FOLDER: &str = "policy";
/// The largest policy that is read, in bytes.
pub const MAX_BYTES: u64 = 256 << 10;
/// The group whose policy is every machine's.
pub const EVERYBODY: &str = "all";
/// The most windows and the most freezes.
const MAX_LIST: usize = 256;
/// How often machines may be asked to poll.
const POLLING: std::ops::RangeInclusive<Duration> = Duration::from_secs(300)..=Duration::from_secs(86_400);
const MALFORMED: &str = "malformed";

/// When automatic runs may start, as a policy has it: within one of these and of the machine's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows {
    /// As in `[windows] weekly` of a configuration; never empty.
    pub weekly: Vec<String>,
    /// A zone's name, or `local`: each machine's own.
    pub zone: String,
}

/// What a policy says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// None: it says nothing of windows.
    pub windows: Option<Windows>,
    /// Periods without automatic runs.
    pub freezes: Vec<Freeze>,
    /// The least notice that users get.
    pub countdown: Option<Duration>,
    /// The least time over which launches are spread.
    pub spread: Option<Duration>,
    /// The longest time between two polls.
    pub polling_interval: Option<Duration>,
    /// Which of a machine's own locations is the nearest.
    pub near: Option<String>,
}

/// A policy as it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Tells two sites with one code apart.
    pub site_id: SiteId,
    /// Whose it is.
    pub group: String,
    /// Of this file.
    pub revision: u64,
    /// What it says.
    pub rules: Rules,
}

impl Policy {
    /// The name of a revision of a group's policy.
    pub fn file_name(group: &str, revision: u64) -> String {
        format!("{group}.{revision}.toml")
    }
}

/// Reads the policy of this group as it is published.
///
/// # Errors
/// Every problem, in the order of its lines: of a policy that is wrong anywhere nothing may be half understood.
pub fn parse(bytes: &[u8], group: &str, file: &str) -> Result<Policy, Vec<Problem>> {
    read(bytes, file, |f| {
        kind(f, "policy");
        let site_id = f.need("site_id", fields::parsed::<SiteId>);
        let own = f.need("group", |v| match fields::text(v)? {
            own if own == group && is_group(own) => Ok(own.to_owned()),
            _ => Err(format!("this file is of another group than {group}: {}", fields::found(v))),
        });
        let revision = f.need("revision", revision);
        let rules = rules(f);
        Some(Policy { site_id: site_id?, group: own?, revision: revision?, rules })
    })
}

/// Reads a policy of a site folder: what it says, without what publishing adds.
///
/// # Errors
/// As [`parse`].
pub fn parse_source(bytes: &[u8], file: &str) -> Result<Rules, Vec<Problem>> {
    read(bytes, file, |f| Some(rules(f)))
}

fn read<T>(
    bytes: &[u8],
    file: &str,
    read: impl FnOnce(&mut Fields<'_, '_>) -> Option<T>,
) -> Result<T, Vec<Problem>> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(vec![Problem::of_file(MALFORMED, file, format!("larger than {MAX_BYTES} bytes"))]);
    }
    let source = Source::decode(bytes, file, MALFORMED).map_err(|p| vec![p])?;
    let parsed = DeTable::parse(source.text).map_err(|e| vec![source.syntax(&e)])?;
    let mut f = Fields::top(&source, parsed.get_ref());
    let policy = read(&mut f);
    let unknown = f.unknown();
    f.absorb(unknown.into_iter().map(newer));
    let problems = f.finish();
    match policy {
        Some(policy) if problems.is_empty() => Ok(policy),
        _ => Err(problems),
    }
}

fn rules(f: &mut Fields<'_, '_>) -> Rules {
    let windows = f.table("windows").and_then(|mut t| {
        let weekly = t.need("weekly", |v| match v {
            DeValue::Array(all) if (1..=MAX_LIST).contains(&all.len()) => {
                all.iter().map(|one| plain(one.get_ref())).collect::<Result<Vec<_>, _>>()
            }
            _ => Err(format!("wanted 1 to {MAX_LIST} windows, like [\"Sat 22:00-06:00\"]")),
        });
        let zone = t.get("zone", plain);
        super::finish(f, t);
        Some(Windows { weekly: weekly?, zone: zone.unwrap_or_else(|| "local".to_owned()) })
    });
    let mut freezes = Vec::new();
    let tables = f.tables("freeze");
    if tables.len() > MAX_LIST {
        f.wrong("freeze", format!("more than {MAX_LIST} freezes"));
    } else {
        for mut t in tables {
            freezes.extend(read_freeze(&mut t));
            super::finish(f, t);
        }
    }
    Rules {
        windows,
        freezes,
        countdown: f.get("countdown", fields::duration),
        spread: f.get("spread", fields::duration),
        polling_interval: f.get("polling_interval", |v| match fields::duration(v)? {
            interval if POLLING.contains(&interval) => Ok(interval),
            _ => Err(format!("wanted 5m to 24h, found {}", fields::found(v))),
        }),
        near: f.get("near", plain),
    }
}

/// A short text on one line.
fn plain(value: &DeValue<'_>) -> Result<String, String> {
    let text = fields::text(value)?;
    match text.is_empty() || text.len() > 1_000 || text.chars().any(char::is_control) {
        true => Err(format!("wanted a short text on one line, found {}", fields::found(value))),
        false => Ok(text.to_owned()),
    }
}

/// The text of a policy as it is published, which [`parse`] reads back to the same.
pub fn render(policy: &Policy) -> String {
    let mut out = String::from("kind = \"policy\"\nformat = 1\n");
    line(&mut out, "site_id", &quoted(policy.site_id.as_str()));
    line(&mut out, "group", &quoted(&policy.group));
    line(&mut out, "revision", &policy.revision.to_string());
    out.push_str(&render_rules(&policy.rules));
    out
}

/// The text of what a policy says, which [`parse_source`] reads back to the same.
pub fn render_rules(rules: &Rules) -> String {
    let mut out = String::new();
    let times = [
        ("countdown", rules.countdown),
        ("spread", rules.spread),
        ("polling_interval", rules.polling_interval),
    ];
    for (key, time) in times {
        if let Some(time) = time {
            line(&mut out, key, &quoted(&duration(time)));
        }
    }
    if let Some(near) = &rules.near {
        line(&mut out, "near", &quoted(near));
    }
    if let Some(windows) = &rules.windows {
        out.push_str("\n[windows]\n");
        let weekly: Vec<String> = windows.weekly.iter().map(|one| quoted(one)).collect();
        line(&mut out, "weekly", &format!("[{}]", weekly.join(", ")));
        line(&mut out, "zone", &quoted(&windows.zone));
    }
    for freeze in &rules.freezes {
        out.push('\n');
        table(&mut out, freeze, "");
    }
    out
}

fn table(out: &mut String, freeze: &Freeze, mark: &str) {
    out.push_str(&format!("[[freeze]]{mark}\n"));
    line(out, "from", &when(freeze.from));
    line(out, "until", &when(freeze.until));
    if !freeze.reason.is_empty() {
        line(out, "reason", &quoted(freeze.reason.as_str()));
    }
}

/// What tells a freeze of `pcm site freeze` from those that somebody wrote into the file.
const MARK: &str = " # by pcm site freeze";

/// The text of a policy with one freeze more, which [`without_made`] takes away again.
pub fn with_made(text: &str, freeze: &Freeze) -> String {
    let mut out = text.trim_end().to_owned();
    if !out.is_empty() {
        out.push_str("\n\n");
    }
    table(&mut out, freeze, MARK);
    out
}

/// The text of a policy without the freezes that [`with_made`] added; all that somebody wrote stays.
pub fn without_made(text: &str) -> String {
    let (mut out, mut inside) = (String::new(), false);
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        let key = bare.split('=').next().unwrap_or_default().trim();
        if bare == format!("[[freeze]]{MARK}") {
            out.truncate(out.trim_end().len());
            if !out.is_empty() {
                out.push('\n');
            }
            inside = true;
        } else if !(inside && ["from", "until", "reason"].contains(&key)) {
            inside = false;
            out.push_str(line);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::clock::When;

    #[test]
    fn a_freeze_that_was_made_is_taken_away_and_nothing_else() {
        let at = |text: &str| When::Instant(text.parse().unwrap());
        let (from, until) = (at("2026-11-22T08:00:00Z"), at("2026-11-22T20:00:00Z"));
        let freeze = Freeze { from, until, reason: "a # look\"".into() };
        let own = "# ours\nspread = \"1h\"\n\n# the end of the year\n[[freeze]]\nfrom = 2026-12-20T00:00:00\n\
                   until = 2027-01-04T00:00:00\n";
        for text in [own, ""] {
            let with = with_made(&with_made(text, &freeze), &freeze);
            let read = parse_source(with.as_bytes(), "f").unwrap();
            let before = parse_source(text.as_bytes(), "f").unwrap();
            assert_eq!(read.freezes.len(), before.freezes.len() + 2, "{with}");
            assert_eq!(read.freezes.last(), Some(&freeze));
            assert_eq!(without_made(&with), text);
        }
        assert_eq!(without_made(own), own);
    }

    const POLICY: &str = "kind = \"policy\"\nformat = 1\nsite_id = \"abcdefgh12345678\"\ngroup = \"web\"\nrevision = 3\n\
         countdown = \"10m\"\nspread = \"1h\"\npolling_interval = \"15m\"\nnear = \"/mnt/b\"\n\n[windows]\n\
         weekly = [\"Sat 22:00-06:00\"]\nzone = \"Europe/Paris\"\n\n[[freeze]]\nfrom = 2026-12-20T00:00:00\n\
         until = 2027-01-04T00:00:00\nreason = \"end of year\"\n";

    #[test]
    fn a_policy_is_read_as_it_is_written() {
        let policy = parse(POLICY.as_bytes(), "web", "f").unwrap();
        assert_eq!(policy.rules.polling_interval, Some(Duration::from_secs(900)));
        assert_eq!(policy.rules.windows.as_ref().unwrap().weekly, ["Sat 22:00-06:00"]);
        assert_eq!(render(&policy), POLICY);
        let source = render_rules(&policy.rules);
        assert_eq!(parse_source(source.as_bytes(), "f").unwrap(), policy.rules);
        assert_eq!(parse_source(b"", "f").unwrap(), Rules::default());
    }

    #[test]
    fn what_is_wrong_anywhere_refuses_all_of_it() {
        for (from, to, says) in [
            ("\"policy\"", "\"job\"", "wanted \"policy\""),
            ("group = \"web\"", "group = \"db\"", "another group than web"),
            ("\"15m\"", "\"4m\"", "5m to 24h"),
            ("\"15m\"", "\"25h\"", "5m to 24h"),
            ("[\"Sat 22:00-06:00\"]", "[]", "wanted 1 to"),
            ("until = 2027", "until = 2025", "not after from"),
            ("countdown", "count_down", "newer pcm"),
            ("reason", "motive", "newer pcm"),
            ("zone", "place", "newer pcm"),
            ("revision = 3", "revision = 0", "1 or more"),
        ] {
            assert!(POLICY.contains(from), "{from}");
            let problems = parse(POLICY.replacen(from, to, 1).as_bytes(), "web", "f").unwrap_err();
            assert!(problems.iter().any(|p| p.message.as_str().contains(says)), "{from}: {problems:?}");
        }
        assert!(parse_source(POLICY.as_bytes(), "f").is_err(), "what publishing adds is not the publisher's");
    }
}
