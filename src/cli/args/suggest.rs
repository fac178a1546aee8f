//! Values that shells offer while a line is typed, beside what is read.

use clap::builder::{PossibleValue, TypedValueParser};
use std::ffi::OsStr;

/// Reads a value as `read` does, and suggests `values`, which need not be all that it takes.
#[derive(Clone)]
pub struct Suggested<T: Clone + Send + Sync + 'static> {
    read: fn(&str) -> Result<T, String>,
    values: fn() -> Vec<&'static str>,
}

impl<T: Clone + Send + Sync + 'static> Suggested<T> {
    /// From the two.
    pub const fn new(read: fn(&str) -> Result<T, String>, values: fn() -> Vec<&'static str>) -> Self {
        Self { read, values }
    }
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Suggested<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        TypedValueParser::parse_ref(&self.read, command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.values)().into_iter().map(PossibleValue::new)))
    }
}

/// Text as it is.
pub fn text(value: &str) -> Result<String, String> {
    Ok(value.to_owned())
}
