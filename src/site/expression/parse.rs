//! Reading an expression. `||` binds weakest, then `&&`, then `!`. Every error has its column, counted from 1 in
//! characters, and says what was wanted there.

use super::{Expression, Name, Op, Subject, Test, version};
use crate::fields::cut;

/// The longest text of an expression, in bytes.
pub(super) const LONGEST: usize = 4096;
/// How many `!` and parentheses may stand inside one another.
const DEEPEST: usize = 50;

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct BadExpression {
    /// Counted from 1, in characters.
    pub column: usize,
    /// What was wanted and what was found.
    pub message: String,
}

/// Reads all of a text.
pub(super) fn expression(text: &str) -> Result<Expression, BadExpression> {
    read(text, Reader::test)
}

/// The same with other tests.
pub(super) fn read<'a, T>(text: &'a str, leaf: Leaf<'a, T>) -> Result<Expression<T>, BadExpression> {
    let mut reader = Reader { text, at: 0, depth: 0, leaf };
    if text.len() > LONGEST {
        return Err(BadExpression {
            column: 1,
            message: format!("it is longer than {LONGEST} bytes: put the machines into a group"),
        });
    }
    let all = reader.any()?;
    match reader.rest() {
        "" => Ok(all),
        _ => Err(reader.wanted("&&, || or the end")),
    }
}

/// What reads one test.
type Leaf<'a, T> = for<'r> fn(&'r mut Reader<'a, T>) -> Result<T, BadExpression>;
/// What reads a part of an expression.
type Part<'a, T> = for<'r> fn(&'r mut Reader<'a, T>) -> Result<Expression<T>, BadExpression>;

pub(super) struct Reader<'a, T> {
    text: &'a str,
    /// The byte offset of what comes next.
    at: usize,
    depth: usize,
    leaf: Leaf<'a, T>,
}

impl<'a, T> Reader<'a, T> {
    /// What comes next, past blanks.
    fn rest(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        trimmed
    }

    fn take(&mut self, word: &str) -> bool {
        let there = self.rest().starts_with(word);
        if there {
            self.at += word.len();
        }
        there
    }

    pub(super) fn error(&self, at: usize, message: String) -> BadExpression {
        BadExpression { column: 1 + self.text[..at].chars().count(), message }
    }

    pub(super) fn wanted(&mut self, what: &str) -> BadExpression {
        let rest = self.rest();
        let found = match rest {
            "" => "the end".to_owned(),
            rest => format!("{:?}", cut(rest, 20)),
        };
        self.error(self.at, format!("wanted {what}, found {found}"))
    }

    fn any(&mut self) -> Result<Expression<T>, BadExpression> {
        self.joined("||", Self::all, Expression::Any)
    }

    fn all(&mut self) -> Result<Expression<T>, BadExpression> {
        self.joined("&&", Self::one, Expression::All)
    }

    fn joined(
        &mut self,
        word: &str,
        part: Part<'a, T>,
        join: fn(Vec<Expression<T>>) -> Expression<T>,
    ) -> Result<Expression<T>, BadExpression> {
        let first = part(self)?;
        if !self.take(word) {
            return Ok(first);
        }
        let mut parts = vec![first, part(self)?];
        while self.take(word) {
            parts.push(part(self)?);
        }
        Ok(join(parts))
    }

    fn one(&mut self) -> Result<Expression<T>, BadExpression> {
        let not = self.rest().starts_with('!');
        if !not && !self.rest().starts_with('(') {
            return (self.leaf)(self).map(Expression::Test);
        }
        if self.depth == DEEPEST {
            return Err(self.error(self.at, format!("more than {DEEPEST} ! and ( inside one another")));
        }
        self.depth += 1;
        self.at += 1;
        let inner = if not {
            Expression::Not(Box::new(self.one()?))
        } else {
            let inner = self.any()?;
            if !self.take(")") {
                return Err(self.wanted("&&, || or )"));
            }
            inner
        };
        self.depth -= 1;
        Ok(inner)
    }

    /// Where the next word begins.
    pub(super) fn next(&mut self) -> usize {
        self.rest();
        self.at
    }

    /// The word that comes next; it is not taken.
    pub(super) fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    }

    /// Takes a word that [`Reader::word`] gave.
    pub(super) fn skip(&mut self, word: &str) {
        self.at += word.len();
    }

    /// Nothing comes that belongs to this test.
    pub(super) fn is_over(&mut self) -> bool {
        let rest = self.rest();
        rest.is_empty() || ["&&", "||", ")"].iter().any(|sign| rest.starts_with(sign))
    }

    /// How it is compared.
    pub(super) fn op(&mut self) -> Result<Op, BadExpression> {
        match Op::ALL.into_iter().find(|(word, _)| self.take(word)) {
            Some((_, op)) => Ok(op),
            None => Err(self.wanted("== != < <= > or >=")),
        }
    }

    /// What stands without quotes up to the next blank or sign: `3d`, `2GB`, `5%`.
    pub(super) fn bare<V>(&mut self, read: impl Fn(&str) -> Result<V, String>) -> Result<V, BadExpression> {
        let at = self.next();
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || "()&|=!<>\"".contains(c)).unwrap_or(rest.len());
        self.at += end;
        read(&rest[..end]).map_err(|why| self.error(at, why))
    }

    /// One test of a machine.
    pub(super) fn test(&mut self) -> Result<Test, BadExpression> {
        let subject = self.subject()?;
        let at = self.next();
        let op = self.op()?;
        let versions = matches!(subject, Subject::Named(Name::OsVersion | Name::PcmVersion));
        if !versions && !matches!(op, Op::Equal | Op::Unequal) {
            return Err(
                self.error(at, "only versions are above or below one another: wanted == or !=".into())
            );
        }
        let value = if versions { self.version()? } else { self.quoted()? };
        Ok(Test { subject, op, value })
    }

    fn subject(&mut self) -> Result<Subject, BadExpression> {
        let at = self.next();
        let word = self.word();
        let names = || {
            let names: Vec<_> = Name::ALL.iter().map(|name| name.as_str()).collect();
            format!("{}, package(ID), job(ID) or fact(\"name\")", names.join(", "))
        };
        if word.is_empty() {
            return Err(self.wanted(&names()));
        }
        self.skip(word);
        if let Some(name) = Name::ALL.iter().find(|name| name.as_str() == word) {
            return Ok(Subject::Named(*name));
        }
        let subject = match word {
            "package" => Subject::Package(self.id()?),
            "job" => Subject::Job(self.id()?),
            "fact" => {
                self.open()?;
                Subject::Fact(self.quoted()?)
            }
            _ => return Err(self.error(at, format!("{word} is not known here: wanted {}", names()))),
        };
        if !self.take(")") {
            return Err(self.wanted(")"));
        }
        Ok(subject)
    }

    fn open(&mut self) -> Result<(), BadExpression> {
        if self.take("(") { Ok(()) } else { Err(self.wanted("(")) }
    }

    /// `(` and an id, with or without quotes.
    fn id<I: std::str::FromStr>(&mut self) -> Result<I, BadExpression>
    where
        I::Err: std::fmt::Display,
    {
        self.open()?;
        let rest = self.rest();
        let at = self.at;
        let text = match rest.starts_with('"') {
            true => self.quoted()?,
            false => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
                self.at += end;
                rest[..end].to_owned()
            }
        };
        text.parse().map_err(|e: I::Err| self.error(at, e.to_string()))
    }

    /// `"text"`, without escapes: a quote cannot stand in it.
    pub(super) fn quoted(&mut self) -> Result<String, BadExpression> {
        let Some(inner) = self.rest().strip_prefix('"') else {
            return Err(self.wanted("a text in quotes, like \"web-*\""));
        };
        let Some(end) = inner.find('"') else {
            return Err(self.error(self.at, "the quote that begins here does not end".into()));
        };
        self.at += end + 2;
        Ok(inner[..end].to_owned())
    }

    /// A version, with or without quotes.
    fn version(&mut self) -> Result<String, BadExpression> {
        let rest = self.rest();
        let at = self.at;
        let text = match rest.starts_with('"') {
            true => self.quoted()?,
            false => self.bare(|text| Ok(text.to_owned()))?,
        };
        match version::is_version(&text) {
            true => Ok(text),
            false => {
                self.at = at;
                Err(self.wanted("a version, like 12.4"))
            }
        }
    }
}
