//! What the desk is told: it is put into words, and what the prompt and the counts go by is kept.

use std::time::Instant;

use super::aim::Aim;
use super::feed::{Kind, Line};
use super::hex::{self, Direction};
use super::sampler::Notice;
use super::{TerminalDesk, grouped};
use crate::buffer::framing::Frame;
use crate::desk::command::View;
use crate::desk::event::{Author, Event, Namer, Receivers, Who};
use crate::desk::help::KEYS;
use crate::desk::reply::{Outcome, Reply, Target};
use crate::desk::text::push_who;

impl TerminalDesk {
    /// A peer said something.
    pub fn message(&mut self, who: Who<'_>, frame: &Frame<'_>, view: View, now: Instant) {
        self.is_stale |= self.roster.spoke(who.serial, self.tracks_pending);
        // About so many: what is spelt out, or stands in bytes, takes more.
        let rows = frame.bytes.len().div_ceil(self.painter.columns).max(1) as u64;
        let shows = self.sampler.shows(who.serial, rows, now);
        self.spoke_last = Some((who.serial, shows));
        if !shows {
            return;
        }
        let mut line = Vec::new();
        match view {
            View::Text => self.renderer.message(who, frame, View::Text, &mut self.stamp, &mut line),
            View::Hex => {
                let bytes = frame.bytes.len();
                let head = format!("{bytes} byte{}", if bytes == 1 { "" } else { "s" });
                let head = Frame { bytes: head.as_bytes(), ..*frame };
                self.renderer.message(who, &head, View::Text, &mut self.stamp, &mut line);
            }
        }
        self.push(Kind::Message, who.serial, &line);
        if view == View::Hex {
            self.push_bytes(who.serial, frame.bytes, Direction::From);
        }
    }

    /// A peer that is hidden here said something: it is counted among those who wait, and is nobody's target for it.
    pub fn spoke_unseen(&mut self, serial: u64) {
        self.is_stale |= self.roster.waits(serial, self.tracks_pending);
    }

    /// What a peer has said needs no answer: it is answered already.
    pub fn awaits_nothing(&mut self, serial: u64) {
        self.is_stale = true;
        self.roster.answered(serial);
    }

    /// Something else has happened.
    pub fn event(&mut self, event: &Event<'_>, view: View, now: Instant) {
        let (kind, serial) = match event {
            Event::Message(who, frame) => return self.message(*who, frame, view, now),
            Event::Sent { .. } => return self.sent(event, view),
            Event::Listening(..) | Event::Bye | Event::Drained(_) | Event::Finished(_) => return,
            Event::Typing(..) => {
                self.others.note(event);
                self.is_stale = true;
                return;
            }
            Event::Desk(_) | Event::DeskLeft(_) => {
                self.others.note(event);
                (Kind::Note, 0)
            }
            Event::Answered { .. } => return self.answered(event, view, now),
            Event::Opened { who, .. } => {
                self.roster.opened(who.serial, who.name);
                (Kind::Note, who.serial)
            }
            Event::Closed { who, unsent_bytes, discarded_bytes, .. } => {
                let hidden = self.sampler.forget(who.serial);
                self.tell_floods();
                if hidden > 0 {
                    self.tell_notice(who.serial, Notice::Calm(hidden));
                }
                self.roster.closed(who.serial);
                let is_loss = *unsent_bytes > 0 || *discarded_bytes > 0;
                (if is_loss { Kind::Loss } else { Kind::Note }, who.serial)
            }
            Event::Named(who, by) => {
                self.roster.named(who.serial, who.name, *by == Namer::Peer);
                (Kind::Note, who.serial)
            }
            Event::Done(who, _) => {
                self.roster.answered(who.serial);
                (Kind::Note, who.serial)
            }
            Event::Linked(one, other, _) | Event::Unlinked(one, other, _) => {
                self.roster.linked([one.serial, other.serial], matches!(event, Event::Linked(..)));
                (Kind::Note, 0)
            }
            Event::Stopping(..) => {
                self.is_over = true;
                (Kind::Note, 0)
            }
            Event::Ended(who, _) | Event::Speaks { who, .. } | Event::Fault { who: Some(who), .. } => {
                (Kind::Note, who.serial)
            }
            Event::Skipped(_) | Event::FileSent { error: Some(_), .. } => (Kind::Loss, 0),
            _ => (Kind::Note, 0),
        };
        let mut line = Vec::new();
        self.renderer.event(event, &mut line);
        self.push(kind, serial, &line);
    }

    /// Something was sent, here or at another desk.
    fn sent(&mut self, event: &Event<'_>, view: View) {
        let Event::Sent { to, bytes, by } = event else { return };
        let is_elsewhere = matches!(by, Author::Desk(desk) if !self.others.is_own(*desk));
        if is_elsewhere && !self.is_quiet {
            let mut line = Vec::new();
            self.renderer.event(event, &mut line);
            self.push(Kind::Note, 0, &line);
        }
        if view == View::Hex {
            self.push_bytes(0, bytes, Direction::To);
        }
        // Not all who are sent something again are answered: who is, is told beside it.
        if *by == Author::Every {
            return;
        }
        match to {
            Receivers::One(serial) => self.roster.answered(*serial),
            Receivers::Several(serials) => serials.iter().for_each(|serial| self.roster.answered(*serial)),
            Receivers::All => self.roster.all_answered(|_| false),
        }
        self.is_stale = true;
    }

    /// A connection was sent something of itself. Where what it says comes in floods, so does that: an answer is shown where
    /// its question was.
    fn answered(&mut self, event: &Event<'_>, view: View, now: Instant) {
        let Event::Answered { who, bytes, by } = event else { return };
        let shows = match self.spoke_last {
            Some((serial, shown)) if serial == who.serial && *by == Author::Reply => shown,
            _ => self.sampler.shows(who.serial, 1, now),
        };
        if self.is_quiet || !shows {
            return;
        }
        let mut line = Vec::new();
        self.renderer.event(event, &mut line);
        self.push(Kind::Message, who.serial, &line);
        if view == View::Hex {
            self.push_bytes(who.serial, bytes, Direction::To);
        }
    }

    /// A command of this desk is answered.
    pub fn reply(&mut self, reply: &Reply<'_>) {
        self.learn(reply);
        let is_refused = matches!(reply, Reply::Refused(_));
        self.unanswered = self.unanswered.saturating_sub(1);
        if self.unanswered == 0
            && let Some(behind) = self.behind.take()
        {
            if !is_refused {
                self.answered_behind = Some(behind);
            } else if !behind.is_empty() {
                self.say(Kind::Refusal, "what was typed behind it was not taken");
            }
        }
        if self.is_quiet && reply.says_sent() {
            return;
        }
        let mut lines = Vec::new();
        self.renderer.reply(reply, &mut lines);
        if matches!(reply, Reply::Help(None)) {
            KEYS.iter().for_each(|keys| self.renderer.reply(&Reply::Help(Some(keys)), &mut lines));
        }
        self.push(if is_refused { Kind::Refusal } else { Kind::Reply }, 0, &lines);
    }

    /// Keeps what a reply says of who is here, and of the current target.
    fn learn(&mut self, reply: &Reply<'_>) {
        self.is_stale = true;
        if matches!(reply, Reply::Next(_) | Reply::Targets(..) | Reply::TargetIs(_)) {
            self.stays = None;
        }
        match reply {
            Reply::Sent(who, _) | Reply::Done(who) => self.roster.answered(who.serial),
            Reply::SentToAll(_, odd, _) => self.roster.all_answered(|serial| {
                odd.iter().any(|(who, outcome)| who.serial == serial && matches!(outcome, Outcome::Full(_)))
            }),
            // Nothing more is obeyed; Ctrl-C is a signal from now on.
            Reply::Stopping(_) => self.is_over = true,
            Reply::Linked(one, other) => self.roster.linked([one.serial, other.serial], true),
            Reply::Unlinked(one, other) => self.roster.linked([one.serial, other.serial], false),
            Reply::Named(who) => self.roster.named(who.serial, who.name, false),
            Reply::Next(waiting) => self.aim = Aim::One(waiting.row.who.serial),
            Reply::Targets(serials, ..) => self.aim = Aim::Several(serials.to_vec()),
            Reply::TargetIs(target) => {
                self.aim = match target {
                    Target::One(who) => Aim::One(who.serial),
                    Target::Named(name, _) | Target::Glob(name) => Aim::Named((*name).to_owned()),
                    Target::All => Aim::All,
                    Target::Last => Aim::Last,
                };
            }
            _ => {}
        }
    }

    /// Only these are shown from now on, or these are not: what waits of others is dropped.
    pub fn hide(&mut self, is_hidden: impl Fn(u64) -> bool) {
        self.feed.hide(&is_hidden);
        self.sampler.hide(is_hidden);
    }

    /// A connection has another name.
    pub fn forget_label(&mut self, serial: u64) {
        self.renderer.forget_label(serial);
    }

    /// What comes now has happened then; nothing: it happens now.
    pub fn set_time(&mut self, at: Option<jiff::Timestamp>) {
        self.stamp.set(at);
    }

    /// The time of day is looked at anew.
    pub fn expire(&mut self) {
        self.stamp.expire();
    }

    /// Says which floods have begun, changed or ended.
    pub(super) fn tell_floods(&mut self) {
        for (serial, notice) in self.sampler.take_notices() {
            self.tell_notice(serial, notice);
        }
    }

    fn tell_notice(&mut self, serial: u64, notice: Notice) {
        let mut who = Vec::new();
        push_who(&mut who, Who { serial, name: self.roster.name(serial) });
        let who = String::from_utf8_lossy(&who);
        let text = match notice {
            Notice::Flood { rate, one_in } => format!(
                "* {who} +{} lines/s, 1 in {} shown; /mute {serial} hides it",
                grouped(rate),
                grouped(one_in)
            ),
            Notice::Calm(hidden) => {
                format!("* {who} has calmed down: {} lines of it were not shown", grouped(hidden))
            }
        };
        self.feed.push(Line { kind: Kind::Note, serial, text });
    }

    fn push_bytes(&mut self, serial: u64, bytes: &[u8], direction: Direction) {
        for row in hex::rows(bytes, direction, self.painter.columns) {
            self.feed.push(Line { kind: Kind::Hex, serial, text: row });
        }
    }

    /// Puts rendered lines, each with its end, among those to be seen.
    fn push(&mut self, kind: Kind, serial: u64, lines: &[u8]) {
        for line in String::from_utf8_lossy(lines).lines() {
            self.feed.push(Line { kind, serial, text: line.to_owned() });
        }
    }
}
