//! The real binary on a real share: service, run, views and actions from outside, by the contract of DESIGN.md 7.
#![cfg(unix)]

use crate::common::{self, hanging, logind, pty};

mod actions;
mod again;
mod agreed;
mod attacks;
mod check;
mod countdown;
mod crash;
mod deferral;
mod documents;
mod ends;
mod escape;
mod flood;
mod full;
mod gates;
mod ground;
mod growth;
mod hands;
mod hang;
mod history;
mod identity;
mod idle;
mod indexed;
mod input;
mod next;
mod output;
mod packages;
mod past;
mod policy;
mod queue;
mod reboot;
mod replaced;
mod reports;
mod restart;
mod rights;
mod rollback;
mod seen;
mod service;
mod share;
mod signed;
mod simulate;
mod small;
mod smb;
mod starved;
mod supervisor;
