//! What is typed: which line is entered, to whom, and what keeps it from being sent.

use std::ops::Range;
use std::sync::PoisonError;
use std::time::Instant;

use signal_hook::consts::SIGINT;
use signal_hook::low_level::raise;

use super::complete::{self, Choice};
use super::feed::Kind;
use super::{Aim, Pin, STAYS, TerminalDesk, grouped};
use crate::desk::command::{Command, Payload, To};
use crate::desk::text;
use crate::desk::words::plural;
use crate::terminal::editor::{Action, Editor, Key, Offer};
use crate::terminal::{Act, Chunk, Entered, Mail, Whom};

/// More files of a directory are not looked at.
const FILES_MAX: usize = 10_000;

/// So many choices are listed at most.
const LISTED_MAX: usize = 100;

/// So much of an entered line is shown again.
const SHOWN_BYTES_MAX: usize = 4096;

/// So many keys typed behind a command that is not yet answered are kept.
const BEHIND_MAX: usize = 100_000;

impl TerminalDesk {
    /// Takes keys. Those behind a command that is to change the target wait for its answer.
    pub(super) fn press_all(&mut self, keys: Vec<Key>, now: Instant, acts: &mut Vec<Act<Mail>>) {
        self.go_on(now, acts);
        for key in keys {
            if self.is_over {
                if key == Key::Interrupt {
                    acts.push(terminate());
                }
                continue;
            }
            match &mut self.behind {
                // As a terminal does, which throws away what it has not given to anybody.
                Some(behind) if key == Key::Interrupt => behind.clear(),
                Some(behind) => {
                    if behind.len() < BEHIND_MAX {
                        behind.push(key);
                    }
                }
                None => {
                    let suspends = key == Key::Suspend;
                    self.press(key, now, acts);
                    if suspends {
                        // What was typed behind it is for whoever has the terminal then.
                        return;
                    }
                }
            }
        }
    }

    /// The command that was to change the target is answered: what was typed behind it goes to the new one.
    pub(super) fn go_on(&mut self, now: Instant, acts: &mut Vec<Act<Mail>>) {
        if let Some(behind) = self.answered_behind.take() {
            self.shown = self.prompted();
            self.press_all(behind, now, acts);
        }
    }

    fn press(&mut self, key: Key, now: Instant, acts: &mut Vec<Act<Mail>>) {
        self.is_stale = true;
        let was_empty = self.editor.is_empty();
        if key == Key::PasteTooLong {
            let most = Editor::LINE_BYTES_MAX >> 20;
            self.say(
                Kind::Refusal,
                &format!("what was pasted is longer than {most} MiB: nothing of it was taken"),
            );
        }
        if !matches!(key, Key::Interrupt | Key::DeleteOrEnd) {
            self.guard.other_key(key == Key::Enter);
        }
        if was_empty {
            self.is_pasted = matches!(key, Key::Paste(_));
        }
        match self.editor.press(key) {
            Action::None => {}
            Action::Enter => self.enter(now, acts),
            Action::Interrupt if !was_empty => self.editor.clear(),
            Action::Interrupt => self.interrupt(now, acts),
            Action::EndOfInput => self.end(acts),
            Action::Suspend => acts.push(Act::Suspend),
            Action::Refresh => self.clears_screen = true,
            Action::Complete => self.complete(acts),
            Action::Rejected => self.rings = true,
        }
        if self.editor.is_empty() && !self.editor.is_searching() {
            self.pin = None;
        } else if self.pin.is_none() {
            // What the prompt shows is what Enter reaches.
            self.pin = Some(self.shown.clone());
        }
        self.tell_typing(acts);
    }

    fn enter(&mut self, now: Instant, acts: &mut Vec<Act<Mail>>) {
        // The end of the last row is put behind it anyway.
        let line = self.editor.line();
        let line = line.strip_suffix('\n').unwrap_or(line).to_owned();
        if line.is_empty() {
            return;
        }
        // What was pasted in several rows is a text, however its first row begins.
        let is_text = line.contains('\n') && line.starts_with('/') && !line.starts_with("//");
        if is_text && !self.is_pasted {
            return self
                .say(Kind::Refusal, "not sent: a command has one row; // in front sends it as a text");
        }
        let command = if is_text { Ok(text_of(&line)) } else { text::parse(line.as_bytes()) };
        let pin = self.pin.clone().unwrap_or_else(|| self.shown.clone());
        let named = self.addressed_as_shown();
        let reached = match &command {
            Ok(Command::Send(To::Current, _) | Command::File(To::Current, _)) => Some(&pin),
            Ok(Command::Send(..)) => named.as_ref().filter(|named| named.whom != Whom::Nobody),
            _ => None,
        };
        if let Some(reached) = reached.cloned()
            && let Some(why) = self.refusal(&line, &reached)
        {
            return self.say(Kind::Refusal, &why);
        }
        let changes_target = matches!(command, Ok(Command::Target(_) | Command::Next));
        self.editor.take();
        let kept = &line[..line.floor_char_boundary(SHOWN_BYTES_MAX)];
        let rest = if kept.len() < line.len() { "…" } else { "" };
        let typed = format!("{} you> {kept}{rest}", self.stamp.text());
        self.say(Kind::Typed, &typed);
        if self.aim == Aim::Last {
            self.stays = Some((pin.clone(), now + STAYS));
        }
        let last = self.roster.last();
        let named = named.map(|named| named.whom).filter(|whom| *whom != Whom::Nobody);
        let (line_bytes, run) = (line.clone().into_bytes(), self.others.run());
        let entered = Entered { line: line_bytes, is_text, whom: pin.whom, named, last, run };
        acts.push(Act::Post(Mail::Entered(entered)));
        self.remember(&line, acts);
        self.unanswered += 1;
        if changes_target {
            self.behind = Some(Vec::new());
        }
    }

    /// The same as the prompt has shown it, if it has: whoever has spoken since is not meant.
    fn addressed_as_shown(&self) -> Option<Pin> {
        match &self.shown_named {
            Some((target, pin)) if self.editor.line().split(' ').next() == Some(target) => Some(pin.clone()),
            _ => self.addressed(),
        }
    }

    /// Whom a line reaches that begins with a target, in the prompt's words; nothing, where it has none, or none that is
    /// known.
    pub(super) fn addressed(&self) -> Option<Pin> {
        let line = self.editor.line();
        let (target, _) = line.strip_prefix('@')?.split_once(' ')?;
        let pin = match text::parse(line.as_bytes()) {
            Ok(Command::Send(To::All, _)) => Aim::All.pin(&self.roster),
            Ok(Command::Send(To::Last, _)) => Aim::Last.pin(&self.roster),
            Ok(Command::Send(To::One(serial), _)) if self.roster.has_seen(serial) => {
                Aim::One(serial).pin(&self.roster)
            }
            Ok(Command::Send(To::Named(name), _)) => Aim::Named(name.to_owned()).pin(&self.roster),
            // A list is read where it is carried out.
            Ok(Command::Send(To::Typed(_), _)) => Pin { whom: Whom::Nobody, label: format!("@{target}") },
            _ => return None,
        };
        Some(pin)
    }

    /// Why a line is not sent to the current target; it stays where it is then.
    fn refusal(&mut self, line: &str, pin: &Pin) -> Option<String> {
        let label = &pin.label;
        if pin.whom == Whom::Nobody {
            return Some(format!("not sent: {label} is nobody; @3 chooses #3, @all everybody"));
        }
        if pin.has_left(&self.roster) {
            let have = if matches!(pin.whom, Whom::One(_)) { "has" } else { "have all" };
            return Some(format!(
                "not sent: {label} {have} left; Ctrl-U clears the line, @3 in front sends it to #3"
            ));
        }
        let word = line.trim_end();
        let is_held = self.guard.holds_back(line);
        is_held.then(|| format!("{word:?} was not sent to {label}: Enter sends it, /help explains"))
    }

    fn remember(&mut self, line: &str, acts: &mut Vec<Act<Mail>>) {
        if self.editor.history.push(line)
            && let Some(file) = self.history_file.clone()
        {
            let line = line.to_owned();
            acts.push(Act::Run(Box::new(move || {
                file.lock().unwrap_or_else(PoisonError::into_inner).add(&line);
            })));
        }
    }

    fn interrupt(&mut self, now: Instant, acts: &mut Vec<Act<Mail>>) {
        if self.guard.interrupts(now) {
            self.is_over = true;
            return acts.push(terminate());
        }
        let what = self.what_leaving_does();
        self.say(Kind::Note, &format!("* Ctrl-C again within two seconds {what}"));
    }

    fn end(&mut self, acts: &mut Vec<Act<Mail>>) {
        if self.is_attached || self.guard.ends(self.roster.len()) {
            self.is_over = true;
            acts.push(Act::Post(Mail::Stdin(Chunk::Ended(None))));
            return acts.push(Act::EndInput);
        }
        let what = self.what_leaving_does();
        self.say(Kind::Note, &format!("* Ctrl-D again {what}"));
    }

    fn what_leaving_does(&self) -> String {
        match self.roster.len() as u64 {
            _ if self.is_attached => "leaves this desk, and nothing else".to_owned(),
            0 => "quits".to_owned(),
            here => format!("quits and drops {}", plural(here, "connection")),
        }
    }

    fn complete(&mut self, acts: &mut Vec<Act<Mail>>) {
        match complete::choice(self.editor.line(), self.editor.cursor(), &self.roster) {
            Choice::Nothing => self.rings = true,
            Choice::Of(range, words) => self.offer(range, &words),
            Choice::File(range, directory, begun) => {
                self.completing = Some((range, self.editor.line().to_owned()));
                // A directory may take its time, for which nobody else is to wait.
                acts.push(Act::LookUp(Box::new(move || files(&directory, &begun))));
            }
        }
    }

    pub(super) fn offer(&mut self, range: Range<usize>, words: &[String]) {
        self.is_stale = true;
        // A directory goes on, and so do a list of targets and a fault that needs a value.
        let with_blank =
            !matches!(words, [only] if only.ends_with(['/', '='])) && !self.editor.line().starts_with('@');
        match self.editor.offer(range, words, with_blank) {
            Offer::Nothing | Offer::Ambiguous => self.rings = true,
            Offer::Completed | Offer::Extended => {}
            Offer::List => {
                let mut listed = words[..words.len().min(LISTED_MAX)].join("  ");
                if words.len() > LISTED_MAX {
                    listed += &format!("  and {} more", grouped((words.len() - LISTED_MAX) as u64));
                }
                self.say(Kind::Reply, &listed);
            }
        }
    }
}

/// As Ctrl-C elsewhere: the second one, half a second after the first, ends at once.
fn terminate() -> Act<Mail> {
    Act::Run(Box::new(|| {
        let _ = raise(SIGINT);
    }))
}

fn text_of(line: &str) -> Command<'_> {
    Command::Send(To::Current, Payload::Text(line.as_bytes().into()))
}

/// The files of a directory whose name begins so; directories with a slash behind them.
fn files(directory: &std::path::Path, begun: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let fitting = entries.take(FILES_MAX).filter_map(Result::ok).filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let is_hidden = name.starts_with('.') && !begun.starts_with('.');
        if !name.starts_with(begun) || is_hidden || name.contains(char::is_control) {
            return None;
        }
        let is_directory = entry.path().is_dir();
        Some(if is_directory { name + "/" } else { name })
    });
    let mut fitting: Vec<String> = fitting.collect();
    fitting.sort_unstable();
    fitting
}
