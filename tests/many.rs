//! Many at once: nothing is lost, mixed up or delivered to a stranger.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use common::{DEADLINE, Random, Server, parse_tsv};

const PEERS: usize = 800;
const LINES: usize = 5;
const THREADS: usize = 8;
/// Peers of one thread that speak in turns, a piece each.
const GROUP: usize = 10;

/// The server shows a line whose ending does not come for 200 ms as it is. A peer that could not go on
/// for half of that, because the machine was busy, may have had its lines shown in parts.
const STALL: Duration = Duration::from_millis(100);

struct Talker {
    stream: TcpStream,
    lines: Vec<Vec<u8>>,
    stalled: bool,
}

impl Talker {
    fn connect(to: SocketAddr, number: usize, random: &mut Random) -> Talker {
        let stream = TcpStream::connect_timeout(&to, DEADLINE).expect("the server listens");
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let lines = (0..LINES).map(|line| {
            let length = random.below(60);
            let mut text = format!("peer {number} line {line} \\ \t 你好 ").into_bytes();
            text.extend(random.bytes(length).into_iter().filter(|byte| *byte != b'\n'));
            text
        });
        Talker { lines: lines.collect(), stream, stalled: false }
    }

    /// All it says, cut at random.
    fn pieces(&self, random: &mut Random) -> Vec<Vec<u8>> {
        let mut all: Vec<u8> = self.lines.join(&b'\n');
        all.push(b'\n');
        let mut cuts: Vec<usize> = (0..8).map(|_| random.below(all.len())).chain([0, all.len()]).collect();
        cuts.sort_unstable();
        cuts.windows(2).map(|pair| all[pair[0]..pair[1]].to_vec()).collect()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        // Nothing but what it reads here is ever sent to it at once, so the buffer holds no more.
        BufReader::new(&self.stream).read_line(&mut line).expect("a line comes in time");
        line
    }
}

/// Lets the members of a group speak in turns, a piece each.
fn speak(group: &mut [Talker], seed: u64) {
    let mut random = Random::seeded(seed);
    let mut pieces: Vec<_> = group.iter().map(|talker| talker.pieces(&mut random).into_iter()).collect();
    let mut last_at: Vec<Option<Instant>> = vec![None; group.len()];
    let mut all_said = false;
    while !all_said {
        all_said = true;
        for (at, talker) in group.iter_mut().enumerate() {
            let Some(piece) = pieces[at].next() else { continue };
            talker.stream.write_all(&piece).expect("the server reads");
            talker.stalled |= last_at[at].is_some_and(|before| before.elapsed() > STALL);
            last_at[at] = Some(Instant::now());
            all_said = false;
        }
    }
}

#[test]
fn what_eight_hundred_say_comes_out_once_in_order_and_each_answer_reaches_its_own_peer() {
    let mut server = Server::start(&["--format", "tsv"]);
    let mut random = Random::seeded(800);
    let mut talkers: Vec<Talker> =
        (0..PEERS).map(|number| Talker::connect(server.address, number, &mut random)).collect();

    thread::scope(|scope| {
        for (thread, share) in talkers.chunks_mut(PEERS / THREADS).enumerate() {
            scope.spawn(move || {
                for (at, group) in share.chunks_mut(GROUP).enumerate() {
                    speak(group, (thread * 1000 + at) as u64);
                }
            });
        }
    });
    let bytes_said: usize = talkers.iter().flat_map(|talker| &talker.lines).map(Vec::len).sum();
    let shown = server.out.wait_for("all that was said", |out| {
        let shown = by_number(out);
        let bytes: usize = shown.values().flatten().map(Vec::len).sum();
        (bytes >= bytes_said).then_some(shown)
    });

    assert_eq!(shown.len(), PEERS, "each has one number");
    let mut number_of = HashMap::new();
    for (number, lines) in &shown {
        let first = String::from_utf8_lossy(&lines[0]).into_owned();
        let at = first.split(' ').nth(1).and_then(|at| at.parse::<usize>().ok());
        let at = at.unwrap_or_else(|| panic!("#{number} begins with {first:?}"));
        assert_eq!(number_of.insert(at, *number), None, "peer {at} has two numbers");
        if talkers[at].stalled {
            assert_eq!(lines.concat(), talkers[at].lines.concat(), "what peer {at} said, as #{number}");
        } else {
            assert_eq!(lines, &talkers[at].lines, "what peer {at} said, as #{number}");
        }
    }
    let stalled = talkers.iter().filter(|talker| talker.stalled).count();
    assert!(stalled < PEERS / 2, "the machine is too busy to show anything: {stalled} peers stalled");

    let mut replies = String::new();
    for at in 0..PEERS {
        replies += &format!("@{} answer for peer {at}\n", number_of[&at]);
    }
    server.write_stdin(replies.as_bytes());
    for (at, talker) in talkers.iter_mut().enumerate() {
        assert_eq!(talker.line(), format!("answer for peer {at}\n"));
    }
    // Whatever a stranger might have got would come before this.
    server.type_line("@all the end");
    for (at, talker) in talkers.iter_mut().enumerate() {
        assert_eq!(talker.line(), "the end\n", "what peer {at} got after its answer");
    }
}

fn by_number(out: &[u8]) -> HashMap<u64, Vec<Vec<u8>>> {
    let mut shown: HashMap<u64, Vec<Vec<u8>>> = HashMap::new();
    for line in out.split_inclusive(|byte| *byte == b'\n') {
        let Some(line) = line.strip_suffix(b"\n") else { break };
        let tab = line.iter().position(|byte| *byte == b'\t').expect("a number and a tab");
        let number = str::from_utf8(&line[..tab]).unwrap().parse().expect("a number");
        shown.entry(number).or_default().push(parse_tsv(&line[tab + 1..]));
    }
    shown
}
