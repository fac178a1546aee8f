//! `pcm as-owner`: the process that does root's work on the state folder of another account, as that account (`as_owner`).
//! The work comes from standard input; what came of it goes to standard output.

use super::as_owner::{Order, Work};
use super::client::Client;
use super::init;
use crate::config::Config;
use crate::error::{Exit, Failure, Result};
use crate::host::helper;
use crate::host::notice;
use crate::host::open::remote;

/// Does one piece of work. The exit status only says whether it could be asked and answered.
pub fn main() -> u8 {
    helper::serve(carry_out)
}

fn carry_out(order: Order) -> Result<serde_json::Value> {
    let Order { layout, machine, shares, silent, work } = order;
    if silent {
        notice::silence();
    }
    let mut config = Config::load(&layout.config).map_err(|e| {
        let why = e.problems().first().map(|p| format!("{}: {}", p.file, p.message)).unwrap_or_default();
        Failure::new(Exit::Usage, "config-unreadable", why, "Let the owner of the state folder read it")
    })?;
    (config.machine, config.shares) = (machine, shares);
    remote::use_access(config.share.access());
    let done = match work {
        Work::Change(change, actor) => {
            serde_json::to_value(Client::new(layout, config).change_as(&change, &actor)?)
        }
        Work::RecordEnds => {
            Client::new(layout, config).record_ends();
            Ok(serde_json::Value::Null)
        }
        Work::Init(adopt, by) => serde_json::to_value(init::init(&layout, &config, adopt, &by)?),
    };
    done.map_err(|e| Failure::new(Exit::Failed, "no-answer", e.to_string(), "Report this"))
}
