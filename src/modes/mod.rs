//! The policies. Each mode is an `App`; none knows how a command was spelt or how an event will look.

mod attended;
mod chat;
mod console;
mod echo;
mod errand;
mod operator;

pub use attended::Attended;
pub use chat::Chat;
pub use console::Console;
pub use echo::Echo;
pub use operator::{Farewell, Manners, OnStdinEof, Operator, Voice};
