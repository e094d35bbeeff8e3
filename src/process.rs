//! What this process may have of the machine: descriptors and memory.

pub mod descriptors;
pub mod memory;
