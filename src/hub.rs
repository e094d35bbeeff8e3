//! What all modes share: an operator, who sees what happens and gives commands.

mod attended;
mod errand;
mod operator;
mod options;

pub use attended::WithOperator;
pub use operator::{Operator, StopReport};
pub use options::{OnStdinEof, OperatorOptions, Voice};
