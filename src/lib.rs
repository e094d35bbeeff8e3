//! A small single-threaded reactor for TCP servers that many connect to, and the console built on it.
//!
//! This page is in two parts: a map for whoever writes a server, and a chapter on how such a loop is built, for whoever
//! wants to know what it does in their place.
//!
//! # A map
//!
//! A server is an [`App`]: what to do with what peers say. It runs in a [`Reactor`], which reads, writes, waits and
//! cleans up. The App is called, one call at a time, and leaves its wishes on the [`Board`]; nothing that it does there
//! calls it back, and nothing there blocks.
//!
//! ```no_run
//! use switchboard::{App, Board, ConnId, Frame, Limits, Policy, Reactor, Role};
//!
//! struct Echo;
//!
//! impl App for Echo {
//!     type Message = ();
//!     fn policy(&self, _role: Role) -> Policy {
//!         Policy::RAW
//!     }
//!     fn received(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board) {
//!         board.send(id, frame.bytes);
//!     }
//! }
//!
//! fn main() -> std::io::Result<()> {
//!     let (mut reactor, _mailbox) = Reactor::new(Limits::of_this_process())?;
//!     reactor.listen_on("127.0.0.1:7000")?;
//!     reactor.run(Echo).map(drop)
//! }
//! ```
//!
//! | what you want | where it is |
//! | --- | --- |
//! | lines, bytes as they come, or other kinds of messages | [`Policy::framing`]: a [`Framing`]; a [`Frame`] says how it ended |
//! | to frame answers as the peer does | [`Framing::envelope`], [`Envelope::around`], [`Board::send_parts`] |
//! | to answer one, or everybody | [`Board::send`], [`Board::broadcast`] |
//! | to end a connection: after what is queued, politely with a reason, now | [`Board::finish`], [`Board::close`], [`Board::hang_up`] |
//! | to know why one ended | [`App::closed`] and its [`Reason`] |
//! | to slow one peer down | [`Board::pause`], [`Board::resume`], [`Board::set_timer`] |
//! | to say who waits for a slow reader | [`Policy::backpressure`] |
//! | several kinds of connections in one server | a [`Role`] for each: [`Reactor::listen_as`], [`Board::dial_as`], [`Board::take_role`] |
//! | to connect to others | [`Board::dial`]; at several addresses, or before they are known: [`Board::dial_later`] |
//! | to say who may connect, and how many and how often from one address | [`Reactor::admit`], [`Board::admit`]; [`Limits::source_conns_max`], [`Limits::source_rate_max`] |
//! | to listen on what systemd has opened | [`Reactor::listen_on_socket`] |
//! | to look up a name | [`resolve_in_background`], and [`Board::dial_to`] when it has come |
//! | to be told things by another thread | [`Mailbox::post`] and [`App::message`] |
//! | Ctrl-C, and what is typed on stdin | [`terminal::on_signal`], [`terminal::read_in_background`] |
//! | to know what it has done, and how long its turns take | [`Board::stats`]; [`Board::time_turns`] and [`Board::turn_times`] |
//! | to stop | [`Board::stop`], [`Board::drain`] |
//! | to bound memory, time and numbers | [`Limits`]; start from [`Limits::of_this_process`] |
//!
//! How a connection is ended, and what is told of it:
//!
//! | call | what happens |
//! | --- | --- |
//! | [`Board::finish`] | what is queued goes out, then our FIN; the peer is still heard |
//! | [`Board::close`] | the same, and what the peer still says is discarded; over when it finishes or falls silent |
//! | [`Board::hang_up`] | over at once; what is queued is lost and counted |
//! | [`Board::stop`] | `close` for all, and nobody new; then the loop ends |
//! | [`Board::drain`] | nobody new; the loop ends when the last has left by itself |
//! | [`App::ended`] | the peer has finished sending; by default we finish, too |
//! | [`App::closed`] | it is over, whatever the reason; told once for each |
//!
//! Ctrl-C, where an App has no other mail: `type Message = Terminate;` and `terminal::on_signal(vec![mailbox])?` make
//! `message` the place to call [`Board::stop`]. Slowing one peer down: in `received`, [`Board::pause`] it and
//! [`Board::set_timer`]; in [`App::timer`], [`Board::resume`] it. A [`Frame`] that [`Frame::is_part`] is no whole line
//! or message: too long (`End::Limit`, and the rest follows), fallen silent (`End::Silence`) or without its end
//! (`End::Gone`).
//!
//! `examples/` has the echo, a relay that lets each peer say ten lines a second, and a small store of keys and values
//! whose protocol is parsed by functions that know no socket. Everything that has a limit has a default that was
//! thought about; each is documented at its field in [`Limits`].
//!
//! # How such a loop is built
//!
//! **One thread, one poll.** The kernel tells which sockets may be read or written (epoll, through mio); the loop does
//! what there is to do for each and asks again. So there are no locks, and at any moment one thing happens. What has
//! to block, such as reading a terminal, has a thread of its own and posts what it finds through a [`Mailbox`], whose
//! waker ends the poll.
//!
//! **Edges, not levels.** A socket is registered once, for everything. An event says that something *has become*
//! possible; it is not repeated. So it is only noted on the connection, as a hint, and a read or a write that says
//! `WouldBlock` takes the hint back. A loop that reads until nothing is left would let one flood starve everybody else,
//! so each connection has a budget a turn; whoever has used it up stays on a list and is read again in the next turn,
//! before which the poller is asked without sleeping.
//!
//! **A turn has an order.** Poll, read the clock once, note events, accept, take mail, read, judge deadlines, write,
//! sweep. What ended is only marked; it is swept at the end, and only then its place may be used by another. An event
//! that is late therefore never reaches a stranger, and within a turn a key means one connection.
//!
//! **Two directions.** A peer's FIN ends what *it* says, not what it hears: a connection has a state for each direction
//! and ends when both have ended ([`Inbound`], [`Outbound`]). Closing with unread input would make the system send a
//! reset, which destroys what is still under way to the peer; so a polite close sends what is queued, then a FIN, and
//! goes on reading, for a while, what it throws away.
//!
//! **Writing never blocks.** [`Board::send`] queues; what the socket takes is written at once after the read that
//! brought it about, the rest when there is room. A queue that grows is a decision that has to be made, and it is
//! made by name: who waits ([`Backpressure`]), how long a slow reader may stay slow, how much one and all together
//! may hold ([`Limits`]). What is said to many is kept once, however many are to hear it.
//!
//! **Time that was not listened proves nothing.** A process may be stopped, or late. Deadlines go by the time that the
//! loop has listened, and one is judged only when everything that had happened by then was noted, read and written.
//!
//! **Nothing is a special case in tests.** Sockets, poller and clock are parameters of the engine, so a simulator
//! drives the same code through any weather, millions of times, and checks after each turn that every byte is
//! accounted for.
//!
//! ARCHITECTURE.md has the files, and what holds each of these promises.

mod address;
mod app;
mod board;
mod buffer;
#[doc(hidden)]
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
#[doc(hidden)]
pub mod process;
mod reactor;
#[cfg(any(test, feature = "simulator"))]
pub mod simulator;
pub mod terminal;

pub use address::{Address, Admission, Endpoint};
pub use app::App;
pub use board::stats::Stats;
pub use board::turns::TurnTimes;
pub use board::{Board, Sent, View};
pub use buffer::framing::{Delimiter, End, Envelope, Frame, Framing, LengthBytes, Prefix, TooLong};
pub use clock::{Clock, Moment};
pub use conn::faults;
pub use conn::policy::{Backpressure, Notices, Policy, Role};
pub use conn::reason::{FaultEnd, Reason, ScriptEnd};
pub use conn::stream::Via;
pub use conn::tls_end::{TlsEnd, TlsEndKind};
pub use conn::{ConnId, Credentials, Inbound, Outbound, Peer};
pub use limits::Limits;
pub use reactor::Reactor;
pub use reactor::handed::HandedOver;
pub use reactor::mailbox::{Closed, Mailbox};
pub use reactor::resolver::resolve_in_background;
#[cfg(feature = "tls")]
pub use reactor::tls::{Tls, TlsConfigs};
#[cfg(feature = "tls")]
pub use rustls;

/// TLS as the project's own programs are told to speak it.
#[doc(hidden)]
pub mod tls {
    pub use crate::reactor::tls::setup::*;
}

/// What the project's own programs, benches and fuzzers use beside that. No promise is made about it.
#[doc(hidden)]
pub mod internals {
    pub use crate::buffer::framing::{cut_frames, cut_lines, whole_chars};
    pub use crate::buffer::outbox::Outbox;
    pub use crate::conn::reason::{cannot, in_words};
}
