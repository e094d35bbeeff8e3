//! What TLS is spoken with: certificates, keys, and whom to believe. It may be replaced while the loop runs, since
//! certificates are renewed; newcomers are given what there is when they come.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};

use super::channel::Channel;
use super::session::Session;
use super::stream::TlsStream;
use crate::reactor::socket::Socket;

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
        self.server().map(drop)
    }

    /// A socket without TLS.
    #[inline]
    pub(crate) fn plain(socket: Socket) -> Channel {
        Channel::Plain(socket)
    }

    /// TLS over a socket that was accepted.
    pub(crate) fn accepted(&self, socket: Socket) -> io::Result<Channel> {
        let session = Session::server(self.server()?)?;
        Ok(Channel::Tls(Box::new(TlsStream::accepted(socket, session))))
    }

    /// TLS over a socket that is being connected to this host.
    pub(crate) fn dialled(&self, socket: Socket, host: &str) -> io::Result<Channel> {
        let TlsConfigs { client, client_name, .. } = self.configs();
        let config = client.ok_or_else(|| io::Error::other("it is not said whom to trust for TLS"))?;
        let name = client_name.map_or_else(|| name_of(host), Ok)?;
        let session = Session::client(config, name)?;
        Ok(Channel::Tls(Box::new(TlsStream::dialled(socket, session))))
    }

    fn server(&self) -> io::Result<Arc<ServerConfig>> {
        let configs = self.0.read().unwrap_or_else(PoisonError::into_inner);
        configs.server.clone().ok_or_else(|| io::Error::other("there is no certificate for TLS"))
    }
}

/// The name that a host's certificate has to have.
fn name_of(host: &str) -> io::Result<ServerName<'static>> {
    // A zone is this machine's affair.
    let host = host.split('%').next().unwrap_or_default();
    let name = ServerName::try_from(host.to_owned());
    name.map_err(|_| io::Error::other(format!("{host:?} is no name that a certificate could have")))
}
