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
mod app;
mod board;
mod buffer;
pub mod cli;
mod clock;
mod conn;
pub mod desk;
mod engine;
pub mod hub;
mod limits;
#[cfg(feature = "load")]
pub mod load;
pub mod modes;
pub mod process;
mod reactor;
#[cfg(any(test, feature = "simulator"))]
pub mod simulator;
pub mod terminal;

pub use address::{Address, Endpoint};
pub use app::App;
pub use board::stats::Stats;
pub use board::{Board, Sent, View};
pub use buffer::broadcast::{BroadcastLog, Cursor};
pub use buffer::framing::{End, Frame, Framing, cut_lines, whole_chars};
pub use buffer::gather::Gather;
pub use buffer::outbox::Outbox;
pub use clock::{Clock, Moment};
pub use conn::policy::{Backpressure, Notices, Policy, Role};
pub use conn::reason::{Reason, cannot, in_words};
pub use conn::stream::{SentBack, Stream, Then};
pub use conn::{ConnId, Inbound, Outbound, Peer};
pub use limits::Limits;
pub use reactor::Reactor;
pub use reactor::mailbox::{Closed, Mailbox};
