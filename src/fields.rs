//! Typed reading of TOML: every value with its line and the name of its key, every problem collected, never only the
//! first. Used for what is on the share (unknown keys are warnings) and for `pcm.toml` (unknown keys are errors).
//! Element numbers in field names, as in `request[3]`, count from 1.

use crate::clock::{Wall, When};
use crate::terms::Problem;
use crate::text::SafeText;
use chrono::{NaiveDate, TimeDelta, TimeZone, Utc};
use std::collections::BTreeSet;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml::value::{Datetime, Offset};

/// The most problems kept of one table; a hostile file must not fill the memory or the screen.
const MAX_PROBLEMS: usize = 50;
/// The longest duration that is accepted: ten years.
const MAX_DURATION_S: u64 = 3_650 * 86_400;

/// A file's name and text, so that any place in it can be named.
#[derive(Debug)]
pub struct Source<'t> {
    /// As an operator would name it.
    pub file: SafeText,
    /// The code of problems that say nothing else.
    pub code: &'static str,
    /// Without the byte order mark.
    pub text: &'t str,
    line_starts: Vec<usize>,
}

impl<'t> Source<'t> {
    /// Decodes UTF-8 with or without a byte order mark.
    ///
    /// # Errors
    /// The line of the first byte that is not UTF-8.
    pub fn decode(bytes: &'t [u8], file: &str, code: &'static str) -> Result<Self, Problem> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|e| {
            let before = &bytes[..e.valid_up_to()];
            let line = 1 + before.iter().filter(|b| **b == b'\n').count();
            let message = "this line is not UTF-8: save the file as UTF-8";
            Problem { line: Some(to_u32(line)), ..Problem::of_file(code, file, message) }
        })?;
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Ok(Self { file: file.into(), code, text, line_starts })
    }

    /// The line of a byte offset, counted from 1.
    pub fn line(&self, offset: usize) -> u32 {
        to_u32(self.line_starts.partition_point(|start| *start <= offset))
    }

    /// A problem at a place.
    pub fn problem(&self, offset: usize, field: Option<&str>, message: impl AsRef<str>) -> Problem {
        let (line, field) = (Some(self.line(offset)), field.map(short));
        Problem { line, field, ..Problem::of_file(self.code, self.file.clone(), message.as_ref()) }
    }

    /// What the TOML parser complained about, with the key that its line begins with.
    pub fn syntax(&self, error: &toml::de::Error) -> Problem {
        // Where the text simply ends, the last line that has something in it is the one to look at.
        let end = self.text.trim_end().len();
        let at = error.span().map_or(end, |s| s.start.min(end));
        let message = error.message();
        let said = match message.split_once(", expected ") {
            // The parser's own names of kinds of strings help nobody.
            Some((said, wanted)) if !wanted.starts_with('`') => said,
            _ => message,
        };
        let key = self.key_of(at);
        self.problem(at, key, format!("not valid TOML: {}", cut(said, 200)))
    }

    /// The key at the beginning of the line of a byte offset.
    fn key_of(&self, offset: usize) -> Option<&'t str> {
        let line = self.line_starts.partition_point(|start| *start <= offset).checked_sub(1)?;
        let text = self.text[*self.line_starts.get(line)?..].lines().next()?;
        let key = text.split_once('=')?.0.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        (!key.is_empty() && key.len() <= 60 && key.chars().all(plain)).then_some(key)
    }
}

/// One table of a file, being read. Keys that were never asked for are the unknown ones.
pub struct Fields<'s, 't> {
    source: &'s Source<'t>,
    table: &'s DeTable<'t>,
    path: String,
    at: usize,
    asked: BTreeSet<&'static str>,
    problems: Vec<Problem>,
    dropped: usize,
}

impl<'s, 't> Fields<'s, 't> {
    /// The table at the top of a file.
    pub fn top(source: &'s Source<'t>, table: &'s DeTable<'t>) -> Self {
        Self::at(source, table, String::new(), 0)
    }

    /// A table somewhere in it: its name and the offset of its header.
    pub fn at(source: &'s Source<'t>, table: &'s DeTable<'t>, path: String, at: usize) -> Self {
        Self { source, table, path, at, asked: BTreeSet::new(), problems: Vec::new(), dropped: 0 }
    }

    /// The line of the table's header, counted from 1.
    pub fn line(&self) -> u32 {
        self.source.line(self.at)
    }

    /// The value as it stands, with its offset.
    pub fn raw(&mut self, key: &'static str) -> Option<&'s Spanned<DeValue<'t>>> {
        self.asked.insert(key);
        self.table.get(key)
    }

    /// Whether the key is there at all.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A value that may be absent. One that is wrong is reported and counts as absent.
    pub fn get<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&'s DeValue<'t>) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.raw(key)?;
        match read(value.get_ref()) {
            Ok(good) => Some(good),
            Err(message) => {
                self.wrong(key, message);
                None
            }
        }
    }

    /// A value that has to be there.
    pub fn need<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&'s DeValue<'t>) -> Result<T, String>,
    ) -> Option<T> {
        if !self.has(key) {
            self.asked.insert(key);
            let field = self.name(key);
            let problem = self.source.problem(self.at, Some(&field), format!("{key} is missing"));
            self.report(problem);
            return None;
        }
        self.get(key, read)
    }

    /// An array, element by element. None: absent, or not an array; wrong elements are reported and left out.
    pub fn list<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&'s DeValue<'t>) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let value = self.raw(key)?;
        let DeValue::Array(elements) = value.get_ref() else {
            self.wrong(key, format!("wanted an array like [\"…\"], found {}", found(value.get_ref())));
            return None;
        };
        let mut good = Vec::new();
        for (i, element) in elements.iter().enumerate() {
            match read(element.get_ref()) {
                Ok(v) => good.push(v),
                Err(message) => {
                    let field = format!("{}[{}]", self.name(key), i + 1);
                    let problem = self.source.problem(element.span().start, Some(&field), message);
                    self.report(problem);
                }
            }
        }
        Some(good)
    }

    /// A table below this one. Hand it back with [`Fields::absorb`].
    pub fn table(&mut self, key: &'static str) -> Option<Fields<'s, 't>> {
        let value = self.raw(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(Self::at(self.source, table, self.name(key), value.span().start)),
            other => {
                self.wrong(key, format!("wanted a table, found {}", found(other)));
                None
            }
        }
    }

    /// An array of tables below this one. Hand each back with [`Fields::absorb`].
    pub fn tables(&mut self, key: &'static str) -> Vec<Fields<'s, 't>> {
        let Some(value) = self.raw(key) else { return Vec::new() };
        let DeValue::Array(elements) = value.get_ref() else {
            self.wrong(
                key,
                format!("wanted [[{}]] tables, found {}", self.name(key), found(value.get_ref())),
            );
            return Vec::new();
        };
        let mut tables = Vec::new();
        for (i, element) in elements.iter().enumerate() {
            let path = format!("{}[{}]", self.name(key), i + 1);
            let at = element.span().start;
            match element.get_ref() {
                DeValue::Table(table) => tables.push(Self::at(self.source, table, path, at)),
                other => {
                    let message = format!("wanted a table, found {}", found(other));
                    let problem = self.source.problem(at, Some(&path), message);
                    self.report(problem);
                }
            }
        }
        tables
    }

    /// Every key and value, for tables whose keys are data. All of them count as known.
    pub fn entries(&self) -> impl Iterator<Item = (&'s str, usize, &'s DeValue<'t>)> + use<'s, 't> {
        self.table.iter().map(|(k, v)| (k.get_ref().as_ref(), k.span().start, v.get_ref()))
    }

    /// Reports a value of this table that could be read and is wrong all the same.
    pub fn wrong(&mut self, key: &str, message: impl AsRef<str>) {
        self.wrong_as(self.source.code, key, message);
    }

    /// The same with a code of its own.
    pub fn wrong_as(&mut self, code: &str, key: &str, message: impl AsRef<str>) {
        let at = self.table.get(key).map_or(self.at, |v| v.span().start);
        self.wrong_at(code, key, at, message);
    }

    /// The same at an offset of its own.
    pub fn wrong_at(&mut self, code: &str, key: &str, at: usize, message: impl AsRef<str>) {
        let field = self.name(key);
        let mut problem = self.source.problem(at, Some(&field), message);
        problem.code = code.to_owned();
        self.report(problem);
    }

    /// The same of what a later pcm may have written.
    pub fn wrong_as_newer(&mut self, key: &str, message: impl AsRef<str>) {
        let at = self.table.get(key).map_or(self.at, |v| v.span().start);
        let field = self.name(key);
        let problem = self.source.problem(at, Some(&field), message);
        self.report(Problem { newer: true, ..problem });
    }

    /// Takes over what was found below.
    pub fn absorb(&mut self, problems: impl IntoIterator<Item = Problem>) {
        for problem in problems {
            self.report(problem);
        }
    }

    /// The problems, in the order of their lines.
    pub fn finish(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|p| p.line);
        if self.dropped > 0 {
            let more = self.source.problem(self.at, None, format!("and {} more problems", self.dropped));
            self.problems.push(more);
        }
        self.problems
    }

    /// A problem for each key that nobody asked for, in the order of their lines.
    pub fn unknown(&self) -> Vec<Problem> {
        let mut unknown: Vec<_> =
            self.table.keys().filter(|k| !self.asked.contains(k.get_ref().as_ref())).collect();
        unknown.sort_by_key(|k| k.span().start);
        unknown
            .iter()
            .take(MAX_PROBLEMS)
            .map(|key| {
                let name = cut(key.get_ref(), 60);
                self.source.problem(key.span().start, Some(&self.name(&name)), "this key is not known")
            })
            .collect()
    }

    fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn report(&mut self, problem: Problem) {
        if self.problems.len() < MAX_PROBLEMS { self.problems.push(problem) } else { self.dropped += 1 }
    }
}

/// A string.
pub fn text<'s>(value: &'s DeValue<'_>) -> Result<&'s str, String> {
    value.as_str().ok_or_else(|| format!("wanted a string, found {}", found(value)))
}

/// A string that says something, made safe, at most 200 characters.
pub fn words(value: &DeValue<'_>) -> Result<SafeText, String> {
    let text = text(value)?;
    match text.chars().count() {
        0 => Err("wanted some text, found an empty string".into()),
        n if n > 200 => Err(format!("wanted at most 200 characters, found {n}")),
        _ => Ok(SafeText::new(text)),
    }
}

/// A string of our own grammar: an id, a word of a list.
pub fn parsed<T: std::str::FromStr>(value: &DeValue<'_>) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text(value)?.parse().map_err(|e: T::Err| e.to_string())
}

/// One of these, by their words.
pub fn one_of<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> impl Fn(&DeValue<'_>) -> Result<T, String> {
    move |value| {
        let text = text(value)?;
        all.iter().copied().find(|one| word(*one) == text).ok_or_else(|| {
            let all: Vec<_> = all.iter().map(|one| format!("{:?}", word(*one))).collect();
            format!("wanted {}, found {}", all.join(" or "), found(value))
        })
    }
}

/// `true` or `false`.
pub fn boolean(value: &DeValue<'_>) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("wanted true or false, found {}", found(value)))
}

/// A whole number that is not negative.
pub fn whole(value: &DeValue<'_>) -> Result<u64, String> {
    let digits =
        value.as_integer().ok_or_else(|| format!("wanted a whole number, found {}", found(value)))?;
    // TOML's own integers end at i64; beyond it other readers would see another number.
    u64::from_str_radix(digits.as_str(), digits.radix())
        .ok()
        .filter(|n| i64::try_from(*n).is_ok())
        .ok_or_else(|| format!("wanted a whole number from 0 to {}, found {}", i64::MAX, found(value)))
}

/// A whole number of at most 32 bits.
pub fn small(value: &DeValue<'_>) -> Result<u32, String> {
    let n = whole(value)?;
    u32::try_from(n).map_err(|_| format!("{n} is too large"))
}

/// `<number>s|m|h|d`.
pub fn duration(value: &DeValue<'_>) -> Result<Duration, String> {
    let Some(text) = value.as_str() else {
        return Err(format!("wanted a duration like \"10m\" or \"2h\", found {}", found(value)));
    };
    parse_duration(text)
}

/// A duration that is not zero.
pub fn some_time(value: &DeValue<'_>) -> Result<Duration, String> {
    let duration = duration(value)?;
    if duration.is_zero() { Err("wanted more than nothing".into()) } else { Ok(duration) }
}

/// `<number>s|m|h|d`, as in files and on the command line.
///
/// # Errors
/// A sentence that says what was wanted.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let bad =
        || format!("wanted a number and s, m, h or d, like \"10m\" or \"2h\", found {:?}", cut(text, 40));
    let trimmed = text.trim();
    let unit = trimmed.chars().next_back().ok_or_else(bad)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(bad()),
    };
    let digits = trimmed[..trimmed.len() - 1].trim_end();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad());
    }
    let total = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(seconds));
    match total {
        Some(total) if total <= MAX_DURATION_S => Ok(Duration::from_secs(total)),
        _ => Err(format!("{:?} is longer than ten years", cut(text, 40))),
    }
}

/// `10MB`, `200 MB`: B, KB, MB, GB, TB, counted in steps of 1024.
pub fn size(value: &DeValue<'_>) -> Result<u64, String> {
    let text =
        value.as_str().ok_or_else(|| format!("wanted a size like \"200 MB\", found {}", found(value)))?;
    parse_size(text)
}

/// The same on the command line.
///
/// # Errors
/// A sentence that says what was wanted.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let bad = || format!("wanted a size like \"200 MB\", found {:?}", cut(text, 40));
    let text = text.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
    let shift = match text[unit_at..].trim_start().to_ascii_uppercase().as_str() {
        "B" => 0,
        "KB" => 10,
        "MB" => 20,
        "GB" => 30,
        "TB" => 40,
        _ => return Err(bad()),
    };
    let number: u64 = text[..unit_at].parse().map_err(|_| bad())?;
    number
        .checked_mul(1 << shift)
        .filter(|n| i64::try_from(*n).is_ok())
        .ok_or_else(|| format!("{:?} is too large", cut(text, 40)))
}

/// A date and time: with zone an instant, without one the machine's own wall clock.
pub fn when(value: &DeValue<'_>) -> Result<When, String> {
    const WANTED: &str = "wanted a date and time like 2026-11-22T22:00:00 or 2026-11-22T22:00:00Z";
    match value {
        DeValue::Datetime(written) => to_when(written).ok_or_else(|| format!("{WANTED}, found {written}")),
        DeValue::String(_) => Err(format!("{WANTED} without quotes, found {}", found(value))),
        _ => Err(format!("{WANTED}, found {}", found(value))),
    }
}

/// A date and time with its zone.
pub fn instant(value: &DeValue<'_>) -> Result<Wall, String> {
    match when(value)? {
        When::Instant(at) => Ok(at),
        When::Local(_) => Err(format!("wanted a zone or Z at the end, found {}", found(value))),
    }
}

fn to_when(written: &Datetime) -> Option<When> {
    let (date, time) = (written.date?, written.time?);
    let local = NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())?
        .and_hms_nano_opt(
            time.hour.into(),
            time.minute.into(),
            time.second.unwrap_or(0).into(),
            time.nanosecond.unwrap_or(0),
        )?;
    Some(match written.offset {
        None => When::Local(local),
        Some(Offset::Z) => When::Instant(Utc.from_utc_datetime(&local)),
        Some(Offset::Custom { minutes }) => {
            let utc = local.checked_sub_signed(TimeDelta::minutes(minutes.into()))?;
            When::Instant(Utc.from_utc_datetime(&utc))
        }
    })
}

/// What stands there, for messages.
pub fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(s) => format!("{:?}", cut(s, 40)),
        DeValue::Integer(i) => cut(&i.to_string(), 40),
        DeValue::Float(f) => cut(f.as_str(), 40),
        DeValue::Boolean(b) => b.to_string(),
        DeValue::Datetime(d) => d.to_string(),
        DeValue::Array(_) => "an array".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

/// At most `max` characters of a text, with an ellipsis where something was left out.
pub fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

fn short(field: &str) -> SafeText {
    SafeText::new(&cut(field, 120))
}

fn to_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
