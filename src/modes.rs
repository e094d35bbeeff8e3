//! The policies. Each mode is an `App`; none knows how a command was spelt or how an event will look.

mod chat;
mod console;
mod echo;

pub use chat::Chat;
pub use console::Console;
pub use echo::Echo;
