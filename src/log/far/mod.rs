//! Logs of another machine: what `pcm log --serve` over there and `pcm log --hosts` here say to each other through a pipe. Pure:
//! `frame` (bytes) <-> `words` (messages) <-> `hear` (the side that asks); `minutes` are counts. Called by `cli::log`.

pub mod frame;
pub mod hear;
pub mod minutes;
#[cfg(test)]
mod tests;
pub mod words;
