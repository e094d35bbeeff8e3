//! TLS: one more `Stream`, over a plain socket; nothing above knows of it. Without the feature `tls` there is none.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod configs;

#[cfg(not(feature = "tls"))]
pub(crate) use absent::Tls;
#[cfg(feature = "tls")]
pub use configs::{Tls, TlsConfigs};
