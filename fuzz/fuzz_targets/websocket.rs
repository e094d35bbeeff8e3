//! What comes over a WebSocket. What is checked stands in `checks.rs`, which `tests/fuzz_corpus.rs` shares.
#![no_main]

// Each target uses one of the checks.
#[allow(dead_code)]
#[path = "../checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::websocket(data));
