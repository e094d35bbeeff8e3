//! The smallest server: every byte goes back to who sent it.
//!
//! ```sh
//! cargo run --example echo -- 127.0.0.1:7000
//! ```

use std::io::{self, Write};

use switchboard::{App, Board, ConnId, Frame, Limits, Policy, Reactor, Role};

struct Echo;

impl App for Echo {
    type Message = ();
    fn policy(&self, _role: Role) -> Policy {
        Policy::RAW
    }
    fn received(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board) {
        board.send(id, frame.bytes);
    }
}

fn main() -> io::Result<()> {
    let (mut reactor, _mailbox) = Reactor::new(Limits::of_this_process())?;
    let address = reactor.listen_on(&std::env::args().nth(1).unwrap_or_else(|| "7000".into()))?;
    writeln!(io::stdout(), "listening on {address}")?;
    reactor.run(Echo).map(drop)
}
