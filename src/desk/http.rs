//! What a browser sees of the server: requests in HTTP/1, judged before anything else is done with them; the page; and the
//! WebSocket that a request may turn into. Pure: bytes and the time go in, bytes come out. Whose connection it is, and
//! what is said over it, is the hub's.

mod access;
mod hosts;
pub mod metrics;
mod page;
mod request;
mod response;
mod site;
mod socket;
mod tokens;

pub use access::{Access, Admitted};
pub use hosts::{Hosts, WebHost};
pub use request::{HEAD_BYTES_MAX, Read, Request};
pub use response::{Response, Status, switching};
pub use site::{Answer, Kind, Site};
pub use socket::{Beat, Going, Socket};
pub use tokens::{Holder, Tokens};
