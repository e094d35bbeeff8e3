//! What has ended a TLS connection, from the library's words to ours.

use std::borrow::Cow;

use rustls::{
    AlertDescription, CertificateError, Error, HandshakeType, InvalidMessage, PeerIncompatible,
    PeerMisbehaved,
};

use crate::conn::tls_end::{TlsEnd, TlsEndKind};

/// So many of a certificate's names are told.
const NAMES_MAX: usize = 4;

/// What this error has ended. `first` are the first bytes that the peer ever sent, as long as nothing it said was
/// understood.
pub(super) fn end_of(error: &Error, is_handshaking: bool, first: Option<&[u8]>) -> TlsEnd {
    let (kind, why) = match error {
        Error::AlertReceived(alert) if is_handshaking => (TlsEndKind::Handshake, of_refusal(*alert)),
        Error::AlertReceived(alert) => (TlsEndKind::Alert, of_alert(*alert)),
        error if is_handshaking => (TlsEndKind::Handshake, of_handshake(error, first)),
        error => (TlsEndKind::Broken, of_broken(error)),
    };
    // Who said itself that this is the end has no use for a word of ours.
    TlsEnd { kind, why, is_told: !matches!(error, Error::AlertReceived(_)) }
}

/// In TLS 1.3 a client has long been ready when the server judges its certificate.
fn of_alert(alert: AlertDescription) -> Cow<'static, str> {
    use AlertDescription as A;
    match alert {
        A::CertificateRequired => "it demands a certificate of ours (certificate required)".into(),
        A::UnknownCA
        | A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateExpired
        | A::CertificateRevoked
        | A::CertificateUnknown
        | A::AccessDenied => format!("certificate refused by the peer ({})", name(alert)).into(),
        _ => name(alert).into(),
    }
}

fn of_refusal(alert: AlertDescription) -> Cow<'static, str> {
    use AlertDescription as A;
    match alert {
        A::UnknownCA => "certificate refused by the peer (unknown CA)".into(),
        A::CertificateExpired => "certificate refused by the peer (expired)".into(),
        A::CertificateRevoked => "certificate refused by the peer (revoked)".into(),
        A::CertificateRequired => "the peer demands a certificate of ours".into(),
        A::NoCertificate
        | A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateUnknown
        | A::CertificateUnobtainable
        | A::BadCertificateStatusResponse
        | A::BadCertificateHashValue => format!("certificate refused by the peer ({})", name(alert)).into(),
        A::ProtocolVersion => "no common version, as the peer says".into(),
        A::HandshakeFailure | A::InsufficientSecurity => {
            format!("nothing in common, as the peer says ({})", name(alert)).into()
        }
        A::UnrecognisedName => "the peer does not go by that name".into(),
        A::CloseNotify | A::UserCanceled => "the peer gave it up".into(),
        _ => format!("the peer said: {}", name(alert)).into(),
    }
}

fn of_handshake(error: &Error, first: Option<&[u8]>) -> Cow<'static, str> {
    match error {
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } if first.is_some() => {
            of_first_bytes(first.unwrap_or_default(), error)
        }
        Error::PeerIncompatible(why) => of_difference(why),
        Error::InvalidCertificate(why) => format!("certificate: {}", of_certificate(why)).into(),
        Error::NoCertificatesPresented => "it has shown no certificate".into(),
        // An echo.
        Error::InappropriateHandshakeMessage { got_type: HandshakeType::ClientHello, .. } => {
            "it sent our own words back: it speaks no TLS".into()
        }
        error => of_broken(error),
    }
}

/// What speaks that is no TLS. Less is enough than at a plain port (`desk::Protocol`): that it is something else is known
/// here, and a wrong guess misleads nobody about that.
fn of_first_bytes(first: &[u8], error: &Error) -> Cow<'static, str> {
    // What comes byte by byte is told after five of them.
    const HTTP: [&[u8; 4]; 11] =
        [b"GET ", b"HEAD", b"POST", b"PUT ", b"OPTI", b"CONN", b"DELE", b"PATC", b"TRAC", b"PRI ", b"HTTP"];
    match first {
        _ if HTTP.iter().any(|word| first.starts_with(*word)) => "it spoke plain HTTP".into(),
        _ if first.starts_with(b"SSH-") => "it spoke SSH".into(),
        // A record of TLS that is wrong in itself: content type, then a version 3.x.
        [20..=24, 3, ..] => of_broken(error),
        // WILL, WON'T, DO, DON'T (RFC 854).
        [255, 251..=254, ..] => "it spoke telnet".into(),
        // A length, a ClientHello, and the version: 0.2, or whatever 3.x it would like best (RFC 5246, E.2).
        [128..=255, _, 1, 0 | 3, ..] => "it spoke SSL 2".into(),
        _ => "it did not speak TLS".into(),
    }
}

fn of_difference(why: &PeerIncompatible) -> Cow<'static, str> {
    use PeerIncompatible as P;
    match why {
        P::ServerDoesNotSupportTls12Or13
        | P::ServerTlsVersionIsDisabledByOurConfig
        | P::SupportedVersionsExtensionRequired
        // Only what is older than TLS 1.2 says nothing of signatures, and it is looked for before the version.
        | P::SignatureAlgorithmsExtensionRequired
        | P::Tls12NotOffered
        | P::Tls12NotOfferedOrEnabled => "no common version".into(),
        P::NoCipherSuitesInCommon => "no common cipher suite".into(),
        P::NoKxGroupsInCommon | P::NoEcPointFormatsInCommon | P::NamedGroupsExtensionRequired => {
            "no common key exchange".into()
        }
        P::NoSignatureSchemesInCommon | P::NoCertificateRequestSignatureSchemesInCommon => "no common signature scheme".into(),
        other => format!("nothing in common ({other:?})").into(),
    }
}

fn of_certificate(why: &CertificateError) -> Cow<'static, str> {
    use CertificateError as C;
    match why {
        C::Expired | C::ExpiredContext { .. } => "expired".into(),
        C::NotValidYet | C::NotValidYetContext { .. } => "not valid yet".into(),
        C::Revoked => "revoked".into(),
        C::UnknownIssuer => "its issuer is not known".into(),
        C::BadSignature => "a wrong signature".into(),
        C::BadEncoding => "it cannot be read".into(),
        C::NotValidForName => "for another name".into(),
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => "it is for another purpose".into(),
        // These say what the names are, and what a verifier of one's own has to say.
        C::NotValidForNameContext { presented, .. } => match bare(presented).as_slice() {
            [] if presented.is_empty() => "for no name at all".into(),
            [] => "for another name".into(),
            names => format!("for another name ({})", names.join(", ")).into(),
        },
        // The library's verifier has no word of its own for this.
        C::Other(other) if other.to_string() == "CaUsedAsEndEntity" => {
            "an authority's, not a server's own".into()
        }
        C::Other(other) => other.to_string().into(),
        other => other.to_string().into(),
    }
}

/// Some of the names that a certificate is for, out of the library's `DnsName("a.example")`.
fn bare(names: &[String]) -> Vec<&str> {
    let bare = names.iter().filter_map(|name| name.strip_prefix("DnsName(\"")?.strip_suffix("\")"));
    bare.take(NAMES_MAX).collect()
}

fn of_broken(error: &Error) -> Cow<'static, str> {
    match error {
        Error::DecryptError => "a record that cannot be decrypted".into(),
        Error::PeerSentOversizedRecord | Error::InvalidMessage(InvalidMessage::MessageTooLarge) => {
            "a record that is too long".into()
        }
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => "a record of no kind that there is".into(),
        Error::InvalidMessage(why) => format!("a message that cannot be read ({why:?})").into(),
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "a message that does not belong there".into()
        }
        Error::PeerMisbehaved(PeerMisbehaved::TooManyEmptyFragments) => "too many empty records".into(),
        Error::PeerMisbehaved(PeerMisbehaved::TooManyKeyUpdateRequests) => "too many key updates".into(),
        Error::PeerMisbehaved(PeerMisbehaved::TooManyRenegotiationRequests) => {
            "it wants to renegotiate again and again".into()
        }
        Error::PeerMisbehaved(PeerMisbehaved::TooManyWarningAlertsReceived) => "too many warnings".into(),
        Error::PeerMisbehaved(why) => format!("it broke the rules ({why:?})").into(),
        other => other.to_string().into(),
    }
}

/// An alert by its name in the standard, in words: `bad certificate`.
fn name(alert: AlertDescription) -> String {
    if let AlertDescription::Unknown(number) = alert {
        return format!("alert {number}");
    }
    let name = format!("{alert:?}");
    let mut words = String::new();
    for (at, letter) in name.char_indices() {
        let begins =
            letter.is_ascii_uppercase() && !name[..at].ends_with(|before: char| before.is_ascii_uppercase());
        if at > 0 && begins {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words.replace("unknown ca", "unknown CA").replace("unknown psk", "unknown PSK ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_has_its_name_in_words() {
        for (alert, words) in [
            (AlertDescription::BadCertificate, "bad certificate"),
            (AlertDescription::UnknownCA, "unknown CA"),
            (AlertDescription::HandshakeFailure, "handshake failure"),
            (AlertDescription::UnknownPSKIdentity, "unknown PSK identity"),
            (AlertDescription::Unknown(200), "alert 200"),
        ] {
            assert_eq!(name(alert), words);
        }
    }

    #[test]
    fn what_speaks_no_tls_is_called_by_what_it_speaks() {
        let wrong = Error::InvalidMessage(InvalidMessage::InvalidContentType);
        for (first, why) in [
            (&b"GET / HTTP/1.1\r\n"[..], "it spoke plain HTTP"),
            (b"HTTP/1.1 400 Bad Request\r\n", "it spoke plain HTTP"),
            (b"PRI * HTTP/2.0\r\n\r\n", "it spoke plain HTTP"),
            (b"SSH-2.0-OpenSSH\r\n", "it spoke SSH"),
            (&[255, 253, 1, 255, 251, 3], "it spoke telnet"),
            (b"hello\n", "it did not speak TLS"),
            (b"\x80\x2e\x01\x00\x02", "it spoke SSL 2"),
            (b"\x80\x2e\x01\x03\x01", "it spoke SSL 2"),
            (b"\x80\x2e\x01\xff\xff", "it did not speak TLS"),
        ] {
            let end = end_of(&wrong, true, Some(first));
            assert_eq!((end.kind, &*end.why, end.is_told), (TlsEndKind::Handshake, why, true));
        }
    }
}
