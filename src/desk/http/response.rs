//! How answers are spelt. Each ends its connection: what follows a request is nobody's.

use std::fmt::Write;

use super::access::PROTOCOL;

/// What keeps a page of ours to itself, whoever has put something into it. Nothing is loaded but from here, and nothing
/// in it makes a script of a text; nobody shows it in a frame, learns where it was opened, or keeps it.
const SHUT: &str = "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; \
img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
trusted-types 'none'\r\n\
X-Content-Type-Options: nosniff\r\n\
Referrer-Policy: no-referrer\r\n\
Cross-Origin-Opener-Policy: same-origin\r\n\
Cross-Origin-Resource-Policy: same-origin\r\n\
X-Frame-Options: DENY\r\n\
Cache-Control: no-store\r\n";

/// What became of a request, by the numbers of RFC 9110.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Here it is.
    Ok,
    /// It is no request, or one that could be understood in two ways.
    BadRequest,
    /// The token is missing, or wrong.
    Unauthorized,
    /// Another site's page asks.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// That cannot be done here.
    MethodNotAllowed,
    /// It took too long to come.
    RequestTimeout,
    /// It is for somebody who is not here.
    MisdirectedRequest,
    /// There, only a WebSocket is spoken.
    UpgradeRequired,
    /// The head is too long.
    HeadTooLarge,
    /// Another version of HTTP.
    VersionNotSupported,
}

impl Status {
    /// Its number.
    pub fn code(self) -> u16 {
        self.line().0
    }

    fn line(self) -> (u16, &'static str) {
        match self {
            Status::Ok => (200, "OK"),
            Status::BadRequest => (400, "Bad Request"),
            Status::Unauthorized => (401, "Unauthorized"),
            Status::Forbidden => (403, "Forbidden"),
            Status::NotFound => (404, "Not Found"),
            Status::MethodNotAllowed => (405, "Method Not Allowed"),
            Status::RequestTimeout => (408, "Request Timeout"),
            Status::MisdirectedRequest => (421, "Misdirected Request"),
            Status::UpgradeRequired => (426, "Upgrade Required"),
            Status::HeadTooLarge => (431, "Request Header Fields Too Large"),
            Status::VersionNotSupported => (505, "HTTP Version Not Supported"),
        }
    }

    /// What a client is to know beside it.
    fn fields(self) -> &'static str {
        match self {
            Status::Unauthorized => "WWW-Authenticate: switchboard\r\n",
            Status::MethodNotAllowed => "Allow: GET, HEAD\r\n",
            Status::UpgradeRequired => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
            _ => "",
        }
    }
}

/// An answer.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// What became of the request.
    pub status: Status,
    /// The media type of what follows.
    pub kind: &'a str,
    /// What follows.
    pub body: &'a [u8],
    /// Only the head is wanted.
    pub is_head: bool,
}

impl<'a> Response<'a> {
    /// Why a request is refused, in a line.
    pub fn refusal(status: Status, why: &'a str) -> Response<'a> {
        Response { status, kind: "text/plain; charset=utf-8", body: why.as_bytes(), is_head: false }
    }

    /// Its bytes.
    pub fn spell(&self) -> Vec<u8> {
        let (code, words) = self.status.line();
        // A line of words ends as one.
        let end: &[u8] = if self.status == Status::Ok { b"" } else { b"\n" };
        let length = self.body.len() + end.len();
        let mut head =
            format!("HTTP/1.1 {code} {words}\r\nContent-Type: {}\r\nContent-Length: {length}\r\n", self.kind);
        head.push_str(self.status.fields());
        head.push_str(SHUT);
        head.push_str("Connection: close\r\n\r\n");
        let mut bytes = head.into_bytes();
        if !self.is_head {
            bytes.extend_from_slice(self.body);
            bytes.extend_from_slice(end);
        }
        bytes
    }
}

/// That what follows is a WebSocket, with our subprotocol. `accept` is what the client's key makes (RFC 6455, 4.2.2).
pub fn switching(accept: &str) -> Vec<u8> {
    let mut head =
        String::from("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
    // Writing to a string never fails.
    let _ = write!(head, "Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {PROTOCOL}\r\n\r\n");
    head.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docs_web_explains_each_status_but_that_all_is_well() {
        let docs = include_str!("../../../docs/web.md");
        let rows =
            docs.lines().filter(|line| line.starts_with("| ")).filter_map(|line| line.split('|').nth(1));
        let explained: Vec<u16> =
            rows.flat_map(|cell| cell.split(',')).filter_map(|code| code.trim().parse().ok()).collect();
        for status in [
            Status::BadRequest,
            Status::Unauthorized,
            Status::Forbidden,
            Status::NotFound,
            Status::MethodNotAllowed,
            Status::RequestTimeout,
            Status::MisdirectedRequest,
            Status::UpgradeRequired,
            Status::HeadTooLarge,
            Status::VersionNotSupported,
        ] {
            assert!(explained.contains(&status.code()), "{status:?} is not in {explained:?}");
        }
    }
}
