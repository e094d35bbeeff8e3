//! What the far ends of all connections do, one step after the other.

use super::*;

impl Kernel {
    /// Before a call of the engine's, the far end may do something.
    pub(super) fn befall(&mut self, number: usize) {
        if self.terms.turbulence > 0 && self.dice.one_in(self.terms.turbulence) {
            self.step(number);
        }
    }

    /// Lets one far end do what it would do next.
    pub fn step(&mut self, number: usize) {
        if let Link::Dialing(answer) = self.sockets[number].link {
            let sock = &mut self.sockets[number];
            match answer {
                Answer::Accepted => sock.link = Link::Up,
                Answer::Refused => {
                    (sock.link, sock.error) = (Link::Dead, Some(ErrorKind::ConnectionRefused));
                }
                Answer::None => return,
            }
            return self.changed(number);
        }
        if self.sockets[number].far.vanished_at.is_some() {
            return;
        }
        if self.is_calm {
            self.far_hears(number);
            self.far_says(number);
            return self.far_concludes(number);
        }
        match self.dice.below(4) {
            0 => self.far_hears(number),
            1 | 2 if self.sockets[number].has_more_to_say() => self.far_says(number),
            _ => self.far_concludes(number),
        }
    }

    /// Every far end reads what has arrived.
    pub fn all_hear(&mut self) {
        (0..self.sockets.len()).for_each(|number| self.far_hears(number));
    }

    pub(super) fn far_says(&mut self, number: usize) {
        let Kernel { sockets, dice, terms, .. } = self;
        let sock = &mut sockets[number];
        if sock.far.fin_out || sock.link == Link::Dead {
            return;
        }
        if sock.toy.is_some() {
            return self.toy_far_says(number);
        }
        let room = terms.buffer_bytes.saturating_sub(sock.inbox.len());
        if room == 0 {
            return;
        }
        let most = room.min(1 + dice.below(room.min(200)));
        let said = sock.far.says(most);
        if said.is_empty() {
            return;
        }
        if let Some(record) = &mut sock.record {
            record.said.extend_from_slice(&said);
        }
        if sock.closed_at.is_some() {
            // Nobody is there to take it.
            return self.reset_far(number);
        }
        sock.inbox.extend(said.into_iter().map(u16::from));
        sock.said_after_polls = self.polls;
        self.changed(number);
    }

    pub(super) fn far_hears(&mut self, number: usize) {
        let sock = &mut self.sockets[number];
        let count = sock.arrived.len().min(sock.far.appetite_bytes);
        let heard = sock.arrived.drain(..count);
        match &mut sock.record {
            Some(record) => record.heard.extend(heard),
            None => drop(heard),
        }
        self.carry(number);
    }

    /// The far end has said all it had to say: what follows.
    pub(super) fn far_concludes(&mut self, number: usize) {
        let sock = &mut self.sockets[number];
        if sock.has_more_to_say() || sock.link == Link::Dead || !self.toy_far_closes(number) {
            return;
        }
        let sock = &mut self.sockets[number];
        match std::mem::replace(&mut sock.far.then, Then::Stay) {
            Then::Stay => {}
            Then::Finish => self.far_finishes(number),
            Then::Reset => {
                sock.far.has_reset = true;
                let kind = sock.kind_of_reset();
                self.die(number, kind);
            }
            Then::Close => {
                sock.far.is_closed = true;
                let unread = !sock.arrived.is_empty();
                self.far_finishes(number);
                if unread {
                    let kind = self.sockets[number].kind_of_reset();
                    self.die(number, kind);
                }
            }
            Then::Vanish => {
                sock.far.vanished_at = Some(self.now);
                self.vanished.push(number);
            }
        }
    }

    pub(super) fn far_finishes(&mut self, number: usize) {
        let sock = &mut self.sockets[number];
        if !sock.far.fin_out {
            sock.far.fin_out = true;
            sock.fin_in = true;
            self.changed(number);
        }
    }

    /// The connection ends as a reset, or a silence for too long, ends one.
    pub(super) fn die(&mut self, number: usize, kind: ErrorKind) {
        let sock = &mut self.sockets[number];
        if sock.link == Link::Dead {
            return;
        }
        sock.link = Link::Dead;
        sock.error = Some(kind);
        sock.lost_bytes += sock.outgoing.len();
        sock.outgoing = VecDeque::new();
        sock.blocked = false;
        self.changed(number);
    }

    /// Our side resets the connection.
    pub(super) fn reset_far(&mut self, number: usize) {
        let sock = &mut self.sockets[number];
        sock.link = Link::Dead;
        sock.lost_bytes += sock.outgoing.len();
        sock.outgoing = VecDeque::new();
    }

    /// Carries what is written to the far end, as far as there is room there.
    pub(super) fn carry(&mut self, number: usize) {
        let buffer_bytes = self.terms.buffer_bytes;
        let sock = &mut self.sockets[number];
        if sock.far.vanished_at.is_some() || sock.link != Link::Up {
            return;
        }
        if sock.far.is_closed && !sock.outgoing.is_empty() {
            // It arrives where nobody is any more, and a reset comes back.
            let kind = sock.kind_of_reset();
            return self.die(number, kind);
        }
        let room = buffer_bytes.saturating_sub(sock.arrived.len());
        let count = room.min(sock.outgoing.len());
        match &mut sock.toy {
            Some(toy) => {
                let bytes = sock.outgoing.drain(..count).filter_map(|symbol| toy.far_takes(symbol));
                sock.arrived.extend(bytes);
            }
            None => sock.arrived.extend(sock.outgoing.drain(..count).map(|symbol| symbol as u8)),
        }
        if sock.outgoing.is_empty() && sock.closed_at.is_some() {
            sock.outgoing = VecDeque::new();
        }
        if sock.blocked && sock.has_room(buffer_bytes) {
            sock.blocked = false;
            if self.sabotage != Sabotage::ForgetsRoom {
                self.changed(number);
            }
        }
    }
}
