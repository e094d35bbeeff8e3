//! What there is where the feature `tls` is not: nobody speaks it, and whoever asks for it is told.

use std::io;

/// What TLS would be spoken with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls;

impl Tls {
    /// Fails.
    pub fn check_server(&self) -> io::Result<()> {
        Err(io::Error::other("this program was built without TLS (its feature \"tls\")"))
    }
}
