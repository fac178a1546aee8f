//! What a job's `where` says (SITE.md 2, "Expressions"): a condition on a machine, in three values. What is not known of
//! a machine is neither true nor false: it closes, and the opposite of unknown is unknown. Pure.
//!
//! `parse` reads a text, `version` compares versions part by part. `filter` is what a list of machines can be filtered by
//! beside that, `measure` what is asked of the figures of a rollout; both are joined in the same way.

pub mod filter;
pub mod measure;
mod parse;
#[cfg(test)]
mod tests;
pub mod version;

pub use parse::BadExpression;

use super::ids::{JobId, PackageId};
use crate::terms::words;
use serde::{Deserialize, Serialize};
use std::fmt;

words!(
    /// What an expression can ask of a machine by its name alone. `package(ID)`, `job(ID)` and `fact("name")` ask for one
    /// of many.
    Name {
        /// What packages must name to run there, e.g. `linux-x86_64`.
        Platform = "platform",
        /// The host name in the site's list of machines.
        Host = "host",
        /// The groups in the site's list of machines; `==` is membership.
        Group = "group",
        /// The operating system's own name, e.g. `debian`.
        Os = "os",
        /// Its version.
        OsVersion = "os_version",
        /// The version of pcm there.
        PcmVersion = "pcm_version",
    }
);

/// What is asked of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// By its name alone.
    Named(Name),
    /// The word of the state of this package's newest request.
    Package(PackageId),
    /// The word of the state of this job's request.
    Job(JobId),
    /// A fact that the machine's configuration names.
    Fact(String),
}

/// How a test compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
}

impl Op {
    /// All of them, longer ones first: `<=` is not `<`.
    const ALL: [(&'static str, Op); 6] = [
        ("==", Op::Equal),
        ("!=", Op::Unequal),
        ("<=", Op::AtMost),
        (">=", Op::AtLeast),
        ("<", Op::Below),
        (">", Op::Above),
    ];

    /// Of what compares like this.
    fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Op::Equal => order.is_eq(),
            Op::Unequal => order.is_ne(),
            Op::Below => order.is_lt(),
            Op::AtMost => order.is_le(),
            Op::Above => order.is_gt(),
            Op::AtLeast => order.is_ge(),
        }
    }
}

/// `NAME OP VALUE`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// What is asked.
    pub subject: Subject,
    /// How it is compared.
    pub op: Op,
    /// With what.
    pub value: String,
}

/// A condition, on a machine where nothing else is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression<T = Test> {
    /// One of them.
    Any(Vec<Expression<T>>),
    /// Each of them.
    All(Vec<Expression<T>>),
    /// The opposite.
    Not(Box<Expression<T>>),
    /// One comparison.
    Test(T),
}

/// What is known of a machine.
pub trait Known {
    /// The one value; None: it is not known.
    fn value(&self, subject: &Subject) -> Option<String>;
    /// Whether it is in a group whose name is [`like`] this; None: its groups are not known.
    fn in_group(&self, pattern: &str) -> Option<bool>;
}

impl Expression {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong, with the column.
    pub fn parse(text: &str) -> Result<Self, BadExpression> {
        parse::expression(text)
    }

    /// Whether it holds for a machine; None: that cannot be known.
    pub fn holds(&self, machine: &impl Known) -> Option<bool> {
        self.judge(&|test| test.holds(machine))
    }
}

impl<T> Expression<T> {
    /// Whether it holds where its tests hold like this; None: that cannot be known.
    pub fn judge(&self, test: &impl Fn(&T) -> Option<bool>) -> Option<bool> {
        match self {
            Expression::Any(parts) => any(parts.iter().map(|part| part.judge(test))),
            Expression::All(parts) => any(parts.iter().map(|part| part.judge(test).map(|b| !b))).map(|b| !b),
            Expression::Not(part) => part.judge(test).map(|holds| !holds),
            Expression::Test(own) => test(own),
        }
    }
}

impl Expression {
    /// The names of the facts that it asks for, in its order, each once.
    pub fn facts(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.name_facts(&mut names);
        names
    }

    fn name_facts<'e>(&'e self, names: &mut Vec<&'e str>) {
        match self {
            Expression::Any(parts) | Expression::All(parts) => {
                parts.iter().for_each(|part| part.name_facts(names));
            }
            Expression::Not(part) => part.name_facts(names),
            Expression::Test(Test { subject: Subject::Fact(name), .. }) => {
                if !names.contains(&name.as_str()) {
                    names.push(name);
                }
            }
            Expression::Test(_) => {}
        }
    }
}

impl fmt::Display for Expression {
    /// As it can be read again. Without blanks where it would be too long with them: it is then not longer than what it was
    /// read from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roomy = self.text(" ");
        f.write_str(&if roomy.len() > parse::LONGEST { self.text("") } else { roomy })
    }
}

impl Expression {
    fn text(&self, blank: &str) -> String {
        let joined = |parts: &[Expression], word: &str, inside: fn(&Expression) -> bool| {
            let parts = parts.iter().map(|part| {
                let text = part.text(blank);
                if inside(part) { format!("({text})") } else { text }
            });
            parts.collect::<Vec<_>>().join(&format!("{blank}{word}{blank}"))
        };
        match self {
            Expression::Any(parts) => joined(parts, "||", |part| matches!(part, Expression::Any(_))),
            Expression::All(parts) => {
                joined(parts, "&&", |part| matches!(part, Expression::Any(_) | Expression::All(_)))
            }
            Expression::Not(part) => match &**part {
                part @ (Expression::Any(_) | Expression::All(_)) => format!("!({})", part.text(blank)),
                part => format!("!{}", part.text(blank)),
            },
            Expression::Test(test) => test.text(blank),
        }
    }
}

/// One that is true decides; else one that is unknown does.
fn any(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(false);
    for part in parts {
        match part {
            Some(true) => return Some(true),
            Some(false) => {}
            None => all = None,
        }
    }
    all
}

impl Test {
    fn holds(&self, machine: &impl Known) -> Option<bool> {
        match &self.subject {
            Subject::Named(Name::Group) => Some(machine.in_group(&self.value)? == (self.op == Op::Equal)),
            Subject::Named(Name::OsVersion | Name::PcmVersion) => {
                let has = machine.value(&self.subject)?;
                Some(self.op.holds(version::compare(&has, &self.value)))
            }
            Subject::Named(Name::Platform | Name::Host | Name::Os)
            | Subject::Package(_)
            | Subject::Job(_)
            | Subject::Fact(_) => {
                let has = machine.value(&self.subject)?;
                Some(like(&has, &self.value) == (self.op == Op::Equal))
            }
        }
    }
}

impl Test {
    fn text(&self, blank: &str) -> String {
        let subject = match &self.subject {
            Subject::Named(name) => name.as_str().to_owned(),
            Subject::Package(id) => format!("package({id})"),
            Subject::Job(id) => format!("job({id})"),
            Subject::Fact(name) => format!("fact(\"{name}\")"),
        };
        let op = Op::ALL.iter().find(|(_, op)| *op == self.op).map_or("==", |(word, _)| word);
        let value = match self.subject {
            Subject::Named(Name::OsVersion | Name::PcmVersion) => self.value.clone(),
            Subject::Named(Name::Platform | Name::Host | Name::Group | Name::Os)
            | Subject::Package(_)
            | Subject::Job(_)
            | Subject::Fact(_) => format!("\"{}\"", self.value),
        };
        format!("{subject}{blank}{op}{blank}{value}")
    }
}

/// Whether a text is like a pattern: `*` stands for any text, `?` for one character, and upper case is lower case.
pub fn like(text: &str, pattern: &str) -> bool {
    let fold = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<Vec<char>>();
    let (text, pattern) = (fold(text), fold(pattern));
    let (mut t, mut p) = (0, 0);
    // Where the newest `*` stands, and up to where it has taken text: only that one is ever tried again, so that no
    // pattern costs more than its length times that of the text.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                t += 1;
                p += 1;
            }
            Some(_) | None => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, t) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}
