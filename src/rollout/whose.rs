//! Whose word counts at a site that signs (SITE.md 6): a report that its machine's own key signed, for this site, and that is
//! not older than the one that was counted last. All others say nothing. Pure.

use super::account::{Account, Accounts, Signed};
use super::cache::Heard;
use crate::error::Result;
use crate::site::folder::Folder;
use crate::site::folder::counted::Counted;
use crate::site::folder::machines::Machines;
use crate::site::ids::{MachineId, SiteId};
use crate::site::signed::signers::Key;
use crate::text::SafeText;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Why a report does not count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// Nobody knows the machine's key.
    NoKey,
    /// Two machines have one key.
    SharedKey,
    /// Another key signed it.
    OtherKey,
    /// Nobody signed it.
    NotSigned,
    /// Its signature is none of it; why.
    Bad(SafeText),
    /// It speaks of no publication of this site.
    OtherSite,
    /// It cannot be told from an older one.
    NoNumber,
    /// A newer one was counted.
    Older,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoKey => "machines.csv has no host_key of it",
            Self::SharedKey => "machines.csv has the same host_key of another machine",
            Self::OtherKey => "its report is signed with another key than its host_key",
            Self::NotSigned => "its report is not signed",
            Self::Bad(why) => return write!(f, "its report is not believed: {why}"),
            Self::OtherSite => "its report is of no publication of this site",
            Self::NoNumber => "its report has no number",
            Self::Older => "its report is older than one that was counted before",
        })
    }
}

/// What a site knows of its machines' keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whose {
    site_id: SiteId,
    keys: BTreeMap<MachineId, Known>,
    counted: Counted,
}

/// What is known of one machine's key. Each look asks for it of every machine of the site: nothing is computed anew then.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    /// As OpenSSH writes it, without its comment.
    text: Box<str>,
    /// More than one machine has it.
    shared: bool,
    /// The number of the newest report that was counted by it.
    newest: Option<u64>,
}

impl Whose {
    /// By the site's list of machines, whose keys were read when the list was. `counted`: which reports were counted last.
    pub fn new(site_id: SiteId, machines: &Machines, counted: Counted) -> Self {
        let known = machines.iter().filter_map(|(id, machine)| {
            let text = machine.host_key.as_deref().and_then(without_comment)?;
            Some((*id, Known { text: text.into(), shared: false, newest: newest(&counted, *id, text) }))
        });
        // Made of all at once, it takes half of the room of one that grows.
        let mut keys: BTreeMap<MachineId, Known> = known.collect();
        for id in shared(&keys) {
            if let Some(known) = keys.get_mut(&id) {
                known.shared = true;
            }
        }
        Self { site_id, keys, counted }
    }

    /// By a site folder that says these machines; None: nobody signs there, or reports without a signature count, too.
    ///
    /// # Errors
    /// What it knows of keys and of reports that were counted cannot be read.
    pub fn of(folder: &Folder, machines: &Machines) -> Result<Option<Self>> {
        if folder.settings.unsigned_reports || folder.trust_list()?.is_none() {
            return Ok(None);
        }
        Ok(Some(Self::new(folder.settings.site_id.clone(), machines, folder.counted()?)))
    }

    /// The same, where the list of machines says what it did, and these reports were counted last.
    pub fn again(self: &Arc<Self>, counted: Counted) -> Arc<Self> {
        if counted == self.counted {
            return Arc::clone(self);
        }
        let mut again = Self { counted, ..Self::clone(self) };
        for (id, known) in &mut again.keys {
            known.newest = newest(&again.counted, *id, &known.text);
        }
        Arc::new(again)
    }

    /// No report can be verified.
    pub fn knows_nobody(&self) -> bool {
        self.keys.is_empty()
    }

    /// The key of a machine, as OpenSSH writes it.
    pub(super) fn key(&self, machine: MachineId) -> Option<&str> {
        self.keys.get(&machine).map(|known| &*known.text)
    }

    /// What the machines say where it counts, and why not.
    pub fn verify(&self, accounts: Accounts) -> Accounts {
        accounts.into_iter().map(|(machine, said)| (machine, self.hear(machine, said))).collect()
    }

    /// What one machine says where it counts, and why not.
    ///
    /// # Errors
    /// It says nothing, or nothing that counts.
    pub fn hear(&self, machine: MachineId, said: Heard) -> Heard {
        said.and_then(|account| match self.disbelieved(machine, &account) {
            None => Ok(account),
            Some(why) => Err(SafeText::new(&why.to_string())),
        })
    }

    /// Why what a machine says does not count.
    pub fn disbelieved(&self, machine: MachineId, account: &Account) -> Option<Doubt> {
        self.foreign(machine, account).or_else(|| match (account.number, self.keys.get(&machine)?.newest) {
            (None, _) => Some(Doubt::NoNumber),
            (Some(number), Some(newest)) if number < newest => Some(Doubt::Older),
            (Some(_), _) => None,
        })
    }

    /// Why it is not known that a machine says it, and says it to this site.
    pub fn foreign(&self, machine: MachineId, account: &Account) -> Option<Doubt> {
        let Some(key) = self.keys.get(&machine) else { return Some(Doubt::NoKey) };
        if key.shared {
            return Some(Doubt::SharedKey);
        }
        match &account.signed {
            Signed::By(by) if **by == *key.text => {}
            Signed::By(_) => return Some(Doubt::OtherKey),
            Signed::Not => return Some(Doubt::NotSigned),
            Signed::Bad(bad) => return Some(Doubt::Bad(bad.clone())),
        }
        (account.site_id.as_ref() != Some(&self.site_id)).then_some(Doubt::OtherSite)
    }

    /// Which reports were counted last, with these, which are verified.
    pub fn counted_with(&self, accounts: &Accounts) -> Counted {
        let mut counted = self.counted.clone();
        for (machine, account) in accounts {
            let Ok(account) = account else { continue };
            let by = self.keys.get(machine).and_then(|key| fingerprint(&key.text));
            if let (Some(number), Some(by)) = (account.number, by) {
                counted.count(*machine, number, &by);
            }
        }
        counted
    }

    /// Which reports were counted last.
    pub fn counted(&self) -> &Counted {
        &self.counted
    }
}

/// `TYPE KEY` of a key that is written as OpenSSH writes it, as all of the list are.
fn without_comment(line: &str) -> Option<&str> {
    let (kind, more) = line.split_once(' ')?;
    let key = more.split(' ').next().unwrap_or_default();
    line.get(..kind.len() + 1 + key.len())
}

/// The number of the newest report of a machine that was counted by this key.
fn newest(counted: &Counted, id: MachineId, text: &str) -> Option<u64> {
    match counted.has(id) {
        true => counted.newest(id, &fingerprint(text)?),
        false => None,
    }
}

fn fingerprint(text: &str) -> Option<String> {
    Some(Key::read(text).ok()?.fingerprint())
}

/// Those that have a key that another one has, too.
fn shared(keys: &BTreeMap<MachineId, Known>) -> Vec<MachineId> {
    let mut all: Vec<(&str, MachineId)> = keys.iter().map(|(id, known)| (&*known.text, *id)).collect();
    all.sort_unstable();
    let alike = all.chunk_by(|one, other| one.0 == other.0).filter(|alike| alike.len() > 1);
    alike.flatten().map(|(_, id)| *id).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::site::folder::machines::Machine;
    use crate::site::ids::tests::machine as id;
    use crate::site::signed::testing::signing_key;

    fn site_id() -> SiteId {
        "abcdefgh23456723".parse().unwrap()
    }

    /// Machine 1 and 2 have keys of their own, 3 and 4 one key, 5 none.
    fn whose(counted: Counted) -> Whose {
        // What its owner wrote behind it is no part of a key.
        let key = |n: u8, owner: &str| Some(format!("{}{owner}", signing_key(n).1.text()));
        let keys = [
            (1, key(1, "")),
            (2, key(2, " root@node-2 (new)")),
            (3, key(3, "")),
            (4, key(3, " node-4")),
            (5, None),
        ];
        let machine = |(n, host_key)| (id(n), Machine { host_key, ..Machine::new(id(n)) });
        Whose::new(site_id(), &keys.into_iter().map(machine).collect(), counted)
    }

    fn account(key: u8) -> Account {
        let signed = Signed::By(signing_key(key).1.text());
        Account { number: Some(7), site_id: Some(site_id()), signed, ..Account::default() }
    }

    fn why(counted: &Counted, machine: usize, account: Account) -> String {
        let verified = whose(counted.clone()).verify([(id(machine), Ok(account))].into());
        verified[&id(machine)].as_ref().err().map(ToString::to_string).unwrap_or_default()
    }

    #[test]
    fn a_machine_counts_only_by_its_own_newest_signed_report_for_this_site() {
        let mut counted = Counted::default();
        counted.count(id(1), 7, &signing_key(1).1.fingerprint());
        counted.count(id(2), 9, &signing_key(1).1.fingerprint());
        let why = |machine, account| why(&counted, machine, account);
        assert_eq!(why(1, account(1)), "");
        assert_eq!(why(2, account(2)), "", "what another key signed there is no measure");
        assert!(why(1, account(2)).contains("another key"));
        assert!(why(3, account(3)).contains("same host_key") && why(4, account(3)).contains("same host_key"));
        assert!(why(5, account(1)).contains("no host_key"));
        assert!(why(1, Account { signed: Signed::Not, ..account(1) }).contains("not signed"));
        assert!(
            why(1, Account { signed: Signed::Bad("x".into()), ..account(1) }).contains("not believed: x")
        );
        assert!(why(1, Account { site_id: None, ..account(1) }).contains("no publication of this site"));
        let other = Some("zzzzzzzz23456723".parse().unwrap());
        assert!(why(1, Account { site_id: other, ..account(1) }).contains("no publication of this site"));
        assert!(why(1, Account { number: Some(6), ..account(1) }).contains("older than one"));
        assert!(why(1, Account { number: None, ..account(1) }).contains("no number"));
        // Whatever a clock says: the number alone tells which is newer.
        let future = Account { reported_at: crate::clock::Wall::MAX_UTC, number: Some(6), ..account(1) };
        assert!(why(1, future).contains("older than one"));
    }

    #[test]
    fn who_looks_again_goes_by_what_is_counted_by_now() {
        let first = Arc::new(whose(Counted::default()));
        assert!(Arc::ptr_eq(&first, &first.again(Counted::default())));
        let mut counted = Counted::default();
        counted.count(id(1), 9, &signing_key(1).1.fingerprint());
        let again = first.again(counted.clone());
        assert_eq!(*again, whose(counted));
        assert_eq!(again.disbelieved(id(1), &account(1)), Some(Doubt::Older));
        assert_eq!(*again.again(Counted::default()), *first);
    }

    #[test]
    fn what_was_counted_grows_only_by_what_counts() {
        let whose = whose(Counted::default());
        let accounts = [(id(1), Ok(account(1))), (id(2), Ok(account(1)))].into();
        let verified = whose.verify(accounts);
        let counted = whose.counted_with(&verified);
        let newest = |n: usize, key: u8| counted.newest(id(n), &signing_key(key).1.fingerprint());
        assert_eq!((newest(1, 1), newest(2, 1), newest(2, 2)), (Some(7), None, None));
    }
}
