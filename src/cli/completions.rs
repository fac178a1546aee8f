//! `pcm completions SHELL`: verbs, flags and their values for a shell, from clap's own tree.

use super::args::Cli;
use super::out::Out;
use crate::error::{Exit, Result};
use clap::{Command, CommandFactory};
use clap_complete::Shell;

/// Prints the script.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(shell: Shell, out: &Out) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut shown(), "pcm", &mut script);
    out.text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

/// The tree without what only pcm itself starts: the generators do not leave it out by themselves.
fn shown() -> Command {
    let whole = Cli::command();
    Command::new("pcm")
        .disable_help_subcommand(true)
        .args(whole.get_arguments().filter(|arg| !arg.is_hide_set()).cloned())
        .subcommands(whole.get_subcommands().filter(|sub| !sub.is_hide_set()).cloned())
}
