//! The terminal desk in memory.
