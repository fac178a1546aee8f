//! `pcm restart now|defer|cancel`: what an operator wants to become of a restart that a package wants. Asked of the
//! executor and printed; whether it is allowed is decided by the core.

use super::App;
use super::act::until;
use super::args::RestartWhat;
use crate::decision::RestartVerb;
use crate::error::{Exit, Result};
use crate::executor::talk::protocol::Action;

/// `pcm restart …`
pub fn run(app: &App, what: RestartWhat) -> Result<Exit> {
    let (verb, reason) = match what {
        RestartWhat::Now { reason } => (RestartVerb::Now, reason),
        RestartWhat::Defer { until: at, reason } => (RestartVerb::Defer(until(app, &at)?), reason),
        RestartWhat::Cancel { reason } => (RestartVerb::Cancel, reason),
    };
    app.change(Action::Restart(verb), reason.as_deref())
}
