//! Opens the console on an installation: the machine's own, or the demo's.

use super::App;
use super::args::{ConsoleFlags, FolderArgs};
use crate::check::CheckingClient;
use crate::error::Result;
use crate::executor::client::Client;
use crate::rollout::ground::Ground;
use crate::rollout::select::Site;
use std::process::Command;
use std::sync::Arc;

/// The console of the installation that is meant. Where a site folder is named, view 5 is shown first.
pub fn open(app: &App, flags: &ConsoleFlags, folder: &FolderArgs, title: Option<&str>) -> Result<()> {
    let rollout = folder.folder.is_some();
    // Where only the configuration cannot be used, the service still answers, and the console says what is wrong.
    let setup = match app.setup.clone().usable() {
        Ok(setup) => setup,
        // What a site shows needs no machine.
        Err(_) if rollout => app.setup.clone(),
        Err(_) => app.client().map(|_| app.setup.clone())?,
    };
    let client = CheckingClient(Client::new(setup.layout.clone(), setup.config.clone()));
    let options = crate::console::Options {
        read_only: flags.read_only,
        ascii: flags.ascii,
        slow: flags.slow,
        no_color: app.no_color,
        theme: flags.theme.clone(),
        title: title.map(Into::into),
        zone: Some(app.zone.clone()),
        rollout,
    };
    let site = Arc::new(Shown { app: app.clone(), folder: folder.clone() });
    crate::console::run(options, Arc::new(client), site, &setup.layout, &setup.config)
}

/// The site of this console: a site folder, or the share that `--share` names.
struct Shown {
    app: App,
    folder: FolderArgs,
}

impl Site for Shown {
    fn ground(&self) -> Result<Ground> {
        super::rollout::ground(&super::rollout::at_this_time(&self.app), &self.folder, None)
    }

    fn verb(&self, words: &[String]) -> Option<Command> {
        let folder = self.app.setup.site_folder(&self.folder).ok()?;
        let mut command = Command::new(std::env::current_exe().ok()?);
        command.args(words).arg("--folder").arg(folder);
        command.arg("--config").arg(&self.app.setup.layout.config);
        Some(command)
    }
}
