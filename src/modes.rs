//! What is particular to each way of running the server: what peers' words are for.

mod chat;
mod chat_commands;
mod console;
mod echo;
mod play;
mod tap;

pub use chat::Chat;
pub use console::Console;
pub use echo::Echo;
pub use play::Play;
pub use tap::{Heard, Tap};
