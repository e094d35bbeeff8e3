//! What this process may have of the machine: descriptors and memory. And whoever has started it: what it has handed over,
//! and what it wants to know.

pub mod control;
pub mod descriptors;
pub mod handed;
pub mod manager;
pub mod memory;
pub mod own_file;
pub mod secret;
