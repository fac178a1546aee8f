//! `pcm help [VERB]`: the same as `pcm VERB --help`.

use super::args::Cli;
use super::out::Out;
use crate::error::{Exit, Failure, Result};
use clap::Parser;
use clap::error::ErrorKind;

/// Prints it.
///
/// # Errors
/// There is no such verb; standard output cannot be written.
pub fn print(verb: &[String], out: &Out) -> Result<Exit> {
    let line = std::iter::once("pcm").chain(verb.iter().map(String::as_str)).chain(["--help"]);
    match Cli::try_parse_from(line) {
        Err(help) if help.kind() == ErrorKind::DisplayHelp => {
            out.text(&help.render().to_string())?;
            Ok(Exit::Done)
        }
        _ => {
            let message = format!("there is no verb `{}`", verb.join(" "));
            Err(Failure::new(Exit::Usage, "usage", message, "`pcm help` lists all verbs"))
        }
    }
}
