//! `pcm completions SHELL`: verbs, flags and their values for a shell, from clap's own tree.

use super::App;
use super::args::{Cli, WordsOf};
use super::out::Out;
use crate::error::{Exit, Result};
use crate::executor::ask::Ask;
use crate::executor::talk::protocol::{Answer, View};
use clap::{Command, CommandFactory};
use clap_complete::Shell;

/// Completes what is offered to users, and not every request.
const INSTALL: &str = "install";

/// Prints the script.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(shell: Shell, out: &Out) -> Result<Exit> {
    out.text(&script(shell))?;
    Ok(Exit::Done)
}

/// The script.
pub fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut shown(), "pcm", &mut script);
    with_words(shell, String::from_utf8_lossy(&script).into_owned())
}

/// What only the machine knows is asked while a line is typed: ids of requests, and the machine's own. Bash, zsh and fish
/// do that; the generators for the others know values of flags only.
fn with_words(shell: Shell, script: String) -> String {
    match shell {
        Shell::Bash => bash(&script),
        Shell::Zsh => {
            // `_arguments` carries out what stands in braces.
            let ask = |of: &str| format!(":{{compadd -- ${{(f)\"$(pcm words {of} 2>/dev/null)\"}}}}'");
            let with = |line: &str| match line {
                _ if line.contains(":SMSID:") => line.replace(":_default'", &ask("machines")),
                _ if line.contains("':request -- An id that ") => line.replace(":_default'", &ask("offers")),
                _ if line.contains("':request -- ") || line.contains("'::request -- ") => {
                    line.replace(":_default'", &ask("requests"))
                }
                _ if line.contains("'--override=[") || line.contains("'*--override=[") => {
                    match (line.rfind(":("), line.rfind(")'")) {
                        // One after the other, with commas.
                        (Some(from), Some(to)) if from < to => {
                            format!("{}:_sequence compadd - {}{}", &line[..from], gates(), &line[to + 1..])
                        }
                        _ => line.to_owned(),
                    }
                }
                _ => line.to_owned(),
            };
            script.lines().map(|line| with(line) + "\n").collect()
        }
        Shell::Fish => {
            let verbs: Vec<String> = about_one().into_iter().filter(|verb| verb != INSTALL).collect();
            let verbs = verbs.join(" ");
            script.replace(" -l machine -d", " -l machine -x -a \"(pcm words machines 2>/dev/null)\" -d")
                + &format!(
                    "complete -c pcm -n \"__fish_pcm_using_subcommand {verbs}\" -f -a \"(pcm words requests 2>/dev/null)\"\n\
                     complete -c pcm -n \"__fish_pcm_using_subcommand {INSTALL}\" -f -a \"(pcm words offers 2>/dev/null)\"\n\
                     complete -c pcm -n \"__fish_pcm_using_subcommand run trigger rerun\" -l override -x -a \
                     \"(__fish_append , {})\"\n",
                    gates()
                )
        }
        _ => script,
    }
}

/// The function that was generated completes; where a word is wanted that only the machine knows, another one around it.
fn bash(script: &str) -> String {
    let (families, verbs, gates) = (names(|_| true).join("|"), about_one().join("|"), gates());
    let around = format!(
        r#"
_pcm_with_words() {{
    local cur="$2" prev="$3" verb="" word
    _pcm "$@"
    # The first verb alone: `service install` and `job show` are about none of this machine's requests.
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$word" in
        {verbs}) verb="$word"; break ;;
        {families}) break ;;
        esac
    done
    if [[ "$prev" == --machine ]]; then
        COMPREPLY=($(compgen -W "$(pcm words machines 2>/dev/null)" -- "${{cur^^}}"))
    elif [[ "$prev" == --override && "$cur" == *,* ]]; then
        COMPREPLY=($(compgen -P "${{cur%,*}}," -W "{gates}" -- "${{cur##*,}}"))
    elif [[ "$verb" == {INSTALL} && "$cur" != -* && "$prev" != --* ]]; then
        COMPREPLY=($(compgen -W "$(pcm words offers 2>/dev/null)" -- "${{cur^^}}"))
    elif [[ -n "$verb" && "$cur" != -* && "$prev" != --* ]]; then
        COMPREPLY=($(compgen -W "$(pcm words requests 2>/dev/null)" -- "${{cur^^}}"))
    fi
}}

"#
    );
    match script.rfind("\nif [[ \"${BASH_VERSINFO[0]}\"") {
        Some(end) => {
            format!("{}{around}{}", &script[..end], script[end..].replace("-F _pcm ", "-F _pcm_with_words "))
        }
        None => script.to_owned(),
    }
}

/// The gates that an operator may pass over, as `--override` takes them.
fn gates() -> String {
    let shown = shown();
    let run = shown.get_subcommands().find(|sub| sub.get_name() == "run");
    let arg = run.into_iter().flat_map(Command::get_arguments).find(|arg| arg.get_long() == Some("override"));
    let values = arg.map(clap::Arg::get_possible_values).unwrap_or_default();
    values.iter().map(|value| value.get_name().to_owned()).collect::<Vec<_>>().join(" ")
}

/// The verbs that are about one request.
fn about_one() -> Vec<String> {
    names(|sub| sub.get_positionals().any(|arg| arg.get_id() == "request"))
}

/// The first words of those verbs, and their other names.
fn names(of: impl Fn(&Command) -> bool) -> Vec<String> {
    let shown = shown();
    let subs = shown.get_subcommands().filter(|sub| of(sub));
    subs.flat_map(|sub| {
        [sub.get_name().to_owned()].into_iter().chain(sub.get_all_aliases().map(str::to_owned))
    })
    .collect()
}

/// `pcm words`: one a line; none where they are not to be had, for nobody reads an error while typing.
///
/// # Errors
/// Standard output cannot be written.
pub fn words(app: &App, of: WordsOf) -> Result<Exit> {
    let words: Vec<String> = match of {
        WordsOf::Machines => app.setup.config.machine.iter().map(ToString::to_string).collect(),
        WordsOf::Offers => match app.client().and_then(|client| client.view(&View::Offers)) {
            Ok(Answer::Offers(doc)) => doc.offers.iter().map(|offer| offer.request_id.to_string()).collect(),
            Ok(_) | Err(_) => Vec::new(),
        },
        WordsOf::Requests => {
            let list = app.client().and_then(|client| client.list());
            let rows = list.map(|doc| doc.requests).unwrap_or_default();
            rows.iter().filter_map(|row| row.request_id).map(|id| id.to_string()).collect()
        }
    };
    words.iter().try_for_each(|word| app.out.text(&format!("{word}\n")))?;
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
