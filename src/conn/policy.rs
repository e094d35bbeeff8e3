//! What a connection is for, and how it is treated because of that.

use crate::buffer::framing::Framing;

/// What a connection is for. Its listener or its dial says so; what that means the App says, in `App::policy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Role(u8);

impl Role {
    /// How many there can be.
    pub const COUNT: usize = 8;

    /// Somebody to be served; whoever knows only one role has this one.
    pub const PEER: Role = Role(0);

    /// The role of this number.
    ///
    /// # Panics
    /// From `COUNT` on; in a constant, that is an error at compile time.
    pub const fn new(number: u8) -> Role {
        assert!((number as usize) < Role::COUNT, "there are only so many roles");
        Role(number)
    }

    /// Its number.
    pub const fn number(self) -> usize {
        self.0 as usize
    }

    /// All of them.
    pub(crate) fn all() -> [Role; Role::COUNT] {
        std::array::from_fn(|number| Role(number as u8))
    }
}

/// How the connections of a role are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How bytes become frames.
    pub framing: Framing,
    /// Whether a message that is not finished is handed over when its peer falls silent (`Limits::partial_after`), for
    /// a person who looks on: a prompt has no end. Otherwise it waits for its end. What has no end to wait for is
    /// handed over in any case: what stands outside of frames (`Framing::StxEtx`), and what silence ends
    /// (`Framing::Silence`).
    pub shows_parts: bool,
    /// Who has to wait while one of them does not read what it is sent.
    pub backpressure: Backpressure,
    /// What they are told by the engine itself.
    pub notices: Notices,
    /// Whether `Board::broadcast` reaches them.
    pub hears_broadcasts: bool,
    /// Whether one that says nothing is closed after `Limits::idle_max`.
    pub has_idle_limit: bool,
    /// Whether what passes over a link (`Board::link`) is also handed over. Where it is not, and nothing is broken on
    /// purpose, it need not even pass through the process.
    pub hears_links: bool,
    /// Most of them at a time; further ones are turned away. `None`: as many as `Limits::conns_max` says.
    pub conns_max: Option<usize>,
    /// Whether a newcomer gets the next number, by which people call it (`ConnId::serial`). Others are not found by
    /// one, and leave no hole among those that are.
    pub has_number: bool,
    /// Whether they look on, and are nobody to be served: none is dropped for reading slowly (what is queued for it the
    /// App sees to), each is read also while reading is held, and when the server stops they stay until the App closes
    /// them, or the time for that is over.
    pub looks_on: bool,
}

impl Policy {
    /// For peers that say lines, each answered for what it says: whole lines, a slow reader waits for itself
    /// (`Backpressure::Sender`), no notices, broadcasts reach them, `Limits::idle_max` and `Limits::conns_max` hold, each
    /// has a number.
    pub const LINES: Policy = Policy {
        framing: Framing::Lines,
        shows_parts: false,
        backpressure: Backpressure::Sender,
        notices: Notices::None,
        hears_broadcasts: true,
        has_idle_limit: true,
        hears_links: true,
        conns_max: None,
        has_number: true,
        looks_on: false,
    };

    /// The same for peers whose bytes go to the App as they come.
    pub const RAW: Policy = Policy { framing: Framing::Raw, ..Policy::LINES };
}

/// Who is not read while a receiver is over its high water.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backpressure {
    /// Nobody: those who talk are not those who are answered.
    None,
    /// Whoever is answered: a peer that does not read its answers is not read either, until it has caught up. The
    /// sender of the questions is the receiver of the answers.
    Sender,
    /// Everybody, since everybody talks to everybody. A slow receiver is waited for only while it keeps up, that is,
    /// takes `Limits::keeps_up_bytes_min` in each `Limits::keeps_up_window`.
    Everybody,
}

/// What the engine itself says to a connection. A newcomer that has to be turned away is told so in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notices {
    /// Nothing: each byte that it is sent has a meaning.
    None,
    /// That it is closed for its silence, in one line: `switchboard: idle for 60s`.
    Lines,
}
