//! Moving bytes from one scripted stream to the same or another, past whoever would look at them.

use std::cell::RefCell;
use std::io::{ErrorKind, IoSlice};

use super::super::{SentBack, Then};
use super::{Get, State};

/// Moves what has come in on one stream to the same or another.
pub(super) fn splice(
    from: &RefCell<State>,
    to: &RefCell<State>,
    bytes_max: usize,
    rest: &mut [u8],
) -> SentBack {
    if !from.borrow().splices {
        return SentBack::Nothing;
    }
    let bytes_max = bytes_max.min(rest.len());
    let got = from.borrow_mut().get(&mut rest[..bytes_max]);
    let read = match got {
        Ok(0) => return SentBack::Nothing,
        Ok(count) => count,
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            return SentBack::Some { read: 0, written: 0, kept: 0, then: Then::Drained };
        }
        Err(error) => return SentBack::Failed(error),
    };
    from.borrow_mut().spliced_bytes += read;
    let put = to.borrow_mut().put(&[IoSlice::new(&rest[..read])]);
    let (written, then) = match put {
        Ok(count) if count == read && read < bytes_max => (count, from.borrow_mut().then()),
        Ok(count) if count == read => (count, Then::More),
        Ok(count) => (count, Then::Blocked),
        Err(error) if error.kind() == ErrorKind::WouldBlock => (0, Then::Blocked),
        Err(error) => (0, Then::Broken(error)),
    };
    rest.copy_within(written..read, 0);
    SentBack::Some { read, written, kept: read - written, then }
}

impl State {
    /// What a splice meets behind the bytes that it has moved.
    fn then(&mut self) -> Then {
        match self.gets.front() {
            Some(&Get::Fail(kind)) => {
                self.gets[0] = Get::Eof;
                Then::Failed(kind.into())
            }
            _ => Then::More,
        }
    }
}
