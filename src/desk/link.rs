//! Why two connections are not linked, or not taken apart.

use std::fmt;

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoLink {
    /// We have finished sending to this one.
    Finished(u64),
    /// This one is linked already, to the other.
    Linked(u64, u64),
    /// Both are the same.
    Itself(u64),
    /// This one was dialled to an address of this very server, so what it is sent comes back as what another one says.
    ToUs(u64),
    /// A file is on its way to this one.
    File(u64),
    /// This one is linked to nobody.
    NotLinked(u64),
}

impl NoLink {
    /// One word for programs.
    pub fn code(self) -> &'static str {
        match self {
            NoLink::Finished(_) => "finished",
            NoLink::Linked(..) => "linked",
            NoLink::Itself(_) | NoLink::ToUs(_) => "loop",
            NoLink::File(_) => "file",
            NoLink::NotLinked(_) => "not-linked",
        }
    }
}

impl fmt::Display for NoLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoLink::Finished(serial) => write!(f, "cannot link #{serial}: our side of it is finished"),
            NoLink::Linked(serial, mate) => {
                write!(f, "cannot link #{serial}: it is linked to #{mate} (/unlink {serial} ends that)")
            }
            NoLink::Itself(serial) => write!(f, "cannot link #{serial} to itself"),
            NoLink::ToUs(serial) => {
                write!(
                    f,
                    "cannot link #{serial}: it leads to this server itself, so bytes would go in a circle"
                )
            }
            NoLink::File(serial) => write!(f, "cannot link #{serial}: a file is on its way to it"),
            NoLink::NotLinked(serial) => write!(f, "#{serial} is not linked"),
        }
    }
}
