//! Events to bytes: a pure function of the event, the format and the time of day. Every line is whole
//! and ends with `\n`; nothing a peer said reaches it unescaped, save in `raw`.

use std::io::Write;
use std::time::Duration;

use crate::{ConnId, End, Frame, Inbound, Outbound, View};

use super::answer::{Answer, Event};
use super::desk::Format;
use super::safe::{push_human, push_tsv};
use super::stamp::Stamp;

/// Renders events in one format.
#[derive(Debug)]
pub struct Renderer {
    format: Format,
    /// What stands in front of the lines of `labelled`: most lines are by whoever said the one before.
    label: Vec<u8>,
    labelled: Option<ConnId>,
}

impl Renderer {
    /// A renderer for this format.
    pub fn new(format: Format) -> Renderer {
        Renderer { format, label: Vec::new(), labelled: None }
    }

    /// Appends an event, as one line or several.
    pub fn render(&mut self, event: &Event<'_>, stamp: &mut Stamp, out: &mut Vec<u8>) {
        match event {
            Event::Message(id, frame) => self.message(*id, frame, stamp, out),
            // Writing to a Vec cannot fail.
            event => drop(push_event(out, event)),
        }
    }

    fn message(&mut self, id: ConnId, frame: &Frame<'_>, stamp: &mut Stamp, out: &mut Vec<u8>) {
        match self.format {
            Format::Human => {
                out.extend_from_slice(stamp.text().as_bytes());
                out.extend_from_slice(self.label(id));
                push_human(out, without_cr(frame.bytes));
                if frame.end == End::Limit {
                    // The line goes on in the next message.
                    out.extend_from_slice("…".as_bytes());
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
                    self.label.push(b' ');
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

fn push_event(out: &mut Vec<u8>, event: &Event<'_>) -> std::io::Result<()> {
    match event {
        Event::Message(..) => Ok(()),
        Event::Opened(id, peer) => writeln!(out, "* {id} connected from {peer}"),
        Event::Ended(id) => writeln!(out, "* {id} has finished sending"),
        Event::Closed { id, why, rx_bytes, tx_bytes, unsent_bytes, discarded_bytes } => {
            write!(out, "* {id} closed: ")?;
            push_human(out, why.to_string().as_bytes());
            write!(out, " (received {rx_bytes}, sent {tx_bytes}")?;
            if *unsent_bytes > 0 {
                write!(out, ", {unsent_bytes} bytes could not be sent")?;
            }
            if *discarded_bytes > 0 {
                write!(out, ", {discarded_bytes} bytes came too late and were thrown away")?;
            }
            writeln!(out, ")")
        }
        Event::Skipped(count) => writeln!(out, "* {count} lines skipped: nobody was reading them"),
        Event::Answer(answer) => push_answer(out, answer),
    }
}

fn push_answer(out: &mut Vec<u8>, answer: &Answer<'_>) -> std::io::Result<()> {
    match answer {
        Answer::Sent(id, bytes) => {
            // The most frequent of all; see `push_number`.
            out.extend_from_slice(b"-> ");
            push_id(out, *id);
            out.push(b' ');
            push_number(out, *bytes as u64);
            out.extend_from_slice(if *bytes == 1 { b" byte\n" } else { b" bytes\n" });
            Ok(())
        }
        Answer::SentToAll(conns, bytes) => {
            writeln!(out, "-> all ({}) {}", plural(*conns, "connection"), plural(*bytes, "byte"))
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
        Answer::Aimed(target) => writeln!(out, "* the current target is {target}"),
        Answer::Closing(id, how) => writeln!(out, "-> {id} {how}"),
        Answer::Row(view) => push_row(out, view),
        Answer::Stats { stats, conns, uptime } => {
            writeln!(out, "up {}, {} turns", duration(*uptime), stats.turns)?;
            writeln!(
                out,
                "connections {conns} now, {} opened, {} closed, {} dropped for not reading",
                stats.opened, stats.closed, stats.dropped_slow
            )?;
            writeln!(
                out,
                "turned away {} when full, {} by address; {} accepts failed",
                stats.refused_full, stats.refused_address, stats.accept_errors
            )?;
            writeln!(
                out,
                "limits: {} closed as idle, {} as half-open, {} dropped for all buffers; {} lines cut",
                stats.closed_idle, stats.closed_half_open, stats.dropped_buffers, stats.cuts
            )?;
            writeln!(
                out,
                "bytes {} received, {} sent, {} could not be sent, {} discarded; {} messages",
                stats.rx_bytes, stats.tx_bytes, stats.unsent_bytes, stats.discarded_bytes, stats.frames
            )
        }
        Answer::Help(help) => writeln!(out, "{:<20} {}", help.usage, help.what),
        Answer::Mistake(mistake) => {
            push_human(out, mistake.to_string().as_bytes());
            writeln!(out)
        }
        Answer::TooLong => writeln!(out, "cannot take this line: it is longer than 16 MiB"),
        Answer::Stopping(0) => writeln!(out, "* stopping"),
        Answer::Stopping(waiting) => {
            writeln!(out, "* stopping: sending what is queued for {}", plural(*waiting, "connection"))
        }
        Answer::NoInput(why) => writeln!(out, "cannot read stdin: {why}"),
    }
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
        view.rx_bytes,
        view.tx_bytes,
        view.queued_bytes
    )
}

fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// `1.2 MB`: for people, so in powers of ten.
fn size(bytes: usize) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return plural(bytes, "byte");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
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
    use crate::{Address, Board, Limits, Peer};

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
        ] {
            assert_eq!(rendered(Format::Human, &event), text);
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
