//! The system calls of the simulated system, on its sockets.

use super::*;

impl Kernel {
    pub(super) fn read(&mut self, number: usize, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(!buffer.is_empty(), "a read into no room looks like an end");
        self.befall(number);
        if self.terms.turbulence > 0 && self.dice.one_in(40) {
            return Err(ErrorKind::Interrupted.into());
        }
        let awake = self.awake();
        let Kernel { sockets, dice, .. } = self;
        let sock = &mut sockets[number];
        if !sock.inbox.is_empty() {
            let mut count = buffer.len().min(sock.inbox.len());
            if sock.reads_short {
                count = 1 + dice.below(count);
            }
            for (place, byte) in buffer.iter_mut().zip(sock.inbox.drain(..count)) {
                *place = byte as u8;
            }
            if sock.inbox.is_empty() {
                sock.inbox = VecDeque::new();
            }
            sock.read_bytes += count as u64;
            sock.moved_at = awake;
            return Ok(count);
        }
        if sock.fin_in {
            return Ok(0);
        }
        match sock.error.take() {
            Some(kind) => Err(kind.into()),
            None if sock.link == Link::Dead => Ok(0),
            None => Err(ErrorKind::WouldBlock.into()),
        }
    }

    pub(super) fn write(&mut self, number: usize, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.befall(number);
        if self.terms.turbulence > 0 && self.dice.one_in(40) {
            return Err(ErrorKind::Interrupted.into());
        }
        let awake = self.awake();
        let Kernel { sockets, dice, terms, sabotage, .. } = self;
        let sock = &mut sockets[number];
        assert!(sock.our_fin.is_none(), "nothing is written after our FIN");
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        assert!(offered > 0, "a write of nothing looks like a failure");
        if let Some(kind) = sock.error.take() {
            return Err(kind.into());
        }
        if sock.link == Link::Dead {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let room = terms.buffer_bytes.saturating_sub(sock.outgoing.len());
        if room == 0 {
            sock.blocked = true;
            return Err(ErrorKind::WouldBlock.into());
        }
        let mut count = room.min(offered);
        if terms.turbulence > 0 && dice.one_in(4) {
            count = 1 + dice.below(count);
        }
        let mut left = count;
        for slice in slices {
            let taken = &slice[..slice.len().min(left)];
            left -= taken.len();
            sock.outgoing.extend(taken.iter().copied().map(u16::from));
            if let Some(record) = &mut sock.record {
                record.written.extend_from_slice(taken);
                if *sabotage == Sabotage::StutteringWrites && dice.one_in(50) {
                    record.written.extend(taken.first());
                }
            }
        }
        sock.written_bytes += count as u64;
        (sock.moved_at, sock.wrote_at) = (awake, awake);
        self.carry(number);
        Ok(count)
    }

    /// Whether all that was written is at the far end; where it is not, room is announced until it is.
    pub(super) fn is_drained(&mut self, number: usize) -> bool {
        let sock = &mut self.sockets[number];
        let is_drained = sock.outgoing.is_empty() || sock.link == Link::Dead;
        if !is_drained {
            sock.blocked = true;
            sock.fin_blocked_at.get_or_insert(self.now);
        }
        is_drained
    }

    pub(super) fn finish(&mut self, number: usize) -> io::Result<()> {
        let sock = &mut self.sockets[number];
        assert!(sock.our_fin.is_none(), "our FIN is sent once");
        if sock.link == Link::Dead {
            return Err(ErrorKind::NotConnected.into());
        }
        if sock.reads_short && !sock.has_room(self.terms.buffer_bytes) {
            // A stream with bytes of its own has an end of its own, which takes room.
            sock.blocked = true;
            sock.fin_blocked_at.get_or_insert(self.now);
            return Err(ErrorKind::WouldBlock.into());
        }
        sock.our_fin = Some(self.now);
        if sock.fin_in {
            self.changed(number);
        }
        Ok(())
    }

    pub(super) fn close(&mut self, number: usize) {
        let sock = &mut self.sockets[number];
        sock.unsaid_bytes = sock.toy.as_ref().map_or(0, |toy| toy.unsaid_bytes() as u64);
        let sock = &mut self.sockets[number];
        sock.closed_at = Some(self.now);
        if let Some(toy) = sock.toy.as_mut().filter(|toy| toy.is_settled()) {
            sock.lost_bytes += toy.unsent.len();
            toy.unsent.clear();
        }
        let resets = sock.aborts || !sock.inbox.is_empty();
        sock.inbox = VecDeque::new();
        if let Some(key) = sock.key
            && self.terms.turbulence > 0
            && self.dice.one_in(2)
        {
            self.stale.push(key);
        }
        if resets {
            self.reset_far(number);
        }
        let sock = &mut self.sockets[number];
        if std::mem::take(&mut sock.on_ready_list) {
            self.ready.retain(|ready| *ready != number);
        }
        if self.sabotage != Sabotage::LeaksDescriptors {
            self.descriptors -= 1;
        }
    }

    pub(super) fn accept(&mut self, door: usize) -> io::Result<usize> {
        let Door { backlog, .. } = &mut self.doors[door];
        if let Some(kind) = self.accept_fault.take() {
            if kind == ErrorKind::ConnectionAborted
                && let Some(gone) = backlog.pop_front()
            {
                self.reset_far(gone);
            }
            return Err(kind.into());
        }
        if backlog.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        if self.descriptors >= self.terms.descriptors_max {
            return Err(rustix::io::Errno::MFILE.into());
        }
        let sock = backlog.pop_front().ok_or(ErrorKind::WouldBlock)?;
        self.descriptors += 1;
        self.accepted[door] += 1;
        Ok(sock)
    }
}
