//! Whom to believe that comes: clients that have to show a certificate.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::files::{self, unusable};
use super::identity::provider;
use super::servers::is_of_time;

/// Judges the certificates of clients: by the authorities in a file, and by the clients' own that stand there.
#[derive(Debug)]
pub(super) struct Clients {
    chains: Arc<dyn ClientCertVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl Clients {
    /// Reads the file.
    pub fn listed(path: &Path) -> Result<Clients, String> {
        let (roots, own) = files::authorities(path)?;
        let chains = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
        Ok(Clients { chains: chains.map_err(|error| unusable(path, error))?, own })
    }
}

impl ClientCertVerifier for Clients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chains.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let by_chain = self.chains.verify_client_cert(certificate, between, now);
        by_chain.or_else(|error| {
            let is_own = self.own.contains(certificate) && !is_of_time(&error);
            if is_own { Ok(ClientCertVerified::assertion()) } else { Err(error) }
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}
