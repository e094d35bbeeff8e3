//! TLS: one more `Stream`, over a plain socket; nothing above knows of it. Without the feature `tls` there is none.
//! What it is spoken with is read in `setup`, out of what was asked for.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod channel;
#[cfg(feature = "tls")]
mod configs;
#[cfg(feature = "tls")]
mod record;
#[cfg(feature = "tls")]
mod session;
pub mod setup;
#[cfg(feature = "tls")]
mod stream;
#[cfg(feature = "tls")]
mod words;

#[cfg(not(feature = "tls"))]
pub(crate) use absent::{Channel, Tls};
#[cfg(feature = "tls")]
pub(crate) use channel::Channel;
#[cfg(feature = "tls")]
pub use configs::{Tls, TlsConfigs};
