//! What is told of what is broken on purpose.

use std::io::{self, Write};

use crate::desk::event::Who;
use crate::desk::fault::FaultSpec;
use crate::desk::reply::{Outcome, Tally};
use crate::desk::words::plural;

use super::render::push_who;
use super::reply::{push_odd_counts, push_odd_ones};

pub(super) fn push_faults(
    out: &mut Vec<u8>,
    who: Option<Who<'_>>,
    spec: Option<&FaultSpec>,
) -> io::Result<()> {
    match who {
        Some(who) => push_who(out, who),
        None => out.extend_from_slice(b"newcomers"),
    }
    match spec {
        Some(spec) => writeln!(out, ": {spec}"),
        None => writeln!(out, ": no faults"),
    }
}

/// What stands below what is broken about several.
pub(super) fn push_not_shown(
    out: &mut Vec<u8>,
    is_none: bool,
    outcomes: &[(Who<'_>, Outcome)],
    tally: &Tally,
) -> io::Result<()> {
    if is_none && tally.done > 0 {
        write!(out, "none of {} is broken on purpose", plural(tally.done as u64, "connection"))?;
        push_odd_counts(out, tally)?;
        return writeln!(out);
    }
    if tally.gone == 0 {
        return Ok(());
    }
    if outcomes.is_empty() {
        write!(out, "the others: no faults")?;
        push_odd_counts(out, tally)?;
    } else {
        push_odd_ones(out, outcomes, false)?;
    }
    writeln!(out)
}
