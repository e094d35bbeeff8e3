//! Bytes alone: cutting them into frames, queueing them, and gathering them for one write. Nothing here knows a
//! connection, a limit or a clock.

pub(crate) mod broadcast;
pub(crate) mod framing;
pub(crate) mod gather;
pub(crate) mod outbox;
