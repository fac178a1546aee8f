//! `pcm check`: the readiness checklist of this machine, on whatever is there of it.

use super::App;
use super::setup::Read;
use crate::check::{ConfigRead, Subject, check};
use crate::error::{Exit, Result};
use crate::executor::talk::protocol::Answer;

/// Looks for itself, service or not.
pub fn run(app: &App) -> Result<Exit> {
    app.other(answer(app))
}

/// What it prints.
pub fn answer(app: &App) -> Answer {
    let setup = &app.setup;
    let subject = Subject {
        layout: setup.layout.clone(),
        config: setup.config.clone(),
        read: match &setup.read {
            Read::Good => ConfigRead::Good,
            Read::Absent => ConfigRead::Absent,
            Read::Bad(problems) => ConfigRead::Bad(problems.clone()),
        },
        pcm: setup.pcm.clone(),
    };
    Answer::Check(check(&subject))
}
