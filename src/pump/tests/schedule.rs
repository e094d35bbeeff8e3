//! Everything at once: seeded random schedules, with the books checked after each turn.

use super::*;

/// A small generator that gives the same numbers for the same seed everywhere.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Dice {
        // Neighbouring seeds should have nothing in common, and zero would stay zero.
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % bound as u64) as usize
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    /// Text with lines, parts of lines, characters of several bytes and bytes that are none.
    fn text(&mut self, bytes_max: usize) -> Vec<u8> {
        let pieces: [&[u8]; 8] =
            [b"\n", b"\n", b"ab", b"c", "你".as_bytes(), b"\xe4", b"\r\n", b"long word "];
        let mut text = Vec::new();
        let size = self.below(bytes_max);
        while text.len() < size {
            text.extend_from_slice(pieces[self.below(pieces.len())]);
        }
        text
    }
}

/// What is known of a connection from outside the engine.
struct Account {
    id: Option<ConnId>,
    wire: Wire,
    /// All that its peer said, read or not.
    supplied: Vec<u8>,
    /// What the App heard of it.
    heard: Vec<u8>,
    /// All that was accepted for it, in the order in which it has to arrive.
    owed: Vec<u8>,
    /// The peer has finished, or reset the connection.
    silent: bool,
    reset: bool,
    ended: usize,
    /// Why it was closed, and what was queued for it then.
    closed: Option<(&'static str, usize)>,
    /// What it had said by then.
    rx_bytes: u64,
}

/// An App that does anything at any time, and keeps account of everything.
struct Chaos {
    dice: Dice,
    framing: Framing,
    brakes: Brakes,
    accounts: Vec<Account>,
    /// From now on it only listens, so that all comes to an end.
    calm: bool,
}

impl Chaos {
    fn account(&mut self, id: ConnId) -> &mut Account {
        let account = &mut self.accounts[id.serial() as usize - 1];
        assert_eq!(account.id, Some(id), "the App is told of a connection that was opened");
        account
    }

    fn anybody(&mut self) -> Option<ConnId> {
        if self.accounts.is_empty() {
            return None;
        }
        let at = self.dice.below(self.accounts.len());
        self.accounts[at].id
    }

    fn send(&mut self, to: ConnId, board: &mut Board) {
        let text = self.dice.text(60);
        let may = board.view(to).is_some_and(|view| view.is_open && view.outbound == Outbound::Open);
        let sent = board.send(to, &text);
        match sent {
            Sent::Queued | Sent::Slow(_) => self.account(to).owed.extend(text),
            Sent::Full(_) | Sent::Finished | Sent::Gone => {}
        }
        assert_eq!(may, !matches!(sent, Sent::Finished | Sent::Gone), "{sent:?} to {to}");
    }

    fn broadcast(&mut self, except: Option<ConnId>, board: &mut Board) {
        let text = self.dice.text(60);
        let (front, back) = text.split_at(self.dice.below(text.len() + 1));
        let audience: Vec<ConnId> = board
            .views()
            .filter(|view| view.is_open && view.outbound == Outbound::Open)
            .map(|view| view.id)
            .collect();
        assert_eq!(audience.len(), board.audience());
        for id in audience.into_iter().filter(|id| Some(*id) != except) {
            self.account(id).owed.extend_from_slice(&text);
        }
        board.broadcast(except, &[front, back]);
    }

    /// Does something to somebody.
    fn act(&mut self, id: ConnId, board: &mut Board) {
        match self.dice.below(24) {
            0 => board.close(id, kicked()),
            1 => board.hang_up(id, Reason::WeReset),
            2 => board.finish(id),
            3 => board.hold_reading(!board.reading_held),
            4..10 => self.send(id, board),
            10..16 => self.broadcast(Some(id), board),
            16 => self.broadcast(None, board),
            _ => {}
        }
    }

    /// Does something to the one it was called about, or to another.
    fn react(&mut self, id: ConnId, board: &mut Board) {
        if self.calm {
            return;
        }
        let other = if self.dice.one_in(4) { self.anybody() } else { None };
        self.act(other.unwrap_or(id), board);
    }
}

impl App for Chaos {
    type Message = Infallible;

    fn framing(&self) -> Framing {
        self.framing
    }

    fn brakes(&self) -> Brakes {
        self.brakes
    }

    fn opened(&mut self, id: ConnId, board: &mut Board) {
        assert_eq!(id.serial() as usize, self.accounts.len(), "serials count up");
        let account = self.accounts.last_mut().expect("an account was opened before");
        assert_eq!(account.id.replace(id), None, "{id} was opened once");
        self.react(id, board);
    }

    fn received(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board) {
        let account = self.account(id);
        assert!(account.closed.is_none() && account.ended == 0, "{id} was heard after its end");
        account.heard.extend_from_slice(frame.bytes);
        if frame.end == End::Newline {
            account.heard.push(b'\n');
        }
        self.react(id, board);
    }

    fn ended(&mut self, id: ConnId, board: &mut Board) {
        let account = self.account(id);
        account.ended += 1;
        assert_eq!((account.ended, account.closed), (1, None), "{id} ended");
        if self.calm || self.dice.one_in(2) {
            board.finish(id);
        }
        self.react(id, board);
    }

    fn closed(&mut self, id: ConnId, why: &Reason, board: &mut Board) {
        let view = board.view(id).expect("it still stands on the board");
        let (queued, rx_bytes) = (view.queued_bytes, view.rx_bytes);
        let account = self.account(id);
        assert_eq!(account.closed.replace((why.code(), queued)), None, "{id} was closed once");
        account.rx_bytes = rx_bytes;
        self.react(id, board);
    }

    fn message(&mut self, message: Infallible, _board: &mut Board) {
        match message {}
    }

    fn turn_ended(&mut self, board: &mut Board) {
        if let Some(id) = self.anybody() {
            self.react(id, board);
        }
    }
}

struct World {
    dice: Dice,
    board: Board,
    pump: Pump<Scripted>,
    app: Chaos,
}

impl World {
    fn new(seed: u64) -> World {
        let app = Chaos {
            dice: Dice::new(!seed),
            framing: if seed.is_multiple_of(4) { Framing::Raw } else { Framing::Lines },
            brakes: [Brakes::Nobody, Brakes::Itself, Brakes::Everybody][seed as usize % 3],
            accounts: Vec::new(),
            calm: false,
        };
        let idle_max = seed.is_multiple_of(5).then_some(Duration::from_secs(3));
        let mut board = Board::new(Limits { idle_max, ..small() });
        let pump = Pump::new(&mut board, &app);
        World { dice: Dice::new(seed), board, pump, app }
    }

    fn connect(&mut self) {
        let (stream, wire) = script();
        wire.short_read_drains(self.dice.one_in(2));
        self.app.accounts.push(Account {
            id: None,
            wire,
            supplied: Vec::new(),
            heard: Vec::new(),
            owed: Vec::new(),
            silent: false,
            reset: false,
            ended: 0,
            closed: None,
            rx_bytes: 0,
        });
        self.pump.adopt(stream, Peer::Unix, &mut self.board, &mut self.app);
    }

    fn note(&mut self, at: usize, readiness: Readiness) {
        // As a poller does, it knows the key alone, and may speak of somebody who has left.
        let Some(id) = self.app.accounts[at].id else { return };
        self.pump.note(id.key as usize, readiness, &mut self.board);
    }

    /// Something happens at the far end of a connection, and an event announces it.
    fn happen(&mut self, at: usize) {
        let account = &mut self.app.accounts[at];
        if account.closed.is_some() {
            // What the poller may still say of it is stale.
            return self.note(at, EVERYTHING);
        }
        match self.dice.below(20) {
            0..8 if !account.silent => {
                let text = self.dice.text(150);
                account.wire.arrives(&text);
                account.supplied.extend(text);
                self.note(at, READABLE);
            }
            8 if !account.silent => {
                account.silent = true;
                account.wire.gets([Get::Eof]);
                self.note(at, ENDING);
            }
            9 if !account.reset => {
                if account.silent {
                    account.wire.is_befallen_by(ErrorKind::ConnectionReset);
                } else {
                    account.wire.gets([Get::Fail(ErrorKind::ConnectionReset)]);
                }
                account.wire.breaks(ErrorKind::BrokenPipe);
                account.wire.finish_fails(ErrorKind::NotConnected);
                (account.silent, account.reset) = (true, true);
                self.note(at, EVERYTHING);
            }
            10..13 if !account.reset => account.wire.stalls(),
            13..16 if !account.reset => {
                account.wire.puts([Put::Accept(1 + self.dice.below(100))]);
                self.announce_room(at);
            }
            16 if !account.reset => {
                account.wire.takes_all();
                self.announce_room(at);
            }
            17 => account.wire.interrupts_a_read(),
            18 => account.wire.interrupts_a_write(),
            19 => self.note(at, EVERYTHING),
            _ => {}
        }
    }

    fn announce_room(&mut self, at: usize) {
        if self.app.accounts[at].wire.take_blocked() {
            self.note(at, WRITABLE);
        }
    }

    /// One step: some things happen, some time passes, the engine turns.
    fn step(&mut self) {
        let here = self.board.len();
        if here < 8 && self.dice.one_in(if here < 3 { 2 } else { 10 }) {
            self.connect();
        }
        for _ in 0..self.dice.below(4) {
            if !self.app.accounts.is_empty() {
                let at = self.dice.below(self.app.accounts.len());
                self.happen(at);
            }
        }
        if self.dice.one_in(3)
            && let Some(id) = self.app.anybody()
        {
            self.app.act(id, &mut self.board);
        }
        let passes_ms = [0, 0, 1, 50, 250, 1100, 4000][self.dice.below(7)];
        self.turn(passes_ms);
    }

    fn turn(&mut self, passes_ms: u64) {
        self.board.now = self.board.now + Duration::from_millis(passes_ms);
        self.pump.turn(&mut self.board, &mut self.app);
        check_counters(&self.board);
        self.check_accounts();
        self.check_rest();
    }

    fn check_accounts(&self) {
        let (mut discarded, mut unsent) = (0, 0);
        let (mut read, mut written) = (0, 0);
        for account in &self.app.accounts {
            let id = account.id.expect("it was opened");
            let conn = self.board.conns.get(id.key as usize).filter(|conn| conn.id == id);
            assert_ne!(conn.is_some(), account.closed.is_some(), "{id} is here, or closed");
            let rx_bytes = conn.map_or(account.rx_bytes, |conn| conn.rx_bytes) as usize;
            let tail: &[u8] = conn.map_or(&[], |conn| &conn.tail);
            assert_eq!(rx_bytes, account.wire.read_bytes(), "{id}: bytes read");

            let kept = [account.heard.as_slice(), tail].concat();
            assert!(account.supplied.starts_with(&kept), "{id}: heard something else than was said");
            assert!(kept.len() <= rx_bytes, "{id}: heard more than was read");
            if conn.is_some_and(|conn| conn.is_heard()) {
                assert_eq!(kept.len(), rx_bytes, "{id}: heard and its tail, against bytes read");
            }
            discarded += rx_bytes - kept.len();
            read += rx_bytes;

            let sent = account.wire.written();
            let queued = match (conn, account.closed) {
                (Some(conn), _) => conn.queued_bytes(&self.board.said),
                (None, Some((_, queued))) => queued,
                (None, None) => 0,
            };
            assert!(account.owed.starts_with(&sent), "{id}: sent something else than was accepted");
            assert_eq!(sent.len() + queued, account.owed.len(), "{id}: sent and queued, against accepted");
            if conn.is_none_or(|conn| conn.is_over()) {
                unsent += queued;
            }
            written += sent.len();
        }
        let stats = &self.board.stats;
        assert_eq!(stats.discarded_bytes, discarded as u64, "bytes discarded");
        assert_eq!(stats.unsent_bytes, unsent as u64, "bytes unsent");
        assert_eq!((stats.rx_bytes, stats.tx_bytes), (read as u64, written as u64), "bytes read and written");
    }

    /// Where the engine would wait, there is nothing that it could do; and it knows of everything that
    /// an event has announced.
    fn check_rest(&self) {
        let is_idle = self.pump.is_idle(&self.board);
        let is_held = self.pump.is_held(&self.board);
        for account in &self.app.accounts {
            let id = account.id.expect("it was opened");
            let Some(conn) = self.board.conns.get(id.key as usize).filter(|conn| conn.id == id) else {
                continue;
            };
            if conn.is_over() {
                assert!(!is_idle, "{id} waits to be swept");
                continue;
            }
            if conn.inbound == Inbound::Open && account.wire.has_more() {
                assert!(conn.readable, "{id}: its input is forgotten");
            }
            assert!(conn.writable || account.wire.is_blocked(), "{id}: no event will say that there is room");
            if is_idle {
                let is_parting = matches!(conn.stage, Stage::Parting(_));
                let braked = self.app.brakes == Brakes::Itself && conn.is_over_high();
                let can_read = conn.readable && !braked && (is_parting || !is_held);
                let broken = matches!(conn.stage, Stage::Broken(_));
                let can_write = conn.writable && !broken && conn.has_something_to_flush(&self.board.said);
                assert!(
                    !can_read && !can_write,
                    "{id} waits (read: {can_read}, write: {can_write}): {conn:?}"
                );
            }
        }
    }

    /// Nobody stalls, holds or says anything new any more.
    fn calm_down(&mut self) {
        self.app.calm = true;
        self.board.hold_reading(false);
        for at in 0..self.app.accounts.len() {
            let account = &mut self.app.accounts[at];
            if account.closed.is_some() {
                continue;
            }
            if !account.reset {
                account.wire.takes_all();
                self.announce_room(at);
            }
            let account = &mut self.app.accounts[at];
            if !account.silent {
                account.silent = true;
                account.wire.gets([Get::Eof]);
                self.note(at, ENDING);
            }
        }
    }

    fn check_end(&self) {
        assert!(self.board.is_empty(), "still here: {:?}", self.board.views().collect::<Vec<_>>());
        assert_eq!(self.board.said.kept_bytes(), 0, "nobody is left to hear the log");
        for account in &self.app.accounts {
            let id = account.id.expect("it was opened");
            let (why, unsent) = account.closed.expect("it was closed");
            assert!(account.wire.is_dropped(), "{id}: its stream is let go of");
            assert_eq!(account.wire.is_aborted(), why == "we-reset", "{id}: closed {why}");
            if why == "finished" {
                assert!(account.wire.is_finished(), "{id}: our FIN");
                assert_eq!(unsent, 0, "{id}: all was sent");
            }
            if matches!(why, "finished" | "reset" | "lost") {
                assert_eq!(account.heard.len(), account.supplied.len(), "{id}: all was heard");
            }
        }
    }
}

fn run_schedule(seed: u64, steps: &mut usize) {
    let mut world = World::new(seed);
    for _ in 0..150 {
        world.step();
        *steps += 1;
    }
    world.calm_down();
    for _ in 0..400 {
        world.turn(100);
        *steps += 1;
    }
    world.check_end();
}

#[test]
fn whatever_happens_in_whatever_order_the_books_balance() {
    for seed in 1..=300 {
        let mut steps = 0;

        let run = std::panic::AssertUnwindSafe(|| run_schedule(seed, &mut steps));
        let outcome = std::panic::catch_unwind(run);

        if let Err(panic) = outcome {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
            panic!("seed {seed}, step {steps}: {said}");
        }
    }
}
