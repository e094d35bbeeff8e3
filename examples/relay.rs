//! A relay: each line goes to everybody else, ten a second from each peer. Whoever says more has to wait, and so does
//! everybody while somebody is slow to read. Ctrl-C ends it in order.
//!
//! ```sh
//! cargo run --example relay -- 127.0.0.1:7000
//! ```

use std::io::{self, Write};
use std::time::Duration;

use switchboard::terminal::{Terminate, on_signal};
use switchboard::{App, Backpressure, Board, ConnId, Frame, Limits, Policy, Reactor, Role};

const EVERY: Duration = Duration::from_millis(100);

struct Relay;

impl App for Relay {
    type Message = Terminate;

    fn policy(&self, _role: Role) -> Policy {
        Policy { backpressure: Backpressure::Everybody, ..Policy::LINES }
    }

    fn received(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board) {
        board.broadcast(Some(id), &[frame.bytes, b"\n"]);
        board.pause(id);
        board.set_timer(id, board.now() + EVERY);
    }

    fn timer(&mut self, id: ConnId, board: &mut Board) {
        board.resume(id);
    }

    fn message(&mut self, _: Terminate, board: &mut Board) {
        board.stop();
    }
}

fn main() -> io::Result<()> {
    let (mut reactor, mailbox) = Reactor::new(Limits::of_this_process())?;
    let address = reactor.listen_on(&std::env::args().nth(1).unwrap_or_else(|| "7000".into()))?;
    on_signal(vec![mailbox])?;
    writeln!(io::stdout(), "listening on {address}")?;
    reactor.run(Relay).map(drop)
}
