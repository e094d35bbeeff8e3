//! A connection's life, all of it: the states, and the one function that moves from one to the next.
//!
//! ```text
//!     ,-Try-.
//!     |     v
//!   Connecting --Established--> Open ---Close(why)--> Parting <--HandshakeFailed(why)-- Connecting
//!       |                       |  \                     |
//!       |                       |   `--WriteFailed-->  Broken       (only while the peer may still be read)
//!       |                       |                        |
//!       | Close, HangUp         | FinSent + PeerFinished | Drained, HangUp; Parting also FinSent + PeerFinished
//!       v                       v                        v
//!       `------------------> Over <---------------------'
//! ```
//!
//! Beside its stage each direction ends on its own:
//!
//! ```text
//!   inbound:   Open --PeerFinished--> Ended
//!   outbound:  Open --Finish, Close--> Finishing --FinSent--> Closed     (FinBlocked: it stays Finishing)
//! ```
//!
//! Before it is connected, one address is tried after the other, each by a step of its own. There may be a handshake to
//! come: of who was accepted, or, once somebody is there, of who is dialled:
//!
//! ```text
//!   attempt:   Awaited --Try--> WithMore --Try--> ... --Try--> Last      (straight to Last where there is only one)
//!              WithMore, Last --Reached--> Reached --Try--> ...
//!              Handshake
//! ```
//!
//! Nobody else writes these fields, and this file decides nothing else: what follows from a step (queues, sums, lists)
//! is `Board::step`, its only caller.

use std::io;

use crate::clock::Moment;
use crate::conn::attempt::Attempt;
use crate::conn::reason::Reason;

/// The peer's direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// The peer may still send.
    Open,
    /// Its FIN was read.
    Ended,
}

/// Our direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outbound {
    /// We may still send.
    Open,
    /// Our FIN follows what is queued; nothing more is taken.
    Finishing,
    /// Our FIN is out.
    Closed,
}

/// Where a connection stands in its life.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Dialled, or accepted by a stream that has something to settle first, and not yet connected.
    Connecting(Attempt),
    Open,
    /// Writing failed. What was received before is still read, then it is over.
    Broken(io::Error),
    /// A polite close: what is queued is sent, then our FIN, and what still comes in is discarded.
    Parting(Box<Parting>),
    /// It has ended and waits to be swept.
    Over(Box<Ending>),
}

#[derive(Debug)]
pub(crate) struct Parting {
    pub why: Reason,
    /// When our FIN went out, or was due and could not; the lingering is counted from here.
    pub fin_at: Option<Moment>,
    /// What it has said since.
    pub discarded_bytes: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    /// What was queued for it and is lost.
    pub unsent_bytes: usize,
    /// What it said and nobody was told.
    pub discarded_bytes: usize,
    /// It never came about.
    pub was_connecting: bool,
}

/// What happens to a connection.
#[derive(Debug)]
pub(crate) enum Step {
    /// An address is tried from now on, the first or, where one has failed, the next.
    Try {
        /// Where this one fails, none is left.
        is_last: bool,
    },
    /// Somebody is there who was dialled, and a handshake is to come.
    Reached,
    /// It is connected.
    Established,
    /// The peer's FIN was read.
    PeerFinished,
    /// The handshake of one that was accepted has failed, and it is told so.
    HandshakeFailed(Reason),
    /// Our FIN is to follow what is queued.
    Finish,
    /// Our FIN is due, and the stream cannot send it yet.
    FinBlocked,
    /// Our FIN is out.
    FinSent,
    /// Nothing keeps it any more if both directions have ended.
    EndIfFinished,
    /// A polite close begins.
    Close(Reason),
    /// A write failed. What the peer had sent before may still wait to be read.
    WriteFailed(io::Error),
    /// Of a broken connection all was read; a parting one has lingered long enough.
    Drained,
    /// It ends now.
    HangUp(Reason),
}

/// What a step has brought about.
#[derive(Debug)]
pub(crate) enum Became {
    /// Nothing.
    Same,
    /// An address is tried from now on.
    Trying,
    /// Its handshake has begun.
    Reached,
    Established,
    /// The peer's direction ended.
    HalfClosed,
    /// Our FIN follows what is queued.
    Finishing,
    /// Our FIN is out, and the peer may still send.
    FinSent,
    Parting,
    Broken,
    /// It is over, for this reason.
    Over(Reason),
}

/// The state of a connection.
#[derive(Debug)]
pub(crate) struct State {
    stage: Stage,
    inbound: Inbound,
    outbound: Outbound,
    /// Our FIN was due and could not be sent; it is tried again.
    fin_is_blocked: bool,
}

impl State {
    /// A connection that was accepted.
    pub fn open() -> State {
        State { stage: Stage::Open, inbound: Inbound::Open, outbound: Outbound::Open, fin_is_blocked: false }
    }

    /// A connection that is not yet connected, and will be in one attempt or not at all.
    pub fn connecting() -> State {
        State { stage: Stage::Connecting(Attempt::Last), ..State::open() }
    }

    /// One that was accepted, and whose handshake is to come.
    pub fn shaking_hands() -> State {
        State { stage: Stage::Connecting(Attempt::Handshake), ..State::open() }
    }

    /// One that is to be dialled, where it is not known yet.
    pub fn awaited() -> State {
        State { stage: Stage::Connecting(Attempt::Awaited), ..State::open() }
    }

    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    pub fn inbound(&self) -> Inbound {
        self.inbound
    }

    pub fn outbound(&self) -> Outbound {
        self.outbound
    }

    pub fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open)
    }

    pub fn is_connecting(&self) -> bool {
        matches!(self.stage, Stage::Connecting(_))
    }

    /// Whether it is to be dialled, and is not known yet where.
    pub fn awaits_address(&self) -> bool {
        matches!(self.stage, Stage::Connecting(Attempt::Awaited))
    }

    /// Whether it was accepted and its handshake is not over.
    pub fn is_shaking_hands(&self) -> bool {
        matches!(self.stage, Stage::Connecting(Attempt::Handshake))
    }

    /// Whether it has ended before it was connected.
    pub fn never_came_about(&self) -> bool {
        matches!(&self.stage, Stage::Over(ending) if ending.was_connecting)
    }

    /// Whether its handshake has begun and is not over, whoever has come to whom.
    pub fn awaits_handshake(&self) -> bool {
        matches!(self.stage, Stage::Connecting(Attempt::Handshake | Attempt::Reached { .. }))
    }

    pub fn is_parting(&self) -> bool {
        matches!(self.stage, Stage::Parting(_))
    }

    pub fn is_broken(&self) -> bool {
        matches!(self.stage, Stage::Broken(_))
    }

    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over(_))
    }

    /// Whether what the peer says goes to the App: not while it is being dialled, closed or swept.
    pub fn delivers(&self) -> bool {
        matches!(self.stage, Stage::Open | Stage::Broken(_)) && self.inbound == Inbound::Open
    }

    /// Whether anything more may be queued for the peer.
    pub fn may_be_sent(&self) -> bool {
        self.is_open() && self.outbound == Outbound::Open
    }

    /// Whether what is queued may still be written.
    pub fn writes(&self) -> bool {
        matches!(self.stage, Stage::Open | Stage::Parting(_))
    }

    /// Notes bytes that the peer said and nobody is told.
    pub fn discard(&mut self, bytes: usize) {
        match &mut self.stage {
            Stage::Parting(parting) => parting.discarded_bytes += bytes,
            Stage::Over(ending) => ending.discarded_bytes += bytes,
            Stage::Connecting(_) | Stage::Open | Stage::Broken(_) => {}
        }
    }

    /// What the peer said and nobody was told, because the connection was being closed.
    pub fn discarded_bytes(&self) -> usize {
        match &self.stage {
            Stage::Parting(parting) => parting.discarded_bytes,
            Stage::Over(ending) => ending.discarded_bytes,
            Stage::Connecting(_) | Stage::Open | Stage::Broken(_) => 0,
        }
    }

    /// Takes a step. `unsent_bytes` are queued now, and lost if it ends.
    ///
    /// # Panics
    /// For a pair of stage and step that the engine never brings together.
    pub fn take(&mut self, step: Step, now: Moment, unsent_bytes: usize) -> Became {
        let why = match (&mut self.stage, step) {
            (Stage::Over(_), Step::PeerFinished) => {
                // The App ended it while it was told of the last words before the FIN.
                self.inbound = Inbound::Ended;
                return Became::Same;
            }
            (Stage::Over(_), _) => return Became::Same,

            (Stage::Connecting(attempt), Step::Try { is_last }) => {
                let may = Attempt::Awaited == *attempt || attempt.has_more();
                assert!(may, "nothing is tried after the last, or by who came to us");
                *attempt = if is_last { Attempt::Last } else { Attempt::WithMore };
                return Became::Trying;
            }
            (Stage::Connecting(attempt), Step::Reached) => {
                let may = matches!(*attempt, Attempt::WithMore | Attempt::Last);
                assert!(may, "who is tried is reached, and once");
                *attempt = Attempt::Reached { has_more: attempt.has_more() };
                return Became::Reached;
            }
            (Stage::Connecting(attempt), Step::Established) => {
                assert_ne!(*attempt, Attempt::Awaited, "what was not tried does not come about");
                self.stage = Stage::Open;
                return Became::Established;
            }
            (Stage::Connecting(Attempt::Handshake), Step::HandshakeFailed(why)) => {
                return self.part(why, None);
            }
            (Stage::Connecting(_), Step::Finish | Step::EndIfFinished) => return Became::Same,
            (Stage::Connecting(_), Step::Close(why) | Step::HangUp(why)) => why,

            (Stage::Open | Stage::Parting(_), Step::PeerFinished) => {
                assert_eq!(self.inbound, Inbound::Open, "a peer finishes once");
                self.inbound = Inbound::Ended;
                return Became::HalfClosed;
            }
            (Stage::Open | Stage::Parting(_), Step::FinSent) => {
                assert_eq!(self.outbound, Outbound::Finishing, "our FIN is sent once, and was asked for");
                self.outbound = Outbound::Closed;
                if let Stage::Parting(parting) = &mut self.stage {
                    parting.fin_at = Some(now);
                }
                return if self.inbound == Inbound::Open { Became::FinSent } else { self.end(unsent_bytes) };
            }
            (Stage::Open | Stage::Parting(_), Step::FinBlocked) => {
                assert_eq!(self.outbound, Outbound::Finishing, "our FIN waits where it was asked for");
                self.fin_is_blocked = true;
                // Nobody is waited for longer because it does not even take that.
                if let Stage::Parting(parting) = &mut self.stage {
                    parting.fin_at.get_or_insert(now);
                    return Became::FinSent;
                }
                return Became::Same;
            }
            (Stage::Open | Stage::Parting(_), Step::EndIfFinished) => {
                let has_finished = (self.inbound, self.outbound) == (Inbound::Ended, Outbound::Closed);
                return if has_finished { self.end(unsent_bytes) } else { Became::Same };
            }

            (Stage::Open, Step::Finish) if self.outbound == Outbound::Open => {
                self.outbound = Outbound::Finishing;
                return Became::Finishing;
            }
            (Stage::Open | Stage::Parting(_) | Stage::Broken(_), Step::Finish) => return Became::Same,

            (Stage::Open, Step::Close(why)) => {
                let was_due = self.outbound == Outbound::Closed || self.fin_is_blocked;
                return self.part(why, was_due.then_some(now));
            }
            (Stage::Parting(_) | Stage::Broken(_), Step::Close(_)) => return Became::Same,

            (Stage::Open, Step::WriteFailed(error)) if self.inbound == Inbound::Open => {
                self.stage = Stage::Broken(error);
                return Became::Broken;
            }
            (Stage::Open, Step::WriteFailed(error)) => Reason::Lost(error),
            (Stage::Broken(_), Step::WriteFailed(_)) => return Became::Same,
            (Stage::Open, Step::HangUp(why)) => why,

            // What brought a polite close about is the reason, however the closing went; but for a reset of ours.
            (Stage::Parting(_), Step::HangUp(why @ (Reason::WeReset | Reason::Fault(_)))) => why,
            (Stage::Parting(_), Step::WriteFailed(_) | Step::Drained | Step::HangUp(_)) => {
                return self.end(unsent_bytes);
            }

            // The break is the reason, unless somebody else decided before all was read.
            (Stage::Broken(_), Step::Drained | Step::EndIfFinished)
            | (Stage::Broken(_), Step::HangUp(Reason::Finished | Reason::Lost(_))) => {
                return self.end(unsent_bytes);
            }
            (Stage::Broken(_), Step::HangUp(why)) => why,

            (stage, step) => unreachable!("{step:?} cannot befall a connection that is {stage:?}"),
        };
        self.leave(unsent_bytes);
        Became::Over(why)
    }

    /// Begins a polite close.
    fn part(&mut self, why: Reason, fin_at: Option<Moment>) -> Became {
        self.stage = Stage::Parting(Box::new(Parting { why, fin_at, discarded_bytes: 0 }));
        if self.outbound == Outbound::Open {
            self.outbound = Outbound::Finishing;
        }
        Became::Parting
    }

    /// Ends for the reason that lies in the state itself.
    fn end(&mut self, unsent_bytes: usize) -> Became {
        Became::Over(match self.leave(unsent_bytes) {
            Stage::Parting(parting) => parting.why,
            Stage::Broken(error) => Reason::Lost(error),
            Stage::Connecting(_) | Stage::Open | Stage::Over(_) => Reason::Finished,
        })
    }

    /// Of one that is over so many bytes more are lost.
    pub fn leave_unsent(&mut self, bytes: usize) {
        if let Stage::Over(ending) = &mut self.stage {
            ending.unsent_bytes += bytes;
        }
    }

    /// Is over from now on; returns what it was before.
    fn leave(&mut self, unsent_bytes: usize) -> Stage {
        let (discarded_bytes, was_connecting) = (self.discarded_bytes(), self.is_connecting());
        let ending = Ending { unsent_bytes, discarded_bytes, was_connecting };
        std::mem::replace(&mut self.stage, Stage::Over(Box::new(ending)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn now() -> Moment {
        Moment::default()
    }

    fn lost() -> io::Error {
        ErrorKind::ConnectionReset.into()
    }

    fn kicked() -> Reason {
        Reason::Kicked(String::new())
    }

    /// A state that these steps lead to, and what the last of them became, in words.
    fn after(mut state: State, steps: impl IntoIterator<Item = Step>) -> (State, String) {
        let mut last = String::new();
        for step in steps {
            last = match state.take(step, now(), 7) {
                Became::Over(why) => format!("over: {}", why.code()),
                became => format!("{became:?}"),
            };
        }
        (state, last)
    }

    fn became(steps: impl IntoIterator<Item = Step>) -> String {
        after(State::open(), steps).1
    }

    #[test]
    fn both_directions_end_on_their_own_and_the_second_ends_the_connection() {
        use Step::{EndIfFinished, FinSent, Finish, PeerFinished};
        assert_eq!(became([Finish]), "Finishing");
        assert_eq!(became([Finish, Finish]), "Same");
        assert_eq!(became([Finish, FinSent]), "FinSent");
        assert_eq!(became([Finish, FinSent, EndIfFinished]), "Same");
        assert_eq!(became([PeerFinished]), "HalfClosed");
        assert_eq!(became([PeerFinished, EndIfFinished]), "Same");
        assert_eq!(became([PeerFinished, Finish, FinSent]), "over: finished");
        assert_eq!(became([Finish, FinSent, PeerFinished, EndIfFinished]), "over: finished");
        let (state, _) = after(State::open(), [Finish]);
        assert!(!state.may_be_sent() && state.delivers() && state.writes());
        let (state, _) = after(State::open(), [PeerFinished]);
        assert!(state.may_be_sent() && !state.delivers());
    }

    #[test]
    fn a_polite_close_keeps_its_reason_however_it_ends() {
        use Step::{Close, Drained, EndIfFinished, FinSent, Finish, HangUp, PeerFinished, WriteFailed};
        assert_eq!(became([Close(kicked())]), "Parting");
        assert_eq!(became([Close(kicked()), Close(Reason::Stopping)]), "Same");
        assert_eq!(became([Close(kicked()), Finish]), "Same");
        assert_eq!(became([Close(kicked()), FinSent]), "FinSent");
        assert_eq!(became([Close(kicked()), FinSent, PeerFinished, EndIfFinished]), "over: kicked");
        assert_eq!(became([Close(kicked()), PeerFinished, FinSent]), "over: kicked");
        assert_eq!(became([Close(kicked()), FinSent, Drained]), "over: kicked");
        assert_eq!(became([Close(kicked()), WriteFailed(lost())]), "over: kicked");
        assert_eq!(became([Close(kicked()), HangUp(Reason::Stopping)]), "over: kicked");
        assert_eq!(became([Close(kicked()), HangUp(Reason::WeReset)]), "over: we-reset");
    }

    #[test]
    fn the_lingering_counts_from_our_fin_be_it_out_before_or_after() {
        let at = Moment::after_start(std::time::Duration::from_secs(5));
        let fin_at = |steps: [Step; 3]| {
            let mut state = State::open();
            for step in steps {
                state.take(step, at, 0);
            }
            match state.stage() {
                Stage::Parting(parting) => parting.fin_at,
                stage => panic!("{stage:?}"),
            }
        };
        assert_eq!(fin_at([Step::Finish, Step::FinSent, Step::Close(kicked())]), Some(at));
        assert_eq!(fin_at([Step::Close(kicked()), Step::FinSent, Step::EndIfFinished]), Some(at));
        assert_eq!(fin_at([Step::Finish, Step::Close(kicked()), Step::EndIfFinished]), None);
    }

    #[test]
    fn a_break_waits_for_what_may_still_be_read_and_is_the_reason_then() {
        use Step::{Close, Drained, EndIfFinished, Finish, HangUp, PeerFinished, WriteFailed};
        let broken = || WriteFailed(lost());
        assert_eq!(became([broken()]), "Broken");
        assert_eq!(became([PeerFinished, broken()]), "over: reset");
        assert_eq!(became([broken(), broken()]), "Same");
        assert_eq!(became([broken(), Finish]), "Same");
        assert_eq!(became([broken(), Close(kicked())]), "Same");
        assert_eq!(became([broken(), Drained]), "over: reset");
        assert_eq!(became([broken(), EndIfFinished]), "over: reset");
        assert_eq!(became([broken(), HangUp(Reason::Lost(ErrorKind::TimedOut.into()))]), "over: reset");
        assert_eq!(became([broken(), HangUp(Reason::Finished)]), "over: reset");
        assert_eq!(became([broken(), HangUp(Reason::BuffersFull)]), "over: buffers-full");
        let (state, _) = after(State::open(), [broken()]);
        assert!(state.delivers() && !state.may_be_sent() && !state.writes());
    }

    #[test]
    fn a_dial_comes_about_or_ends_and_nothing_else_befalls_it() {
        use Step::{Close, EndIfFinished, Established, Finish, HangUp};
        let dialled = |step| after(State::connecting(), [step]).1;
        assert_eq!(dialled(Established), "Established");
        assert_eq!(dialled(Finish), "Same");
        assert_eq!(dialled(EndIfFinished), "Same");
        assert_eq!(dialled(Close(kicked())), "over: kicked");
        assert_eq!(dialled(HangUp(Reason::CannotConnect(lost()))), "over: cannot-connect");
    }

    #[test]
    fn one_address_is_tried_after_the_other_until_the_last() {
        use Step::{Close, Established, HangUp, Try};
        let awaited = |steps: Vec<Step>| after(State::awaited(), steps).1;
        let (next, last) = (|| Try { is_last: false }, || Try { is_last: true });
        assert_eq!(awaited(vec![Close(kicked())]), "over: kicked");
        assert_eq!(awaited(vec![last()]), "Trying");
        assert_eq!(awaited(vec![next(), next(), last(), Established]), "Established");
        assert_eq!(awaited(vec![next(), Established]), "Established");
        assert_eq!(awaited(vec![next(), HangUp(kicked()), last()]), "Same");
        let reached = || Step::Reached;
        assert_eq!(awaited(vec![next(), reached()]), "Reached");
        assert_eq!(awaited(vec![next(), reached(), last(), reached(), Established]), "Established");
        assert_eq!(awaited(vec![last(), reached(), HangUp(kicked())]), "over: kicked");
        assert!(State::awaited().awaits_address());
        let (state, _) = after(State::awaited(), [last()]);
        assert!(state.is_connecting() && !state.awaits_address());
    }

    #[test]
    fn what_is_over_stays_so_and_remembers_what_was_lost() {
        use Step::{
            Close, Drained, EndIfFinished, Established, FinSent, Finish, HangUp, PeerFinished, WriteFailed,
        };
        let over = || after(State::open(), [Close(kicked())]);
        let (mut state, _) = over();
        state.discard(3);
        state.take(HangUp(Reason::Stopping), now(), 7);
        state.discard(2);
        assert_eq!(state.discarded_bytes(), 5);
        assert!(matches!(state.stage(), Stage::Over(ending) if ending.unsent_bytes == 7));

        let later = [
            Step::Try { is_last: true },
            Established,
            Finish,
            FinSent,
            EndIfFinished,
            Close(kicked()),
            Drained,
        ];
        for step in later.into_iter().chain([WriteFailed(lost()), HangUp(kicked()), PeerFinished]) {
            assert!(matches!(state.take(step, now(), 0), Became::Same));
        }
        assert!(!state.delivers() && !state.may_be_sent() && !state.writes() && state.is_over());
        assert_eq!(state.inbound(), Inbound::Ended);
    }

    #[test]
    fn pairs_that_cannot_be_are_refused() {
        use Step::{Close, Drained, Established, FinSent, Finish, PeerFinished, WriteFailed};
        let dialing = || State::connecting();
        let open = || State::open();
        let parting = || after(State::open(), [Close(kicked())]).0;
        let broken = || after(State::open(), [WriteFailed(lost())]).0;
        let twice_finished = || after(State::open(), [PeerFinished]).0;
        let fin_is_out = || after(State::open(), [Finish, FinSent]).0;
        for (mut state, step) in [
            (dialing(), PeerFinished),
            (dialing(), FinSent),
            (dialing(), Step::FinBlocked),
            (dialing(), Drained),
            (dialing(), WriteFailed(lost())),
            (dialing(), Step::Try { is_last: true }),
            (State::awaited(), Established),
            (State::awaited(), Step::Reached),
            (State::shaking_hands(), Step::Reached),
            (after(dialing(), [Step::Reached]).0, Step::Reached),
            (after(dialing(), [Step::Reached]).0, Step::Try { is_last: true }),
            (open(), Established),
            (open(), Step::Try { is_last: false }),
            (open(), Drained),
            (open(), FinSent),
            (parting(), Established),
            (broken(), Established),
            (broken(), PeerFinished),
            (broken(), FinSent),
            (twice_finished(), PeerFinished),
            (fin_is_out(), FinSent),
        ] {
            let told = format!("{state:?} {step:?}");
            let taken = catch_unwind(AssertUnwindSafe(|| state.take(step, now(), 0)));
            assert!(taken.is_err(), "{told} became {taken:?}");
        }
    }
}
