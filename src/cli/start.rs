//! `pcm` without a verb: the console, or, where this machine is not enrolled, what can be done about that.

use super::args::{ConsoleFlags, DemoArgs, FolderArgs, InitArgs, TrustArg};
use super::page::Page;
use super::setup::{Read, Setup};
use super::{App, console, trust_key};
use crate::config::Config;
use crate::error::{Exit, Failure, Result};
use std::io::{BufRead, IsTerminal};

/// `pcm`
pub fn run(app: &App, flags: &ConsoleFlags, folder: &FolderArgs) -> Result<Exit> {
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
    if !bad && app.setup.config.machine.is_none() && folder.folder.is_none() {
        return welcome(app, flags);
    }
    console::open(app, flags, folder)?;
    Ok(Exit::Done)
}

/// What can be done on a machine that is not enrolled. The one question that pcm ever asks outside the console.
fn welcome(app: &App, flags: &ConsoleFlags) -> Result<Exit> {
    // A share that was named may be that of a site that signs.
    let new = app.setup.read == Read::Absent && !app.setup.flags.shares.is_empty();
    let key = if new { trust_key::offered_key(app) } else { None };
    app.out.page(&welcome_page(app, key.as_deref()))?;
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && answer.trim().eq_ignore_ascii_case("d") {
        let args = DemoArgs { headless: false, span: None, site: false, keep: false, console: flags.clone() };
        return super::demo::run(app, &args);
    }
    if let Some(key) = key.filter(|_| read.is_ok() && answer.trim().eq_ignore_ascii_case("y")) {
        // Nothing but the flags is known of this machine; what looks at a share takes it for trusted.
        let setup = Setup { config: Config::default(), looking: false, ..app.setup.clone() };
        let trust = Some(TrustArg::Signed);
        let args =
            InitArgs { adopt: None, accept_serial: None, trust, trust_key: Some(key), hand_made: false };
        return super::init::run(&App { setup, ..app.clone() }, &args);
    }
    Ok(Exit::Done)
}

fn welcome_page(app: &App, key: Option<&str>) -> Page {
    let pcm = &app.setup.pcm;
    let mut page = Page::new(app.out.width);
    page.strong(format!("pcm {}: this machine is not enrolled.", env!("CARGO_PKG_VERSION")));
    page.line(format!("There is no {} that says which machine it is.", app.setup.layout.config.display()));
    page.blank().strong("  Try it").line("    pcm demo");
    page.line("    A sandbox in a temporary folder: packages, a service, the console. Touches nothing else.");
    page.blank()
        .strong("  Enrol this machine")
        .line(format!("    {pcm} init --machine SMSID --share LOCATION --trust permissions"));
    page.line("    Believes a share that only root, or the service's account, can write to. Without --trust only signed");
    page.line("    instructions count, by a trust list that --trust-key confirms.");
    page.line(format!("    Writes the configuration and an empty history. Afterwards: {pcm} service run"));
    if let Some(key) = key {
        page.blank().strong("  Enrol it with the site of this share").line(format!("    {key}"));
        page.line(
            "    is the key that signs its trust list. Only if its administrator told you exactly this",
        );
        page.line("    fingerprint: y and Enter enrols this machine with it.");
    }
    page.blank().strong("  Open a new site").line("    pcm site init DIR --site CODE --example SMSID");
    page.line("    Makes an instruction share with an example package for one machine.");
    page.blank().line("d and Enter starts the demo, Enter alone leaves:");
    page
}
