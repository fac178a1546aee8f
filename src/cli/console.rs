//! Opens the console on an installation: the machine's own, or the demo's.

use super::App;
use super::args::ConsoleFlags;
use crate::check::CheckingClient;
use crate::error::Result;
use crate::executor::client::Client;
use std::sync::Arc;

/// The console of the installation that is meant.
pub fn open(app: &App, flags: &ConsoleFlags, title: Option<&str>) -> Result<()> {
    // Where only the configuration cannot be used, the service still answers, and the console says what is wrong.
    let setup = match app.setup.clone().usable() {
        Ok(setup) => setup,
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
    };
    crate::console::run(options, Arc::new(client), &setup.layout, &setup.config)
}
