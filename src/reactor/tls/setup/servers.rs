//! Whom to believe that is dialled.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};

use super::identity::provider;
use super::{Fingerprint, Trust, files};

/// Judges the certificates of servers.
#[derive(Debug)]
pub(super) struct Servers {
    believed: Believed,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
enum Believed {
    /// Whom the system believes.
    BySystem,
    Listed {
        chains: Chains,
        own: Vec<CertificateDer<'static>>,
    },
    WithFingerprint(Fingerprint),
    Anybody,
}

type Chains = Arc<WebPkiServerVerifier>;

/// Why a certificate is refused, in our own words.
#[derive(Debug)]
struct Refused(String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

fn refused(why: String) -> Error {
    CertificateError::Other(OtherError(Arc::new(Refused(why)))).into()
}

impl Servers {
    /// Reads what there is to be read for this.
    pub fn trusted(trust: &Trust) -> Result<Servers, String> {
        let believed = match trust {
            Trust::System => Believed::BySystem,
            Trust::Listed(path) => {
                let (roots, own) = files::authorities(path)?;
                Believed::Listed { chains: chains(roots)?, own }
            }
            Trust::Fingerprint(fingerprint) => Believed::WithFingerprint(fingerprint.clone()),
            Trust::Anybody => Believed::Anybody,
        };
        Ok(Servers { believed, algorithms: provider().signature_verification_algorithms })
    }
}

fn chains(roots: RootCertStore) -> Result<Chains, String> {
    let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
    builder.build().map_err(|error| error.to_string())
}

/// The authorities of the system: read once, when they are first needed, since a server seldom dials.
static OF_SYSTEM: OnceLock<Result<Chains, String>> = OnceLock::new();

fn of_system() -> &'static Result<Chains, String> {
    OF_SYSTEM.get_or_init(read_of_system)
}

/// Reads the authorities of the system, unless they were read. That takes from one millisecond, where they are one file,
/// to fifty, where they are hundreds and the machine has other work: too long for a loop that serves others. So it is done
/// at the start, or in the thread that looks up names.
pub fn read_system_authorities() {
    let _ = of_system();
}

/// Whether they were read, or found to be none.
pub fn system_authorities_are_read() -> bool {
    OF_SYSTEM.get().is_some()
}

/// As far as they can be used: it may list one that is none.
fn read_of_system() -> Result<Chains, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (count, _) = roots.add_parsable_certificates(found.certs);
    if count > 0 {
        return chains(roots);
    }
    let why = found.errors.first().map_or_else(|| "none is installed".to_owned(), ToString::to_string);
    Err(format!("this system knows no authorities ({why}): name some with --tls-ca"))
}

impl ServerCertVerifier for Servers {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.believed {
            Believed::BySystem => {
                let chains = of_system().as_ref().map_err(|why| refused(why.clone()))?;
                chains.verify_server_cert(certificate, between, name, ocsp, now)
            }
            Believed::Listed { chains, own } => {
                let by_chain = chains.verify_server_cert(certificate, between, name, ocsp, now);
                by_chain.or_else(|error| {
                    let is_own = own.contains(certificate) && !is_of_time(&error);
                    if is_own { fits_name(certificate, name) } else { Err(error) }
                })
            }
            Believed::WithFingerprint(expected) => {
                let found = Fingerprint::of(certificate);
                if expected.is(&found) {
                    Ok(ServerCertVerified::assertion())
                } else {
                    Err(refused(format!("the fingerprint is another: {found}")))
                }
            }
            Believed::Anybody => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.believed {
            // Not even a certificate that cannot be read is in the way of who wants to know nothing.
            Believed::Anybody => Ok(HandshakeSignatureValid::assertion()),
            _ => verify_tls12_signature(message, certificate, signed, &self.algorithms),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.believed {
            Believed::Anybody => Ok(HandshakeSignatureValid::assertion()),
            _ => verify_tls13_signature(message, certificate, signed, &self.algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Whether a certificate is refused for its dates, which no comparison makes good.
pub(super) fn is_of_time(error: &Error) -> bool {
    use CertificateError as C;
    let Error::InvalidCertificate(why) = error else { return false };
    matches!(why, C::Expired | C::ExpiredContext { .. } | C::NotValidYet | C::NotValidYetContext { .. })
}

/// A certificate that was given to us is believed for the names in it. Where there are none, as in those of many
/// devices, it is the certificate that was given, and that is all there is to compare.
fn fits_name(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<ServerCertVerified, Error> {
    let fits = ParsedCertificate::try_from(certificate).and_then(|parsed| verify_server_name(&parsed, name));
    match fits {
        Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. }))
            if presented.is_empty() =>
        {
            Ok(ServerCertVerified::assertion())
        }
        fits => fits.map(|()| ServerCertVerified::assertion()),
    }
}
