//! A toy of TLS over a simulated socket: it shakes hands, brings whole records or nothing, answers key updates unasked,
//! keeps what it has no room for, and ends by a word of its own. It hides nothing; its words are symbols that no byte is.

use super::*;
use crate::conn::tls_end::{TlsEnd, TlsEndKind};

/// What is no byte of what is said: the end of a record, of a flight, and so on.
const RECORD_END: u16 = 256;
const FLIGHT: u16 = 257;
const FLIGHT_END: u16 = 258;
const KEY_UPDATE: u16 = 259;
const ANSWER: u16 = 260;
const CLOSE: u16 = 261;
const JUNK: u16 = 262;
const ALERT: u16 = 263;

/// How many symbols a flight has.
const FLIGHT_SYMBOLS: usize = 12;
/// What one record carries at most.
const RECORD_BYTES_MAX: usize = 60;

/// Both ends of a toy session.
#[derive(Debug)]
pub(in crate::simulator) struct Toy {
    /// The far end has come to us, and speaks first; who is dialled waits for us to do so.
    has_come: bool,
    /// We have yet to speak first.
    is_greeting_due: bool,
    /// Flights that are to come of the far end before anything can be said.
    flights_to_come: usize,
    /// Of a record that has not come whole.
    begun: Vec<u8>,
    /// Came whole, and was not read.
    unread: VecDeque<u8>,
    /// Symbols that there was no room for.
    pub unsent: VecDeque<u16>,
    /// The far end has said its last.
    ended: bool,
    /// We have.
    last_said: bool,
    /// What a read tells next.
    failing: Option<TlsEnd>,
    /// What a read has told.
    failed: Option<TlsEnd>,
    /// What comes is thrown away.
    is_deaf: bool,
    /// Of what the far end has to say, what is on its way.
    far_out: VecDeque<u16>,
    /// The far end's record of which not all is here.
    far_begun: Vec<u8>,
    far_may_speak: bool,
    far_has_closed: bool,
    /// It has said what nobody should, or left without a word.
    far_is_faithless: bool,
}

impl Toy {
    /// Of somebody who comes.
    pub fn of_newcomer(dice: &Dice) -> Box<Toy> {
        let mut toy = Toy::new(true, 2);
        toy.far_out = flight();
        toy.may_break_the_rules(dice, 12);
        toy
    }

    /// Of somebody who is dialled.
    pub fn of_dialled(dice: &Dice) -> Box<Toy> {
        let mut toy = Toy::new(false, 1);
        toy.may_break_the_rules(dice, 12);
        toy
    }

    fn new(has_come: bool, flights_to_come: usize) -> Box<Toy> {
        Box::new(Toy {
            has_come,
            is_greeting_due: !has_come,
            flights_to_come,
            begun: Vec::new(),
            unread: VecDeque::new(),
            unsent: VecDeque::new(),
            ended: false,
            last_said: false,
            failing: None,
            failed: None,
            is_deaf: false,
            far_out: VecDeque::new(),
            far_begun: Vec::new(),
            far_may_speak: false,
            far_has_closed: false,
            far_is_faithless: false,
        })
    }

    /// The far end says what nobody should, once in so many times.
    fn may_break_the_rules(&mut self, dice: &Dice, chances: usize) {
        if dice.one_in(chances) {
            self.far_out.push_back(JUNK);
            self.far_is_faithless = true;
        }
    }

    pub fn is_settled(&self) -> bool {
        self.flights_to_come == 0
    }

    /// Whether a read would bring something that came before.
    pub fn has_unread(&self) -> bool {
        self.is_settled() && (!self.unread.is_empty() || self.failing.is_some())
    }

    /// Whether nobody listens any more to what comes.
    pub fn is_deaf(&self) -> bool {
        self.is_deaf
    }

    pub fn held_bytes(&self) -> usize {
        self.begun.len() + self.unread.len() + self.unsent.len()
    }

    /// Whether the far end has spoken as it should, and said so when it had said its last.
    pub fn far_was_faithful(&self) -> bool {
        !self.far_is_faithless
    }

    /// Whether the far end has something on its way.
    pub fn far_has_more(&self) -> bool {
        !self.far_out.is_empty()
    }

    /// One symbol came to us.
    fn take(&mut self, symbol: u16) {
        if self.is_deaf || self.failing.is_some() || self.ended {
            return;
        }
        match symbol {
            RECORD_END => self.unread.extend(self.begun.drain(..)),
            FLIGHT_END => {
                self.flights_to_come -= 1;
                // Each is answered, but for a newcomer's last.
                if self.flights_to_come > 0 || !self.has_come {
                    self.says(flight());
                }
            }
            KEY_UPDATE => self.says([ANSWER]),
            CLOSE => self.ended = true,
            JUNK => {
                let kind = if self.is_settled() { TlsEndKind::Broken } else { TlsEndKind::Handshake };
                self.failing = Some(TlsEnd { kind, why: "junk".into(), is_told: true });
                self.says([ALERT]);
                self.last_said = true;
            }
            byte => self.begun.extend(u8::try_from(byte)),
        }
    }

    pub fn unsaid_bytes(&self) -> usize {
        self.unsent.iter().filter(|symbol| **symbol < RECORD_END).count()
    }

    fn says(&mut self, symbols: impl IntoIterator<Item = u16>) {
        if !self.last_said {
            self.unsent.extend(symbols);
        }
    }

    /// One symbol came to the far end. Returns the byte that it is, if it is one.
    pub fn far_takes(&mut self, symbol: u16) -> Option<u8> {
        // Who was dialled has nothing to add to our last.
        if symbol == FLIGHT_END && !std::mem::replace(&mut self.far_may_speak, true) {
            self.far_out.extend(flight());
        }
        u8::try_from(symbol).ok()
    }
}

fn flight() -> VecDeque<u16> {
    std::iter::repeat_n(FLIGHT, FLIGHT_SYMBOLS - 1).chain([FLIGHT_END]).collect()
}

impl Kernel {
    fn toy(&mut self, number: usize) -> &mut Toy {
        self.sockets[number].toy.as_mut().expect("only who has one is asked for it")
    }

    pub(super) fn toy_read(&mut self, number: usize, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(!buffer.is_empty(), "a read into no room looks like an end");
        loop {
            let awake = self.awake();
            let toy = self.toy(number);
            // One who is turned away is not listened to.
            toy.is_deaf |= !toy.is_settled();
            if !toy.unread.is_empty() && !toy.is_deaf {
                let count = buffer.len().min(toy.unread.len());
                for (place, byte) in buffer.iter_mut().zip(toy.unread.drain(..count)) {
                    *place = byte;
                }
                let sock = &mut self.sockets[number];
                sock.read_bytes += count as u64;
                sock.moved_at = awake;
                return Ok(count);
            }
            if toy.ended {
                return Ok(0);
            }
            if let Some(end) = toy.failing.take() {
                toy.is_deaf = true;
                toy.failed = Some(end.clone());
                return Err(end.into());
            }
            if self.toy_takes_in(number)? == 0 {
                return Ok(0);
            }
        }
    }

    /// Takes what has come, as much at a time as the dice say. 0 is an end that nobody asks for the reason of.
    fn toy_takes_in(&mut self, number: usize) -> io::Result<usize> {
        self.befall(number);
        if self.terms.turbulence > 0 && self.dice.one_in(40) {
            return Err(ErrorKind::Interrupted.into());
        }
        let Kernel { sockets, dice, .. } = self;
        let sock = &mut sockets[number];
        let toy = sock.toy.as_mut().expect("only who has one is asked for it");
        if !sock.inbox.is_empty() {
            let count = 1 + dice.below(sock.inbox.len());
            let had_unsent = !toy.unsent.is_empty();
            sock.inbox.drain(..count).for_each(|symbol| toy.take(symbol));
            // A dead socket will never have room for it, and whoever writes next is told.
            let flushed = self.toy_flush(number);
            if !had_unsent && flushed.is_err_and(|error| error.kind() != ErrorKind::WouldBlock) {
                self.toy(number).unsent.clear();
            }
            return Ok(count);
        }
        if !sock.fin_in
            && let Some(kind) = sock.error.take()
        {
            return Err(kind.into());
        }
        if !sock.fin_in && sock.link != Link::Dead {
            return Err(ErrorKind::WouldBlock.into());
        }
        if toy.is_deaf {
            return Ok(0);
        }
        let kind = if toy.is_settled() { TlsEndKind::Truncated } else { TlsEndKind::Handshake };
        toy.is_deaf = true;
        Err(TlsEnd::untold(kind, "it ended").into())
    }

    pub(super) fn toy_connected(&mut self, number: usize) -> io::Result<bool> {
        let sock = &mut self.sockets[number];
        if sock.is_dialing() {
            return Ok(false);
        }
        if self.toy(number).is_greeting_due {
            // Nobody was there.
            if let Some(kind) = self.sockets[number].error.take() {
                return Err(kind.into());
            }
            let toy = self.toy(number);
            toy.is_greeting_due = false;
            toy.says(flight());
        }
        let _ = self.toy_flush(number);
        while !self.toy(number).is_settled() {
            if let Some(end) = self.toy(number).failing.take() {
                self.toy(number).is_deaf = true;
                return Err(end.into());
            }
            match self.toy_takes_in(number) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    pub(super) fn toy_write(&mut self, number: usize, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.befall(number);
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        assert!(offered > 0, "a write of nothing looks like a failure");
        let sock = &mut self.sockets[number];
        assert!(sock.our_fin.is_none(), "nothing is written after our FIN");
        if let Some(kind) = sock.error.take() {
            return Err(kind.into());
        }
        let Toy { failing, failed, .. } = self.toy(number);
        if let Some(end) = failing.as_ref().or(failed.as_ref()) {
            return Err(end.clone().into());
        }
        if self.toy(number).last_said {
            return Err(ErrorKind::BrokenPipe.into());
        }
        self.toy_flush(number)?;
        if self.sockets[number].link == Link::Dead {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let count = offered.min(1 + self.dice.below(RECORD_BYTES_MAX));
        let taken: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(count).collect();
        self.toy(number).says(taken.iter().copied().map(u16::from));
        let awake = self.awake();
        let sock = &mut self.sockets[number];
        sock.written_bytes += count as u64;
        (sock.moved_at, sock.wrote_at) = (awake, awake);
        if let Some(record) = &mut sock.record {
            record.written.extend_from_slice(&taken);
        }
        let _ = self.toy_flush(number);
        Ok(count)
    }

    /// Sends what there is room for.
    pub(super) fn toy_flush(&mut self, number: usize) -> io::Result<()> {
        loop {
            let Kernel { sockets, dice, terms, .. } = self;
            let sock = &mut sockets[number];
            let toy = sock.toy.as_mut().expect("only who has one is asked for it");
            if toy.unsent.is_empty() {
                return Ok(());
            }
            if sock.link == Link::Dead {
                return Err(ErrorKind::BrokenPipe.into());
            }
            let room = terms.buffer_bytes.saturating_sub(sock.outgoing.len());
            if room == 0 {
                sock.blocked = true;
                return Err(ErrorKind::WouldBlock.into());
            }
            let count = 1 + dice.below(room.min(toy.unsent.len()));
            sock.outgoing.extend(toy.unsent.drain(..count));
            self.carry(number);
        }
    }

    pub(super) fn toy_finish(&mut self, number: usize) -> io::Result<()> {
        let now = self.now;
        let toy = self.toy(number);
        if !toy.last_said && toy.is_settled() {
            toy.says([CLOSE]);
        }
        toy.last_said = true;
        if let Err(error) = self.toy_flush(number) {
            self.sockets[number].fin_blocked_at.get_or_insert(now);
            return Err(error);
        }
        self.finish(number)
    }

    /// The far end says something more, or what it has begun to say comes nearer.
    pub(super) fn toy_far_says(&mut self, number: usize) {
        let Kernel { sockets, dice, terms, polls, .. } = self;
        let sock = &mut sockets[number];
        let Some(toy) = &mut sock.toy else { return };
        if toy.far_out.is_empty() && toy.far_may_speak && sock.far.has_more_to_say() {
            let said = sock.far.says(1 + dice.below(RECORD_BYTES_MAX));
            toy.far_out.extend(said.into_iter().map(u16::from).chain([RECORD_END]));
            toy.far_out.extend(dice.one_in(6).then_some(KEY_UPDATE));
            toy.may_break_the_rules(dice, 60);
        }
        let room = terms.buffer_bytes.saturating_sub(sock.inbox.len());
        if room == 0 || toy.far_out.is_empty() {
            return;
        }
        if sock.closed_at.is_some() {
            return self.reset_far(number);
        }
        let count = 1 + dice.below(room.min(toy.far_out.len()));
        for symbol in toy.far_out.drain(..count) {
            match (u8::try_from(symbol), &mut sock.record) {
                (Ok(byte), _) => toy.far_begun.push(byte),
                (Err(_), Some(record)) if symbol == RECORD_END => record.said.append(&mut toy.far_begun),
                _ => {}
            }
            sock.inbox.push_back(symbol);
        }
        sock.said_after_polls = *polls;
        self.changed(number);
    }

    /// Whether the far end has said its last, where that is a word of its own; mostly it says it before it finishes.
    pub(super) fn toy_far_closes(&mut self, number: usize) -> bool {
        let Kernel { sockets, dice, .. } = self;
        let sock = &mut sockets[number];
        let ends = matches!(sock.far.then, Then::Finish | Then::Close);
        let Some(toy) = sock.toy.as_mut().filter(|toy| ends && toy.far_may_speak) else { return true };
        if std::mem::replace(&mut toy.far_has_closed, true) {
            return true;
        }
        if dice.one_in(5) {
            toy.far_is_faithless = true;
            return true;
        }
        toy.far_out.push_back(CLOSE);
        false
    }
}
