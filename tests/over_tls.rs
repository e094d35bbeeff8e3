//! The tests of links, taps, dials and the client once more, with TLS on all sides: in a crate of this name `tests/common`
//! puts it around what the tests say (`common/veil.rs`).
#![cfg(feature = "tls")]
// Each of them brings its own helpers, as where it stands alone.
#![allow(clippy::duplicate_mod)]

#[path = "client.rs"]
mod client;
#[path = "dial.rs"]
mod dial;
#[path = "hazards_links.rs"]
mod hazards_links;
#[path = "links.rs"]
mod links;
#[path = "tap.rs"]
mod tap;
#[path = "tap_passes.rs"]
mod tap_passes;
