//! Certificates and keys out of files, in PEM. Each error is a line: which file, and what is wrong with it.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CertificateError, Error, RootCertStore};

use crate::conn::reason::cannot;

/// The most that is read of one. All authorities that there are take a quarter of a megabyte.
const BYTES_MAX: u64 = 16 << 20;

/// Says of a file that could make us wait for ever why it is not read again: the loop does that.
pub(super) fn check_regular(path: &Path) -> Result<(), String> {
    let what = || format!("read {}", path.display());
    let metadata = fs::metadata(path).map_err(cannot(what()))?;
    if metadata.is_file() { Ok(()) } else { Err(format!("cannot {}: it is no regular file", what())) }
}

/// The certificates in a file, at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = read(path)?;
    let found: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| unusable(path, of_pem(&error)))?;
    if found.is_empty() {
        return Err(unusable(path, of_nothing("certificate", &text, "x509")));
    }
    Ok(found)
}

/// The first key in a file.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let text = read(path)?;
    let has = |part: &str| memchr::memmem::find(&text, part.as_bytes()).is_some();
    // The newer form has a name of its own, the older one a line behind its name.
    if has("-----BEGIN ENCRYPTED PRIVATE KEY-----") || has("Proc-Type: 4,ENCRYPTED") {
        return Err(unusable(path, "the key in it is encrypted (openssl pkey takes the passphrase off)"));
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => unusable(path, of_nothing("key", &text, "pkey")),
        error => unusable(path, of_pem(&error)),
    })
}

/// The certificates in a file as authorities.
pub(super) fn authorities(path: &Path) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), String> {
    let found = certificates(path)?;
    let mut roots = RootCertStore::empty();
    for (at, certificate) in found.iter().enumerate() {
        roots.add(certificate.clone()).map_err(|error| {
            let why = match error {
                Error::InvalidCertificate(CertificateError::BadEncoding) => "it cannot be read".into(),
                error => error.to_string(),
            };
            unusable(path, format!("its certificate number {}: {why}", at + 1))
        })?;
    }
    Ok((roots, found))
}

/// What is wrong with a file that could be read.
pub(super) fn unusable(path: &Path, why: impl std::fmt::Display) -> String {
    format!("cannot use {}: {why}", path.display())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = cannot(format!("read {}", path.display()));
    let mut text = Vec::new();
    let file = File::open(path).map_err(&cannot)?;
    file.take(BYTES_MAX + 1).read_to_end(&mut text).map_err(&cannot)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(unusable(path, "it is longer than 16 MiB"));
    }
    Ok(text)
}

/// What is said where nothing was found in PEM: it may be there in the other form.
fn of_nothing(what: &str, text: &[u8], command: &str) -> String {
    let is_der = text.starts_with(&[0x30, 0x81]) || text.starts_with(&[0x30, 0x82]);
    let hint =
        format!(": it is not PEM, but perhaps DER (openssl {command} -inform der turns one into the other)");
    format!("no {what} in it{}", if is_der { &hint } else { "" })
}

fn of_pem(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "it is cut off: an END line is missing".into(),
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line in it is none".into(),
        pem::Error::Base64Decode(_) => "what stands between BEGIN and END is not base64".into(),
        error => error.to_string(),
    }
}
