//! The tasks of docs/stand-in.md, carried out as they stand there: each command is entered in its terminal, and what is
//! printed has to be what the page shows. Ports, stamps and what was measured are of that run alone.
#![cfg(feature = "load")]
// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/page.rs"]
mod page;

use page::{Compare, carry_out};

const PAGE: &str = include_str!("../docs/stand-in.md");

#[test]
fn a_device_that_is_not_there_yet() {
    carry_out(PAGE, "A device that is not there yet", &["5000"], &["bash", "nc"], Compare::Lines);
}

#[test]
fn teach_it_by_answering() {
    carry_out(PAGE, "Teach it by answering", &["5000"], &["bash", "nc"], Compare::Lines);
}

#[test]
fn record_once_and_test_against_it_for_ever() {
    let tools = ["bash", "redis-cli", "redis-server"];
    let title = "Record once and test against it for ever";
    carry_out(PAGE, title, &["6379", "6380"], &tools, Compare::Lines);
}

#[test]
fn find_the_highest_rate() {
    let desk = carry_out(PAGE, "Find the highest rate", &["5000"], &["bash"], Compare::Measurements);
    let Some(desk) = desk else { return };
    let found = desk.printed.iter().find_map(|line| line.strip_prefix("highest rate  ")?.split(' ').next());
    let found: f64 = found.expect("a rate was found").replace(',', "").parse().unwrap();
    // The fault lets 1024 through; how near the search comes depends on what else this machine does.
    assert!((1024.0 * 0.7..1024.0 * 1.15).contains(&found), "{found}");
}
