//! A small store of keys and values, as an example of a line protocol: `SET key value`, `GET key`, `DEL key`, `QUIT`.
//! What a line means and what is answered is decided by functions that know no socket, so a test needs none.
//!
//! ```sh
//! cargo run --example line_protocol -- 127.0.0.1:7000
//! printf 'SET a 1\nGET a\nQUIT\n' | nc 127.0.0.1 7000
//! ```

use std::collections::HashMap;
use std::io::{self, Write};

use switchboard::terminal::{Terminate, on_signal};
use switchboard::{App, Board, ConnId, Frame, Limits, Reactor};

#[derive(Debug, PartialEq)]
enum Request<'a> {
    Set(&'a [u8], &'a [u8]),
    Get(&'a [u8]),
    Delete(&'a [u8]),
    Quit,
}

/// Reads one line; what is wrong with it, otherwise.
fn parse(line: &[u8]) -> Result<Request<'_>, &'static str> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut words = line.splitn(3, |byte| *byte == b' ');
    match (words.next(), words.next(), words.next()) {
        (Some(b"SET"), Some(key), Some(value)) => Ok(Request::Set(key, value)),
        (Some(b"GET"), Some(key), None) => Ok(Request::Get(key)),
        (Some(b"DEL"), Some(key), None) => Ok(Request::Delete(key)),
        (Some(b"QUIT"), None, None) => Ok(Request::Quit),
        _ => Err("write SET key value, GET key, DEL key or QUIT"),
    }
}

#[derive(Default)]
struct Store(HashMap<Vec<u8>, Vec<u8>>);

impl Store {
    /// Carries out one request; the answer is a line.
    fn answer(&mut self, request: &Request<'_>) -> Vec<u8> {
        match request {
            Request::Set(key, value) => {
                self.0.insert(key.to_vec(), value.to_vec());
                b"OK\n".to_vec()
            }
            Request::Get(key) => match self.0.get(*key) {
                Some(value) => [b"VALUE ", value.as_slice(), b"\n"].concat(),
                None => b"NONE\n".to_vec(),
            },
            Request::Delete(key) => match self.0.remove(*key) {
                Some(_) => b"OK\n".to_vec(),
                None => b"NONE\n".to_vec(),
            },
            Request::Quit => b"BYE\n".to_vec(),
        }
    }
}

impl App for Store {
    type Message = Terminate;

    fn received(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board) {
        if frame.is_part() {
            // A line that is too long, or whose end never came.
            board.send(id, b"ERROR a request is one line of at most 64 KiB\n");
            return board.finish(id);
        }
        match parse(frame.bytes) {
            Ok(request) => {
                board.send(id, &self.answer(&request));
                if request == Request::Quit {
                    board.finish(id);
                }
            }
            Err(why) => drop(board.send_parts(id, &[b"ERROR ", why.as_bytes(), b"\n"])),
        }
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
    reactor.run(Store::default()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_a_word_and_what_it_is_about() {
        assert_eq!(parse(b"SET a b c\r"), Ok(Request::Set(b"a", b"b c")));
        assert_eq!(parse(b"GET a"), Ok(Request::Get(b"a")));
        assert!(parse(b"GET").is_err() && parse(b"").is_err() && parse(b"get a").is_err());
    }

    #[test]
    fn what_was_set_is_got_until_it_is_deleted() {
        let mut store = Store::default();
        let mut ask = |line: &[u8]| String::from_utf8(store.answer(&parse(line).unwrap())).unwrap();

        let answers = [ask(b"GET a"), ask(b"SET a 1 2"), ask(b"GET a"), ask(b"DEL a"), ask(b"GET a")];

        assert_eq!(answers, ["NONE\n", "OK\n", "VALUE 1 2\n", "OK\n", "NONE\n"]);
    }
}
