//! Whose signatures count here, how long what is published counts, and whether this pcm understands it.

use super::super::facts::Facts;
use super::{block, item, named, not_enrolled, pass, stamp, unknown};
use crate::clock::{Wall, between};
use crate::executor::talk::view::CheckItem;
use crate::site::signed::signers::Role;
use crate::site::signed::store::Trusted;
use crate::text;

const UNSIGNED: &str = "trust mode permissions: no key counts here";

/// Somebody said whose word counts, and the list that says so can be read.
pub fn key_confirmed(facts: &Facts) -> CheckItem {
    let remedy = || format!("Take it from the share: {} init --trust-key SHA256:…", facts.pcm());
    let finding = match &facts.trusted {
        None => pass(UNSIGNED),
        Some(Ok(trusted)) => {
            let (site, version) = (trusted.list.site, trusted.list.version);
            let people = people(trusted, Role::Trust);
            pass(format!(
                "trust list {version} of site {site} is held; {} may sign the next one",
                named(&people)
            ))
        }
        Some(Err(why)) if facts.administrator => block(why.as_str(), remedy()),
        Some(Err(why)) => unknown(why.as_str(), format!("Look as root: {} check", facts.pcm())),
    };
    item("key-confirmed", vec![finding])
}

/// What runs needs two kinds of keys, and somebody has each of them.
pub fn roles_apart(facts: &Facts) -> CheckItem {
    let finding = match &facts.trusted {
        None => pass(UNSIGNED),
        Some(Err(_)) => unknown("whose keys count is not known", "See `key-confirmed`"),
        Some(Ok(trusted)) => {
            let (package, publish) = (people(trusted, Role::Package), people(trusted, Role::Publish));
            let both: Vec<&String> = package.iter().filter(|name| publish.contains(name)).collect();
            match [(Role::Package, &package), (Role::Publish, &publish)]
                .into_iter()
                .find(|(_, who)| who.is_empty())
            {
                Some((role, _)) => block(
                    format!("no key has the role {role}, so nothing can run"),
                    format!(
                        "At the site: pcm key trust PUBFILE --role {role} --principal NAME --key TRUSTKEY"
                    ),
                ),
                None => {
                    let words = format!("packages: {}; publications: {}", named(&package), named(&publish));
                    let alone = match both.as_slice() {
                        [] => String::new(),
                        both => format!("; {} may sign both, each with a key of its own", named(both)),
                    };
                    pass(words + &alone)
                }
            }
        }
    };
    item("roles-apart", vec![finding])
}

/// Who has a key of this role that was not revoked.
fn people(trusted: &Trusted, role: Role) -> Vec<String> {
    let counts =
        trusted.list.signers.iter().filter(|s| s.role == role && !trusted.revoked().contains(&s.key));
    let mut people: Vec<String> = counts.map(|signer| signer.principal.clone()).collect();
    people.sort();
    people.dedup();
    people
}

/// What is in force counts long enough for somebody to publish again.
pub fn validity_left(facts: &Facts) -> CheckItem {
    let remedy = "Have it published again at the site: pcm site publish";
    let finding = match in_force(facts) {
        None if facts.look.is_none() => not_enrolled(facts),
        None => unknown("nothing that is published could be read", "See `share` and `instructions`"),
        Some((_, None)) => pass(format!(
            "it has no end of its own, and grows stale {} after the share was last seen",
            text::duration(facts.subject.config.share.stale_after)
        )),
        Some((_, Some(until))) if until <= facts.now => {
            block(format!("it was valid until {}", stamp(until, facts)), remedy)
        }
        Some((issued, Some(until))) => {
            let left = between(facts.now, until);
            let whole = issued.map(|issued| between(issued, until));
            let of = whole.map(|whole| format!(" of {}", text::duration(whole))).unwrap_or_default();
            let words = format!("valid until {}: {}{of} are left", stamp(until, facts), text::duration(left));
            if whole.is_some_and(|whole| left < whole / 4) { block(words, remedy) } else { pass(words) }
        }
    };
    item("validity-left", vec![finding])
}

/// When what is in force was issued, where that is known, and until when it counts. The executor says it: a share may offer
/// what is not taken. Where it does not answer, what could be read stands for it.
fn in_force(facts: &Facts) -> Option<(Option<Wall>, Option<Wall>)> {
    let read = facts.file.as_ref();
    let trust = facts.views.status.as_ref().ok().map(|status| &status.trust);
    match trust.and_then(|trust| Some((trust.serial?, trust.valid_until))) {
        Some((serial, until)) => {
            let listed = facts.views.list.as_ref().ok().and_then(|list| list.of_index.index_issued);
            let same = read.filter(|file| file.serial == serial && file.valid_until == until);
            Some((listed.or(same.map(|file| file.issued)), until))
        }
        None => read.map(|file| (Some(file.issued), file.valid_until)),
    }
}

/// Nothing that is published asks for a newer program.
pub fn version_against_index(facts: &Facts) -> CheckItem {
    let version = env!("CARGO_PKG_VERSION");
    let of_look = facts.look.iter().flat_map(|look| look.iter()).flat_map(|look| {
        let fault = look.fault.iter().flat_map(|fault| &fault.problems);
        look.problems.iter().chain(fault)
    });
    let of_parts = facts.indexed.iter().flat_map(|index| &index.problems);
    let findings: Vec<_> = of_look
        .chain(of_parts)
        .filter(|problem| problem.newer)
        .map(|problem| {
            block(
                format!("{}: {}", problem.file, problem.message),
                format!("Install a newer pcm than {version} here, or correct the key at the site"),
            )
        })
        .collect();
    let finding = match (&facts.indexed, &facts.look) {
        _ if !findings.is_empty() => return item("version-against-index", findings),
        (None, None) => not_enrolled(facts),
        (None, Some(Ok(look))) if look.found.is_some() => pass(super::index::BY_HAND),
        (None, Some(_)) => unknown("no index was read", "See `share`"),
        (Some(_), _) => pass(format!("pcm {version} understands all that it reads of the index")),
    };
    item("version-against-index", vec![finding])
}
