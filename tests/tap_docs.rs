//! The three tasks of docs/tap.md, carried out as they stand there: each command is entered in its terminal, and what
//! is printed has to be what the page shows. Ports, stamps and how long something took are of that run alone.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/page.rs"]
mod page;
#[path = "common/tap.rs"]
mod tap;

use page::{Compare, carry_out};

const PAGE: &str = include_str!("../docs/tap.md");

#[track_caller]
fn follow(title: &str) {
    let tools = ["bash", "redis-cli", "redis-server", "timeout"];
    carry_out(PAGE, title, &["6379", "6380"], &tools, Compare::Lines);
}

#[test]
fn tap_a_client_and_its_server() {
    follow("Tap a client and its server");
}

#[test]
fn a_client_against_a_slow_then_a_dying_server() {
    follow("A client against a slow, then a dying server");
}

#[test]
fn what_a_client_does_when_it_is_cut_in_mid_reply() {
    follow("What a client does when it is cut in mid-reply");
}

#[test]
fn every_word_of_the_page_is_one_that_the_server_takes() {
    let words: Vec<&str> =
        PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert!(words.len() > 12, "{words:?}");
    let mut server = common::Server::start(&[]);
    for word in words {
        // Beside one that breaks something, for those that only say when and whom.
        let spec = if ["for", "toxicity", "seed"].iter().any(|name| word.starts_with(name)) {
            format!("latency=1ms {word}")
        } else {
            word.to_owned()
        };
        tap::asks(&mut server, &format!("/fault new {spec}"), "newcomers: ");
        tap::asks(&mut server, "/fault new off", "newcomers: no faults");
    }
}
