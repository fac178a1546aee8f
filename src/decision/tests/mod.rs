#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! The decision core by its rules.

mod gates;
mod judge;
mod scene;
