//! Holds the sources to the rules of the map of modules: who may import whom, and what is nowhere used.
//! Each rule is a function of a path and a text, so that it can be shown to catch what it forbids.

use std::fs;
use std::path::Path;

/// What is wrong with the file, in one line each.
type Rule = fn(path: &str, text: &str) -> Vec<String>;

const RULES: &[Rule] =
    &[mio_is_named_in_few_files, policies_know_no_engine, the_core_is_free, prints_nothing];

/// Those that may name mio.
const NAMES_MIO: [&str; 5] =
    ["src/alarm.rs", "src/reactor.rs", "src/socket.rs", "src/mailbox.rs", "src/tls.rs"];

/// The core: no poller, no operator, no policy.
const CORE: [&str; 19] = [
    "framing",
    "outbox",
    "lending",
    "said",
    "deadlines",
    "limits",
    "stats",
    "stream",
    "gather",
    "clock",
    "slow",
    "roster",
    "conn",
    "board",
    "pump",
    "app",
    "door",
    "engine",
    "reason",
];

fn mio_is_named_in_few_files(path: &str, text: &str) -> Vec<String> {
    if NAMES_MIO.contains(&path) {
        return Vec::new();
    }
    words_found(path, text, &["mio"])
}

fn policies_know_no_engine(path: &str, text: &str) -> Vec<String> {
    if !path.starts_with("src/modes/") && !path.starts_with("src/console/") {
        return Vec::new();
    }
    words_found(path, text, &["mio", "socket", "pump", "reactor", "Socket", "Pump", "Reactor", "Listener"])
}

fn the_core_is_free(path: &str, text: &str) -> Vec<String> {
    let within = path.strip_prefix("src/").unwrap_or(path);
    let module = within.split('/').next().unwrap_or(within);
    if !CORE.contains(&module.strip_suffix(".rs").unwrap_or(module)) {
        return Vec::new();
    }
    words_found(
        path,
        text,
        &["mio", "console", "modes", "reactor", "socket", "mailbox", "Reactor", "Socket", "Mailbox"],
    )
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

/// Tests do not count: neither those behind `#[cfg(test)]` nor a file of them.
fn is_not_too_long(path: &str, text: &str) -> Vec<String> {
    const LINES_MAX: usize = 600;
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        return Vec::new();
    }
    let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
    if lines <= LINES_MAX { Vec::new() } else { vec![format!("{path} has {lines} lines, over {LINES_MAX}")] }
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
fn modules_import_only_what_the_map_allows_and_print_nothing() {
    hold(&["src"], RULES);
}

#[test]
fn every_source_says_what_it_is_for_and_is_not_too_long() {
    hold(&["src"], &[says_what_it_is_for, is_not_too_long]);
}

#[test]
fn nobody_waits_by_sleeping() {
    hold(&["src", "tests", "benches"], &[nobody_sleeps]);
}

#[test]
fn what_is_forbidden_is_caught_however_it_is_spelt() {
    let long = "fn f() {}\n".repeat(601);
    let cases: &[(Rule, &str, &str)] = &[
        (mio_is_named_in_few_files, "src/board.rs", "use mio::Token;"),
        (policies_know_no_engine, "src/modes/chat.rs", "use mio::Token;"),
        (policies_know_no_engine, "src/console/desk.rs", "fn f() { ::mio::Token(0); }"),
        (policies_know_no_engine, "src/modes/a/b.rs", "use crate::pump::Pump;"),
        (policies_know_no_engine, "src/modes/echo.rs", "use crate::{App, Board, Reactor};"),
        (
            policies_know_no_engine,
            "src/modes/echo.rs",
            "use crate::{\n    App,\n    socket::{self, Listener},\n};",
        ),
        (policies_know_no_engine, "src/modes/echo.rs", "let s: crate::socket::Socket; // a socket"),
        (the_core_is_free, "src/pump.rs", "use crate::{console::Desk, board::Board};"),
        (the_core_is_free, "src/pump/tests.rs", "use crate::modes::Echo;"),
        (the_core_is_free, "src/conn.rs", "let quote = '\"'; use mio::Token; let end = \"\";"),
        (prints_nothing, "src/main.rs", "fn main() { println!(\"hi\"); }"),
        (prints_nothing, "src/a/b.rs", "std::eprint!(\"\")"),
        (prints_nothing, "src/a.rs", "let x = r\"\\\"; dbg!(x)"),
        (prints_nothing, "src/a.rs", "fn f<'a>(x: &'a str) { todo!() }"),
        (nobody_sleeps, "tests/a.rs", "std::thread::sleep(time);"),
        (says_what_it_is_for, "src/a.rs", "use std::io;\n//! late"),
        (is_not_too_long, "src/a.rs", &long),
    ];

    for (rule, path, text) in cases {
        assert!(!rule(path, text).is_empty(), "not caught in {path}: {text}");
    }
}

#[test]
fn what_is_allowed_is_not_complained_about() {
    let with_tests = format!("//! A file.\nfn f() {{}}\n#[cfg(test)]\n{}", "fn f() {}\n".repeat(700));
    let cases: &[(Rule, &str, &str)] = &[
        (mio_is_named_in_few_files, "src/socket.rs", "use mio::Token;"),
        (
            mio_is_named_in_few_files,
            "src/board.rs",
            "// mio\n/* mio */ \"mio \\\" mio\"; r#\"mio\"#; b\"mio\"; miou();",
        ),
        (policies_know_no_engine, "src/modes/echo.rs", "/// Not mio.\nuse crate::{App, Board};"),
        (policies_know_no_engine, "src/main.rs", "use switchboard::Reactor;"),
        (the_core_is_free, "src/lib.rs", "pub mod console;"),
        (prints_nothing, "src/a.rs", "writeln!(out, \"println!\")?; print(1); let todo = 1;"),
        (is_not_too_long, "src/a.rs", &with_tests),
    ];

    for (rule, path, text) in cases {
        assert_eq!(rule(path, text), Vec::<String>::new());
    }
}
