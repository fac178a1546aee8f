//! The real binary on a real share: service, run, views and actions from outside, by the contract of DESIGN.md 7.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/hanging.rs"]
mod hanging;
#[path = "../common/logind.rs"]
mod logind;
#[path = "../common/pty.rs"]
mod pty;

mod actions;
mod check;
mod countdown;
mod crash;
mod deferral;
mod documents;
mod ends;
mod escape;
mod gates;
mod hang;
mod history;
mod idle;
mod input;
mod packages;
mod past;
mod policy;
mod reboot;
mod restart;
mod rights;
mod service;
mod share;
mod simulate;
mod small;
mod starved;
mod supervisor;
