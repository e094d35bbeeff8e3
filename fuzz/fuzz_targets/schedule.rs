//! Whole schedules of the simulator: each byte decides what happens next. The library's own tests replay the corpus.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| switchboard::simulator::schedule(data));
