//! The JSON face, version 1: one object a line, both ways. Commands are read without a tree and borrowed from the line;
//! events and replies are written straight into the buffer.

mod events;
mod fields;
mod greeting;
mod opening;
mod read;
mod replies;
mod write;

pub use greeting::{Greeting, Mode, Present};
pub use read::{Rejected, parse};
pub use replies::Frame as ReplyFrame;
pub use write::{Writer, spelt_now};

/// The version of the protocol, as `listening` and `hello` tell it.
pub const VERSION: u32 = 1;
