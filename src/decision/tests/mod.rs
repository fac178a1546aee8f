#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! The decision core by its rules: each gate and code alone, what an operator may do, states, windows minute by
//! minute, and what holds in every world.

mod assume;
mod attempts;
mod countdown;
mod gates;
mod installed;
mod judge;
mod machine;
mod offers;
mod outlook;
mod queue;
mod restart;
mod retold;
mod scene;
mod signed;
mod simulate;
mod standstill;
mod states;
mod stepping;
mod target;
mod together;
mod turn;
mod windows;
mod worlds;
mod zones;
