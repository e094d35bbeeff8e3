//! A recording that is played: each newcomer is given the next of its conversations, and is told what was told then, as
//! soon as it has said what was said before that. What does not fit is the operator's.

use std::collections::HashMap;
use std::ptr;
use std::rc::Rc;
use std::time::Duration;

use crate::board::Board;
use crate::buffer::framing::{End, Frame};
use crate::clock::Moment;
use crate::conn::ConnId;
use crate::desk::text::plural;
use crate::desk::{Author, Conversation, Event, Progress, Recording, Turn, What};
use crate::hub::answers::{Said, Saying};
use crate::hub::desks::Desks;

/// So many words on what does not fit are told within a second; more are counted. Each is about a message that is shown
/// anyway.
const TOLD_A_SECOND: u32 = 20;

/// What is played, and to whom.
#[derive(Debug)]
pub struct Play {
    conversations: Vec<Rc<Conversation>>,
    /// So many times as fast as it was; none: at once.
    speed: f64,
    /// Which of them the next newcomer gets; the last one again and again.
    next: usize,
    listeners: HashMap<u64, Listener>,
    told: Told,
}

/// Somebody to whom a conversation is played.
#[derive(Debug)]
struct Listener {
    conversation: Rc<Conversation>,
    progress: Progress,
    since: Moment,
    /// Messages of it so far.
    messages: u64,
    /// It was told that something does not fit, and nothing has since.
    is_told: bool,
}

/// What was told of those who stray from their conversations.
#[derive(Debug, Default)]
struct Told {
    /// The second that is being counted, and how much was told in it.
    second: Moment,
    count: u32,
    /// What was not told since.
    left_out: u64,
}

impl Play {
    /// Plays what was recorded, so many times as fast; 0: at once.
    pub fn new(recording: Recording, speed: f64) -> Play {
        let conversations = recording.conversations.into_iter().map(Rc::new).collect();
        Play { conversations, speed, next: 0, listeners: HashMap::new(), told: Told::default() }
    }

    /// Begins with a newcomer. Whom we have dialled is none.
    pub fn opened(&mut self, id: ConnId, desks: &mut Desks, board: &mut Board) {
        if desks.dialled.contains(&id.serial()) {
            return;
        }
        let Some(conversation) = self.conversations.get(self.next).map(Rc::clone) else { return };
        self.next = (self.next + 1).min(self.conversations.len() - 1);
        let since = board.now();
        let progress = Progress::default();
        let mut listener = Listener { conversation, progress, since, messages: 0, is_told: false };
        listener.go_on(id, self.speed, desks, board);
        self.listeners.insert(id.serial(), listener);
    }

    /// Holds what a peer said against what was said then. Returns whether it was shown, and answered.
    pub fn heard(&mut self, id: ConnId, frame: Frame<'_>, desks: &mut Desks, board: &mut Board) -> bool {
        // Whoever is linked is answered by the other.
        let is_linked = desks.links.mate(id.serial()).is_some();
        let Some(listener) = self.listeners.get_mut(&id.serial()).filter(|_| !is_linked) else {
            return false;
        };
        let piece = [&frame.head, frame.bytes, frame.behind(desks.links.envelope)];
        let Listener { conversation, progress, .. } = listener;
        listener.messages += u64::from(!progress.is_within_message());
        let fits = match frame.end {
            End::Silence => progress.hear_until_silence(&conversation.turns, &piece),
            end => progress.hear(&conversation.turns, &piece, end == End::Limit),
        };
        if fits {
            listener.is_told = false;
            desks.followed(id, frame, board);
            listener.go_on(id, self.speed, desks, board);
            return true;
        }
        let is_told = std::mem::replace(&mut listener.is_told, true);
        let what = (!is_told).then(|| listener.stray(id));
        if !desks.converse(id, frame, board)
            && let Some(what) = what
        {
            self.told.tell(&what, desks, board.now());
        }
        true
    }

    /// A peer has finished sending.
    pub fn ended(&mut self, id: ConnId, desks: &mut Desks, board: &mut Board) {
        let Some(listener) = self.listeners.get_mut(&id.serial()) else { return desks.ended(id, board) };
        let turns = &listener.conversation.turns;
        let fits = listener.progress.hear_end(turns);
        let is_through = listener.progress.is_through(turns);
        if is_through && turns.iter().any(|turn| is_our_end(&turn.what)) {
            // Nobody's answer is awaited: it is the recording that ends it.
            desks.out.tell(&Event::Ended(desks.names.who(id.serial()), None));
            return listener.go_on(id, self.speed, desks, board);
        }
        if fits {
            listener.go_on(id, self.speed, desks, board);
        } else if !is_through {
            let (serial, messages) = (id.serial(), plural(listener.messages, "message"));
            let what = format!("#{serial} has finished earlier than in the recording, after {messages}");
            self.told.tell(&what, desks, board.now());
        }
        desks.ended(id, board);
    }

    /// A connection has ended.
    pub fn forget(&mut self, serial: u64) {
        self.listeners.remove(&serial);
    }
}

impl Listener {
    /// Says what is due by now, or will be when its time comes.
    fn go_on(&mut self, id: ConnId, speed: f64, desks: &mut Desks, board: &mut Board) {
        let Listener { conversation, progress, since, .. } = self;
        let turns = &conversation.turns;
        while let Some(turn) = progress.next_of_ours(turns) {
            let what = match &turn.what {
                What::Said(bytes) => Said::Exact(bytes.clone()),
                What::SaidReset => Said::Reset,
                _ if hangs_up(turns, turn) => Said::Close,
                _ => Said::Finish,
            };
            desks.say(id, Saying { not_before: when(*since, turn.at, speed), what, by: Author::Play }, board);
        }
    }

    /// What is told of a message that does not fit.
    fn stray(&self, id: ConnId) -> String {
        let (serial, message) = (id.serial(), self.messages);
        match self.progress.is_through(&self.conversation.turns) {
            true => format!(
                "#{serial} goes on behind the end of the recording, with its message {message}: it is yours to answer"
            ),
            false => format!(
                "#{serial} said what is not in the recording there, as its message {message}: it is yours to answer"
            ),
        }
    }
}

impl Told {
    fn tell(&mut self, what: &str, desks: &mut Desks, now: Moment) {
        if now.since(self.second) >= Duration::from_secs(1) {
            (self.second, self.count) = (now, 0);
        }
        self.count += 1;
        if self.count > TOLD_A_SECOND {
            self.left_out += 1;
            return;
        }
        let more = match std::mem::take(&mut self.left_out) {
            0 => String::new(),
            more => format!(" ({more} more such words were left out)"),
        };
        desks.out.tell(&Event::Note(&format!("{what}{more}")));
    }
}

impl Desks {
    /// Shows what a peer said and a recording answers. Where messages are counted, this one is, too.
    fn followed(&mut self, id: ConnId, frame: Frame<'_>, board: &mut Board) {
        self.count_message(id.serial(), frame.end);
        self.heard_where(id, frame, false, board);
    }
}

fn is_our_end(what: &What) -> bool {
    matches!(what, What::SaidEnd | What::SaidReset)
}

/// Whether this end of ours was ours alone: the peer had not finished, and neither did nor said anything behind it.
fn hangs_up(turns: &[Turn], end: &Turn) -> bool {
    let had_finished =
        turns.iter().take_while(|turn| !ptr::eq(*turn, end)).any(|turn| turn.what == What::HeardEnd);
    let mut behind = turns.iter().skip_while(|turn| !ptr::eq(*turn, end));
    !had_finished && !behind.any(|turn| matches!(turn.what, What::Heard(_) | What::HeardEnd))
}

/// When something is due that was said so long after it had connected.
fn when(since: Moment, at: Duration, speed: f64) -> Moment {
    if speed == 0.0 { Moment::default() } else { since + at.div_f64(speed) }
}
