//! What all modes share: an operator, who sees what happens and gives commands.

mod attended;
mod errand;
mod operator;

pub use attended::WithOperator;
pub use operator::{OnStdinEof, Operator, OperatorOptions, StopReport, Voice};
