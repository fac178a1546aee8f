//! Machines of which somebody has to decide something before they go on (SITE.md 5), and those whose reports do not verify
//! (SITE.md 6): one place for every view that names them. Pure.

use super::account::{Account, Said, Signed};
use super::cache::Heard;
use super::whose::Whose;
use crate::site::ids::MachineId;
use crate::site::index::members::is_state;
use crate::terms::{Code, words};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most machines that are named; all others are only counted.
const MOST: usize = 1_000;
/// The most of them in one sentence.
const FEW: usize = 5;

words!(
    /// Why somebody has to look at a machine.
    Why {
        /// Another one reports with its id.
        TwoMachines = "two-machines",
        /// What ran there is not known any more.
        HistoryLost = "history-lost",
        /// Its report is not one of its own key for this site, or not its newest.
        NotVerified = "not-verified",
    }
);

/// A machine at which somebody has to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attended {
    /// Which.
    pub machine: MachineId,
    /// The name under which it reports.
    pub host: SafeText,
    /// Why.
    pub code: Why,
    /// The same in words.
    pub reason: SafeText,
    /// What to do.
    pub remedy: SafeText,
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Attention {
    /// How many there are of each kind.
    pub by_code: BTreeMap<&'static str, u64>,
    /// At most a thousand of them.
    pub machines: Vec<Attended>,
    /// How many there are with the same reason, and the first few of them.
    #[serde(skip)]
    alike: BTreeMap<(Why, SafeText), (usize, Vec<MachineId>)>,
}

/// Those for whom the same has to be done, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Why.
    pub code: Why,
    /// Who, and why.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl Attention {
    /// Looks at what one machine says. `whose`: whose word counts, where that is asked and known.
    pub fn look(&mut self, machine: MachineId, heard: &Heard, whose: Option<&Whose>) {
        // Why a report says nothing at all is told with the reports that cannot be used.
        let Ok(account) = heard else { return };
        let whose = whose.filter(|whose| !whose.knows_nobody());
        // What somebody else wrote is no word of that machine.
        let foreign = whose.and_then(|whose| whose.foreign(machine, account));
        let (code, reason) = match foreign {
            // One without a number is never signed: that it is not is no other reason than that its history is lost.
            Some(_) if account.signed == Signed::Not && is_lost(account) => {
                (Why::HistoryLost, SAYS_HISTORY_LOST.to_owned())
            }
            Some(why) => (Why::NotVerified, why),
            None if account.two_machines => (Why::TwoMachines, TWO_MACHINES.to_owned()),
            None if is_lost(account) => (Why::HistoryLost, HISTORY_LOST.to_owned()),
            None => match whose.and_then(|whose| whose.disbelieved(machine, account)) {
                Some(why) => (Why::NotVerified, why),
                None => return,
            },
        };
        let reason = SafeText::new(&reason);
        *self.by_code.entry(code.as_str()).or_default() += 1;
        let (count, some) = self.alike.entry((code, reason.clone())).or_default();
        *count += 1;
        if some.len() < FEW {
            some.push(machine);
        }
        if self.machines.len() < MOST {
            let remedy = SafeText::new(&remedy(code, machine.as_str()));
            let host = account.host.clone();
            self.machines.push(Attended { machine, host, code, reason, remedy });
        }
    }

    /// One sentence for all for whom the same has to be done.
    pub fn groups(&self) -> Vec<Group> {
        let named = self.alike.iter().map(|((code, reason), (count, some))| {
            let ids: Vec<&str> = some.iter().map(MachineId::as_str).collect();
            let more = match count - some.len() {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            let id = if let [one] = ids.as_slice() { one } else { "SMSID" };
            let message = format!("{}{more}: {reason}", ids.join(", "));
            Group { code: *code, message, remedy: remedy(*code, id) }
        });
        named.collect()
    }
}

/// A report without a number is of a machine that has no history; which one it had is known, so that somebody can decide. Those
/// of format 1 have none either: they name no site, and say it of their requests alone.
fn is_lost(account: &Account) -> bool {
    let lost = |said: &Said| said.blocked_by.contains(&Code::HistoryLost);
    let says_so = account.site_id.is_some() || account.requests.iter().any(lost);
    let state = account.state_id.as_ref().is_some_and(|state| is_state(state.as_str()));
    account.number.is_none() && state && says_so
}

const TWO_MACHINES: &str = "another machine reports with this id, and nothing runs there by itself";
const HISTORY_LOST: &str = "it lost its history, and nothing runs there by itself";
/// Anybody who can write there can say that.
const SAYS_HISTORY_LOST: &str =
    "its report says that it lost its history, without which it signs none, and nothing runs there by itself";

fn remedy(code: Why, id: &str) -> String {
    match code {
        Why::TwoMachines => {
            format!("Switch the other machine off, or give it another id; then pcm site machine replace {id}")
        }
        Why::HistoryLost => format!(
            "See what has run there, then pcm site machine replace {id}: all that is listed for it then counts as done"
        ),
        Why::NotVerified => format!(
            "Look at the machine; if the report is its own, name its key: pcm site machine add {id} --host-key LINE (pcm \
             check says it there)"
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::site::folder::counted::Counted;
    use crate::site::folder::machines::Machine;
    use crate::site::signed::testing::signing_key;

    fn id(n: usize) -> MachineId {
        format!("BP05{n:04}").parse().unwrap()
    }

    fn account() -> Account {
        Account {
            number: Some(7),
            state_id: Some("0123456789abcdef0123456789abcdef".into()),
            site_id: Some("abcdefgh23456723".parse().unwrap()),
            signed: Signed::By(signing_key(1).1.text()),
            ..Account::default()
        }
    }

    fn codes(account: Account, whose: Option<&Whose>) -> Vec<&'static str> {
        let mut attention = Attention::default();
        attention.look(id(1), &Ok(account), whose);
        attention.by_code.into_keys().collect()
    }

    #[test]
    fn who_says_so_by_its_own_key_is_named_with_what_to_do() {
        let own = Machine { host_key: Some(signing_key(1).1.text()), ..Machine::new(id(1)) };
        let site = "abcdefgh23456723".parse().unwrap();
        let whose = Whose::new(site, &[(id(1), own)].into(), Counted::default());
        let twice = Account { two_machines: true, ..account() };
        let lost = Account { number: None, ..account() };
        for whose in [None, Some(&whose)] {
            assert!(codes(account(), whose).is_empty());
            assert_eq!(codes(twice.clone(), whose), ["two-machines"]);
            assert_eq!(codes(lost.clone(), whose), ["history-lost"]);
        }
        // What another key signed, or nobody, is no word of that machine.
        for account in [account(), twice] {
            let unsigned = Account { signed: Signed::Not, ..account };
            assert_eq!(codes(unsigned, Some(&whose)), ["not-verified"]);
        }
        let foreign = Account { signed: Signed::By(signing_key(2).1.text()), ..lost.clone() };
        assert_eq!(codes(foreign, Some(&whose)), ["not-verified"]);
        // A machine without a history numbers no report, and signs none: what helps is not another key.
        let unsigned = Ok(Account { signed: Signed::Not, ..lost });
        for machine in [1, 2] {
            let mut attention = Attention::default();
            attention.look(id(machine), &unsigned, Some(&whose));
            let said = &attention.machines[0];
            assert_eq!(said.code, Why::HistoryLost, "{said:?}");
            assert!(said.remedy.as_str().contains("pcm site machine replace BP05"), "{said:?}");
            assert!(said.reason.as_str().contains("signs none"), "{said:?}");
        }
        // One of format 1 has no number, and nothing to decide about.
        assert!(codes(Account { number: None, state_id: None, ..account() }, None).is_empty());
        assert!(codes(Account { number: None, site_id: None, ..account() }, None).is_empty());
        // Where no key is known at all, nothing is verified.
        let nobody = Whose::new("abcdefgh23456723".parse().unwrap(), &[].into(), Counted::default());
        assert!(codes(Account { signed: Signed::Not, ..account() }, Some(&nobody)).is_empty());
    }

    #[test]
    fn those_for_whom_the_same_has_to_be_done_are_one_sentence() {
        let mut attention = Attention::default();
        let lost = Ok(Account { number: None, ..account() });
        (0..1_500).for_each(|n| attention.look(id(n), &lost, None));
        attention.look(id(1_500), &Err("it has not reported yet".into()), None);
        assert_eq!((attention.by_code["history-lost"], attention.machines.len()), (1_500, MOST));
        assert!(attention.machines[3].remedy.as_str().contains("replace BP050003"));
        let groups = attention.groups();
        assert_eq!(groups.len(), 1);
        let words = "BP050000, BP050001, BP050002, BP050003, BP050004 and 1495 more: it lost its history";
        assert!(groups[0].message.starts_with(words), "{groups:?}");
        assert!(groups[0].remedy.contains("replace SMSID"), "{groups:?}");
    }
}
