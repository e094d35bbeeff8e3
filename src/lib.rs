//! Switchboard: a TCP console for many connections, and the small single-threaded reactor below it.
//!
//! Data goes one way:
//!
//! ```text
//! socket -> scratch -> Conn -> App -> Board (outboxes, marks) -> socket
//!                              ^
//!         operator, signals, other threads  ->  Mailbox
//! ```
//!
//! Write an [`App`], make a [`Reactor`], `listen`, `run`. [`modes::Echo`] is the smallest example;
//! ARCHITECTURE.md has the map, the turn and the invariants.

mod address;
mod alarm;
mod app;
mod board;
pub mod cli;
mod clock;
mod conn;
pub mod console;
mod deadlines;
pub mod descriptors;
mod door;
mod engine;
mod framing;
mod gather;
mod lending;
mod limits;
#[cfg(feature = "load")]
pub mod load;
mod mailbox;
pub mod memory;
mod mirror;
pub mod modes;
mod outbox;
mod pump;
mod reactor;
mod reason;
mod roster;
mod said;
#[cfg(any(test, feature = "simulator"))]
pub mod simulator;
mod slow;
mod socket;
mod stats;
mod stream;
mod tail;

pub use address::{Address, Place};
pub use app::{App, Brakes};
pub use board::{Board, Sent, View};
pub use clock::{Clock, Moment};
pub use conn::{ConnId, Inbound, Outbound, Peer};
pub use framing::{End, Frame, Framing, cut_lines, whole_chars};
pub use gather::Gather;
pub use limits::Limits;
pub use mailbox::{Closed, Mailbox};
pub use outbox::Outbox;
pub use pump::{Pump, Readiness};
pub use reactor::Reactor;
pub use reason::{Reason, cannot, in_words};
pub use said::{Hearing, Said};
pub use stats::Stats;
pub use stream::{Reflected, Stream, Then};
