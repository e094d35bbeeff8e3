//! What we show of ourselves: a certificate and its key, from files or made at the start.

use std::sync::Arc;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use super::files::{self, unusable};
use super::{Own, Pair};

/// What calculates, everywhere here: named, since none is installed for the process.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Reads or makes it.
pub(super) fn identity(own: &Own) -> Result<Arc<CertifiedKey>, String> {
    match own {
        Own::Files(pair) => from_files(pair),
        Own::SelfSigned(hosts) => {
            self_signed(hosts).map_err(|why| format!("cannot make a certificate: {why}"))
        }
    }
}

/// Reads it.
pub(super) fn from_files(Pair { certificates, key }: &Pair) -> Result<Arc<CertifiedKey>, String> {
    let chain = files::certificates(certificates)?;
    let secret = files::key(key)?;
    let certified = CertifiedKey::from_der(chain, secret, &provider());
    certified.map(Arc::new).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            unusable(key, format!("the key in it does not fit the certificate in {}", certificates.display()))
        }
        Error::InvalidCertificate(_) => unusable(certificates, "the certificate in it cannot be read"),
        _ => unusable(key, "the key in it is of no kind that is known here (RSA, ECDSA, Ed25519)"),
    })
}

/// Makes one, good for ever: what counts of it is its fingerprint, and a peer's clock may say anything.
fn self_signed(hosts: &[String]) -> Result<Arc<CertifiedKey>, String> {
    let in_words = |error: rcgen::Error| error.to_string();
    let mut params = CertificateParams::new(hosts).map_err(in_words)?;
    params.distinguished_name.push(DnType::CommonName, "switchboard");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let pair = KeyPair::generate().map_err(in_words)?;
    let certificate = params.self_signed(&pair).map_err(in_words)?;
    let secret = PrivateKeyDer::try_from(pair.serialize_der()).map_err(str::to_owned)?;
    let certified = CertifiedKey::from_der(vec![certificate.der().clone()], secret, &provider());
    certified.map(Arc::new).map_err(|error| error.to_string())
}
