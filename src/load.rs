//! The load tester: an App on the same reactor as the server, and the pure pieces that make it honest.
//!
//! The clock is the point. In an open loop (`--rate`) a message's response time is counted from when it
//! *should* have left, so a server that stalls is charged for every message that had to wait, also for
//! those that could not even be sent (Gil Tene's "coordinated omission"; wrk2 does the same). In a
//! closed loop nothing can be counted that was never sent, and the report says so.

mod chat;
mod cli;
mod echo;
mod find;
mod interrupt;
mod json;
mod live;
mod message;
mod output;
mod pacer;
mod plan;
mod plot;
mod replay;
mod report;
mod run;
mod tally;
mod tester;
mod threshold;

pub use cli::LoadArgs;
pub use run::run;
