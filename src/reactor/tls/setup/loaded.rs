//! From what is asked for to what is spoken; and the same again, when certificates were renewed.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ServerConfig};

use crate::reactor::Reactor;
use crate::reactor::tls::{Tls, TlsConfigs};

use super::clients::Clients;
use super::identity::{self, provider};
use super::servers::Servers;
use super::{Accepting, Dialling, Fingerprint, Own, Settings, files};

/// Says whether there is TLS: there is.
///
/// # Errors
/// None.
pub fn check_built() -> Result<(), String> {
    Ok(())
}

/// Reads a name that a certificate could have.
///
/// # Errors
/// What it is not.
pub fn check_name(name: &str) -> Result<String, String> {
    let read = ServerName::try_from(name);
    read.map(|_| name.to_owned()).map_err(|_| "not a name such as device.example, and no IP address".into())
}

/// What was read, to be spoken with.
#[derive(Clone, Debug)]
pub struct Loaded {
    configs: TlsConfigs,
    /// What a server shows.
    shown: Option<Arc<CertifiedKey>>,
    fingerprint: Option<Fingerprint>,
    /// What is to be said of its dates.
    out_of_date: Option<&'static str>,
}

impl Settings {
    /// Reads all files.
    ///
    /// # Errors
    /// One line: which file cannot be used, and why.
    pub fn load(&self) -> Result<Loaded, String> {
        let accepting = self.accepting.as_ref();
        let shown = accepting.map(|accepting| identity::identity(&accepting.own)).transpose()?;
        self.load_showing(shown)
    }

    fn load_showing(&self, shown: Option<Arc<CertifiedKey>>) -> Result<Loaded, String> {
        let server = match (&self.accepting, &shown) {
            (Some(accepting), Some(shown)) => Some(Arc::new(server(accepting, shown.clone())?)),
            _ => None,
        };
        let client_name = self.dialling.name.clone().map(ServerName::try_from).transpose();
        let configs = TlsConfigs {
            server,
            client: Some(Arc::new(client(&self.dialling)?)),
            client_name: client_name.map_err(|_| "the name for TLS is none".to_owned())?,
        };
        let fingerprint = shown.as_ref().and_then(|shown| shown.cert.first()).map(|own| Fingerprint::of(own));
        let out_of_date = shown.as_deref().and_then(identity::out_of_date);
        Ok(Loaded { configs, shown, fingerprint, out_of_date })
    }
}

impl Loaded {
    /// Has it spoken in this reactor.
    pub fn use_in<M: Send + 'static>(&self, reactor: &mut Reactor<M>) {
        reactor.use_tls(self.configs.clone());
    }

    /// The same, and keeps what it takes to read it again.
    pub fn keep<M: Send + 'static>(self, settings: Settings, reactor: &mut Reactor<M>) -> Keeper {
        let used = reactor.use_tls(self.configs.clone());
        Keeper { settings, loaded: self, used }
    }
}

/// What is spoken in a reactor, and where it was read.
#[derive(Debug)]
pub struct Keeper {
    settings: Settings,
    loaded: Loaded,
    used: Tls,
}

impl Keeper {
    /// That of the certificate which a server shows.
    pub fn fingerprint(&self) -> Option<&Fingerprint> {
        self.loaded.fingerprint.as_ref()
    }

    /// What is to be said of the certificate that a server shows, if anything is.
    pub fn warning(&self) -> Option<String> {
        let why = self.loaded.out_of_date?;
        Some(format!("the certificate {why}: whoever looks at its dates refuses it"))
    }

    /// Reads all files again, for those who come from now on. Says in words what has come of it, where there are files.
    ///
    /// # Errors
    /// One line: which file cannot be used, and why. Then everything is as before.
    pub fn reread(&mut self) -> Result<Option<String>, String> {
        let mut count = 0;
        for path in self.settings.files() {
            files::check_regular(path)?;
            count += 1;
        }
        if count == 0 {
            return Ok(None);
        }
        let loaded = match &self.settings.accepting {
            // A new one would be another one, and there may be those who know it by its fingerprint.
            Some(Accepting { own: Own::SelfSigned(_), .. }) => {
                self.settings.load_showing(self.loaded.shown.clone())?
            }
            _ => self.settings.load()?,
        };
        self.used.replace(loaded.configs.clone());
        self.loaded = loaded;
        let told = match self.fingerprint() {
            Some(fingerprint) => format!("TLS was read again: certificate SHA-256 {fingerprint}"),
            None => "TLS was read again".into(),
        };
        Ok(Some(self.warning().map_or(told.clone(), |warning| format!("{told}; {warning}"))))
    }
}

fn server(accepting: &Accepting, shown: Arc<CertifiedKey>) -> Result<ServerConfig, String> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let builder = match &accepting.client_ca {
        Some(path) => builder.with_client_cert_verifier(Arc::new(Clients::listed(path)?)),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    // No session is taken up again, and a connection has less to keep.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

fn client(dialling: &Dialling) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    // What the library calls dangerous is that somebody else judges; each of ours is above.
    let judged =
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Servers::trusted(&dialling.trust)?));
    let mut config = match &dialling.own {
        Some(pair) => {
            let shown = SingleCertAndKey::from(identity::from_files(pair)?);
            judged.with_client_cert_resolver(Arc::new(shown))
        }
        None => judged.with_no_client_auth(),
    };
    config.resumption = Resumption::disabled();
    Ok(config)
}
