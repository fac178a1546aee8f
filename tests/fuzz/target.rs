//! What cargo-fuzz builds once for each target; the name of the binary says which.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pcm::fuzz::run(env!("CARGO_BIN_NAME"), data));
