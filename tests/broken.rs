//! What is broken on purpose from the start, seen from outside: by those who connect, and by whoever operates.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::ErrorKind;
use std::net::TcpStream;

use common::{Peer, Server};

#[test]
fn who_connects_while_newcomers_are_down_is_reset_at_once_and_the_operator_is_told_why() {
    for mode in [&[][..], &["--chat"], &["--echo"]] {
        let server = Server::start(&[&["--format", "human", "--fault", "down"], mode].concat());

        // The reset may be there before the connect has returned.
        let end = match TcpStream::connect(server.address) {
            Ok(stream) => Peer::over(stream).read_to_any_end(),
            Err(error) => (Vec::new(), Some(error.kind())),
        };

        assert_eq!(end, (Vec::new(), Some(ErrorKind::ConnectionReset)), "{mode:?}");
        server.out.line_with("* #1 connected from ");
        server.out.line_with("* #1 closed: broken on purpose: down (received 0, ");
    }
}
