//! `pcm` without a verb: the console, or, where this machine is not enrolled, what can be done about that.

use super::App;
use super::args::{ConsoleFlags, DemoArgs};
use super::out::Page;
use super::setup::Read;
use crate::error::{Exit, Failure, Result};
use crate::executor::client::Client;
use std::io::{BufRead, IsTerminal};
use std::sync::Arc;

/// `pcm`
pub fn run(app: &App, flags: &ConsoleFlags) -> Result<Exit> {
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if !terminal || std::env::var_os("TERM").is_some_and(|t| t == "dumb") {
        let remedy =
            format!("`{pcm} status` and `{pcm} list` show the same without one", pcm = app.setup.pcm);
        return Err(Failure::new(Exit::Usage, "no-terminal", "the console needs a terminal", remedy));
    }
    if app.out.json {
        let remedy =
            format!("`{pcm} status --json` and `{pcm} list --json` show the same", pcm = app.setup.pcm);
        return Err(Failure::new(Exit::Usage, "usage", "the console does not print JSON", remedy));
    }
    let bad = matches!(app.setup.read, Read::Bad(_));
    if !bad && app.setup.config.machine.is_none() {
        return welcome(app, flags);
    }
    console(app, flags, None)?;
    Ok(Exit::Done)
}

/// The console of the installation that is meant.
pub fn console(app: &App, flags: &ConsoleFlags, title: Option<&str>) -> Result<()> {
    let setup = app.setup.clone().usable()?;
    let client = Client::new(setup.layout.clone(), setup.config.clone());
    let options = crate::console::Options {
        read_only: flags.read_only,
        ascii: flags.ascii,
        slow: flags.slow,
        no_color: app.no_color,
        theme: flags.theme.clone(),
        title: title.map(Into::into),
    };
    crate::console::run(options, Arc::new(client), &setup.layout, &setup.config)
}

/// What can be done on a machine that is not enrolled. The one question that pcm ever asks outside the console.
fn welcome(app: &App, flags: &ConsoleFlags) -> Result<Exit> {
    app.out.page(&welcome_page(app))?;
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && answer.trim().eq_ignore_ascii_case("d") {
        let args = DemoArgs { headless: false, span: None, keep: false, console: flags.clone() };
        return super::demo::run(app, &args);
    }
    Ok(Exit::Done)
}

fn welcome_page(app: &App) -> Page {
    let pcm = &app.setup.pcm;
    let mut page = Page::new(app.out.width);
    page.strong(format!("pcm {}: this machine is not enrolled.", env!("CARGO_PKG_VERSION")));
    page.line(format!("There is no {} that says which machine it is.", app.setup.layout.config.display()));
    page.blank().strong("  Try it").line("    pcm demo");
    page.line("    A sandbox in a temporary folder: packages, a service, the console. Touches nothing else.");
    page.blank()
        .strong("  Enrol this machine")
        .line(format!("    {pcm} init --machine SMSID --share LOCATION"));
    page.line(format!("    Writes the configuration and an empty history. Afterwards: {pcm} service run"));
    page.blank().strong("  Open a new site").line("    pcm site init DIR --site CODE --example SMSID");
    page.line("    Makes an instruction share with an example package for one machine.");
    page.blank().line("d and Enter starts the demo, Enter alone leaves:");
    page
}
