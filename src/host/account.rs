//! Accounts, groups, and who may operate (PROMISES.md 5). The executor asks here who its caller is; nothing that the
//! caller says about itself decides.

use super::{sys, threads};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// So long a name service may take to say who somebody is: a directory that does not answer holds up no view.
const PATIENCE: Duration = Duration::from_secs(1);

/// An account of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// As the system's name service spells it; the number where it has no name.
    pub name: SafeText,
    /// Its number; None on Windows.
    pub uid: Option<u32>,
    /// Its primary group; None on Windows.
    pub gid: Option<u32>,
    /// Its security identifier as text; None on Unix.
    pub sid: Option<String>,
    /// Its home folder.
    pub home: PathBuf,
}

/// The account that this process acts as.
pub fn current() -> Account {
    sys::account::current()
}

/// The name of the account that this process acts as. The name service is asked once; while it hangs, the account's number
/// stands for it, and only whoever asks first waits.
pub fn own_name() -> SafeText {
    static NAME: OnceLock<SafeText> = OnceLock::new();
    static ASKED: AtomicBool = AtomicBool::new(false);
    if NAME.get().is_none() && !ASKED.swap(true, Ordering::Relaxed) {
        let asked = threads::within("own-name", PATIENCE, || drop(NAME.set(current().name)));
        if asked.is_err_and(|e| e.kind() != io::ErrorKind::TimedOut) {
            ASKED.store(false, Ordering::Relaxed);
        }
    }
    NAME.get().cloned().unwrap_or_else(sys::account::own_number)
}

/// An account by its name.
pub fn by_name(name: &str) -> Option<Account> {
    sys::account::by_name(name)
}

/// The account of the packages that reads what is behind URLs.
pub const READER: &str = "pcm-reader";

/// Whom a process of root's becomes before it listens to a server: the account of this name, or [`READER`] where none is named
/// and this machine's own list of accounts has that one. None: nobody else, because this process is not root, there is no
/// such account, or the system is Windows.
///
/// # Errors
/// There is no account of the name, or it has rights of root.
#[cfg_attr(not(feature = "remote"), allow(dead_code, reason = "nobody is listened to"))]
pub fn without_rights(named: Option<&str>) -> Result<Option<Account>, String> {
    sys::account::without_rights(named)
}

/// An account by its number.
#[cfg(unix)]
pub fn by_uid(uid: u32) -> Option<Account> {
    sys::account::by_uid(uid)
}

/// The account that owns a file or folder; None where there is none, or nobody may know.
pub fn owner(path: &Path) -> Option<Account> {
    sys::account::owner(path)
}

/// The account that owns a folder, where this process is root and that account is not: what root does there it does as that
/// account, which may have put anything there. None on Windows, where administrators own what they make together and a link
/// takes their rights to be made.
pub fn other_owner(path: &Path) -> Option<Account> {
    sys::account::other_owner(path)
}

/// Whether this process may do everything here: root; on Windows the system and elevated administrators.
pub fn is_administrator() -> bool {
    sys::account::is_administrator()
}

/// Makes an account the owner of a folder or file.
///
/// # Errors
/// Where this process may not do that.
pub fn give(path: &Path, to: &Account) -> std::io::Result<()> {
    sys::account::give(path, to)
}

/// What the system knows accounts and groups by: a number on Unix, a security identifier on Windows.
pub use sys::account::Id;

/// Who has the right to operate one installation.
#[derive(Debug, Clone, Default)]
pub struct Rights {
    /// The account of the service: the owner of the state folder.
    owner: Option<Id>,
    /// The operators' group; None where there is no such group, so that nobody has the right through it.
    operators: Option<Id>,
}

impl Rights {
    /// Given as ids: the owner of the state folder and the operators' group.
    #[cfg(test)]
    pub fn new(owner: Option<Id>, operators: Option<Id>) -> Rights {
        Rights { owner, operators }
    }

    /// The owner's alone: nobody is asked who is in which group.
    pub fn of_owner(state: &Path) -> Rights {
        Rights { owner: sys::account::owner_of(state), operators: None }
    }

    /// The rights of the installation whose state is in `state`, with `[operators] group`. Read anew for each call, so
    /// that a group made later counts at once.
    pub fn of(state: &Path, operators_group: &str) -> Rights {
        Rights { owner: sys::account::owner_of(state), operators: sys::account::group_id(operators_group) }
    }
}

/// The rule: root (Windows: the system and elevated administrators), the owner of the state folder, and the members of
/// the operators' group may operate.
pub fn may_operate(account: &Id, groups: &[Id], rights: &Rights) -> bool {
    sys::account::is_root(account, groups)
        || rights.owner.as_ref() == Some(account)
        || rights.operators.as_ref().is_some_and(|g| groups.contains(g))
}

/// The command that makes an account a member of the operators' group, and the group where there is none yet.
pub fn how_to_join(group: &str, account: Option<&str>) -> String {
    sys::account::how_to_join(group, account.unwrap_or("NAME"))
}

/// Whether an account can be the one whose service works on this state folder.
pub fn may_serve(account: &Id, state: &Path) -> bool {
    sys::account::is_root(account, std::slice::from_ref(account))
        || sys::account::owner_of(state).as_ref() == Some(account)
}

/// Who asks, as the operating system says it (PROMISES.md 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Account name.
    pub name: SafeText,
    /// Its number; None on Windows.
    pub uid: Option<u32>,
    /// The account that logged in, where the kernel keeps it.
    pub login_uid: Option<u32>,
    /// Terminal of the caller.
    pub terminal: Option<SafeText>,
    /// Where the SSH connection came from.
    pub from: Option<SafeText>,
    /// root, the service's account, or the operators' group.
    pub may_operate: bool,
}

impl Actor {
    /// The system does not say its name now, so that it is told by its number alone: `uid 1000`.
    pub fn is_nameless(&self) -> bool {
        self.uid.is_some_and(|uid| self.name == nameless(uid))
    }
}

/// In the place of a name that is not known.
pub(super) fn nameless(uid: u32) -> SafeText {
    SafeText::new(&format!("uid {uid}"))
}

/// Who this process is, for calls that do not cross the socket, and whether it may operate the installation whose state is
/// in `state`, with `[operators] group`. Where the name service does not answer, what the system itself knows decides.
pub fn caller(state: &Path, operators_group: &str) -> Actor {
    let (folder, group) = (state.to_owned(), operators_group.to_owned());
    named_or_not(state, PATIENCE, move || sys::account::caller(&Rights::of(&folder, &group)))
}

fn named_or_not(state: &Path, patience: Duration, ask: impl FnOnce() -> Actor + Send + 'static) -> Actor {
    let asked = threads::within("caller", patience, ask);
    asked.unwrap_or_else(|_| sys::account::nameless_caller(&Rights::of_owner(state)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_missing_group_gives_nobody_the_right() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Rights::of(dir.path(), "no-such-group-here").operators, None);
    }

    #[test]
    fn this_process_may_operate_what_it_owns() {
        let dir = tempfile::tempdir().unwrap();
        let actor = caller(dir.path(), "no-such-group-here");
        assert!(actor.may_operate);
        assert!(!actor.name.is_empty());
        assert_eq!(actor.uid, current().uid);
        assert_eq!(own_name(), current().name);
    }

    #[test]
    fn without_an_answer_of_the_name_service_this_process_is_judged_by_what_the_system_knows() {
        let dir = tempfile::tempdir().unwrap();
        let (never, hangs) = std::sync::mpsc::channel::<Actor>();
        let actor = named_or_not(dir.path(), Duration::from_millis(1), move || hangs.recv().unwrap());
        assert!(actor.may_operate, "the owner needs no name");
        assert_eq!(actor.uid, current().uid);
        assert!(!actor.name.is_empty());
        drop(never);
    }
}
