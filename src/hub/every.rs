//! What is sent again and again.

use std::rc::Rc;
use std::time::Duration;

use crate::board::Board;
use crate::clock::Moment;
use crate::desk::{
    Author, Command, DeskId, Event, Every, Payload, Receivers, Refusal, Repeated, Reply, Template,
};
use crate::hub::answers::{Saying, Text};
use crate::hub::desks::Desks;
use crate::hub::job::Act;
use crate::hub::options::Voice;
use crate::hub::send::Asked;
use crate::hub::session::Session;
use crate::hub::target::Whom;

/// Most repetitions at a time: each is a walk over those it is for, and nobody reads a list of more.
const EVERIES_MAX: usize = 100;

/// To so many a text of their own is said in one turn; each takes about as long as a line.
const SAID_A_TURN: usize = 1024;

/// To whom something is repeated.
#[derive(Debug)]
enum Whose {
    /// Whoever is here at each tick.
    Everybody,
    /// These, as long as one of them is here.
    These(Vec<u64>),
}

/// One repetition.
#[derive(Debug)]
struct Repetition {
    number: u64,
    period: Duration,
    next: Moment,
    whose: Whose,
    what: What,
}

/// What is repeated.
#[derive(Debug)]
enum What {
    /// What an operator has typed, at this desk.
    Typed(DeskId, Act, Vec<u8>),
    /// A text that may differ from one to the next.
    Text(Rc<Template>),
}

/// Whether what is repeated counts as an answer: what an operator has typed, at this desk, does; a text of the command line
/// does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counts {
    Yes(DeskId),
    No,
}

/// All that is repeated.
#[derive(Debug, Default)]
pub struct Everies {
    all: Vec<Repetition>,
    last_number: u64,
    /// Texts that are being said to everybody, a part of them a turn.
    under_way: Vec<(Rc<Template>, Vec<u64>)>,
}

impl Everies {
    /// When the next is due.
    pub fn next(&self) -> Option<Moment> {
        self.all.iter().map(|one| one.next).min()
    }
}

impl Desks {
    /// Begins, lists or ends repetitions.
    pub(super) fn repeat(
        &mut self,
        session: &mut Session,
        every: Every<'_>,
        asked: Asked<'_>,
        board: &mut Board,
    ) -> Result<(), Refusal> {
        match every {
            Every::Begin(period, command) => self.begin_every(session, period, *command, asked, board),
            Every::List => {
                let all: Vec<Repeated<'_>> = self
                    .everies
                    .all
                    .iter()
                    .map(|one| Repeated {
                        number: one.number,
                        period: one.period,
                        whom: match &one.whose {
                            Whose::Everybody => &[],
                            Whose::These(serials) => serials,
                        },
                        bytes: match &one.what {
                            What::Typed(_, _, bytes) => bytes,
                            What::Text(template) => template.spelt(),
                        },
                    })
                    .collect();
                self.out.reply(session.id, asked.reference, &Reply::Everies(&all));
                Ok(())
            }
            Every::Off(number) => {
                let before = self.everies.all.len();
                self.everies.all.retain(|one| number.is_some_and(|number| one.number != number));
                let ended = before - self.everies.all.len();
                match number {
                    Some(number) if ended == 0 => Err(Refusal::NoEvery(number)),
                    _ => {
                        self.out.reply(session.id, asked.reference, &Reply::EveryOff(ended));
                        Ok(())
                    }
                }
            }
        }
    }

    /// Repeats a text to everybody from the start.
    pub fn repeat_text(&mut self, period: Duration, template: Template) {
        self.everies.last_number += 1;
        self.everies.all.push(Repetition {
            number: self.everies.last_number,
            period,
            next: self.since + period,
            whose: Whose::Everybody,
            what: What::Text(Rc::new(template)),
        });
    }

    fn begin_every(
        &mut self,
        session: &mut Session,
        period: Duration,
        command: Command<'_>,
        asked: Asked<'_>,
        board: &mut Board,
    ) -> Result<(), Refusal> {
        if self.everies.all.len() >= EVERIES_MAX {
            return Err(Refusal::TooManyEveries(EVERIES_MAX));
        }
        let (to, act, bytes) = match command {
            Command::Send(to, Payload::Text(bytes)) if self.options.voice != Voice::Mute => {
                (to, Act::SendText, bytes)
            }
            Command::Send(_, Payload::Text(_)) => return Err(Refusal::Mute),
            Command::Send(to, Payload::Exact(bytes)) => (to, Act::SendExactly, bytes),
            _ => return Err(Refusal::NotYet("/every with /file")),
        };
        self.check_length(act, &bytes, board)?;
        let whose = match self.resolve(to, asked.line, session, board)? {
            Whom::All => Whose::Everybody,
            Whom::One(serial) if board.find(serial).is_none() => return Err(Refusal::Gone(serial)),
            Whom::One(serial) => Whose::These(vec![serial]),
            Whom::Known(whom) => Whose::These(whom.serials().to_vec()),
            Whom::List(source) => {
                Whose::These(crate::hub::job::read_at_once(source, asked.line, &self.names, board)?)
            }
        };
        if let Whose::These(serials) = &whose
            && let Some(first) = serials.first()
            && serials.iter().all(|serial| board.find(*serial).is_none())
        {
            return Err(Refusal::Gone(*first));
        }
        self.everies.last_number += 1;
        let number = self.everies.last_number;
        let next = board.now() + period;
        board.wake_at(next);
        let what = What::Typed(session.id, act, bytes.into_owned());
        self.everies.all.push(Repetition { number, period, next, whose, what });
        self.out.reply(session.id, asked.reference, &Reply::EveryBegun(number, period));
        self.out.tell_others(Some(session.id), &Event::Every { number, period: Some(period), why: None });
        Ok(())
    }

    /// Does what is due, and asks to be called when the next is. Ticks that were missed, or that would get into the
    /// middle of a file, are not made up for.
    pub(super) fn tick(&mut self, board: &mut Board) {
        if !self.everies.under_way.is_empty() {
            self.say_to_more(board);
        }
        let now = board.now();
        if self.everies.next().is_none_or(|next| next > now) {
            self.everies.next().into_iter().for_each(|next| board.wake_at(next));
            return;
        }
        let mut all = std::mem::take(&mut self.everies.all);
        for one in all.iter_mut().filter(|one| one.next <= now) {
            let on_time = one.next + one.period;
            one.next = if on_time > now { on_time } else { now + one.period };
            self.send_again(one, board);
        }
        self.everies.all = all;
        self.end_everies_for_nobody();
        self.everies.next().into_iter().for_each(|next| board.wake_at(next));
    }

    /// A connection has ended, and what is repeated for it alone ends with it.
    pub(super) fn repeat_no_more_for(&mut self, serial: u64) {
        for one in &mut self.everies.all {
            if let Whose::These(serials) = &mut one.whose {
                serials.retain(|one| *one != serial);
            }
        }
        self.end_everies_for_nobody();
    }

    fn end_everies_for_nobody(&mut self) {
        self.everies.all.retain(|one| match &one.whose {
            Whose::These(serials) if serials.is_empty() => {
                let why = Some("those it was for are gone");
                self.out.tell(&Event::Every { number: one.number, period: None, why });
                false
            }
            _ => true,
        });
    }

    fn send_again(&mut self, one: &mut Repetition, board: &mut Board) {
        match (&mut one.whose, &one.what) {
            (Whose::Everybody, What::Typed(by, act, bytes)) => {
                self.repeat_to_all(*act, bytes, Counts::Yes(*by), board)
            }
            (Whose::Everybody, What::Text(template)) => match template.constant() {
                // What is linked is spoken to one by one, since the sides of a tap's target are not meant.
                Some(bytes) if self.links.is_empty() => {
                    self.repeat_to_all(Act::SendExactly, bytes, Counts::No, board);
                }
                _ => self.begin_saying_to_all(Rc::clone(template), board),
            },
            (Whose::These(serials), what) => {
                // Texts are for everybody.
                let What::Typed(by, act, bytes) = what else { return };
                serials.retain(|serial| board.find(*serial).is_some());
                let (mut got, mut answered) = (Vec::new(), Vec::new());
                for serial in serials.iter() {
                    if self.act(*act, *serial, bytes, board).is_done() {
                        got.push(*serial);
                        answered.extend(self.pending.has_struck_off(*serial).then_some(*serial));
                    }
                }
                if !got.is_empty() {
                    let around = self.around(*act, bytes).unwrap_or_default();
                    let whole = around.framed(bytes);
                    let to = Receivers::Several(&got);
                    self.out.count_sent_again(&Event::Sent { by: Author::Every, to, bytes: &whole }, true);
                    answered.into_iter().for_each(|serial| self.is_struck_off(*by, serial));
                }
            }
        }
    }

    fn repeat_to_all(&mut self, act: Act, bytes: &[u8], counts: Counts, board: &mut Board) {
        if board.audience() > 0 && self.files.is_empty() {
            let around = self.around_for_all(act, bytes).unwrap_or_default();
            let odd = self.say_to_all(act, &around, bytes, board);
            let whole = around.framed(bytes);
            let event = Event::Sent { by: Author::Every, to: Receivers::All, bytes: &whole };
            self.out.count_sent_again(&event, counts != Counts::No);
            let Counts::Yes(by) = counts else { return };
            let mut answered: Vec<u64> = self.pending.all().into_iter().map(|(serial, _)| serial).collect();
            self.strike_off_but(&odd);
            answered.retain(|serial| self.pending.get(*serial).is_none());
            answered.into_iter().for_each(|serial| self.is_struck_off(by, serial));
        }
    }

    /// Begins to say a text to everybody who is here now. One that is still being said is not begun again.
    fn begin_saying_to_all(&mut self, template: Rc<Template>, board: &mut Board) {
        if self.everies.under_way.iter().any(|(under_way, _)| Rc::ptr_eq(under_way, &template)) {
            return;
        }
        let here = board.peers().filter(|view| view.may_be_sent()).map(|view| view.id.serial());
        let mut serials: Vec<u64> = here.filter(|serial| self.links.client_of(*serial).is_none()).collect();
        serials.reverse();
        self.everies.under_way.push((template, serials));
        self.say_to_more(board);
    }

    /// Goes on with the texts that are being said to everybody.
    fn say_to_more(&mut self, board: &mut Board) {
        let mut under_way = std::mem::take(&mut self.everies.under_way);
        let mut left = SAID_A_TURN;
        for (template, serials) in &mut under_way {
            while let Some(serial) = serials.pop_if(|_| left > 0) {
                left -= 1;
                let Some(id) = board.find(serial) else { continue };
                // Whoever still waits for the last time is not told again.
                if self.answers.is_saying(serial, template) {
                    continue;
                }
                let count = self.messages_of(serial);
                let text = Text::new(Rc::clone(template), count);
                self.say(id, Saying::text(text, Author::Every), board);
            }
        }
        under_way.retain(|(_, serials)| !serials.is_empty());
        if !under_way.is_empty() {
            board.call_again();
        }
        self.everies.under_way = under_way;
    }
}
