//! What each key does to the line.

use std::mem;
use std::ops::Range;

use super::kills::Side;
use super::line::{Run, is_alphanumeric, is_not_blank};
use super::search::Search;
use super::{Action, Editor, Key, Last};

impl Editor {
    /// Does what a key says, and says what is left to the owner.
    pub fn press(&mut self, key: Key) -> Action {
        if self.search.is_some() {
            return self.press_in_search(key);
        }
        let last = mem::replace(&mut self.last, Last::Other);
        let (text_end, cursor) = (self.line().len(), self.cursor());
        match key {
            Key::Text(text) => self.type_in(&text, &last),
            Key::Paste(text) => done(self.put_in(&text, Run::Alone)),
            Key::PasteTooLong => Action::Rejected,
            Key::Enter => Action::Enter,
            Key::Interrupt => Action::Interrupt,
            Key::Suspend => Action::Suspend,
            Key::Refresh => Action::Refresh,
            Key::Tab => {
                self.last = if let Last::Tab { .. } = last { last } else { Last::Tab { was_in_vain: false } };
                Action::Complete
            }
            Key::Backspace => self.remove(self.line.before(cursor)..cursor),
            Key::DeleteOrEnd if self.is_empty() => Action::EndOfInput,
            Key::Delete | Key::DeleteOrEnd => self.remove(cursor..self.line.after(cursor)),
            Key::Left => self.go_to(self.line.before(cursor)),
            Key::Right => self.go_to(self.line.after(cursor)),
            Key::Home => self.go_to(0),
            Key::End => self.go_to(text_end),
            Key::WordLeft => self.go_to(self.line.word_before(is_alphanumeric)),
            Key::WordRight => self.go_to(self.line.word_after(is_alphanumeric)),
            Key::Up => self.recall(true),
            Key::Down => self.recall(false),
            Key::KillWordBack => self.kill(self.line.word_before(is_not_blank)..cursor, &last),
            Key::KillWordBackAlt => self.kill(self.line.word_before(is_alphanumeric)..cursor, &last),
            Key::KillWordForward => self.kill(cursor..self.line.word_after(is_alphanumeric), &last),
            Key::KillToEnd => self.kill(cursor..text_end, &last),
            Key::KillToStart => self.kill(0..cursor, &last),
            Key::Yank => self.yank(cursor..cursor),
            Key::YankPop => match last {
                Last::Yank(range) => {
                    self.kills.rotate();
                    self.yank(range)
                }
                _ => Action::Rejected,
            },
            Key::Undo => done(self.line.undo()),
            Key::Transpose => self.transpose(),
            Key::Search => {
                let draft = (self.line().to_owned(), cursor);
                self.search = Some(Search::new(draft, &self.history));
                Action::None
            }
            Key::Cancel | Key::Escape => Action::None,
        }
    }

    pub(super) fn put_in(&mut self, text: &str, run: Run) -> bool {
        self.line.replace(self.cursor()..self.cursor(), text, run)
    }

    fn type_in(&mut self, text: &str, last: &Last) -> Action {
        let run = if *last == Last::Typing { Run::GoesOn } else { Run::Alone };
        self.last = Last::Typing;
        done(self.put_in(text, run))
    }

    fn go_to(&mut self, at: usize) -> Action {
        self.line.move_to(at);
        Action::None
    }

    fn remove(&mut self, range: Range<usize>) -> Action {
        done(!range.is_empty() && self.line.replace(range, "", Run::Alone))
    }

    /// What is killed by one key after another is one text.
    fn kill(&mut self, range: Range<usize>, last: &Last) -> Action {
        self.last = Last::Kill;
        if range.is_empty() {
            return Action::Rejected;
        }
        let side = if range.start < self.cursor() { Side::Before } else { Side::Behind };
        self.kills.add(&self.line.text()[range.clone()], side, *last == Last::Kill);
        self.remove(range)
    }

    fn yank(&mut self, range: Range<usize>) -> Action {
        let Some(text) = self.kills.last() else { return Action::Rejected };
        let end = range.start + text.len();
        if !self.line.replace(range.clone(), text, Run::Alone) {
            return Action::Rejected;
        }
        self.last = Last::Yank(range.start..end);
        Action::None
    }

    /// Moves the character before the cursor over that under it; at the end of the line, the last two change places.
    fn transpose(&mut self) -> Action {
        let cursor = self.cursor();
        let middle = if cursor == self.line().len() { self.line.before(cursor) } else { cursor };
        let (start, end) = (self.line.before(middle), self.line.after(middle));
        if start == middle {
            return Action::Rejected;
        }
        let turned = [&self.line()[middle..end], &self.line()[start..middle]].concat();
        done(self.line.replace(start..end, &turned, Run::Alone))
    }

    /// Puts a line of the history in place of this one, which is kept as it is until a line is taken.
    fn recall(&mut self, is_older: bool) -> Action {
        let edited = self.line.text();
        let found = if is_older { self.history.older(edited) } else { self.history.newer(edited) };
        let Some(line) = found else { return Action::Rejected };
        self.line.exchange(line);
        Action::None
    }

    fn press_in_search(&mut self, key: Key) -> Action {
        let Some(search) = &mut self.search else { return Action::None };
        let found = match &key {
            Key::Text(text) => search.extend(text, &self.history),
            Key::Paste(text) => search.extend(text.lines().next().unwrap_or_default(), &self.history),
            Key::Backspace => search.shorten(&self.history),
            Key::Search if search.query().is_empty() => search.extend(&self.last_query, &self.history),
            Key::Search => search.go_on(&self.history),
            Key::Refresh => return Action::Refresh,
            Key::Cancel | Key::Interrupt => {
                let (line, cursor) = mem::take(&mut search.draft);
                self.end_search();
                self.line.restore(line, cursor);
                return Action::None;
            }
            Key::Escape => {
                self.accept_search();
                return Action::None;
            }
            _ => {
                self.accept_search();
                return self.press(key);
            }
        };
        if let Some((entry, at)) = found {
            self.line.restore(entry.to_owned(), at);
        }
        Action::None
    }

    /// What was found is edited from now on, as if it had been typed.
    pub(super) fn accept_search(&mut self) {
        if self.search.is_some() {
            self.end_search();
            self.history.end_walk();
        }
    }

    fn end_search(&mut self) {
        if let Some(search) = self.search.take().filter(|search| !search.query().is_empty()) {
            search.query().clone_into(&mut self.last_query);
        }
    }
}

fn done(is_done: bool) -> Action {
    if is_done { Action::None } else { Action::Rejected }
}
