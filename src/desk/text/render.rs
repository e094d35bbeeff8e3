//! Events to bytes: a pure function of the event, the format and the time of day. Every line is whole
//! and ends with `\n`; nothing a peer said reaches it unescaped, save in `raw`.

use std::io::Write;
use std::time::Duration;

use crate::board::View;
use crate::buffer::framing::{End, Frame};
use crate::conn::{ConnId, Inbound, Outbound, Peer};

use super::safe::{push_ascii, push_human, push_tsv};
use super::stamp::Stamp;
use crate::desk::{Answer, Event, Format, Many, Tally};

/// Which characters whoever reads the human format can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repertoire {
    /// All that Unicode has.
    Unicode,
    /// ASCII alone: what is not in it is spelt out.
    Ascii,
}

impl Repertoire {
    /// Appends a peer's bytes as a person reads them.
    pub fn push(self, out: &mut Vec<u8>, bytes: &[u8]) {
        match self {
            Repertoire::Unicode => push_human(out, bytes),
            Repertoire::Ascii => push_ascii(out, bytes),
        }
    }

    /// What stands behind a line that goes on in the next message.
    fn ellipsis(self) -> &'static str {
        match self {
            Repertoire::Unicode => "…",
            Repertoire::Ascii => "...",
        }
    }
}

/// Renders events in one format.
#[derive(Debug)]
pub struct Renderer {
    format: Format,
    repertoire: Repertoire,
    /// What stands in front of the lines of `labelled`: most lines are by whoever said the one before.
    label: Vec<u8>,
    labelled: Option<ConnId>,
    /// What stands in front of a reply `-> #3 6 bytes`, with the time of its turn: many of them go to one
    /// connection.
    reply_label: Vec<u8>,
    reply_labelled: Option<(ConnId, u64)>,
}

impl Renderer {
    /// A renderer for this format.
    pub fn new(format: Format) -> Renderer {
        Renderer::of(format, Repertoire::Unicode)
    }

    /// A renderer of the human format for a terminal that shows these characters.
    pub fn for_terminal(repertoire: Repertoire) -> Renderer {
        Renderer::of(Format::Human, repertoire)
    }

    fn of(format: Format, repertoire: Repertoire) -> Renderer {
        Renderer {
            format,
            repertoire,
            label: Vec::new(),
            labelled: None,
            reply_label: Vec::new(),
            reply_labelled: None,
        }
    }

    /// Appends an event, as one line or several.
    pub fn render(&mut self, event: &Event<'_>, stamp: &mut Stamp, out: &mut Vec<u8>) {
        match event {
            Event::Message(id, frame) => self.message(*id, frame, stamp, out),
            // Writing to a Vec cannot fail.
            event => drop(push_event(out, event, self.repertoire)),
        }
    }

    /// The same with the time in front of each line.
    pub fn render_stamped(&mut self, event: &Event<'_>, stamp: &mut Stamp, out: &mut Vec<u8>) {
        if let Event::Answer(Answer::Sent(id, bytes)) = event {
            // The most frequent of all; see `push_number`.
            out.extend_from_slice(self.reply_label(*id, stamp));
            return push_sent_bytes(out, *bytes);
        }
        stamp.push(out);
        let mut from = out.len();
        self.render(event, stamp, out);
        // Mostly it is one line, which ends with the last byte.
        while let Some(newline) = memchr::memchr(b'\n', &out[from..])
            && from + newline + 1 < out.len()
        {
            from += newline + 1;
            let rest = out.split_off(from);
            stamp.push(out);
            from = out.len();
            out.extend_from_slice(&rest);
        }
    }

    fn reply_label(&mut self, id: ConnId, stamp: &mut Stamp) -> &[u8] {
        if self.reply_labelled != Some((id, stamp.turn())) {
            self.reply_labelled = Some((id, stamp.turn()));
            self.reply_label.clear();
            stamp.push(&mut self.reply_label);
            push_sent_to(&mut self.reply_label, id);
        }
        &self.reply_label
    }

    fn message(&mut self, id: ConnId, frame: &Frame<'_>, stamp: &mut Stamp, out: &mut Vec<u8>) {
        match self.format {
            Format::Human => {
                stamp.push(out);
                out.extend_from_slice(self.label(id));
                self.repertoire.push(out, without_cr(frame.bytes));
                if frame.end == End::Limit {
                    out.extend_from_slice(self.repertoire.ellipsis().as_bytes());
                }
                out.push(b'\n');
            }
            Format::Tsv => {
                out.extend_from_slice(self.label(id));
                push_tsv(out, frame.bytes);
                out.push(b'\n');
            }
            Format::Raw => {
                out.extend_from_slice(frame.bytes);
                if frame.end == End::Newline {
                    out.push(b'\n');
                }
            }
        }
    }

    fn label(&mut self, id: ConnId) -> &[u8] {
        if self.labelled != Some(id) {
            self.labelled = Some(id);
            self.label.clear();
            match self.format {
                Format::Human => {
                    push_id(&mut self.label, id);
                    self.label.extend_from_slice(b"> ");
                }
                Format::Tsv => {
                    push_number(&mut self.label, id.serial());
                    self.label.push(b'\t');
                }
                Format::Raw => {}
            }
        }
        &self.label
    }
}

/// A line as a person wants it: many devices end theirs with `\r\n`.
pub fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Appends `#7`.
pub fn push_id(out: &mut Vec<u8>, id: ConnId) {
    out.push(b'#');
    push_number(out, id.serial());
}

/// Appends a number in decimal; `write!` would take longer than all the rest of a short message.
fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn push_event(out: &mut Vec<u8>, event: &Event<'_>, repertoire: Repertoire) -> std::io::Result<()> {
    match event {
        Event::Message(..) => Ok(()),
        Event::Opened(id, peer) => {
            push_event_of(out, *id);
            out.extend_from_slice(b" connected from ");
            push_peer(out, peer)?;
            writeln!(out)
        }
        // Whether it only shut down its side or has left altogether cannot be told from its end.
        Event::Ended(id, None) => writeln!(out, "* {id} has finished sending (it may have left)"),
        Event::Ended(id, Some(kept)) => writeln!(
            out,
            "* {id} has finished sending (it may have left); kept {} for your answer",
            limit(*kept)
        ),
        Event::Closed { id, why, received_bytes, sent_bytes, unsent_bytes, discarded_bytes } => {
            push_event_of(out, *id);
            out.extend_from_slice(b" closed: ");
            repertoire.push(out, why.to_string().as_bytes());
            out.extend_from_slice(b" (received ");
            push_number(out, *received_bytes);
            out.extend_from_slice(b", sent ");
            push_number(out, *sent_bytes);
            if *unsent_bytes > 0 {
                write!(out, ", {} could not be sent", plural(*unsent_bytes as u64, "byte"))?;
            }
            if *discarded_bytes > 0 {
                let were = if *discarded_bytes == 1 { "was" } else { "were" };
                let bytes = plural(*discarded_bytes as u64, "byte");
                write!(out, ", {bytes} came too late and {were} thrown away")?;
            }
            out.extend_from_slice(b")\n");
            Ok(())
        }
        Event::Skipped(1) => writeln!(out, "* 1 line skipped: nobody was reading it"),
        Event::Skipped(count) => writeln!(out, "* {count} lines skipped: nobody was reading them"),
        Event::TurnedAway(count, why) => writeln!(out, "* {count} turned away in the last second: {why}"),
        Event::Answer(answer) => push_answer(out, answer, repertoire),
    }
}

fn push_answer(out: &mut Vec<u8>, answer: &Answer<'_>, repertoire: Repertoire) -> std::io::Result<()> {
    match answer {
        Answer::Sent(id, bytes) => {
            push_sent(out, *id, *bytes);
            Ok(())
        }
        Answer::SentToAll(conns, bytes) => {
            writeln!(
                out,
                "-> all ({}) {}",
                plural(*conns as u64, "connection"),
                plural(*bytes as u64, "byte")
            )
        }
        Answer::NotReading(id, queued) => writeln!(out, "{id} is not reading, {} queued", size(*queued)),
        Answer::Full(id, queued) => {
            writeln!(out, "{id} is not reading, {} queued: this was not sent", size(*queued))
        }
        Answer::TextTooLong(max) => {
            writeln!(out, "cannot send this text: it is longer than {} (--queue-max)", size(*max))
        }
        Answer::Finished(id) => writeln!(out, "cannot send to {id}: our side of it is finished"),
        Answer::Gone(serial) => writeln!(out, "#{serial} is gone"),
        Answer::NoSuch(serial) => writeln!(out, "there is no #{serial}: nothing was done"),
        Answer::Nobody => writeln!(out, "nobody is connected"),
        Answer::NoTarget => writeln!(out, "cannot send: nobody has spoken yet (@3 text sends to #3)"),
        Answer::Mute => writeln!(out, "cannot send: in this mode the operator does not speak"),
        Answer::TargetIs(target) => writeln!(out, "* the current target is {target}"),
        Answer::Closing(id, how) => writeln!(out, "-> {id} {how}"),
        Answer::Many(what, tally) => push_many(out, *what, tally),
        Answer::CutShort(left) => push_cut_short(out, *left),
        Answer::Row(view) => push_row(out, view),
        Answer::Stats { stats, conns, uptime } => {
            let turns = plural(stats.turns, "turn");
            writeln!(out, "up {}, {turns} of the loop (each serves whatever is ready)", duration(*uptime))?;
            writeln!(
                out,
                "connections {conns} now, {} opened, {} closed, {} dropped for not reading",
                stats.opened, stats.closed, stats.dropped_slow
            )?;
            writeln!(
                out,
                "turned away {} when full, {} by address; {} failed",
                stats.refused_full,
                stats.refused_address,
                plural(stats.accept_errors, "accept")
            )?;
            writeln!(
                out,
                "limits: {} closed as idle, {} as half-open, {} dropped for all buffers; {} cut",
                stats.closed_idle,
                stats.closed_half_open,
                stats.dropped_buffers,
                plural(stats.cuts, "line")
            )?;
            writeln!(
                out,
                "bytes {} received, {} sent, {} could not be sent, {} discarded; {}",
                stats.received_bytes,
                stats.sent_bytes,
                stats.unsent_bytes,
                stats.discarded_bytes,
                plural(stats.frames, "message")
            )
        }
        Answer::Help(help) => writeln!(out, "{:<20} {}", help.usage, help.what),
        Answer::Mistake(mistake) => {
            repertoire.push(out, mistake.to_string().as_bytes());
            writeln!(out)
        }
        Answer::TooLong => writeln!(out, "cannot take this line: it is longer than 16 MiB"),
        Answer::Stopping(0) => writeln!(out, "* stopping"),
        Answer::Stopping(waiting) => {
            writeln!(out, "* stopping: sending what is queued for {}", plural(*waiting as u64, "connection"))
        }
        Answer::NoInput(why) => writeln!(out, "cannot read stdin: {why}"),
    }
}

fn push_event_of(out: &mut Vec<u8>, id: ConnId) {
    out.extend_from_slice(b"* ");
    push_id(out, id);
}

/// Appends a peer's address. Where thousands come and go each second, most of the time of a line went into `write!`
/// of an IPv4 address.
fn push_peer(out: &mut Vec<u8>, peer: &Peer) -> std::io::Result<()> {
    let Peer::V4(address) = peer else { return write!(out, "{peer}") };
    for (at, octet) in address.ip().octets().into_iter().enumerate() {
        if at > 0 {
            out.push(b'.');
        }
        push_number(out, u64::from(octet));
    }
    out.push(b':');
    push_number(out, u64::from(address.port()));
    Ok(())
}

fn push_sent(out: &mut Vec<u8>, id: ConnId, bytes: usize) {
    push_sent_to(out, id);
    push_sent_bytes(out, bytes);
}

fn push_sent_to(out: &mut Vec<u8>, id: ConnId) {
    out.extend_from_slice(b"-> ");
    push_id(out, id);
    out.push(b' ');
}

fn push_sent_bytes(out: &mut Vec<u8>, bytes: usize) {
    push_number(out, bytes as u64);
    out.extend_from_slice(if bytes == 1 { b" byte\n" } else { b" bytes\n" });
}

/// What is seldom said is kept out of the way of what is said for each text.
#[inline(never)]
fn push_cut_short(out: &mut Vec<u8>, left: Option<usize>) -> std::io::Result<()> {
    match left {
        None => writeln!(out, "* the end came first: nothing was done to those of the list"),
        Some(left) => {
            writeln!(
                out,
                "* the end came first: {} of the list not reached",
                plural(left as u64, "connection")
            )
        }
    }
}

/// One line, however many they are.
#[inline(never)]
fn push_many(out: &mut Vec<u8>, what: Many, tally: &Tally) -> std::io::Result<()> {
    let Tally { done, slow, full, finished, gone, more_gone } = *tally;
    let conns = plural(done as u64, "connection");
    match what {
        Many::Sent(bytes) => write!(out, "-> {conns} {}", plural(bytes as u64, "byte"))?,
        Many::TargetIs => write!(out, "* the current target is {conns}")?,
        Many::Closing(how) => write!(out, "-> {conns} {how}")?,
    }
    if gone > 0 {
        write!(out, "; {}{gone} gone", if more_gone { "more than " } else { "" })?;
    }
    if slow > 0 {
        write!(out, "; {slow} not reading")?;
    }
    if full > 0 {
        write!(out, "; {full} not reading, to whom this was not sent")?;
    }
    if finished > 0 {
        write!(out, "; {finished} to whom our side is finished")?;
    }
    writeln!(out)
}

fn push_row(out: &mut Vec<u8>, view: &View<'_>) -> std::io::Result<()> {
    let state = match (view.is_open, view.inbound, view.outbound) {
        (false, ..) => "closing",
        (true, Inbound::Open, Outbound::Open) if view.is_slow => "not reading",
        (true, Inbound::Open, Outbound::Open) => "open",
        (true, Inbound::Ended, Outbound::Open) => "it has finished",
        (true, Inbound::Open, _) => "we have finished",
        (true, Inbound::Ended, _) => "finishing",
    };
    writeln!(
        out,
        "{:<6} {:<22} {state:<16} received {}, sent {}, queued {}",
        view.id.to_string(),
        view.peer.to_string(),
        view.received_bytes,
        view.sent_bytes,
        view.queued_bytes
    )
}

/// `1 byte`, `2 bytes`.
pub fn plural(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// `1.2 MB`: for people, so in powers of ten.
fn size(bytes: usize) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return plural(bytes as u64, "byte");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A limit in words, as exact as it was given: `500 ms`, `60 s`, `5 min`, `2 h`. One unit is left as it is up to
/// the double of the next: 60 s is what the manual says, not 1 min.
fn limit(time: Duration) -> String {
    let (millis, seconds) = (time.as_millis(), time.as_secs());
    match seconds {
        _ if millis % 1000 != 0 => format!("{millis} ms"),
        7200.. if seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        120.. if seconds % 60 == 0 => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::board::Board;
    use crate::board::stats::Stats;
    use crate::limits::Limits;

    fn id() -> ConnId {
        Board::new(Limits::default()).dial(Address::Tcp("127.0.0.1:1".parse().unwrap()))
    }

    fn rendered(format: Format, event: &Event<'_>) -> String {
        let mut out = Vec::new();
        Renderer::new(format).render(event, &mut Stamp::local(), &mut out);
        String::from_utf8(out).unwrap()
    }

    fn line(bytes: &[u8]) -> Event<'_> {
        Event::Message(id(), Frame { bytes, end: End::Newline })
    }

    #[test]
    fn a_message_in_each_format() {
        let human = rendered(Format::Human, &line(b"hello\r"));
        let (stamp, rest) = human.split_at("12:03:04.123".len());
        assert_eq!(rest, " #1> hello\n");
        let shape: String =
            stamp.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect();
        assert_eq!(shape, "00:00:00.000");
        assert_eq!(rendered(Format::Tsv, &line(b"a\tb\r")), "1\ta\\tb\\r\n");
        assert_eq!(rendered(Format::Raw, &line(b"\x1b[1m\r")), "\x1b[1m\r\n");
    }

    #[test]
    fn a_line_that_goes_on_says_so_to_people() {
        let part = Event::Message(id(), Frame { bytes: b"abc", end: End::Limit });
        assert!(rendered(Format::Human, &part).ends_with("#1> abc…\n"));
        assert_eq!(rendered(Format::Raw, &part), "abc");
    }

    #[test]
    fn events_and_answers_read_as_documented() {
        let peer = Peer::from("127.0.0.1:50122".parse::<std::net::SocketAddr>().unwrap());
        for (event, text) in [
            (Event::Opened(id(), &peer), "* #1 connected from 127.0.0.1:50122\n"),
            (Event::Answer(Answer::Sent(id(), 6)), "-> #1 6 bytes\n"),
            (Event::Answer(Answer::NotReading(id(), 1_234_567)), "#1 is not reading, 1.2 MB queued\n"),
            (Event::Answer(Answer::Gone(7)), "#7 is gone\n"),
            (Event::Skipped(1), "* 1 line skipped: nobody was reading it\n"),
            (Event::TurnedAway(312, "full"), "* 312 turned away in the last second: full\n"),
            (Event::Ended(id(), None), "* #1 has finished sending (it may have left)\n"),
            (
                Event::Ended(id(), Some(Duration::from_secs(60))),
                "* #1 has finished sending (it may have left); kept 60 s for your answer\n",
            ),
        ] {
            assert_eq!(rendered(Format::Human, &event), text);
        }
    }

    #[test]
    fn the_time_stands_in_front_of_each_line_of_an_answer() {
        let stats = Stats { turns: 1, ..Stats::default() };
        let answer = Answer::Stats { stats: &stats, conns: 0, uptime: Duration::from_secs(1) };
        let (mut plain, mut stamped) = (Vec::new(), b"before\n".to_vec());
        let mut stamp = Stamp::local();
        Renderer::new(Format::Tsv).render(&Event::Answer(answer), &mut stamp, &mut plain);
        let answer = Answer::Stats { stats: &stats, conns: 0, uptime: Duration::from_secs(1) };
        Renderer::new(Format::Tsv).render_stamped(&Event::Answer(answer), &mut stamp, &mut stamped);

        let plain = String::from_utf8(plain).unwrap();
        let expected: Vec<String> = plain.lines().map(|line| format!("{} {line}", stamp.text())).collect();
        let stamped = String::from_utf8(stamped).unwrap();
        assert_eq!(stamped.lines().skip(1).collect::<Vec<_>>(), expected);
        assert_eq!(expected.len(), 5);
        assert!(plain.contains("1 turn of the loop") && plain.contains("0 accepts failed"), "{plain}");
    }

    #[test]
    fn a_terminal_of_ascii_alone_gets_nothing_else() {
        let mut out = Vec::new();
        let part = Event::Message(id(), Frame { bytes: "é".as_bytes(), end: End::Limit });
        Renderer::for_terminal(Repertoire::Ascii).render(&part, &mut Stamp::local(), &mut out);
        assert!(out.ends_with(b" #1> \\u{e9}...\n"), "{}", String::from_utf8_lossy(&out));
    }

    #[test]
    fn limits_are_said_in_the_unit_that_fits() {
        for (millis, text) in [
            (0, "0 s"),
            (500, "500 ms"),
            (1500, "1500 ms"),
            (60_000, "60 s"),
            (90_000, "90 s"),
            (300_000, "5 min"),
            (3_600_000, "60 min"),
            (7_200_000, "2 h"),
        ] {
            assert_eq!(limit(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn sizes_are_for_people() {
        for (bytes, text) in
            [(1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"), (999_960, "1.0 MB"), (8 << 20, "8.4 MB")]
        {
            assert_eq!(size(bytes), text);
        }
    }
}
