//! What is asked for, before any file is read.

use std::path::{Path, PathBuf};

use super::{Fingerprint, read_system_authorities};
use crate::address::Endpoint;

/// A certificate, with those behind it that lead to an authority, and its key.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Where the certificates stand.
    pub certificates: PathBuf,
    /// Where the key stands.
    pub key: PathBuf,
}

/// What a server shows of itself.
#[derive(Clone, Debug)]
pub enum Own {
    /// What stands in files.
    Files(Pair),
    /// What is made at the start, for these names and addresses.
    SelfSigned(Vec<String>),
}

/// How TLS is spoken with those who come.
#[derive(Clone, Debug)]
pub struct Accepting {
    /// What they are shown.
    pub own: Own,
    /// Whose certificates they have to have, where that matters.
    pub client_ca: Option<PathBuf>,
}

/// Whom those believe who dial.
#[derive(Clone, Debug, Default)]
pub enum Trust {
    /// Whom this machine's system believes.
    #[default]
    System,
    /// The authorities in a file, and each server whose own certificate stands there.
    Listed(PathBuf),
    /// Whoever has the certificate with this fingerprint.
    Fingerprint(Fingerprint),
    /// Anybody.
    Anybody,
}

/// How TLS is spoken with those who are dialled.
#[derive(Clone, Debug, Default)]
pub struct Dialling {
    /// Whom to believe.
    pub trust: Trust,
    /// The name that their certificate has to have; without it that of their address.
    pub name: Option<String>,
    /// What they are shown, should they ask.
    pub own: Option<Pair>,
}

/// How TLS is to be spoken.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// With those who come; without it nobody can.
    pub accepting: Option<Accepting>,
    /// With those who are dialled.
    pub dialling: Dialling,
}

impl Settings {
    /// Reads the system's authorities where they are what one of these is judged by, so that no loop has to.
    pub fn prepare(&self, mut dialled: impl Iterator<Item = Endpoint>) {
        if matches!(self.dialling.trust, Trust::System) && dialled.any(|place| place.is_tls()) {
            read_system_authorities();
        }
    }

    /// All files that are read for it.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let Settings { accepting, dialling } = self;
        let shown = accepting.as_ref().and_then(|accepting| match &accepting.own {
            Own::Files(pair) => Some(pair),
            Own::SelfSigned(_) => None,
        });
        let pairs = shown.into_iter().chain(&dialling.own).flat_map(|pair| [&pair.certificates, &pair.key]);
        let clients = accepting.as_ref().and_then(|accepting| accepting.client_ca.as_ref());
        let listed = match &dialling.trust {
            Trust::Listed(path) => Some(path),
            Trust::System | Trust::Fingerprint(_) | Trust::Anybody => None,
        };
        pairs.chain(clients).chain(listed).map(PathBuf::as_path)
    }
}
