//! The names by which a site may be asked for. A page of somebody else's can make a name of its own lead to this machine
//! (DNS rebinding); then the browser sends that name along, and it is none of these.

use std::net::SocketAddr;

/// A name that is added with `--web-host`: a host, perhaps with a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebHost(String);

impl WebHost {
    /// Reads it as it is typed.
    ///
    /// # Errors
    /// When no browser would send that.
    pub fn parse(text: &str) -> Result<WebHost, String> {
        let wrong = || format!("not a host such as desk.example.org or desk.example.org:8443: {text:?}");
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
            _ => (text, None),
        };
        let is_bracketed = host.starts_with('[') && host.ends_with(']');
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        let is_of_v6 = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'[' | b']');
        let is_host = !host.is_empty()
            && host.bytes().all(|byte| if is_bracketed { is_of_v6(byte) } else { is_of_name(byte) });
        let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|number| number > 0));
        if is_host && is_port { Ok(WebHost(text.to_ascii_lowercase())) } else { Err(wrong()) }
    }

    /// As it stands in an address, where this is the port unless it names one.
    pub fn with_port(&self, port: u16) -> String {
        if self.has_port() { self.0.clone() } else { format!("{}:{port}", self.0) }
    }

    /// The host without the port, as it stands in a certificate.
    pub fn name(&self) -> String {
        let host =
            if self.has_port() { self.0.rsplit_once(':').map_or("", |(host, _)| host) } else { &self.0 };
        host.trim_matches(['[', ']']).to_owned()
    }

    fn has_port(&self) -> bool {
        !self.0.ends_with(']') && self.0.contains(':')
    }
}

/// The names of one site, as they stand in `Host`, in lower case.
#[derive(Clone, Debug)]
pub struct Hosts(Vec<String>);

impl Hosts {
    /// Those of a site at this address: the names of loopback and the address itself, with its port, and these others,
    /// with that port, without any (behind a proxy), or with the one that was given.
    pub fn new(bound: SocketAddr, is_tls: bool, others: &[WebHost]) -> Hosts {
        let port = bound.port();
        let is_default = port == if is_tls { 443 } else { 80 };
        let address = bound.to_string();
        let address = address.rsplit_once(':').map_or("", |(host, _)| host);
        let mut names = Vec::new();
        for host in ["127.0.0.1", "localhost", "[::1]", address] {
            names.push(format!("{host}:{port}"));
            if is_default {
                names.push(host.to_owned());
            }
        }
        for WebHost(host) in others.iter().filter(|host| !host.has_port()) {
            names.push(format!("{host}:{port}"));
        }
        names.extend(others.iter().map(|WebHost(host)| host.clone()));
        Hosts(names)
    }

    /// Whether a request for this host is for us.
    pub fn has(&self, host: &str) -> bool {
        self.0.iter().any(|name| name.eq_ignore_ascii_case(host))
    }

    /// Whether a page from there is ours: `http` or `https`, and one of the names. That it is the same as `Host` says
    /// nothing, since somebody else's page has both as it likes.
    pub fn is_origin(&self, origin: &str) -> bool {
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        host.is_some_and(|host| self.has(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(bound: &str, is_tls: bool, others: &[&str]) -> Hosts {
        let others: Vec<_> = others.iter().map(|other| WebHost::parse(other).expect("a host")).collect();
        Hosts::new(bound.parse().expect("an address"), is_tls, &others)
    }

    #[test]
    fn a_site_is_asked_for_by_names_of_its_own_with_its_port() {
        let site = hosts("127.0.0.1:8080", false, &["desk.example.org", "other.example.org:9"]);
        for ours in [
            "127.0.0.1:8080",
            "localhost:8080",
            "LocalHost:8080",
            "[::1]:8080",
            "desk.example.org",
            "desk.example.org:8080",
            "other.example.org:9",
        ] {
            assert!(site.has(ours), "{ours}");
        }
        for theirs in [
            "",
            "127.0.0.1",
            "localhost",
            "localhost.:8080",
            "127.0.0.1:8081",
            "127.0.0.1:08080",
            "127.0.0.2:8080",
            "0.0.0.0:8080",
            "127.1:8080",
            "evil.example:8080",
            "localhost:8080.evil.example",
            "evil@localhost:8080",
            "other.example.org",
            "other.example.org:8080",
            "desk.example.org:9",
        ] {
            assert!(!site.has(theirs), "{theirs}");
        }
        assert!(hosts("[2001:db8::1]:443", true, &[]).has("[2001:db8::1]"));
        assert!(!hosts("127.0.0.1:80", true, &[]).has("localhost"));
    }

    #[test]
    fn a_page_is_ours_by_scheme_and_name() {
        let site = hosts("127.0.0.1:8080", false, &[]);
        assert!(site.is_origin("http://localhost:8080") && site.is_origin("https://127.0.0.1:8080"));
        for theirs in [
            "null",
            "",
            "http://evil.example",
            "localhost:8080",
            "file://",
            "http://localhost:8080/",
            "HTTP://localhost:8080",
            "ws://localhost:8080",
            "http://http://localhost:8080",
        ] {
            assert!(!site.is_origin(theirs), "{theirs}");
        }
    }

    #[test]
    fn what_no_browser_would_send_is_no_host() {
        for wrong in ["", "http://a", "a/b", "a b", "a:0", "a:x", ":80", "a:", "a\r\nb", "*"] {
            assert!(WebHost::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(WebHost::parse("[fe80::1]:80").is_ok() && WebHost::parse("[::1]").is_ok());
    }
}
