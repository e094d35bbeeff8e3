//! Holds the sources to the rules of the map of modules: who may import whom, and what is nowhere used.
//! Each rule is a function of a path and a text, so that it can be shown to catch what it forbids.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What is wrong with the file, in one line each.
type Rule = fn(path: &str, text: &str) -> Vec<String>;

const RULES: &[Rule] = &[mio_is_named_in_the_reactor_alone, a_life_is_written_in_one_file, prints_nothing];

fn mio_is_named_in_the_reactor_alone(path: &str, text: &str) -> Vec<String> {
    if room_of(path) == Some("reactor") { Vec::new() } else { words_found(path, text, &["mio"]) }
}

/// The stage and the half-closes of a connection are written in `conn/state.rs`, and steps are taken by the board.
fn a_life_is_written_in_one_file(path: &str, text: &str) -> Vec<String> {
    if !path.starts_with("src/") || is_of_tests(path) || path == "src/conn/state.rs" {
        return Vec::new();
    }
    let code = code_of(text);
    let mut faults = Vec::new();
    for (word, rest) in words(&code) {
        let rest = rest.trim_start();
        let is_written = rest.starts_with('=') && !rest.starts_with("==") && !rest.starts_with("=>");
        if ["stage", "inbound", "outbound"].contains(&word) && is_written {
            faults.push(format!("{path} writes {word}"));
        }
        if word == "state" && rest.starts_with(".take(") && path != "src/board/lifecycle.rs" {
            faults.push(format!("{path} takes a step past the board"));
        }
    }
    faults
}

/// The room that a source stands in: a file of `src/` and the folder of its name are one. The programs, and what
/// puts the library together, are none.
fn room_of(path: &str) -> Option<&str> {
    let within = path.strip_prefix("src/")?;
    let room = within.split('/').next().unwrap_or(within);
    let room = room.strip_suffix(".rs").unwrap_or(room);
    (!["lib", "main", "bin"].contains(&room)).then_some(room)
}

/// A row of the map: a room, and the rooms that it names.
type Row = (String, BTreeSet<String>);

/// The map as ARCHITECTURE.md has it, in its order.
fn map_in(architecture: &str) -> Vec<Row> {
    let rows = architecture.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| `")?.trim_end_matches('|').split('|').collect();
        let room = cells.first()?.trim().strip_suffix('`')?;
        let names = cells.last()?.split('`').map(str::trim).filter(|name| !name.is_empty());
        Some((room.to_owned(), names.map(str::to_owned).collect()))
    });
    rows.collect()
}

/// The same as the code has it: which rooms the files of each name, tests left out.
fn map_of(sources: &[(String, String)]) -> BTreeMap<String, BTreeSet<String>> {
    let mut map: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in sources {
        let Some(room) = room_of(path).filter(|_| !is_of_tests(path)) else { continue };
        let code = code_of(text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text));
        let names = map.entry(room.to_owned()).or_default();
        let paths =
            words(&code).filter(|(word, _)| *word == "crate").filter_map(|(_, rest)| rest.strip_prefix("::"));
        for path in paths {
            // A list behind `crate::` would hide what it names, so it is no room.
            let name =
                if path.starts_with('{') { "{" } else { words(path).next().map_or("", |(name, _)| name) };
            if name != room {
                names.insert(name.to_owned());
            }
        }
    }
    map
}

/// What is wrong with the map: what it has and the code has not, the other way round, and arrows up.
fn faults_of(map: &[Row], code: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut faults = Vec::new();
    for (at, (room, names)) in map.iter().enumerate() {
        let none = BTreeSet::new();
        let found = code.get(room).unwrap_or(&none);
        let is_above = |name: &String| map[..at].iter().any(|(above, _)| above == name);
        faults.extend(
            found.difference(names).map(|name| format!("{room} names {name}, which its row does not")),
        );
        faults.extend(
            names.difference(found).map(|name| format!("{room} does not name {name}, as its row says")),
        );
        faults.extend(
            names.iter().filter(|name| !is_above(name)).map(|name| format!("{room} names {name} above it")),
        );
    }
    let rows: BTreeSet<&String> = map.iter().map(|(room, _)| room).collect();
    faults.extend(code.keys().filter(|room| !rows.contains(room)).map(|room| format!("{room} has no row")));
    faults
}

fn is_of_tests(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

fn prints_nothing(path: &str, text: &str) -> Vec<String> {
    if !path.starts_with("src/") {
        return Vec::new();
    }
    const MACROS: [&str; 7] = ["println", "eprintln", "print", "eprint", "dbg", "todo", "unimplemented"];
    let code = code_of(text);
    let is_called = |name: &str| words(&code).any(|(word, rest)| word == name && rest.starts_with('!'));
    MACROS.iter().filter(|name| is_called(name)).map(|name| format!("{path} calls {name}!")).collect()
}

fn nobody_sleeps(path: &str, text: &str) -> Vec<String> {
    words_found(path, text, &["sleep", "sleep_ms", "sleep_until"])
}

fn says_what_it_is_for(path: &str, text: &str) -> Vec<String> {
    if text.starts_with("//!") { Vec::new() } else { vec![format!("{path} does not begin with //!")] }
}

/// Files that may be longer than `FILE_LINES_MAX`, and why; up to `LONG_FILE_LINES_MAX`.
const LONG_FILES: &[(&str, &str)] = &[
    ("src/simulator/chaos.rs", "one App, its accounts, and what is checked of them"),
    ("src/simulator/modes.rs", "three modes, told to the same far ends"),
];

/// Functions that may be longer than `FN_LINES_MAX`, and why.
const LONG_FNS: &[(&str, &str)] = &[
    ("src/conn/state.rs take", "one match over every pair of stage and step"),
    ("src/desk/json/events.rs of_desks", "one arm for each event"),
    ("src/desk/json/replies.rs push_rest", "one arm for each reply"),
    ("src/desk/text/render.rs push_event", "one line of words for each event"),
    ("src/desk/text/reply.rs push_reply", "one line of words for each reply"),
    ("src/load/json.rs result", "one table of what is reported"),
    ("src/load/report.rs write", "one page, from top to bottom"),
    ("src/load/tester/clockwork.rs follow_the_plan", "the phases of a run, in their order"),
    ("src/simulator/modes.rs run_mode", "one run, from top to bottom"),
];

const FILE_LINES_MAX: usize = 400;
/// Not even a file that may be longer is longer than this.
const LONG_FILE_LINES_MAX: usize = 600;
const FN_LINES_MAX: usize = 60;

/// Tests do not count: neither those behind `#[cfg(test)]` nor a file of them.
fn is_not_too_long(path: &str, text: &str) -> Vec<String> {
    if is_of_tests(path) {
        return Vec::new();
    }
    let may_be_long = LONG_FILES.iter().any(|(file, _)| *file == path);
    let max = if may_be_long { LONG_FILE_LINES_MAX } else { FILE_LINES_MAX };
    let count = lines_without_tests(text).count();
    if count <= max { Vec::new() } else { vec![format!("{path} has {count} lines, over {max}")] }
}

/// Counts from the line of `fn` to that of the closing brace, as rustfmt sets them.
fn has_short_functions(path: &str, text: &str) -> Vec<String> {
    if is_of_tests(path) {
        return Vec::new();
    }
    let mut faults = Vec::new();
    let lines: Vec<&str> = lines_without_tests(text).collect();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_begun_in(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let count =
            lines[at..].iter().position(|line| *line == format!("{indent}}}")).map_or(0, |end| end + 1);
        let named = format!("{path} {name}");
        if count > FN_LINES_MAX && !LONG_FNS.iter().any(|(function, _)| *function == named) {
            faults.push(format!("{named} has {count} lines, over {FN_LINES_MAX}"));
        }
    }
    faults
}

fn lines_without_tests(text: &str) -> impl Iterator<Item = &str> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    code.lines()
}

/// The name of the function whose body begins on this line or further down.
fn function_begun_in(line: &str) -> Option<&str> {
    if line.ends_with('}') || line.ends_with(';') {
        return None;
    }
    let mut words = line.split_whitespace().skip_while(|word| word.starts_with("pub") || *word == "const");
    (words.next() == Some("fn")).then_some(())?;
    words.next()?.split(['(', '<']).next()
}

fn words_found(path: &str, text: &str, forbidden: &[&str]) -> Vec<String> {
    let code = code_of(text);
    let is_used = |name: &str| words(&code).any(|(word, _)| word == name);
    forbidden.iter().filter(|name| is_used(name)).map(|name| format!("{path} names {name}")).collect()
}

/// The identifiers and keywords of a text, each with what follows it.
fn words(code: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_of_word = |char: char| char.is_alphanumeric() || char == '_';
    let mut rest = code;
    std::iter::from_fn(move || {
        rest = &rest[rest.find(is_of_word)?..];
        let (word, behind) = rest.split_at(rest.find(|char| !is_of_word(char)).unwrap_or(rest.len()));
        rest = behind;
        Some((word, behind))
    })
}

/// A source text without its comments and without what stands in quotes.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = length_of_no_code(rest);
        if skipped > 0 {
            code.push(' ');
            rest = &rest[skipped..];
        } else if first.is_alphanumeric() || first == '_' {
            // By the word, so that the r at the end of one is not taken for a raw string's.
            let end = rest.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(rest.len());
            code.push_str(&rest[..end]);
            rest = &rest[end..];
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    code
}

/// How long the comment or the literal is that a text begins with.
fn length_of_no_code(text: &str) -> usize {
    let up_to =
        |start: usize, end: &str| text[start..].find(end).map_or(text.len(), |at| start + at + end.len());
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return up_to(2, "*/");
    }
    let unprefixed = text.trim_start_matches(['b', 'c', 'r']);
    let prefix = text.len() - unprefixed.len();
    let hashes = unprefixed.len() - unprefixed.trim_start_matches('#').len();
    if prefix <= 2 && text[..prefix].ends_with('r') && unprefixed[hashes..].starts_with('"') {
        return up_to(prefix + hashes + 1, &format!("\"{}", "#".repeat(hashes)));
    }
    if prefix <= 1 && unprefixed.starts_with('"') {
        return prefix + 1 + quoted_length(&unprefixed[1..], b'"');
    }
    // A quote begins a character if one ends behind it, else a lifetime.
    let mut after = unprefixed.strip_prefix('\'').unwrap_or_default().chars();
    let is_char = after.next().is_some_and(|char| char == '\\' || after.next() == Some('\''));
    if prefix <= 1 && is_char { prefix + 1 + quoted_length(&unprefixed[1..], b'\'') } else { 0 }
}

/// The length up to and with the closing quote.
fn quoted_length(text: &str, quote: u8) -> usize {
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == quote && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |at| at + 1)
}

/// Every Rust file below a directory of the project, with its path from the project's root.
fn sources(directory: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut to_visit = vec![root.join(directory)];
    while let Some(directory) = to_visit.pop() {
        for entry in fs::read_dir(directory).expect("the directory is there") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                to_visit.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source is text");
                let name = path.strip_prefix(root).expect("it is below the root");
                found.push((name.to_str().expect("an ASCII name").to_owned(), text));
            }
        }
    }
    found
}

/// Applies the rules to every file of these directories.
#[track_caller]
fn hold(directories: &[&str], rules: &[Rule]) {
    let files: Vec<_> = directories.iter().flat_map(|directory| sources(directory)).collect();
    assert!(files.len() > 5, "only {} files found", files.len());
    let complaints: Vec<String> =
        files.iter().flat_map(|(path, text)| rules.iter().flat_map(move |rule| rule(path, text))).collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn only_the_reactor_names_mio_and_nothing_prints() {
    hold(&["src"], RULES);
}

#[test]
fn rooms_name_each_other_as_the_map_in_architecture_says_and_no_arrow_leads_up() {
    let architecture = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let map = map_in(&fs::read_to_string(architecture).expect("it is part of the project"));

    let code = map_of(&sources("src"));

    assert!(map.len() > 10, "{map:?}");
    assert_eq!(faults_of(&map, &code), Vec::<String>::new(), "the code: {code:#?}");
}

#[test]
fn src_has_at_most_twenty_rooms() {
    let paths: Vec<String> = sources("src").into_iter().map(|(path, _)| path).collect();
    let top =
        |path: &str| path.trim_start_matches("src/").split('/').next().map(|top| top.replace(".rs", ""));
    let rooms: BTreeSet<_> = paths.iter().filter_map(|path| top(path)).collect();

    assert!(rooms.len() <= 20, "{rooms:?}");
}

#[test]
fn a_map_that_does_not_fit_the_code_is_found_out() {
    let source = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let code = map_of(&[
        source("src/low.rs", "use crate::high::Thing; // crate::mid"),
        source(
            "src/mid/part.rs",
            "fn f() { crate::low::g(\"crate::high\") }\n#[cfg(test)]\nmod tests { use crate::high; }",
        ),
        source("src/mid/tests.rs", "use crate::high;"),
        source("src/high.rs", "use crate::{low, mid};"),
        source("src/main.rs", "use crate::high;"),
    ]);
    let map =
        map_in("| room | names |\n| --- | --- |\n| `low` | bytes | `high` |\n| `mid` | parts | `low` |\n");

    let mut faults = faults_of(&map, &code);
    faults.sort();

    assert_eq!(faults, ["high has no row", "low names high above it"]);
    assert_eq!(code["high"], ["{".to_owned()].into(), "a list is no way round the map");
    let unfit = faults_of(&map_in("| `mid` | parts | `limits` |"), &code);
    assert!(unfit.contains(&"mid names low, which its row does not".to_owned()), "{unfit:?}");
    assert!(unfit.contains(&"mid does not name limits, as its row says".to_owned()), "{unfit:?}");
}

#[test]
fn every_source_says_what_it_is_for_and_is_not_too_long() {
    hold(&["src"], &[says_what_it_is_for, is_not_too_long, has_short_functions]);
}

#[test]
fn what_may_be_long_is_there_and_is_long() {
    let sources = sources("src");
    for (file, why) in LONG_FILES {
        let (_, text) = sources.iter().find(|(path, _)| path == file).expect("it is there");
        assert!(lines_without_tests(text).count() > FILE_LINES_MAX, "{file} is short enough by now ({why})");
    }
    for (function, why) in LONG_FNS {
        let (file, name) = function.split_once(' ').expect("a file and a name");
        let (_, text) = sources.iter().find(|(path, _)| path == file).expect("it is there");
        let is_there = lines_without_tests(text).any(|line| function_begun_in(line) == Some(name));
        assert!(is_there, "{function} is not there any more ({why})");
    }
}

#[test]
fn nobody_waits_by_sleeping() {
    hold(&["src", "tests", "benches"], &[nobody_sleeps]);
}

#[test]
fn what_is_forbidden_is_caught_however_it_is_spelt() {
    let long = "fn f() {}\n".repeat(401);
    let very_long = "fn f() {}\n".repeat(601);
    let long_function = format!("    pub(super) fn f<T>(\n    ) {{\n{}    }}\n", "        g();\n".repeat(60));
    let cases: &[(Rule, &str, &str)] = &[
        (mio_is_named_in_the_reactor_alone, "src/board.rs", "use mio::Token;"),
        (a_life_is_written_in_one_file, "src/engine/read.rs", "conn.inbound = Inbound::Ended;"),
        (a_life_is_written_in_one_file, "src/board.rs", "conn.state.take(step, now, 0);"),
        (prints_nothing, "src/main.rs", "fn main() { println!(\"hi\"); }"),
        (prints_nothing, "src/a/b.rs", "std::eprint!(\"\")"),
        (prints_nothing, "src/a.rs", "let x = r\"\\\"; dbg!(x)"),
        (prints_nothing, "src/a.rs", "fn f<'a>(x: &'a str) { todo!() }"),
        (nobody_sleeps, "tests/a.rs", "std::thread::sleep(time);"),
        (says_what_it_is_for, "src/a.rs", "use std::io;\n//! late"),
        (is_not_too_long, "src/a.rs", &long),
        (is_not_too_long, "src/hub/operator.rs", &very_long),
        (has_short_functions, "src/a.rs", &long_function),
    ];

    for (rule, path, text) in cases {
        assert!(!rule(path, text).is_empty(), "not caught in {path}: {text}");
    }
}

#[test]
fn what_is_allowed_is_not_complained_about() {
    let with_tests =
        format!("//! A file.\nfn f() {{}}\n#[cfg(test)]\nmod tests {{\n{}}}", "fn f() {}\n".repeat(700));
    let cases: &[(Rule, &str, &str)] = &[
        (mio_is_named_in_the_reactor_alone, "src/reactor/socket.rs", "use mio::Token;"),
        (
            mio_is_named_in_the_reactor_alone,
            "src/board.rs",
            "// mio\n/* mio */ \"mio \\\" mio\"; r#\"mio\"#; b\"mio\"; miou();",
        ),
        (a_life_is_written_in_one_file, "src/conn/state.rs", "self.inbound = Inbound::Ended;"),
        (
            a_life_is_written_in_one_file,
            "src/board/lifecycle.rs",
            "conn.state.take(step, now, 0); stage == x",
        ),
        (prints_nothing, "src/a.rs", "writeln!(out, \"println!\")?; print(1); let todo = 1;"),
        (is_not_too_long, "src/a.rs", &with_tests),
    ];

    for (rule, path, text) in cases {
        assert_eq!(rule(path, text), Vec::<String>::new());
    }
}
