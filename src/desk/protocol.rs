//! What somebody speaks who has come to the wrong port: told from its first bytes, where they can be nothing else. A
//! doubtful one is nothing, since what is recognised wrongly misleads more than what is not.

use std::fmt;

/// Something that is spoken by so many programs that its first bytes are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// A handshake or an alert.
    Tls,
    /// A request, or a response.
    Http,
    /// A negotiation of options.
    Telnet,
    /// The line that both sides begin with.
    Ssh,
}

/// The longest target of a request that is looked at.
const TARGET_BYTES_MAX: usize = 8 << 10;

const METHODS: [&[u8]; 9] =
    [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"PATCH", b"TRACE"];

/// The options of telnet that have a number have one up to this, or 255 (IANA, Telnet Options).
const LAST_TELNET_OPTION: u8 = 49;

impl Protocol {
    /// What begins with these bytes, which need not be a whole message.
    pub fn of_first_bytes(bytes: &[u8]) -> Option<Protocol> {
        match bytes {
            // A record has its kind, its version (3.1 to 3.4, and 3.0 before there was TLS) and its length in front
            // (RFC 8446, 5.1); what is in it says once more what it is.
            [22, 3, 0..=4, high, _, kind, ..] => {
                let is_hello = matches!(kind, 1 | 2) && *high <= 0x48;
                is_hello.then_some(Protocol::Tls)
            }
            [21, 3, 0..=4, 0, 2, 1 | 2, _] => Some(Protocol::Tls),
            // WILL, WON'T, DO, DON'T (RFC 854).
            [255, 251..=254, option, ..] if *option <= LAST_TELNET_OPTION || *option == 255 => {
                Some(Protocol::Telnet)
            }
            // RFC 4253, 4.2.
            [b'S', b'S', b'H', b'-', b'1' | b'2', b'.', ..] => Some(Protocol::Ssh),
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9', b' ', b'1'..=b'5', ..] => {
                Some(Protocol::Http)
            }
            [b'A'..=b'Z', ..] => is_request(bytes).then_some(Protocol::Http),
            _ => None,
        }
    }
}

/// Whether it begins with the line of a request: a method, a target, a version.
fn is_request(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"PRI * HTTP/2.0\r\n") {
        return true;
    }
    let is_method = |method: &&[u8]| bytes.starts_with(method) && bytes.get(method.len()) == Some(&b' ');
    let Some(method) = METHODS.iter().find(|method| is_method(method)) else { return false };
    let rest = &bytes[method.len() + 1..];
    let rest = &rest[..rest.len().min(TARGET_BYTES_MAX)];
    let Some(end) = rest.iter().position(|byte| byte.is_ascii_whitespace()) else { return false };
    end > 0 && rest[end..].starts_with(b" HTTP/1.")
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Tls => "TLS",
            Protocol::Http => "HTTP",
            Protocol::Telnet => "telnet",
            Protocol::Ssh => "SSH",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A ClientHello's first bytes, as `openssl s_client` sends them.
    const HELLO: &[u8] = &[22, 3, 1, 1, 0x2e, 1, 0, 1, 0x2a, 3, 3];

    #[test]
    fn what_is_spoken_is_told_from_the_first_bytes() {
        for (bytes, expected) in [
            (HELLO, Some(Protocol::Tls)),
            (&[22, 3, 3, 0, 0x7a, 2, 0], Some(Protocol::Tls)),
            (&[21, 3, 3, 0, 2, 2, 40], Some(Protocol::Tls)),
            (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", Some(Protocol::Http)),
            (b"CONNECT example.org:443 HTTP/1.1\r\n", Some(Protocol::Http)),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Some(Protocol::Http)),
            (b"HTTP/1.1 400 Bad Request\r\n", Some(Protocol::Http)),
            (&[255, 253, 24, 255, 253, 32], Some(Protocol::Telnet)),
            (b"SSH-2.0-OpenSSH_9.2p1\r\n", Some(Protocol::Ssh)),
        ] {
            assert_eq!(Protocol::of_first_bytes(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn what_could_be_something_else_is_nothing() {
        for bytes in [
            &b""[..],
            b"\n",
            b"GET",
            b"GET key\r\n",
            b"GET / HTTP",
            b"GET  HTTP/1.1\r\n",
            b"GETTING / HTTP/1.1\r\n",
            b"POST it on the wall",
            b"PUT it HTTP/0.9\n",
            b"HTTP/1.1 is spoken there",
            b"SSH keys are here",
            b"ssh-2.0-x",
            &HELLO[..5],
            &[22, 3, 1, 0x60, 0, 1, 0],
            &[22, 3, 9, 0, 9, 1, 0],
            // A device whose lengths take two bytes.
            &[22, 3, 1, 1, 0x2e, 7, 0],
            &[21, 3, 3, 0, 2, 3, 40],
            &[255, 255, 255],
            &[255, 253, 200],
            &[255, 216, 255],
        ] {
            assert_eq!(Protocol::of_first_bytes(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_and_how_much_came_at_first_changes_no_answer_but_to_one(
            start in prop::sample::select(vec![&b""[..], HELLO, b"GET /", b"SSH-2.", b"HTTP/1.1 2", &[255, 251], &[21, 3, 3, 0, 2]]),
            rest in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let bytes = [start, &rest].concat();
            // An alert is all there is, and is no longer; so what follows says that it was none.
            let whole = Protocol::of_first_bytes(&bytes);
            let parts = (0..bytes.len()).filter_map(|end| Protocol::of_first_bytes(&bytes[..end]));
            if bytes.first() != Some(&21) {
                for part in parts {
                    prop_assert_eq!(Some(part), whole);
                }
            }
        }

        #[test]
        fn an_ordinary_line_is_nothing(line in "[a-z0-9 .,:;{}\"'_-]{0,80}") {
            prop_assert_eq!(Protocol::of_first_bytes(line.as_bytes()), None);
            let shouted = line.to_uppercase();
            prop_assert_eq!(Protocol::of_first_bytes(shouted.as_bytes()), None);
        }
    }
}
