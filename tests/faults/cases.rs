//! The table: which call fails how, in which mode of the server.

use std::fmt;

/// Which calls fail. The calls that the loader makes before the program's own are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// This one alone, counted from 1.
    Nth(usize),
    /// The first, the third and so on. For what is tried again at once, where "always" is for ever.
    EveryOther,
    /// From the first on.
    Always,
}

/// Whether only the calls on one stream fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Anything,
    Stdin,
    Stdout,
    Stderr,
    /// The socket pair that brings signals. It cannot be told from the connections but by the count: the
    /// thread that reads it makes its second call before anybody connects.
    Signals,
    /// The event descriptor by which other threads wake the loop; told by the count, too.
    Waker,
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    pub mode: &'static str,
    pub call: &'static str,
    pub errno: &'static str,
    pub when: When,
    pub on: On,
    /// The descriptors are counted although the fault alone explains a leak.
    pub must_not_leak: bool,
    pub must_survive: bool,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Case { mode, call, errno, when, on, .. } = self;
        let when = match when {
            When::Nth(nth) => nth.to_string(),
            When::EveryOther => "1+2".into(),
            When::Always => "1+".into(),
        };
        let on = match on {
            On::Anything => "",
            On::Stdin => " on stdin",
            On::Stdout => " on stdout",
            On::Stderr => " on stderr",
            On::Signals => " on the signals",
            On::Waker => " on the waker",
        };
        write!(f, "{mode} {call} {errno} {when}{on}")
    }
}

impl Case {
    pub fn new(mode: &'static str, call: &'static str, errno: &'static str, when: When) -> Case {
        let (must_not_leak, must_survive) = (false, false);
        Case { mode, call, errno, when, on: On::Anything, must_not_leak, must_survive }
    }

    fn on(self, on: On) -> Case {
        Case { on, ..self }
    }

    pub fn that_would_leak(self) -> Case {
        Case { must_not_leak: true, ..self }
    }

    pub fn that_has_to_survive(self) -> Case {
        Case { must_survive: true, ..self }
    }

    /// The system says that there is nothing although there is, and never says so again: what waits then
    /// waits for the next event, which is right.
    pub fn is_a_lie(&self) -> bool {
        self.errno == "EAGAIN"
            && matches!(self.call, "accept4" | "recvfrom" | "sendto" | "sendmsg" | "splice")
    }

    /// The thread that waits for signals makes such calls on a socket pair, which cannot fail that way. So
    /// a first peer comes and goes before: the loop makes more calls than that thread ever does.
    pub fn comes_after_a_first_peer(&self) -> bool {
        self.call == "recvfrom" && self.on == On::Anything
    }

    /// One connection's trouble, or the loss of what it can do without, does not end the program.
    pub fn has_to_survive(&self) -> bool {
        let passes = matches!(self.errno, "EINTR" | "EAGAIN");
        match self.call {
            "accept4" | "recvfrom" | "sendto" | "sendmsg" | "shutdown" | "close" => true,
            "splice" | "pipe2" => true,
            "read" | "openat" | "readlink" | "statx" | "prlimit64" => true,
            // The first are the waker's and the listener's.
            "epoll_ctl" => matches!(self.when, When::Nth(nth) if nth > 2),
            // The first eight prepare the listener.
            "setsockopt" => matches!(self.when, When::Nth(nth) if nth > 8),
            "epoll_wait" => passes,
            "write" => passes || self.on == On::Stderr,
            _ => self.must_survive,
        }
    }

    /// Whoever read stdout has gone: it ends in order, and nobody is told.
    pub fn ends_quietly(&self) -> bool {
        self.on == On::Stdout && self.errno == "EPIPE"
    }

    /// What a peer says comes back to it, and the operator says nothing.
    pub fn echoes(&self) -> bool {
        matches!(self.mode, "echo" | "bulk")
    }

    /// A memory request that fails ends a Rust program at once, with a line of its runtime's.
    pub fn may_abort(&self) -> bool {
        matches!(self.call, "mmap" | "mprotect")
    }

    /// Signals come through a socket pair, so these faults may keep them out. There is another way out.
    pub fn may_swallow_signals(&self) -> bool {
        matches!(self.call, "recvfrom" | "sendto")
    }
}

/// A case that fails for a reason that was understood.
pub struct Known {
    /// A part of its name.
    pub case: &'static str,
    pub why: &'static str,
    /// What the trial complains of; another complaint is news.
    pub complaint: &'static str,
    /// It fails each time, so that it is missed when it does not any more.
    pub always: bool,
}

/// What is wrong with the server today. Take a line off when it is mended.
pub const KNOWN_FAILURES: &[Known] = &[];

const CONSOLE: &[&str] = &["console"];
const BOTH: &[&str] = &["console", "echo"];
const ALL: &[&str] = &["console", "chat", "echo"];
/// A console that takes one connection: who comes second is turned away.
const TALKING: &[&str] = &["console", "chat", "echo", "full"];
/// Chat sends by `sendmsg`.
const SENDING: &[&str] = &["console", "echo", "full"];

const FIRST: &[When] = &[When::Nth(1)];
const FIRST_AND_LATER: &[When] = &[When::Nth(1), When::Nth(2), When::Nth(3)];
const ANY: &[When] = &[When::Nth(1), When::Nth(3), When::Always];
const AGAIN: &[When] = &[When::Nth(1), When::Nth(3), When::EveryOther];

type Row = (&'static [&'static str], &'static str, &'static [&'static str], &'static [When]);

const TABLE: &[Row] = &[
    // What it cannot start without.
    (CONSOLE, "prlimit64", &["EPERM", "EINVAL"], &[When::Nth(1), When::Nth(2), When::Always]),
    (CONSOLE, "epoll_create1", &["EMFILE", "ENFILE", "ENOMEM"], FIRST),
    (CONSOLE, "eventfd2", &["EMFILE", "ENFILE", "ENODEV", "ENOMEM"], FIRST),
    (
        CONSOLE,
        "socket",
        &["EACCES", "EAFNOSUPPORT", "EINVAL", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EPROTONOSUPPORT"],
        FIRST,
    ),
    (
        CONSOLE,
        "setsockopt",
        &["ENOPROTOOPT", "EINVAL", "ENOMEM"],
        &[
            When::Nth(1),
            When::Nth(2),
            When::Nth(3),
            When::Nth(4),
            When::Nth(5),
            When::Nth(6),
            When::Nth(7),
            When::Nth(8),
            When::Nth(9),
            When::Always,
        ],
    ),
    (CONSOLE, "bind", &["EACCES", "EADDRINUSE", "EINVAL", "EADDRNOTAVAIL", "ENOMEM"], FIRST),
    (CONSOLE, "listen", &["EADDRINUSE", "EOPNOTSUPP"], FIRST),
    (CONSOLE, "getsockname", &["ENOBUFS", "EINVAL"], FIRST),
    (CONSOLE, "socketpair", &["EMFILE", "ENFILE", "EAFNOSUPPORT", "EOPNOTSUPP"], FIRST),
    (CONSOLE, "rt_sigaction", &["EINVAL"], FIRST_AND_LATER),
    (
        CONSOLE,
        "fcntl",
        &["EMFILE", "EINVAL", "EACCES"],
        &[When::Nth(1), When::Nth(2), When::Nth(3), When::Nth(4), When::Nth(5), When::Always],
    ),
    (
        CONSOLE,
        "clone3",
        &["EAGAIN", "ENOMEM", "EPERM", "ENOSPC"],
        &[When::Nth(1), When::Nth(2), When::Nth(3), When::Nth(4), When::Always],
    ),
    (CONSOLE, "mmap", &["ENOMEM", "EAGAIN"], FIRST_AND_LATER),
    (CONSOLE, "mprotect", &["ENOMEM", "EACCES"], FIRST_AND_LATER),
    // What it can do without: the time zone.
    (CONSOLE, "openat", &["EACCES", "EMFILE", "ENFILE", "ENOENT", "ENOMEM"], FIRST),
    (CONSOLE, "readlink", &["EACCES", "EIO", "ENOENT"], FIRST),
    (CONSOLE, "statx", &["EACCES", "ENOMEM"], FIRST),
    (CONSOLE, "read", &["EIO", "EINTR", "EISDIR"], FIRST),
    // The poller.
    (
        BOTH,
        "epoll_ctl",
        &["ENOMEM", "ENOSPC", "EPERM", "EEXIST"],
        &[When::Nth(1), When::Nth(2), When::Nth(3), When::Nth(4), When::Always],
    ),
    (BOTH, "epoll_wait", &["EBADF", "EFAULT", "EINVAL"], &[When::Nth(1), When::Nth(4), When::Always]),
    (
        ALL,
        "epoll_wait",
        &["EINTR"],
        &[When::Nth(1), When::Nth(2), When::Nth(3), When::Nth(5), When::EveryOther],
    ),
    // Newcomers. The network errors are those that accept(2) passes on.
    (
        ALL,
        "accept4",
        &[
            "EMFILE",
            "ENFILE",
            "ENOBUFS",
            "ENOMEM",
            "EPROTO",
            "EPERM",
            "ENETDOWN",
            "ENOPROTOOPT",
            "EHOSTDOWN",
            "ENONET",
            "EHOSTUNREACH",
            "EOPNOTSUPP",
            "ENETUNREACH",
        ],
        ANY,
    ),
    (ALL, "accept4", &["EAGAIN"], ANY),
    (ALL, "accept4", &["ECONNABORTED", "EINTR"], AGAIN),
    // Talk.
    (
        TALKING,
        "recvfrom",
        &["ECONNREFUSED", "ECONNRESET", "ENOMEM", "ENOTCONN", "ETIMEDOUT", "EHOSTUNREACH"],
        &[When::Nth(1), When::Nth(2), When::Nth(3), When::Always],
    ),
    (TALKING, "recvfrom", &["EAGAIN"], &[When::Nth(1), When::Nth(2), When::Nth(3), When::Always]),
    (TALKING, "recvfrom", &["EINTR"], &[When::Nth(1), When::Nth(2), When::Nth(3), When::EveryOther]),
    (
        SENDING,
        "sendto",
        &["EAGAIN", "ECONNRESET", "EPIPE", "ENOBUFS", "ENOMEM", "ENOTCONN", "ETIMEDOUT", "EHOSTUNREACH"],
        &[When::Nth(1), When::Nth(2), When::Always],
    ),
    (SENDING, "sendto", &["EINTR"], &[When::Nth(1), When::Nth(2), When::EveryOther]),
    (
        &["chat"],
        "sendmsg",
        &["EAGAIN", "ECONNRESET", "EPIPE", "ENOBUFS", "ENOMEM", "ETIMEDOUT"],
        &[When::Nth(1), When::Nth(2), When::Always],
    ),
    (&["chat"], "sendmsg", &["EINTR"], &[When::Nth(1), When::Nth(2), When::EveryOther]),
    // An echo of much at a time. The first call fills the pipe, the second empties it, or tries to.
    (
        &["bulk"],
        "splice",
        &["EINVAL", "ENOSYS", "ENOMEM", "EPERM", "EIO", "ENOTCONN", "ECONNRESET", "EPIPE"],
        &[When::Nth(1), When::Nth(2), When::Nth(3), When::Nth(4), When::Always],
    ),
    (&["bulk"], "pipe2", &["EMFILE", "ENFILE"], FIRST),
    (&["bulk"], "splice", &["EAGAIN"], &[When::Nth(1), When::Nth(2), When::Nth(3), When::Always]),
    (&["bulk"], "splice", &["EINTR"], &[When::Nth(1), When::Nth(2), When::EveryOther]),
    (&["console", "full"], "shutdown", &["ENOTCONN", "ENOBUFS"], &[When::Nth(1), When::Always]),
    (ALL, "close", &["EIO", "EINTR", "ENOSPC", "EDQUOT"], ANY),
];

/// Faults on the operator's own streams: the modes share the threads that read and write them.
const STREAMS: &[(On, &str, &[&str], &[When])] = &[
    (On::Stdin, "read", &["EIO", "EISDIR", "EINVAL", "ENOMEM"], &[When::Nth(1), When::Nth(2), When::Always]),
    (On::Stdin, "read", &["EAGAIN", "EINTR"], &[When::Nth(1), When::Nth(2)]),
    (
        On::Stdout,
        "write",
        &["EIO", "ENOSPC", "EPIPE", "EFBIG", "EDQUOT", "EPERM"],
        &[When::Nth(1), When::Nth(2), When::Always],
    ),
    (On::Stdout, "write", &["EAGAIN", "EINTR"], &[When::Nth(1), When::Nth(2), When::EveryOther]),
    (On::Stderr, "write", &["EIO", "ENOSPC", "EPIPE"], &[When::Nth(1), When::Nth(2), When::Always]),
    (On::Stderr, "write", &["EAGAIN", "EINTR"], &[When::Nth(2)]),
    (On::Signals, "recvfrom", &["ENOMEM", "ECONNRESET"], &[When::Nth(2)]),
    (On::Waker, "write", &["EIO", "EINVAL"], &[When::Nth(2)]),
];

pub fn all_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (modes, call, errnos, whens) in TABLE {
        for mode in *modes {
            for errno in *errnos {
                cases.extend(whens.iter().map(|when| Case::new(mode, call, errno, *when)));
            }
        }
    }
    for (on, call, errnos, whens) in STREAMS {
        // The echo server writes nothing to stdout, so there the second write of a thread is a wake.
        let mode = if *on == On::Waker { "echo" } else { "console" };
        for errno in *errnos {
            cases.extend(whens.iter().map(|when| Case::new(mode, call, errno, *when).on(*on)));
        }
    }
    let mut seen = std::collections::HashSet::new();
    cases.retain(|case| seen.insert(case.to_string()));
    cases
}
