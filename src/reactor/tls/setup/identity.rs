//! What we show of ourselves: a certificate and its key, from files or made at the start.

use std::sync::Arc;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, InconsistentKeys, RootCertStore};

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
    let certified = CertifiedKey::from_der(chain.clone(), secret.clone_key(), &provider());
    certified.map(Arc::new).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            let place = certificates.display();
            unusable(key, match place_of(&secret, &chain) {
                Some(number) => format!("the key in it is that of certificate {number} in {place}, which has to be the first"),
                None => format!("the key in it does not fit the certificate in {place}"),
            })
        }
        Error::InvalidCertificate(_) => unusable(certificates, "the certificate in it cannot be read"),
        _ => unusable(
            key,
            "the key in it is of no kind that is known here (RSA of 2048 bits or more, ECDSA on P-256 or P-384, Ed25519)",
        ),
    })
}

/// Which of these certificates a key belongs to, counted from 1: a chain is easily put together the wrong way round.
fn place_of(secret: &PrivateKeyDer<'_>, chain: &[CertificateDer<'static>]) -> Option<usize> {
    let fits = |own: &CertificateDer<'static>| {
        CertifiedKey::from_der(vec![own.clone()], secret.clone_key(), &provider()).is_ok()
    };
    chain.iter().position(fits).map(|place| place + 1)
}

/// What is to be said of a certificate's dates, if anything is.
pub(super) fn out_of_date(shown: &CertifiedKey) -> Option<&'static str> {
    // The library judges dates alone nowhere, but before all else: so it matters not that nobody has signed it for us.
    let own = shown.cert.first()?;
    let mut roots = RootCertStore::empty();
    roots.add(own.clone()).ok()?;
    let judge = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build().ok()?;
    let name = ServerName::try_from("localhost").ok()?;
    let Err(Error::InvalidCertificate(why)) = judge.verify_server_cert(own, &[], &name, &[], UnixTime::now())
    else {
        return None;
    };
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Some("has expired"),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Some("is not valid yet")
        }
        _ => None,
    }
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
