//! What TLS is spoken with: certificates, keys, and whom to believe. It may be replaced while the loop runs, since
//! certificates are renewed; newcomers are given what there is when they come.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};

/// What TLS is spoken with.
///
/// Both configurations should be made with a provider that is named (`builder_with_provider`), since none is installed
/// for the process. A server should set `send_tls13_tickets` to 0 and `session_storage` to `NoServerSessionStorage`, a
/// client `resumption` to `Resumption::disabled()`: no session is ever taken up again here, and a connection has less to
/// keep.
#[derive(Clone, Debug, Default)]
pub struct TlsConfigs {
    /// For those who are accepted at `tls:` addresses, which without it cannot be listened at.
    pub server: Option<Arc<ServerConfig>>,
    /// For those who are dialled at `tls:` addresses, which without it fails.
    pub client: Option<Arc<ClientConfig>>,
    /// The name that a server which is dialled has to have; without it that of its address, as it was typed.
    pub client_name: Option<ServerName<'static>>,
}

/// A handle on what TLS is spoken with in a reactor, for any thread.
#[derive(Clone, Debug, Default)]
pub struct Tls(Arc<RwLock<TlsConfigs>>);

impl Tls {
    /// Has this used for those who come from now on.
    pub fn replace(&self, configs: TlsConfigs) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = configs;
    }

    /// What is used now.
    pub fn configs(&self) -> TlsConfigs {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says where nobody could be accepted.
    pub(crate) fn check_server(&self) -> io::Result<()> {
        self.configs().server.map(drop).ok_or_else(|| io::Error::other("there is no certificate for TLS"))
    }
}
