//! Logs of many machines: `cargo bench --bench hosts`. Twenty hosts behind one real sshd, each with a state folder of its own and a
//! log of 500 MB (`PCM_BENCH_MB`; one file under seventeen names): one refuses the connection, one takes it and says nothing, one
//! is on a line of 200 bytes a second. Prints when the first page is there and who was in it, when each of the three was named,
//! and what crossed the wire of each of the others, beside `ssh HOST true` and `ssh HOST tail` at all of them at once. Judges
//! nothing.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
#[cfg(unix)]
#[path = "hosts/unix.rs"]
mod unix;

#[cfg(unix)]
fn main() {
    unix::main();
}

#[cfg(not(unix))]
fn main() {
    println!("there is no sshd here");
}
