//! Machines of which somebody has to decide something before they go on (SITE.md 5), and those whose reports do not verify
//! (SITE.md 6): one place for every view that names them. Pure.

use super::account::{Account, Said, Signed};
use super::cache::Heard;
use super::whose::{Doubt, Whose};
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
/// The most sentences: what is wrong with a signature, whoever can write reports can say in as many ways as there are machines.
const SENTENCES: usize = 50;
/// All further ones.
const OTHERWISE: &str = "its signature is wrong in yet another way";

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
    /// How many there are with the same reason, and the first few of them with the hosts that report.
    #[serde(skip)]
    alike: BTreeMap<Cause, (usize, Vec<(MachineId, SafeText)>)>,
}

/// Why somebody has to look at a machine, as far as it decides what to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    TwoMachines,
    HistoryLost,
    /// The same in a report that nobody signed: anybody who can write there can say that.
    SaysHistoryLost,
    NotVerified(Doubt),
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
        let cause = match foreign {
            // One without a number is never signed: that it is not is no other reason than that its history is lost.
            Some(_) if account.signed == Signed::Not && is_lost(account) => Cause::SaysHistoryLost,
            Some(why) => Cause::NotVerified(why),
            None if account.two_machines => Cause::TwoMachines,
            None if is_lost(account) => Cause::HistoryLost,
            None => match whose.and_then(|whose| whose.disbelieved(machine, account)) {
                Some(why) => Cause::NotVerified(why),
                None => return,
            },
        };
        let (code, host) = (cause.code(), account.host.clone());
        *self.by_code.entry(code.as_str()).or_default() += 1;
        if self.machines.len() < MOST {
            let reason = SafeText::new(&cause.words());
            let remedy = SafeText::new(&cause.remedy(machine.as_str(), host.as_str()));
            self.machines.push(Attended { machine, host: host.clone(), code, reason, remedy });
        }
        let cause = match cause {
            Cause::NotVerified(Doubt::Bad(_))
                if self.alike.len() >= SENTENCES && !self.alike.contains_key(&cause) =>
            {
                Cause::NotVerified(Doubt::Bad(OTHERWISE.into()))
            }
            cause => cause,
        };
        let (count, some) = self.alike.entry(cause).or_default();
        *count += 1;
        if some.len() < FEW {
            some.push((machine, host));
        }
    }

    /// One sentence for all for whom the same has to be done.
    pub fn groups(&self) -> Vec<Group> {
        let named = self.alike.iter().map(|(cause, (count, some))| {
            let names: Vec<String> = some.iter().map(|(id, host)| cause.names(*id, host)).collect();
            let more = match count - some.len() {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            let (id, host) = match some.as_slice() {
                [(id, host)] => (id.as_str(), host.as_str()),
                _ => ("SMSID", "HOST"),
            };
            let message = format!("{}{more}: {}", names.join(", "), cause.words());
            Group { code: cause.code(), message, remedy: cause.remedy(id, host) }
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
const SAYS_HISTORY_LOST: &str =
    "its report says that it lost its history, without which it signs none, and nothing runs there by itself";

impl Cause {
    fn code(&self) -> Why {
        match self {
            Self::TwoMachines => Why::TwoMachines,
            Self::HistoryLost | Self::SaysHistoryLost => Why::HistoryLost,
            Self::NotVerified(_) => Why::NotVerified,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::TwoMachines => TWO_MACHINES.to_owned(),
            Self::HistoryLost => HISTORY_LOST.to_owned(),
            Self::SaysHistoryLost => SAYS_HISTORY_LOST.to_owned(),
            Self::NotVerified(why) => why.to_string(),
        }
    }

    /// A machine, as it is named; of two with one id the one is meant that reported last.
    fn names(&self, id: MachineId, host: &SafeText) -> String {
        match self {
            Self::TwoMachines if !host.is_empty() => format!("{id} (reported last by {host})"),
            Self::TwoMachines | Self::HistoryLost | Self::SaysHistoryLost | Self::NotVerified(_) => {
                id.to_string()
            }
        }
    }

    /// What to do about a machine whose report is of this host.
    fn remedy(&self, id: &str, host: &str) -> String {
        let host = if host.is_empty() { "the machine that reported last" } else { host };
        match self {
            // `replace` is of the history of the report that stands.
            Self::TwoMachines => format!(
                "If {host} is the one to stay, switch the other machine off, or give it another id, then pcm site machine \
                 replace {id}; if the other one is, do so with {host}, remove machines/{id}.json on the share, wait until \
                 the other one has reported, then the same"
            ),
            Self::HistoryLost | Self::SaysHistoryLost => format!(
                "See what has run there, then pcm site machine replace {id}: all that is listed for it then counts as done"
            ),
            Self::NotVerified(why) => verified(why, id, host),
        }
    }
}

/// What has a report verify again.
fn verified(doubt: &Doubt, id: &str, host: &str) -> String {
    match doubt {
        Doubt::NoKey | Doubt::OtherKey => format!(
            "Look at {host}; if the report is its own, name its key: pcm site machine add {id} --host-key LINE (pcm check says \
             it there)"
        ),
        Doubt::SharedKey => format!(
            "See with pcm check on {host}, and on the other machine, which key each of them has; one that is a copy needs one \
             of its own first. Then correct the line that is wrong: pcm site machine add SMSID --host-key LINE"
        ),
        Doubt::NotSigned => format!(
            "See with pcm check on {host} why it does not sign: it does in trust mode signed, where it can read its host key. If \
             it does, another one wrote this: remove machines/{id}.json on the share, and it writes its own anew"
        ),
        Doubt::Bad(_) => format!(
            "Remove machines/{id}.json on the share: the machine writes its own anew. If that is not believed either, see pcm \
             check on {host}"
        ),
        Doubt::OtherSite => format!(
            "See with pcm check on {host} what is in force there: its share has to be one of this site, and what is published \
             on it to be accepted there"
        ),
        Doubt::NoNumber => {
            format!("See with pcm check on {host} what its history lacks: a report gets its number there")
        }
        Doubt::Older => format!(
            "Wait for its next poll: a machine writes anew where a report stands that is older than its newest. If {host} counts \
             anew, remove the line of {id} from reports.counted of the site folder"
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::site::folder::counted::Counted;
    use crate::site::folder::machines::Machine;
    use crate::site::ids::tests::machine as id;
    use crate::site::signed::testing::signing_key;

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
    fn what_helps_fits_the_reason_why_a_report_does_not_verify() {
        let key = |n: u8| Some(signing_key(n).1.text());
        let keys = [(1, key(1)), (2, None), (3, key(3)), (4, key(3))];
        let machine = |(n, host_key)| (id(n), Machine { host_key, ..Machine::new(id(n)) });
        let mut counted = Counted::default();
        counted.count(id(1), 8, &signing_key(1).1.fingerprint());
        let site = "abcdefgh23456723".parse().unwrap();
        let whose = Whose::new(site, &keys.into_iter().map(machine).collect(), counted);
        let own = Account { host: "web-1".into(), number: Some(8), ..account() };
        let by = |signed| Account { signed, ..own.clone() };
        let numbered = |number| Account { number, state_id: None, ..own.clone() };
        let name = "name its key: pcm site machine add BP050001 --host-key LINE";
        for (n, said, reason, helps) in [
            (1, by(Signed::By(signing_key(2).1.text())), "another key", name),
            (2, own.clone(), "no host_key", "machine add BP050002 --host-key LINE"),
            (3, own.clone(), "same host_key", "on the other machine, which key each"),
            (1, by(Signed::Not), "not signed", "why it does not sign"),
            (1, by(Signed::Bad("torn".into())), "not believed: torn", "Remove machines/BP050001.json"),
            (1, Account { site_id: None, ..own.clone() }, "no publication of this site", "in force there"),
            (1, numbered(None), "no number", "its history lacks"),
            (1, numbered(Some(7)), "older than one", "the line of BP050001 from reports.counted"),
        ] {
            let mut attention = Attention::default();
            attention.look(id(n), &Ok(said), Some(&whose));
            let [row] = attention.machines.as_slice() else { panic!("{reason}: {attention:?}") };
            assert!(row.code == Why::NotVerified && row.reason.as_str().contains(reason), "{row:?}");
            assert!(row.remedy.as_str().contains(helps) && row.remedy.as_str().contains("web-1"), "{row:?}");
            // A key is named only where that helps.
            let names = ["another key", "no host_key", "same host_key"].contains(&reason);
            assert_eq!(row.remedy.as_str().contains("--host-key"), names, "{row:?}");
            assert_eq!(attention.groups()[0].remedy, row.remedy.as_str());
        }
    }

    #[test]
    fn whoever_writes_reports_fills_no_screen_with_reasons() {
        let machines = (0..200_u8).map(|n| {
            let machine = id(usize::from(n));
            (machine, Machine { host_key: Some(signing_key(n).1.text()), ..Machine::new(machine) })
        });
        let whose = Whose::new("abcdefgh23456723".parse().unwrap(), &machines.collect(), Counted::default());
        let mut attention = Attention::default();
        for n in 0..200 {
            let signed = Signed::Bad(SafeText::new(&format!("torn in place {n}")));
            attention.look(id(n), &Ok(Account { signed, ..account() }), Some(&whose));
        }
        let groups = attention.groups();
        assert_eq!((attention.by_code.values().sum::<u64>(), groups.len()), (200, SENTENCES + 1));
        let others = groups.iter().find(|group| group.message.contains(OTHERWISE)).unwrap();
        assert!(others.message.contains("and 145 more"), "{}", others.message);
    }

    #[test]
    fn of_two_machines_the_one_is_named_that_the_site_would_let_go_on() {
        let mut attention = Attention::default();
        for (n, host) in [(0, "node-0"), (1, "node-1")] {
            let twice = Account { two_machines: true, host: host.into(), ..account() };
            attention.look(id(n), &Ok(twice), None);
            let remedy = attention.machines[n].remedy.as_str();
            assert!(remedy.starts_with(&format!("If {host} is the one to stay")), "{remedy}");
            // The other one does not report as long as that report stands.
            assert!(remedy.contains(&format!("remove machines/{}.json", id(n))), "{remedy}");
            assert!(remedy.contains(&format!("pcm site machine replace {}", id(n))), "{remedy}");
        }
        let groups = attention.groups();
        let both = "BP050000 (reported last by node-0), BP050001 (reported last by node-1): another machine";
        assert!(groups.len() == 1 && groups[0].message.starts_with(both), "{groups:?}");
        assert!(groups[0].remedy.contains("If HOST is the one to stay"), "{groups:?}");
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
