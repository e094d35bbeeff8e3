//! The ways out to the desks: what is shown at each, and the numbers of what happened.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::time::{Duration, Instant};

use crate::buffer::framing::Frame;
use crate::desk::json::ReplyFrame;
use crate::desk::{
    Author, DeskId, Display, Event, Receivers, Refusal, Reply, Transcript, Unwritten, View, Who,
};

/// The desk of this process's stdin and stdout. Others, when they come, are numbered on from it.
pub const FIRST_DESK: DeskId = DeskId(1);

/// One desk's way out: what is shown there, and how.
#[derive(Debug)]
pub struct Outlet {
    /// Whose it is; nobody's, if it is the transcript.
    desk: Option<DeskId>,
    display: Display,
    /// How messages are shown where nothing else is said.
    view: View,
    /// What an operator has chosen to see; mostly that is everything, which takes one look.
    choice: Option<Box<Choice>>,
    /// Events that it was not told.
    skipped: u64,
}

/// What a desk shows of whom.
#[derive(Debug, Default)]
struct Choice {
    /// Whose messages are hidden.
    muted: HashSet<u64>,
    /// Whose messages alone are shown.
    focus: Option<HashSet<u64>>,
    /// How those of some are shown.
    views: HashMap<u64, View>,
}

impl Outlet {
    #[inline]
    fn view_of(&self, serial: u64) -> Option<View> {
        match &self.choice {
            None => Some(self.view),
            Some(choice) => choice.view_of(serial, self.view),
        }
    }

    /// How what was sent is shown: as what that one says is, or as all is.
    fn view_of_sent(&self, event: &Event<'_>) -> View {
        match event {
            Event::Sent { to: Receivers::One(serial), .. } => self.view_of(*serial).unwrap_or(self.view),
            _ => self.view,
        }
    }

    /// Hides what these say, too. Returns how many are hidden.
    pub fn mute(&mut self, serials: &[u64]) -> usize {
        let choice = self.choice.get_or_insert_default();
        choice.muted.extend(serials);
        self.display.hide(|serial| choice.muted.contains(&serial));
        choice.muted.len()
    }

    /// Shows only what these say.
    pub fn focus(&mut self, serials: &[u64]) {
        let choice = self.choice.get_or_insert_default();
        let focus: HashSet<u64> = serials.iter().copied().collect();
        choice.muted.retain(|serial| !focus.contains(serial));
        self.display.hide(|serial| !focus.contains(&serial));
        choice.focus = Some(focus);
    }

    /// Shows what everybody says.
    pub fn show_all(&mut self) {
        if let Some(choice) = &mut self.choice {
            choice.muted.clear();
            choice.focus = None;
        }
        self.choice.take_if(|choice| choice.views.is_empty());
    }

    /// Shows the messages of one, or of all, in this way.
    pub fn set_view(&mut self, serial: Option<u64>, view: View) {
        match serial {
            Some(serial) => drop(self.choice.get_or_insert_default().views.insert(serial, view)),
            None => {
                self.view = view;
                if let Some(choice) = &mut self.choice {
                    choice.views.clear();
                }
            }
        }
    }
}

impl Choice {
    /// How messages of this one are shown, if they are. Kept out of the way of those who have chosen nothing.
    #[inline(never)]
    fn view_of(&self, serial: u64, otherwise: View) -> Option<View> {
        let is_shown =
            !self.muted.contains(&serial) && self.focus.as_ref().is_none_or(|focus| focus.contains(&serial));
        is_shown.then(|| self.views.get(&serial).copied().unwrap_or(otherwise))
    }
}

/// All desks' ways out.
#[derive(Debug)]
pub struct Outlets {
    outlets: Vec<Outlet>,
    /// How many events there were.
    seq: u64,
    /// What is queued for a peer beyond this is told to programs, if there are any.
    pub low_water_bytes: usize,
}

impl Outlets {
    /// The way out of the first desk.
    pub fn new(display: Display, view: View, low_water_bytes: usize) -> Outlets {
        // People are told of a slow peer in the reply; only programs wait to hear that they may go on.
        let low_water_bytes = if display.is_json() { low_water_bytes } else { usize::MAX };
        let first = Outlet { desk: Some(FIRST_DESK), display, view, choice: None, skipped: 0 };
        Outlets { outlets: vec![first], seq: 0, low_water_bytes }
    }

    /// One more way out, which is nobody's and hears everything from now on.
    pub fn add_transcript(&mut self, transcript: Transcript) {
        let display = Display::Transcript(Box::new(transcript));
        self.outlets.push(Outlet { desk: None, display, view: View::Text, choice: None, skipped: 0 });
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
            if by.is_none() || by != outlet.desk || outlet.display.is_json() {
                outlet.display.event(event, self.seq, View::Text);
            }
        }
    }

    /// Whether a program reads at one of the desks.
    pub fn has_programs(&self) -> bool {
        self.outlets.iter().any(|outlet| outlet.display.is_json())
    }

    /// Tells the programs alone of an event.
    pub fn tell_programs(&mut self, event: &Event<'_>) {
        self.seq += u64::from(event.is_counted());
        for outlet in self.outlets.iter_mut().filter(|outlet| outlet.display.is_json()) {
            outlet.display.event(event, self.seq, View::Text);
        }
    }

    /// Counts something that was sent, and tells the other desks of it. Returns its number.
    #[inline]
    pub fn count_sent(&mut self, by: Option<DeskId>, event: &Event<'_>) -> u64 {
        self.seq += 1;
        for outlet in &mut self.outlets {
            if by.is_none() || by != outlet.desk || outlet.display.hears_itself() {
                let view = outlet.view_of_sent(event);
                outlet.display.event(event, self.seq, view);
            }
        }
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
    }

    /// Counts something that was sent, where there is no other desk to be told of it. Returns its number then.
    #[inline]
    pub fn count_sent_unheard(&mut self) -> Option<u64> {
        let is_unheard = matches!(&self.outlets[..], [only] if !only.display.hears_itself());
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
        for outlet in &mut self.outlets {
            if let Some(choice) = &mut outlet.choice {
                choice.muted.remove(&serial);
                choice.views.remove(&serial);
            }
        }
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
        self.outlets.iter().any(|outlet| outlet.desk == Some(desk) && outlet.display.has_no_room())
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
