//! `pcm help [VERB]`: the same as `pcm VERB --help`.

use super::args::Cli;
use super::out::Out;
use crate::error::{Exit, Failure, Result};
use clap::CommandFactory;

/// Prints it.
///
/// # Errors
/// There is no such verb; standard output cannot be written.
pub fn print(verb: &[String], out: &Out) -> Result<Exit> {
    let mut command = Cli::command();
    command.build();
    let mut found = &mut command;
    for word in verb {
        found = found.find_subcommand_mut(word).ok_or_else(|| {
            let message = format!("there is no verb `{}`", verb.join(" "));
            Failure::new(Exit::Usage, "usage", message, "`pcm help` lists all verbs")
        })?;
    }
    out.text(&found.render_long_help().to_string())?;
    Ok(Exit::Done)
}
