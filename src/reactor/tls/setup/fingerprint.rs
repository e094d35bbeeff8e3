//! The fingerprint of a certificate: the SHA-256 of all of it, as `openssl x509 -fingerprint -sha256` prints it.

use std::fmt;

const BYTES: usize = 32;

/// A certificate's SHA-256.
#[derive(Clone, Debug)]
pub struct Fingerprint([u8; BYTES]);

impl Fingerprint {
    /// Reads 64 hexadecimal digits, with or without colons, or what openssl prints, which has a word and an equals sign
    /// in front.
    ///
    /// # Errors
    /// What it is not.
    pub fn parse(text: &str) -> Result<Fingerprint, String> {
        let wrong = || "not a SHA-256: 64 hexadecimal digits, with or without colons".to_owned();
        let digits = text.rsplit_once('=').map_or(text, |(_, digits)| digits).trim();
        let digits: Vec<u8> = digits.bytes().filter(|byte| *byte != b':').collect();
        if digits.len() != 2 * BYTES {
            return Err(wrong());
        }
        let value = |digit: u8| char::from(digit).to_digit(16);
        let mut bytes = [0; BYTES];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let both = value(pair[0]).zip(value(pair[1])).ok_or_else(wrong)?;
            *byte = (both.0 << 4 | both.1) as u8;
        }
        Ok(Fingerprint(bytes))
    }

    /// That of a certificate, as it was sent.
    #[cfg(feature = "tls")]
    pub fn of(certificate: &[u8]) -> Fingerprint {
        use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
        let suite = TLS13_AES_128_GCM_SHA256.tls13().expect("it is one of TLS 1.3");
        let hash = suite.common.hash_provider.hash(certificate);
        Fingerprint(hash.as_ref().try_into().expect("a SHA-256 has 32 bytes"))
    }

    /// Whether it is the same, in a time that says nothing of where it is not.
    #[cfg(feature = "tls")]
    pub fn is(&self, other: &Fingerprint) -> bool {
        use subtle::ConstantTimeEq;
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02X}", if at > 0 { ":" } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_tools_print_it_and_nothing_else_is() {
        let plain = "00ff".repeat(16);
        let shown = Fingerprint::parse(&plain).unwrap().to_string();
        assert!(shown.starts_with("00:FF:00:") && shown.len() == 95, "{shown}");
        for text in [shown.clone(), shown.to_lowercase(), format!("sha256 Fingerprint={shown}")] {
            assert_eq!(Fingerprint::parse(&text).unwrap().to_string(), shown, "{text}");
        }
        for text in
            ["", "00ff", &plain[1..], &format!("{plain}00"), &plain.replace("ff", "fg"), &"é".repeat(32)]
        {
            let told = Fingerprint::parse(text).expect_err(text);
            assert!(told.contains("64 hexadecimal digits"), "{told}");
        }
    }
}
