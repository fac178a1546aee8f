//! The one way in which the command line and the console reach the executor: through the socket of whoever holds the
//! lock, or in-process when nobody does. It holds no lock between calls.

use super::protocol::{Answer, Call};
use crate::config::Config;
use crate::error::Result;
use crate::host::paths::Layout;

/// A way to the executor. Cheap to make; each call connects anew, so that a service may come and go.
#[derive(Debug, Clone)]
pub struct Client {
    /// Where everything is.
    pub layout: Layout,
    /// The configuration as this process read it.
    pub config: Config,
}

/// What answers calls: the real client, or a fake in tests of the views.
pub trait Ask: Send + Sync {
    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// The refusal or failure, as the command line prints it. Never `Answer::Failed`.
    fn call(&self, call: &Call) -> Result<Answer>;
}

impl Ask for Client {
    /// Asks and waits for the answer, at most as long as the share's timeout and a few seconds.
    ///
    /// # Errors
    /// The refusal or failure, as the command line prints it. Never `Answer::Failed`.
    fn call(&self, call: &Call) -> Result<Answer> {
        let _ = call;
        Err(crate::error::Failure::new(
            crate::error::Exit::Failed,
            "not-implemented",
            "the executor is not there",
            "wait",
        ))
    }
}
