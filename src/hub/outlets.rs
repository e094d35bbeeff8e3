//! The ways out to the desks: what is shown at each, and the numbers of what happened.

use std::mem;
use std::time::{Duration, Instant};

use crate::buffer::framing::Frame;
use crate::desk::json::ReplyFrame;
use crate::desk::{
    Author, DeskId, Display, Event, Outlet, Refusal, Relay, Reply, Transcript, Unwritten, View, Who,
};

/// The desk of this process's stdin and stdout. Others, when they come, are numbered on from it.
pub const FIRST_DESK: DeskId = DeskId(1);

/// All desks' ways out.
#[derive(Debug)]
pub struct Outlets {
    outlets: Vec<Outlet>,
    /// How many events there were.
    seq: u64,
    /// What is queued for a peer beyond this is told to programs, if there are any.
    pub low_water_bytes: usize,
    /// The desks that are attached, where there may be any.
    relay: Option<Box<Relay>>,
}

impl Outlets {
    /// The way out of the first desk.
    pub fn new(display: Display, view: View, low_water_bytes: usize) -> Outlets {
        // People are told of a slow peer in the reply; only programs wait to hear that they may go on.
        let low_water_bytes = if display.is_json() { low_water_bytes } else { usize::MAX };
        let first = Outlet::new(Some(FIRST_DESK), display, view);
        Outlets { outlets: vec![first], seq: 0, low_water_bytes, relay: None }
    }

    /// Desks may be attached from now on: what is said is kept for them.
    pub fn open_relay(&mut self, low_water_bytes: usize) {
        self.relay = Some(Box::default());
        self.low_water_bytes = low_water_bytes;
    }

    /// The desks that are attached, where there may be any.
    #[inline]
    pub fn relay(&mut self) -> Option<&mut Relay> {
        self.relay.as_deref_mut()
    }

    /// Whether desks may be attached.
    pub fn has_relay(&self) -> bool {
        self.relay.is_some()
    }

    /// How many events there were.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Tells all desks but one of what concerns them alone: it has no number, and no transcript has it.
    pub fn tell_desks(&mut self, but: DeskId, event: &Event<'_>) {
        for outlet in &mut self.outlets {
            if outlet.desk.is_some_and(|desk| desk != but) && !outlet.misses_of(Some(but)) {
                outlet.display.event(event, self.seq, View::Text);
            }
        }
        if let Some(relay) = self.relay() {
            relay.event(event, 0, Some(but));
        }
    }

    /// One more way out, which is nobody's and hears everything from now on.
    pub fn add_transcript(&mut self, transcript: Transcript) {
        let display = Display::Transcript(Box::new(transcript));
        self.outlets.push(Outlet::new(None, display, View::Text));
    }

    /// The transcript, if there is one.
    pub fn transcript(&mut self) -> Option<&mut Transcript> {
        self.outlets.iter_mut().find_map(|outlet| outlet.display.transcript())
    }

    /// Tells all desks of an event.
    pub fn tell(&mut self, event: &Event<'_>) {
        self.tell_others(None, event);
    }

    /// The same, but for the text desk whose own command has brought it about: it has its reply.
    pub fn tell_others(&mut self, by: Option<DeskId>, event: &Event<'_>) {
        self.seq += u64::from(event.is_counted());
        for outlet in &mut self.outlets {
            let is_told = by.is_none() || by != outlet.desk || outlet.display.is_json();
            if is_told && !outlet.misses_of(by) {
                outlet.display.event(event, self.seq, View::Text);
            }
        }
        self.relayed(event, None);
    }

    fn relayed(&mut self, event: &Event<'_>, but: Option<DeskId>) {
        let seq = self.seq;
        if let Some(relay) = self.relay() {
            relay.event(event, seq, but);
        }
    }

    /// Whether a program reads at one of the desks.
    pub fn has_programs(&self) -> bool {
        self.relay.is_some() || self.outlets.iter().any(|outlet| outlet.display.is_json())
    }

    /// Tells the programs alone of an event.
    pub fn tell_programs(&mut self, event: &Event<'_>) {
        self.seq += u64::from(event.is_counted());
        for outlet in self.outlets.iter_mut().filter(|outlet| outlet.display.is_json()) {
            outlet.display.event(event, self.seq, View::Text);
        }
        self.relayed(event, None);
    }

    /// Counts something that was sent, and tells the other desks of it. Returns its number.
    #[inline]
    pub fn count_sent(&mut self, by: Option<DeskId>, event: &Event<'_>) -> u64 {
        self.seq += 1;
        for outlet in &mut self.outlets {
            let is_told = by.is_none() || by != outlet.desk || outlet.display.hears_itself();
            if is_told && !outlet.misses_of(by) {
                let view = outlet.view_of_sent(event);
                outlet.display.event(event, self.seq, view);
            }
        }
        self.relayed(event, by);
        self.seq
    }

    /// Counts something that was sent to a peer of itself, and tells all desks of it where they see what it says.
    pub fn answered(&mut self, event: &Event<'_>) {
        let Event::Answered { who, .. } = event else { return };
        self.seq += 1;
        for outlet in &mut self.outlets {
            // What is said in answer is held up with what it answers; the rest would come for ever.
            let comes_anyway = !matches!(event, Event::Answered { by: Author::Reply, .. });
            if comes_anyway && outlet.display.is_json() && outlet.display.has_no_room() {
                outlet.skipped += 1;
            } else if let Some(view) = outlet.view_of(who.serial) {
                outlet.display.event(event, self.seq, view);
            }
        }
        self.relayed(event, None);
    }

    /// Counts something that was sent again of itself, and tells all desks of it. A program that does not read is not
    /// told: nothing else would end what there is to tell. It hears how often it was not. `is_answer`: nobody waits any more
    /// who got it; else a desk that counts them is told nothing.
    pub fn count_sent_again(&mut self, event: &Event<'_>, is_answer: bool) {
        self.seq += 1;
        for outlet in &mut self.outlets {
            if outlet.display.is_json() && outlet.display.has_no_room() {
                outlet.skipped += 1;
            } else if is_answer || !outlet.display.counts_who_waits() {
                outlet.display.event(event, self.seq, View::Text);
            }
        }
        self.relayed(event, None);
    }

    /// Counts something that was sent, where there is no other desk to be told of it. Returns its number then.
    #[inline]
    pub fn count_sent_unheard(&mut self) -> Option<u64> {
        let is_alone = matches!(&self.outlets[..], [only] if !only.display.hears_itself());
        let is_unheard = is_alone && self.relay.is_none();
        self.seq += u64::from(is_unheard);
        is_unheard.then_some(self.seq)
    }

    /// Tells of a message. Returns whether a desk that must not miss any has no room for more.
    #[inline]
    pub fn message(&mut self, who: Who<'_>, frame: Frame<'_>) -> bool {
        self.seq += 1;
        let mut is_full = false;
        for outlet in &mut self.outlets {
            if let Some(view) = outlet.view_of(who.serial) {
                outlet.display.message(who, &frame, self.seq, view);
                is_full |= outlet.display.is_full();
            } else {
                outlet.display.hidden(who);
            }
        }
        let seq = self.seq;
        if let Some(relay) = self.relay() {
            relay.message(who, &frame, seq);
        }
        is_full
    }

    /// Tells the transcript alone of an event.
    pub fn tell_unseen(&mut self, event: &Event<'_>) {
        if let Some(at) = self.outlets.iter().position(|outlet| outlet.desk.is_none()) {
            self.seq += u64::from(event.is_counted());
            self.outlets[at].display.event(event, self.seq, View::Text);
        }
    }

    /// What was said needs no operator's answer: whoever counts those who wait is told so.
    pub fn awaits_nothing(&mut self, serial: u64) {
        self.outlets.iter_mut().for_each(|outlet| outlet.display.awaits_nothing(serial));
    }

    /// Replies to a command.
    pub fn reply(&mut self, to: DeskId, reference: Option<&str>, reply: &Reply<'_>) {
        self.reply_sent(to, reference, None, reply);
    }

    /// Replies to a command that has sent something, which has this number.
    pub fn reply_sent(&mut self, to: DeskId, reference: Option<&str>, seq: Option<u64>, reply: &Reply<'_>) {
        let frame = ReplyFrame { reference, seq, low_water_bytes: self.low_water_bytes };
        if let Some(outlet) = self.of(to) {
            outlet.display.reply(reply, frame);
        } else if let Some(relay) = self.relay() {
            relay.reply(to, reply, frame);
        }
    }

    /// Replies that nothing was done.
    pub fn refuse(&mut self, to: DeskId, reference: Option<&str>, refusal: Refusal) {
        self.reply(to, reference, &Reply::Refused(refusal));
    }

    /// A desk's way out.
    #[inline]
    pub fn of(&mut self, desk: DeskId) -> Option<&mut Outlet> {
        self.outlets.iter_mut().find(|outlet| outlet.desk == Some(desk))
    }

    /// A connection has another name.
    pub fn forget_label(&mut self, serial: u64) {
        self.outlets.iter_mut().for_each(|outlet| outlet.display.forget_label(serial));
    }

    /// A connection has gone.
    pub fn forget(&mut self, serial: u64) {
        self.outlets.iter_mut().for_each(|outlet| outlet.forget(serial));
    }

    /// Hands what was shown in this turn to the screens.
    pub fn hand_over(&mut self) {
        if let Some(news) = self.transcript().and_then(Transcript::news) {
            self.tell(&Event::Note(&news));
        }
        for outlet in &mut self.outlets {
            if outlet.skipped > 0 && !outlet.display.has_no_room() {
                let skipped = mem::take(&mut outlet.skipped);
                outlet.display.event(&Event::Skipped(skipped), self.seq, View::Text);
            }
            outlet.display.hand_over();
        }
    }

    /// Whether a screen that must not miss anything has no room.
    pub fn are_full(&self) -> bool {
        self.outlets.iter().any(|outlet| outlet.display.is_full())
    }

    /// Whether a reply at this desk would wait, or be skipped.
    pub fn has_no_room(&self, desk: DeskId) -> bool {
        let is_full = |outlet: &Outlet| outlet.desk == Some(desk) && outlet.display.has_no_room();
        self.outlets.iter().any(is_full) || self.relay.as_ref().is_some_and(|relay| relay.has_no_room(desk))
    }

    /// Waits until all was written, for `patience` at most, and for none after another less than `least`; returns what
    /// was not.
    pub fn close(mut self, patience: Duration, least: Duration) -> Vec<Unwritten> {
        let began = Instant::now();
        self.hand_over();
        let left = || patience.saturating_sub(began.elapsed()).max(least);
        // The transcript first: mostly it has been written when the screens have.
        let close = |outlet: Outlet| outlet.display.close(left());
        self.outlets.into_iter().rev().map(close).collect()
    }
}
