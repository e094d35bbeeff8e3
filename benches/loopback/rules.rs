//! Messages that rules answer: a hundred regular expressions, of which the last one fits, beside one exact rule, and beside
//! none, where nobody answers.

use std::fs;
use std::io::{self, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use crate::programs::{Kind, Programs, Role};
use crate::table::{Figure, Unit, Work};

const LINE: &[u8] = b"a line of sixty-four bytes, its line ending included, as it is.\n";
const ANSWER: &[u8] = b"ok\n";
const LINES: usize = 1_000_000;

pub fn works() -> Vec<Work> {
    let work = |name: &str, is_quiet: bool| Work {
        name: name.to_owned(),
        bar: "<= 3.0 of one exact rule".to_owned(),
        unit: Unit::ServerNs,
        programs: vec![Kind::Switchboard, Kind::OneRule, Kind::NoRule],
        measure: Box::new(move |programs, kind| answer(programs, kind, is_quiet)),
    };
    vec![
        work("1,000,000 messages through 100 rules", false),
        work("1,000,000 messages through 100 rules, answers not shown", true),
    ]
}

/// Writes the rules of a kind. Those that do not fit begin like the one that does.
pub fn write_rules(programs: &Programs, kind: Kind) -> io::Result<std::path::PathBuf> {
    let path = programs.file(&format!("rules-{kind:?}"));
    let text = match kind {
        Kind::OneRule => format!("={}\tok\\n\n", String::from_utf8_lossy(LINE).trim_end()),
        _ => {
            let others = (1..100).map(|number| format!("^a line of (\\d+|{number}) bytes\tno ${{1}}\\n\n"));
            others.chain(["^a line of [a-z-]+ bytes, its\tok\\n\n".to_owned()]).collect()
        }
    };
    fs::write(&path, text)?;
    Ok(path)
}

fn answer(programs: &Programs, kind: Kind, is_quiet: bool) -> io::Result<Figure> {
    let server = programs.start(kind, Role::Rules { is_quiet })?;
    let mut stream = server.connect()?;
    let (before, began) = (server.processor_ns()?, Instant::now());
    let mut sender = stream.try_clone()?;
    let writer = thread::spawn(move || {
        let batch = LINE.repeat(1000);
        (0..LINES / 1000).try_for_each(|_| sender.write_all(&batch))
    });
    let (expected, mut arrived, mut buffer) = (LINES * ANSWER.len(), 0, vec![0; 1 << 20]);
    while kind != Kind::NoRule && arrived < expected {
        let count = stream.read(&mut buffer)?;
        assert!(count > 0, "the server has closed");
        arrived += count;
    }
    writer.join().expect("it does not panic")?;
    // Where nobody answers, all is done when the server has nothing to do any more.
    let (mut ns, mut since) = (server.processor_ns()?, Instant::now());
    let mut took = since - began;
    while since.elapsed() < Duration::from_millis(200) {
        thread::park_timeout(Duration::from_millis(10));
        let now = server.processor_ns()?;
        if now != ns {
            (ns, since) = (now, Instant::now());
            took = since - began;
        }
    }
    Ok(Figure {
        main: (ns - before) as f64 / LINES as f64,
        per_second: LINES as f64 / took.as_secs_f64(),
        all_arrived: kind == Kind::NoRule || arrived == expected,
    })
}
