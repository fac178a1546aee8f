//! What policies keep machines from no more (SITE.md 3): a policy that is removed, a freeze that ends earlier, windows that
//! are taken out. Whoever does that for many machines says how many they are, by a verb or by hand.

use super::begun::Before;
use super::met::FEW;
use super::place::Share;
use super::refusals::{Of, Refusal};
use super::render::{Rendered, over_everywhere};
use crate::clock::{Wall, When};
use crate::error::Result;
use crate::site::folder::Source;
use crate::site::index::policy::{self, EVERYBODY, Policy, Rules};
use crate::site::instruction::render::when;
use crate::site::site_file::Freeze;

/// What the policy of one group keeps its machines from no more.
pub(super) struct Opened {
    group: String,
    /// What, as nouns.
    pub words: String,
    machines: usize,
}

/// By the policies that are another than before, or are gone.
pub(super) fn opened(
    share: &Share,
    before: Option<&Before>,
    source: &Source,
    rendered: &Rendered,
    now: Wall,
) -> Result<Vec<Opened>> {
    let Some(before) = before else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for old in &before.previous.index.policies {
        if rendered.index.policies.iter().any(|now| (&now.group, &now.sha256) == (&old.group, &old.sha256)) {
            continue;
        }
        let rules = source.policies.get(&old.group);
        let words = match before.policy(share, old)? {
            Some(policy) => lost(&policy, rules, now),
            // Whoever closes more keeps the machines from it in any case.
            None if rules.is_some_and(|rules| !rules.freezes.is_empty()) => Vec::new(),
            None => {
                let file = Policy::file_name(&old.group, old.revision);
                vec![format!("what {}/{file} kept them from, which cannot be read", policy::FOLDER)]
            }
        };
        if !words.is_empty() {
            let machines = source.members().iter().filter(|member| member.is_in(&old.group)).count();
            all.push(Opened { group: old.group.clone(), words: words.join(", "), machines });
        }
    }
    Ok(all)
}

/// What of that is for many machines.
pub(super) fn for_many(opened: &[Opened]) -> impl Iterator<Item = Refusal> + '_ {
    opened.iter().filter(|opened| opened.machines > FEW).map(|opened| Refusal {
        count: opened.machines,
        of: if opened.group == EVERYBODY { Of::Everybody } else { Of::Group },
        words: format!("{} machines would lose {}", opened.machines, opened.words),
    })
}

fn lost(old: &Policy, rules: Option<&Rules>, now: Wall) -> Vec<String> {
    let file = format!("{}/{}.toml", policy::FOLDER, old.group);
    let freezes =
        old.rules.freezes.iter().filter(|freeze| over_everywhere(freeze.until).is_none_or(|at| at > now));
    let none = Rules::default();
    let lost =
        freezes.filter(|freeze| !rules.unwrap_or(&none).freezes.iter().any(|new| covers(new, freeze, now)));
    let mut words: Vec<String> =
        lost.map(|freeze| format!("the freeze until {} of {file}", when(freeze.until))).collect();
    match rules {
        None => words.insert(0, file),
        Some(rules) if old.rules.windows.is_some() && rules.windows.is_none() => {
            words.push(format!("the windows of {file}"));
        }
        Some(_) => {}
    }
    words
}

/// Whether a freeze holds up all that another one does from now on.
fn covers(new: &Freeze, old: &Freeze, now: Wall) -> bool {
    let not_after = |a: When, b: When| match (a, b) {
        (When::Instant(a), When::Instant(b)) => a <= b,
        (When::Local(a), When::Local(b)) => a <= b,
        (When::Instant(_), When::Local(_)) | (When::Local(_), When::Instant(_)) => false,
    };
    let begun = over_everywhere(new.from).is_some_and(|at| at <= now);
    (begun || not_after(new.from, old.from)) && not_after(old.until, new.until)
}
