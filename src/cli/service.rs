//! `pcm service run`.

use super::setup::{Setup, bad_configuration};
use crate::config::Config;
use crate::error::{Exit, Result};
use crate::text::SafeText;

/// Is the service until it is asked to end. The configuration is read again by it from time to time; what flags said
/// stays in force.
pub fn run(setup: &Setup) -> Result<Exit> {
    let setup = setup.clone().usable()?;
    let read = || -> std::result::Result<Config, SafeText> {
        let mut config = Config::load(&setup.layout.config)
            .map_err(|e| bad_configuration(&setup.layout.config, &e.problems()).message)?;
        setup.flags.put(&mut config);
        Ok(config)
    };
    crate::service::run(&setup.layout, read)?;
    Ok(Exit::Done)
}
