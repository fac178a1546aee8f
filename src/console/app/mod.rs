//! The pure part of the console: events in, effects out. It knows no clock, no file and no thread; the time comes with
//! events, and so does what a frame had room for.
//!
//! `state` is what is known and shown, and the parts of it have files of their own: `data` what the executor said, `rows`
//! and `filter` what lists show, `logpane` (its filters are in `terms`), `transcript`, `overlay`, `dialog`. `update` takes an event; `enabled` says
//! whether a command would do something, `act` does it; `refresh` asks the executor. `rollout` is view 5, `site` and
//! `on_machines` what its commands do, `afar` what became of that on each machine.

mod act;
pub mod afar;
mod asks;
pub mod bars;
pub mod columns;
mod copy;
pub mod data;
pub mod dialog;
mod enabled;
mod event;
pub mod filter;
pub mod input;
pub mod layout;
pub mod list;
mod logline;
pub mod logpane;
mod look;
mod marks;
mod message;
mod mouse;
mod notices;
mod on_machines;
pub mod overlay;
mod refresh;
pub mod results;
pub mod rollout;
pub mod rows;
mod site;
mod state;
pub mod terms;
pub mod transcript;
pub mod until;
mod update;
mod view;
pub mod whole;
pub mod words;

#[cfg(test)]
pub use copy::MAX_COPY;
pub use copy::log_line;
pub use enabled::{contexts, contexts_below, enabled, matters, may_operate};
pub use event::{Effect, Event, Moment};
pub use logline::LogLine;

pub use state::{App, AppOptions, WIDE};
pub use view::{Focus, Level, View};
