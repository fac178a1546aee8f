//! What a list of machines is filtered by (SITE.md 2): all that a job may ask for, and what a machine says of itself that
//! changes from hour to hour, which a job may not ask for.

use super::parse::{self, Reader};
use super::{BadExpression, Expression, Known, Name, Op, Subject, Test, like};
use crate::fields::{parse_duration, parse_size};
use crate::terms::words;
use serde::{Deserialize, Serialize};
use std::time::Duration;

words!(
    /// What only filters.
    Now {
        /// How long ago the machine reported.
        LastSeen = "last_seen",
        /// How many are logged on there.
        Users = "users",
        /// A package wants a restart there.
        RestartPending = "restart_pending",
        /// So much is free where packages are copied to.
        DiskFree = "disk_free",
        /// The word of the state of the job that is shown.
        State = "state",
    }
);

/// One test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// What a job may ask for, too.
    Test(Test),
    /// `last_seen`
    LastSeen(Op, Duration),
    /// `users`
    Users(Op, u64),
    /// `restart_pending`
    RestartPending,
    /// `disk_free`
    DiskFree(Op, u64),
    /// `state`; unequal where the second is not set.
    State(String, bool),
}

/// What is known of a machine just now.
pub trait KnownNow: Known {
    /// How long ago it reported.
    fn last_seen(&self) -> Option<Duration>;
    /// How many are logged on.
    fn users(&self) -> Option<u64>;
    /// A package wants a restart.
    fn restart_pending(&self) -> Option<bool>;
    /// So many bytes are free.
    fn disk_free(&self) -> Option<u64>;
    /// What it is to the job that is shown: each of these words.
    fn states(&self) -> Option<[&str; 2]>;
}

impl Expression<Filter> {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong, with the column.
    pub fn filter(text: &str) -> Result<Self, BadExpression> {
        parse::read(text, one)
    }

    /// Whether it holds for a machine; what is not known closes.
    pub fn lets_pass(&self, machine: &impl KnownNow) -> bool {
        self.judge(&|test| test.holds(machine)) == Some(true)
    }

    /// The groups whose members it asks for, in its order, as they are written there.
    pub fn groups(&self) -> Vec<&str> {
        match self {
            Expression::Any(parts) | Expression::All(parts) => parts.iter().flat_map(Self::groups).collect(),
            Expression::Not(part) => part.groups(),
            Expression::Test(Filter::Test(Test {
                subject: Subject::Named(Name::Group),
                op: Op::Equal,
                value,
            })) => vec![value],
            Expression::Test(_) => Vec::new(),
        }
    }
}

impl Filter {
    fn holds(&self, machine: &impl KnownNow) -> Option<bool> {
        match self {
            Filter::Test(test) => test.holds(machine),
            Filter::LastSeen(op, than) => Some(op.holds(machine.last_seen()?.cmp(than))),
            Filter::Users(op, than) => Some(op.holds(machine.users()?.cmp(than))),
            Filter::RestartPending => machine.restart_pending(),
            Filter::DiskFree(op, than) => Some(op.holds(machine.disk_free()?.cmp(than))),
            Filter::State(word, equal) => {
                Some(machine.states()?.iter().any(|state| like(state, word)) == *equal)
            }
        }
    }
}

fn one(reader: &mut Reader<'_, Filter>) -> Result<Filter, BadExpression> {
    let word = reader.word();
    let Some(name) = Now::ALL.iter().find(|name| name.as_str() == word) else {
        return reader.test().map(Filter::Test);
    };
    reader.skip(word);
    if *name == Now::RestartPending {
        return Ok(Filter::RestartPending);
    }
    let at = reader.next();
    let op = reader.op()?;
    let number =
        |text: &str| text.parse::<u64>().map_err(|_| format!("wanted a whole number, found {text:?}"));
    Ok(match name {
        Now::LastSeen => Filter::LastSeen(op, reader.bare(parse_duration)?),
        Now::Users => Filter::Users(op, reader.bare(number)?),
        Now::DiskFree => Filter::DiskFree(op, reader.bare(parse_size)?),
        Now::RestartPending => Filter::RestartPending,
        Now::State if matches!(op, Op::Equal | Op::Unequal) => {
            Filter::State(reader.quoted()?, op == Op::Equal)
        }
        Now::State => return Err(reader.error(at, "a state is a word: wanted == or !=".into())),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Machine(bool);

    impl Known for Machine {
        fn value(&self, _: &Subject) -> Option<String> {
            self.0.then(|| "12".into())
        }

        fn in_group(&self, pattern: &str) -> Option<bool> {
            Some(like("web", pattern))
        }
    }

    impl KnownNow for Machine {
        fn last_seen(&self) -> Option<Duration> {
            self.0.then(|| Duration::from_secs(2 * 86_400))
        }
        fn users(&self) -> Option<u64> {
            self.0.then_some(1)
        }
        fn restart_pending(&self) -> Option<bool> {
            self.0.then_some(true)
        }
        fn disk_free(&self) -> Option<u64> {
            self.0.then_some(3 << 30)
        }
        fn states(&self) -> Option<[&str; 2]> {
            self.0.then_some(["waiting", "deferred"])
        }
    }

    #[test]
    fn a_list_is_filtered_by_what_is_known_and_what_is_not_known_closes() {
        let passes = |text: &str, known| Expression::filter(text).unwrap().lets_pass(&Machine(known));
        for yes in [
            "last_seen > 1d && last_seen<=2d",
            "users == 1",
            "restart_pending",
            "disk_free >= 2GB && disk_free < 4GB",
            "state == \"wait*\" && state == \"deferred\" && state != \"failed\"",
            "os_version >= 11 && (group == \"web\" || !restart_pending)",
        ] {
            assert!(passes(yes, true) && !passes(&format!("!({yes})"), true), "{yes}");
            assert!(!passes(yes, false), "{yes}");
        }
        assert!(!passes("!restart_pending", false), "the opposite of what is not known is not known");
        assert!(passes("restart_pending || group == \"web\"", false));
    }

    #[test]
    fn an_error_points_at_its_column() {
        for (text, column) in [
            ("last_seen > 3", 13),
            ("users == many", 10),
            ("disk_free", 10),
            ("group == \"web\" && state < \"failed\"", 25),
            ("lastseen > 3d", 1),
            ("restart_pending == true", 17),
        ] {
            let wrong = Expression::filter(text).unwrap_err();
            assert_eq!(wrong.column, column, "{text}: {wrong}");
        }
        assert!(Expression::parse("last_seen > 3d").is_err(), "a job does not ask for it");
    }

    #[test]
    fn it_names_the_groups_whose_members_it_asks_for() {
        let of = |text: &str| Expression::filter(text).unwrap().groups().join(" ");
        assert_eq!(of("group == \"web\" && (last_seen > 3d || !(group == \"db*\"))"), "web db*");
        assert_eq!(of("group != \"web\" && host == \"web\" && state == \"failed\""), "");
    }
}
