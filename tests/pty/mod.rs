//! The console in a real terminal, on a real share, with the real service behind it: keys in, screen out.
//!
//! Where each line of UX.md is tested; `app` and `term` are tests of the library below `src/console`, without a terminal.
//!
//! | UX.md 2 | here | in the library |
//! | --- | --- | --- |
//! | Esc, q, Ctrl-C, Ctrl-Z | keys::rows_are_marked…, keys::every_view…, leaving::ctrl_z… | rules::q_closes…, ctrl_c…, ctrl_z… |
//! | Actions | operating, newcomer | rules::every_view_and_every_command…, many |
//! | Panes | keys::every_view… | rules::every_view_and_every_command… |
//! | Lists | keys::lists_move…, keys::rows_are_marked…, finding::a_list_is_searched… | many, rules::the_filter…, the_selection_stays… |
//! | Logs | keys::a_log_is_searched…, keys::a_log_that_grows…, finding::a_log_is_searched… | logpane::tests, rules::the_log_is_searched… |
//! | Palette and help | keys::the_palette…, operating::the_help…, newcomer | edge::every_command…, rules::help_lists… |
//! | Disabled, not hidden | keys::the_palette… | rules::what_is_disabled… |
//! | Confirm | operating::a_package…, a_confirmation…, a_mandatory… | rules, many (no action is on several machines) |
//! | Follow | keys::a_log_that_grows… | logpane::tests, app::transcript::tests |
//! | Machine | keys::every_view… | edge::every_frame…, run::a_role_may_have_a_theme… |
//! | Read-only | operating::the_help… | rules::read_only…, who_may_not_operate… |
//! | Staleness | latency | rules::an_executor_that_does_not_answer…, an_empty_list… |
//! | Copy, Mouse, Paste | beside, finding::tabs_and_footer…, contract::keys_in_any_pieces… | edge, drivers::clipboard::tests |
//! | Meaning | contract::no_color…, poor | theme::tests, term::caps::tests, matrix (mono, ASCII) |
//! | Progress | latency | edge::what_takes_longer… |
//! | Wide text | hostile | term::encode::tests, edge::our_own_text…, text::tests |
//!
//! | UX.md 3 | here | in the library |
//! | --- | --- | --- |
//! | Only on change, 30 frames, 5 on a slow line | leaving::an_idle…, keys::no_second…, slow | term::pace::tests, robust::nothing_happened… |
//! | One update, one write, under 300 bytes | contract::a_whole_screen…, frames_are…, a_key_costs… | robust |
//! | No question | contract::a_terminal_that_answers_nothing…, poor | term::caps::tests |
//! | One guard | leaving, panicking, notices (what others write on it) | |
//! | A terminal that is gone | leaving::a_dropped_line…, a_terminal_that_goes…, a_terminal_that_takes_nothing… | |
//! | No terminal | leaving::without_a_terminal…, poor::a_dumb_terminal… | |
//! | Scale and cost | `cargo bench --bench console` | |
#![cfg(unix)]

use crate::common::{self, escapes, hanging, logind, pty};

mod beside;
mod checker;
mod contract;
mod finding;
mod hostile;
mod keys;
mod latency;
mod leaving;
mod newcomer;
mod notices;
mod operating;
mod panicking;
mod poor;
mod slow;
