//! What one run is to do, and what each of its threads does of it.

use std::net::IpAddr;
use std::time::Duration;

use crate::address::Address;
use crate::reactor::tls::setup::Loaded;

use super::echo::Expect;
use super::message::Template;

/// What one thread has to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whom to load.
    pub target: Address,
    /// What TLS is spoken with, where it is.
    pub tls: Loaded,
    /// This machine's addresses to connect from, in turn; the system's choice where there is none.
    pub sources: Vec<IpAddr>,
    /// How many connections.
    pub connections: u64,
    /// The number of the first; other threads have other numbers.
    pub first_conn: u64,
    /// New connections a second, at most.
    pub connect_rate: Option<f64>,
    /// What is said on them.
    pub talk: Talk,
    /// How messages are made.
    pub template: Template,
    /// Time from the first message to the first that counts.
    pub warmup: Duration,
    /// Time that counts.
    pub duration: Option<Duration>,
    /// Messages that count.
    pub messages: Option<u64>,
    /// How long a reply is waited for.
    pub timeout: Duration,
    /// As a step of a search: once the replies are so far behind the schedule it has shown what it can show,
    /// and ends. What it tells of each slice is exact then.
    pub patience: Option<Duration>,
}

/// What is said on the connections.
#[derive(Clone, Debug)]
pub enum Talk {
    /// A reply to each message is awaited.
    Echo(Pace, Expect),
    /// No reply is awaited.
    Send(Pace),
    /// Each message is awaited on all other connections.
    Chat(Pace),
    /// A connection for each message.
    Churn(Expect),
    /// Nothing.
    Hold,
}

/// When messages leave.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// As soon as a reply came: so many are in flight on each connection.
    Closed(u64),
    /// So many a second over all connections, whatever the replies do.
    Open(f64),
}

impl Talk {
    /// The asked rate, in an open loop.
    pub fn asked_rate(&self) -> Option<f64> {
        match self {
            Talk::Echo(Pace::Open(rate), _) | Talk::Send(Pace::Open(rate)) | Talk::Chat(Pace::Open(rate)) => {
                Some(*rate)
            }
            _ => None,
        }
    }
}

impl Plan {
    /// The shares of so many threads; the first ones get what does not divide evenly.
    pub fn split(&self, threads: u64) -> Vec<Plan> {
        let share = |whole: u64, thread: u64| whole / threads + u64::from(thread < whole % threads);
        // Messages go with connections, as the rate does; differences of rounded sums add up exactly.
        let messages_of_first = |messages: u64, connections: u64| {
            (u128::from(messages) * u128::from(connections) / u128::from(self.connections)) as u64
        };
        let mut first_conn = self.first_conn;
        (0..threads)
            .map(|thread| {
                let connections = share(self.connections, thread);
                let part = connections as f64 / self.connections as f64;
                let plan = Plan {
                    connections,
                    first_conn,
                    connect_rate: self.connect_rate.map(|rate| rate * part),
                    talk: self.talk.scaled(part),
                    messages: self.messages.map(|messages| {
                        let before = first_conn - self.first_conn;
                        messages_of_first(messages, before + connections)
                            - messages_of_first(messages, before)
                    }),
                    ..self.clone()
                };
                first_conn += connections;
                plan
            })
            .filter(|plan| plan.connections > 0)
            .collect()
    }
}

impl Talk {
    fn scaled(&self, part: f64) -> Talk {
        let scale = |pace: &Pace| match *pace {
            Pace::Open(rate) => Pace::Open(rate * part),
            closed => closed,
        };
        match self {
            Talk::Echo(pace, expect) => Talk::Echo(scale(pace), expect.clone()),
            Talk::Send(pace) => Talk::Send(scale(pace)),
            Talk::Chat(pace) => Talk::Chat(scale(pace)),
            other => other.clone(),
        }
    }
}
