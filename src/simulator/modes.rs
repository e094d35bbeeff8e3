//! The modes as they are, with an operator who types and screens that stand still at times. What each promises is
//! checked from outside: what the far ends were sent, and what was shown.

mod desks;
mod program;
mod witness;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::dice::Dice;
use super::far::Far;
use super::net::{Net, Sabotage, Terms};
use super::world::{World, small_limits};
use crate::app::App;
use crate::buffer::framing::Framing;
use crate::conn::policy::{Backpressure, Role};
use crate::desk::text::Format;
use crate::desk::{Display, Screens, Spelling};
use crate::hub::{DeskOptions, Hub, Mode, OnStdinEof, Voice};
use crate::modes::{Chat, Console, Echo};
use crate::terminal::{CapturedScreen, Chunk, Mail, WhenFull};
use desks::{Desks, HearsAll};
use witness::{Seen, Witness};

/// The operator: what was typed, and what the screens have shown.
struct Keyboard {
    dice: Dice,
    out: CapturedScreen,
    err: CapturedScreen,
    shown: Vec<u8>,
    answers: Vec<u8>,
    /// Texts so far; each has a number of its own.
    texts: usize,
    /// To whom the text of this number may go.
    meant_for: BTreeMap<usize, Meant>,
    /// Those whom a command was to end.
    ends: HashSet<u64>,
    /// Typed and not yet posted: it is cut anywhere.
    typed: Vec<u8>,
    /// Stdin has ended.
    has_left: bool,
    /// It is a program that sits there: what it asks is JSON, and what is shown as well.
    is_program: bool,
    /// What a program has asked, in order.
    asked: Vec<program::Asked>,
    /// Whole lines that were posted.
    posted_lines: usize,
}

/// As an operator's desk is spelt in a pipe.
const TSV: Spelling = Spelling::Text(Format::Tsv);

/// Whom a text is meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Meant {
    These(HashSet<u64>),
    /// One, whoever spoke last when it was executed.
    WhoeverSpokeLast,
    All,
}

/// What a mode's operator types.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Types {
    /// Texts alone, and questions.
    Texts,
    /// Everything there is.
    Everything,
}

impl Keyboard {
    fn new(dice: &Dice, when_full: WhenFull, spelling: Spelling) -> (Display, Keyboard) {
        // The screen of the answers never skips here: they are counted.
        let (desk, out, err) =
            Screens::in_memory(spelling, when_full, dice.pick(&[200, 2000, 1 << 20]), 1 << 20);
        let keyboard = Keyboard {
            dice: dice.clone(),
            out,
            err,
            shown: Vec::new(),
            answers: Vec::new(),
            texts: 0,
            meant_for: BTreeMap::new(),
            ends: HashSet::new(),
            typed: Vec::new(),
            has_left: false,
            is_program: spelling == Spelling::Json,
            asked: Vec::new(),
            posted_lines: 0,
        };
        (Display::Screens(Box::new(desk)), keyboard)
    }

    /// Somebody who is here, was here, or never will be.
    fn somebody(&self, seen: &BTreeMap<u64, Seen>) -> u64 {
        self.dice.below(seen.len() + 2) as u64
    }

    /// Types a line, whole or begun.
    fn type_something(&mut self, seen: &BTreeMap<u64, Seen>, types: Types) {
        if self.is_program {
            return self.ask_something(seen);
        }
        let (one, other) = (self.somebody(seen), self.somebody(seen));
        let kinds = if types == Types::Texts { 6 } else { 12 };
        let line = match self.dice.below(kinds) {
            0 => self.text("", Meant::WhoeverSpokeLast),
            1 => self.text("@all ", Meant::All),
            2 => self.text("@last ", Meant::WhoeverSpokeLast),
            3 => "/who".to_owned(),
            4 => "/stats".to_owned(),
            5 => self
                .dice
                .pick(&["/nonsense", "@", "@x y", "/kick", "/help nothing", "@99999999999999999999999 a"])
                .to_owned(),
            6 | 7 => self.text(&format!("@{one} "), Meant::These([one].into())),
            8 => self.text(&format!("@{one},{other} "), Meant::These([one, other].into())),
            kind => {
                self.ends.insert(one);
                match kind {
                    9 => format!("/kick {one} bye"),
                    10 => format!("/eof {one}"),
                    _ => format!("/rst {one}"),
                }
            }
        };
        self.typed.extend_from_slice(line.as_bytes());
        self.typed.push(b'\n');
    }

    fn text(&mut self, to: &str, whom: Meant) -> String {
        self.texts += 1;
        self.meant_for.insert(self.texts, whom);
        format!("{to}text{}", self.texts)
    }

    /// What the keyboard and the screens have for the engine.
    fn mail(&mut self) -> Vec<Mail> {
        let mut mail = Vec::new();
        if !self.has_left && self.dice.one_in(300) {
            self.has_left = true;
            mail.push(self.post(self.typed.len()));
            mail.push(Mail::Stdin(Chunk::Ended(None)));
        } else if !self.has_left && !self.typed.is_empty() && self.dice.one_in(2) {
            let count = 1 + self.dice.below(self.typed.len());
            mail.push(self.post(count));
        }
        // Most of the time somebody looks at the screen.
        if self.dice.below(4) > 0 && self.look() {
            mail.push(Mail::ScreenHasRoom);
        }
        mail
    }

    fn post(&mut self, count: usize) -> Mail {
        let bytes: Vec<u8> = self.typed.drain(..count).collect();
        self.posted_lines += bytes.iter().filter(|byte| **byte == b'\n').count();
        Mail::Stdin(Chunk::Bytes(bytes))
    }

    /// Takes what is to be shown. Returns whether the screen wants to know that it has room.
    fn look(&mut self) -> bool {
        let wants_room = self.out.take(&mut self.shown);
        self.err.take(&mut self.answers) | wants_room
    }
}

fn desk_options(voice: Voice, dice: &Dice) -> DeskOptions {
    let on_stdin_eof = dice.pick(&[OnStdinEof::Keep, OnStdinEof::Drain, OnStdinEof::Quit]);
    DeskOptions { voice, on_stdin_eof, keeps_history: dice.one_in(2), ..DeskOptions::PIPE }
}

/// What those are like who connect.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Crowd {
    /// Anybody, and time may jump.
    Mixed,
    /// They read all the time, and time goes steadily: nobody has a reason to drop any of them.
    Attentive,
}

/// Whether desks attach, beside the keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attaches {
    Nobody,
    /// Some do, and perhaps not all is as it should be.
    Some(Sabotage),
}

impl Attaches {
    fn desks<M: Mode>(self, dice: &Dice, app: &mut Hub<M>) -> Option<Desks> {
        match self {
            Attaches::Nobody => None,
            Attaches::Some(sabotage) => Some(Desks::open(dice, app, sabotage)),
        }
    }
}

/// What a world is like.
#[derive(Clone, Copy)]
struct Scene {
    types: Types,
    crowd: Crowd,
}

/// How a world comes to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Finale {
    /// Everybody leaves.
    AllLeave,
    /// The operator, or a signal, stops the server.
    Stop,
}

/// Runs a mode in a world of its own, to its end.
fn run_mode<M: Mode>(
    dice: &Dice,
    app: Hub<M>,
    desks: &mut Option<Desks>,
    keyboard: &mut Keyboard,
    scene: Scene,
    say: impl Fn(&Dice) -> Vec<u8>,
    steps: &mut usize,
) -> World<Witness<Hub<M>>> {
    let Scene { types, crowd } = scene;
    let mut terms = Terms {
        descriptors_max: dice.pick(&[5, 100]),
        backlog_max: 6,
        buffer_bytes: dice.pick(&[100, 300]),
        turbulence: dice.pick(&[6, 20]),
        toys: false,
        keeps_records: true,
    };
    let mut limits = small_limits();
    if let Some(desks) = desks {
        desks.widen(&mut terms, &mut limits);
    }
    let net = Net::new(terms, dice.clone(), Sabotage::None);
    let relays = types == Types::Texts && app.policy(Role::PEER).backpressure == Backpressure::Everybody;
    let witness =
        Witness { app, net, conns: BTreeMap::new(), desks: BTreeMap::new(), frames: Vec::new(), relays };
    let mut world = World::new(dice.clone(), terms, limits, Sabotage::None, witness);
    world.app.net = world.net.clone();
    for _ in 0..150 {
        if dice.are_used_up() {
            break;
        }
        let here = world.engine.board.peers().count();
        if here < 8 && dice.one_in(if here < 3 { 2 } else { 10 }) {
            let text = say(dice);
            world.knock(match crowd {
                Crowd::Attentive => Far::saying(text),
                Crowd::Mixed if dice.one_in(3) => Far::of_any_kind(text, dice),
                Crowd::Mixed => Far::faithful(text, dice),
            });
        }
        world.happen(dice.below(6));
        if crowd == Crowd::Attentive {
            world.net.touch().all_hear();
        }
        if dice.one_in(2) {
            keyboard.type_something(&world.app.conns, types);
        }
        let passes_ms = match crowd {
            Crowd::Mixed => dice.pick(&[0, 0, 1, 50, 250, 1100, 4000]),
            Crowd::Attentive => dice.pick(&[0, 1, 50]),
        };
        if let Some(desks) = desks {
            desks.may_come(&world, types, keyboard.is_program);
        }
        turn(&mut world, keyboard, Duration::from_millis(passes_ms));
        desks.iter().for_each(|desks| desks.look(&mut world));
        *steps = world.steps;
    }
    let finale = dice.pick(&[Finale::AllLeave, Finale::Stop]);
    if finale == Finale::Stop {
        if keyboard.has_left || dice.one_in(2) {
            world.post(Mail::Terminate);
        } else {
            let quit: &[u8] = if keyboard.is_program { b"{\"cmd\":\"quit\"}\n" } else { b"exit\n" };
            keyboard.typed.extend_from_slice(quit);
            let typed = keyboard.post(keyboard.typed.len());
            world.post(typed);
        }
    }
    world.calm_down();
    for _ in 0..4000 {
        let count = world.net.look().sockets.len();
        (0..count).for_each(|number| world.net.touch().step(number));
        turn(&mut world, keyboard, Duration::from_millis(500));
        desks.iter().for_each(|desks| desks.look(&mut world));
        *steps = world.steps;
        let is_over = match finale {
            Finale::AllLeave => {
                world.engine.has_ended() || (world.engine.board.is_empty() && !world.net.look().can_accept())
            }
            Finale::Stop => world.engine.has_ended(),
        };
        if is_over {
            // What was shown last is on its way to the screens, bit by bit.
            let mut before = None;
            while before.replace(keyboard.shown.len()) != Some(keyboard.shown.len()) {
                keyboard.look();
                world.app.turn_ended(&mut world.engine.board);
                keyboard.look();
            }
            return world;
        }
    }
    let here: Vec<_> = world.engine.board.views().collect();
    panic!("it never came to its end; still here: {here:?}");
}

fn turn<A: App<Message = Mail>>(world: &mut World<Witness<A>>, keyboard: &mut Keyboard, passes: Duration) {
    for mail in keyboard.mail() {
        world.post(mail);
    }
    world.turn(passes);
}

/// Lines of letters alone, so that no format has to spell anything out.
fn letters(dice: &Dice) -> Vec<u8> {
    let words = 1 + dice.below(60);
    (0..words).flat_map(|word| format!("w{word}{}", dice.pick(&["\n", "\n", "-"])).into_bytes()).collect()
}

/// One world in one of the modes.
pub(super) fn run(dice: &Dice, attaches: Attaches, steps: &mut usize) {
    match dice.below(3) {
        0 => echo(dice, attaches, steps),
        1 => chat(dice, attaches, steps),
        _ => console(dice, attaches, steps),
    }
}

/// Every byte comes back, to who sent it, in order; and all of them, where both sides finish.
fn echo(dice: &Dice, attaches: Attaches, steps: &mut usize) {
    let (desk, mut keyboard) = Keyboard::new(dice, WhenFull::Skip, TSV);
    let mut app = Hub::new(Echo::default(), desk, None, desk_options(Voice::Mute, dice));

    let mut desks = attaches.desks(dice, &mut app);
    let scene = Scene { types: Types::Everything, crowd: Crowd::Mixed };
    let say = |dice: &Dice| dice.text(600);
    let world = run_mode(dice, app, &mut desks, &mut keyboard, scene, say, steps);

    let kernel = world.net.look();
    for (serial, seen) in &world.app.conns {
        let sock = &kernel.sockets[seen.sock];
        let Some(record) = &sock.record else { panic!("this system keeps records") };
        // A kick says why behind what was echoed, whole or as far as the connection lasted.
        let is_right = |cut: usize| {
            let echoed = record.written.strip_suffix(&b"bye\n"[..cut]);
            echoed.is_some_and(|echoed| record.said.starts_with(echoed))
        };
        assert!((0..=4).any(is_right), "#{serial} got back something else than it said");
        let is_ended =
            keyboard.ends.contains(serial) || desks.iter().any(|desks| desks.ends.contains(serial));
        if seen.closed == Some(("finished", 0)) && !is_ended {
            assert_eq!(record.written.len(), record.said.len(), "#{serial} got back all it said");
        }
    }
    drop(kernel);
    desks.iter().for_each(|desks| desks.check(&world, HearsAll::No));
}

/// Everybody hears what the others say, who comes and who goes, once each and in one order; and nothing else.
fn chat(dice: &Dice, attaches: Attaches, steps: &mut usize) {
    let (desk, mut keyboard) = Keyboard::new(dice, WhenFull::Skip, TSV);
    let mut app = Hub::new(Chat::new(false, 0), desk, None, desk_options(Voice::Participant, dice));

    let mut desks = attaches.desks(dice, &mut app);
    let crowd = dice.pick(&[Crowd::Mixed, Crowd::Attentive]);
    let scene = Scene { types: Types::Texts, crowd };
    let world = run_mode(dice, app, &mut desks, &mut keyboard, scene, letters, steps);

    let kernel = world.net.look();
    for (serial, seen) in &world.app.conns {
        let Some(record) = &kernel.sockets[seen.sock].record else { panic!("this system keeps records") };
        let (of_operator, of_others): (Vec<&[u8]>, Vec<&[u8]>) = record
            .written
            .split_inclusive(|byte| *byte == b'\n')
            .partition(|line| line.starts_with(b"<operator> "));
        // The last line may be cut where the connection ended, the operator's as well.
        let of_others = of_others.concat();
        let whole = &of_others[..of_others.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)];
        assert!(seen.told.starts_with(whole), "#{serial} heard something else than was said");
        if seen.closed.is_some_and(|(_, unsent)| unsent == 0)
            && (record.written.is_empty() || record.written.ends_with(b"\n"))
        {
            let told = String::from_utf8_lossy(&seen.told);
            assert_eq!(String::from_utf8_lossy(whole), told, "#{serial} heard all that was said");
        }
        let why = seen.closed.map_or("", |(why, _)| why);
        let is_dropped = matches!(why, "queue-full" | "buffers-full" | "reads-too-slowly" | "reads-nothing");
        assert!(crowd == Crowd::Mixed || !is_dropped, "#{serial} listened well and was dropped: {why}");
        let numbers: Vec<usize> = of_operator.iter().filter_map(|line| number_of_text(line)).collect();
        assert!(
            numbers.is_sorted_by(|one, next| one < next),
            "#{serial} heard the operator once, in order: {numbers:?}"
        );
    }
    drop(kernel);
    desks.iter().for_each(|desks| desks.check(&world, HearsAll::No));
}

/// All that is said is shown, with who said it; a text reaches those it is meant for, and nobody else; and where
/// it went is answered.
fn console(dice: &Dice, attaches: Attaches, steps: &mut usize) {
    let spelling = dice.pick(&[TSV, Spelling::Json]);
    let (desk, mut keyboard) = Keyboard::new(dice, WhenFull::Wait, spelling);
    let mut app = Hub::new(Console::new(Framing::Lines), desk, None, desk_options(Voice::Plain, dice));

    let mut desks = attaches.desks(dice, &mut app);
    let scene = Scene { types: Types::Everything, crowd: Crowd::Mixed };
    let mut world = run_mode(dice, app, &mut desks, &mut keyboard, scene, letters, steps);

    if keyboard.is_program {
        program::check(&mut world, &mut keyboard);
    } else {
        check_console(&world, &keyboard, desks.as_ref());
    }
    desks.iter().for_each(|desks| desks.check(&world, HearsAll::Yes));
}

fn check_console<A: App<Message = Mail>>(
    world: &World<Witness<A>>,
    keyboard: &Keyboard,
    desks: Option<&Desks>,
) {
    let shown: Vec<(u64, Vec<u8>)> =
        keyboard.shown.split(|byte| *byte == b'\n').filter_map(parse_tsv).collect();
    assert!(shown == world.app.frames, "something else was shown than was said");
    let answers = String::from_utf8_lossy(&keyboard.answers);
    let kernel = world.net.look();
    for (serial, seen) in &world.app.conns {
        let Some(record) = &kernel.sockets[seen.sock].record else { panic!("this system keeps records") };
        let texts: Vec<usize> =
            record.written.split_inclusive(|byte| *byte == b'\n').filter_map(number_of_text).collect();
        assert!(
            texts.is_sorted_by(|one, next| one < next),
            "#{serial} got each text once, in order: {texts:?}"
        );
        for text in &texts {
            if let Meant::These(these) = &keyboard.meant_for[text] {
                assert!(these.contains(serial), "#{serial} got another's text {text}");
            }
        }
        if seen.closed.is_some_and(|(_, unsent)| unsent == 0) {
            let to_one = |text: &&usize| keyboard.meant_for[*text] != Meant::All;
            let got = texts.iter().filter(to_one).count();
            let accepted = answers.lines().filter(|line| accepts_for(line, *serial)).count();
            let (got_of_all, meant_for_all) = (texts.len() - got, texts_for_all(&answers, *serial));
            // What another desk does to it is not shown.
            let was_told = seen.closed.is_some_and(|(why, _)| matches!(why, "kicked" | "stopping"))
                && desks.is_none_or(|desks| !desks.ends.contains(serial));
            assert!(
                !was_told || got_of_all == meant_for_all,
                "#{serial} got {got_of_all} of {meant_for_all} to all"
            );
            assert_eq!(got, accepted, "#{serial}: texts that it got, against answers that say so");
        }
    }
}

fn parse_tsv(line: &[u8]) -> Option<(u64, Vec<u8>)> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let serial = str::from_utf8(&line[..tab]).ok()?.parse().ok()?;
    let text = &line[tab + 1..];
    // A line that was too long goes on in the next.
    Some((serial, text.strip_suffix(b"\tmore").unwrap_or(text).to_vec()))
}

/// The number of a whole text of the operator's.
fn number_of_text(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"\n")?;
    let line = line.strip_prefix(b"<operator> ").unwrap_or(line);
    let line = line.strip_prefix(b"(private) ").unwrap_or(line);
    str::from_utf8(line.strip_prefix(b"text")?).ok()?.parse().ok()
}

/// Whether an answer says that a text is on its way to this connection.
fn accepts_for(answer: &str, serial: u64) -> bool {
    if answer.contains(" (desk ") {
        return false;
    }
    // Of several, those before the number of bytes are the ones that get it.
    let Some((receivers, _)) = answer.strip_prefix("-> ").and_then(|answer| answer.split_once(" byte"))
    else {
        return false;
    };
    let Some((receivers, _)) = receivers.rsplit_once(' ') else { return false };
    receivers.split(", ").any(|receiver| receiver == format!("#{serial}"))
}

/// How many texts went to all while this connection was among them, as the screen tells in order.
fn texts_for_all(shown: &str, serial: u64) -> usize {
    let came = format!("* #{serial} connected");
    let goes =
        [format!("-> #{serial} closes"), format!("-> #{serial} finishes"), format!("-> #{serial} is reset")];
    let is_end = |line: &str| line.starts_with("* stopping") || goes.iter().any(|end| line.starts_with(end));
    let here = shown.lines().skip_while(|line| !line.starts_with(&came)).take_while(|line| !is_end(line));
    here.filter(|line| line.starts_with("-> all ")).count()
}
