//! What all modes share: an operator, who sees what happens and gives commands.

mod attended;
mod errand;
mod operator;

pub use attended::Attended;
pub use operator::{Farewell, Manners, OnStdinEof, Operator, Voice};
