//! Who may open a WebSocket: another site's page may not, nor anybody without a token, nor whoever tries many.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use super::hosts::Hosts;
use super::request::Request;
use super::response::Status;
use super::tokens::{Holder, Tokens};
use crate::clock::Moment;

/// What is spoken over the WebSocket: a subprotocol, since that is the one thing that a browser lets a page say in the
/// request. The token stands beside it, and is not said back.
pub const PROTOCOL: &str = "switchboard.v1";

const TOKEN: &str = "token.";

/// RFC 6455, 1.3.
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// After so many wrong tokens in a second nobody gets in from there in that second.
const WRONG_MAX: u32 = 5;

const SECOND: Duration = Duration::from_secs(1);

/// So many addresses are remembered.
const ADDRESSES_MAX: usize = 1024;

/// A client that gets its WebSocket.
#[derive(Debug, PartialEq, Eq)]
pub struct Admitted {
    /// What it may do.
    pub holder: Holder,
    /// What its key makes.
    pub accept: String,
}

/// See the file.
#[derive(Debug)]
pub struct Access {
    tokens: Tokens,
    /// Since when, and how many wrong ones.
    wrong: HashMap<IpAddr, (Moment, u32)>,
}

impl Access {
    /// For whoever has one of these.
    pub fn new(tokens: Tokens) -> Access {
        Access { tokens, wrong: HashMap::new() }
    }

    /// The tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Judges a request for a WebSocket that came from this address.
    ///
    /// # Errors
    /// What it is answered, and why.
    pub fn judge(
        &mut self,
        request: &Request<'_>,
        hosts: &Hosts,
        from: Option<IpAddr>,
        now: Moment,
    ) -> Result<Admitted, (Status, &'static str)> {
        let bad = |why| (Status::BadRequest, why);
        let is_upgrade = request.list("connection").any(|word| word.eq_ignore_ascii_case("upgrade"))
            && request.list("upgrade").any(|word| word.eq_ignore_ascii_case("websocket"));
        if !is_upgrade || !request.is_of_1_1 || request.method != "GET" {
            return Err((Status::UpgradeRequired, "there, only a WebSocket is spoken"));
        }
        if request.only("sec-websocket-version").map_err(bad)? != Some("13") {
            return Err((Status::UpgradeRequired, "only version 13 of WebSocket is spoken here"));
        }
        let key = request.only("sec-websocket-key").map_err(bad)?.unwrap_or_default();
        if STANDARD.decode(key).map(|key| key.len()) != Ok(16) {
            return Err(bad("the key of the WebSocket is not 16 bytes in base64"));
        }
        if !request.only("origin").map_err(bad)?.is_some_and(|origin| hosts.is_origin(origin)) {
            return Err((Status::Forbidden, "only the page of this desk may open a WebSocket to it"));
        }
        let holder = self.holder(request, from, now)?;
        if !request.list("sec-websocket-protocol").any(|protocol| protocol == PROTOCOL) {
            return Err(bad("the subprotocol switchboard.v1 is not offered"));
        }
        let digest = Sha1::new().chain_update(key).chain_update(KEY_SUFFIX).finalize();
        Ok(Admitted { holder, accept: STANDARD.encode(digest) })
    }

    fn holder(
        &mut self,
        request: &Request<'_>,
        from: Option<IpAddr>,
        now: Moment,
    ) -> Result<Holder, (Status, &'static str)> {
        let unauthorized = |why| Err((Status::Unauthorized, why));
        if self.tries_too_much(from, now) {
            return unauthorized("too many wrong tokens came from there: wait a second");
        }
        let mut offered = request.list("sec-websocket-protocol").filter_map(|word| word.strip_prefix(TOKEN));
        match (offered.next(), offered.next()) {
            (None, _) => unauthorized("a token is missing: open the address that the server has printed"),
            (Some(token), None) => match self.tokens.holder(token) {
                Some(holder) => Ok(holder),
                None => {
                    self.count_wrong(from, now);
                    unauthorized("the token is wrong: open the address that the server has printed")
                }
            },
            // One request is one try.
            (Some(_), Some(_)) => {
                self.count_wrong(from, now);
                unauthorized("there are several tokens")
            }
        }
    }

    fn tries_too_much(&mut self, from: Option<IpAddr>, now: Moment) -> bool {
        let Some(ip) = from else { return false };
        let is_recent = |since: Moment| now.since(since) < SECOND;
        self.wrong.get(&ip).is_some_and(|(since, count)| is_recent(*since) && *count >= WRONG_MAX)
    }

    fn count_wrong(&mut self, from: Option<IpAddr>, now: Moment) {
        let Some(ip) = from else { return };
        self.wrong.retain(|_, (since, _)| now.since(*since) < SECOND);
        if self.wrong.len() < ADDRESSES_MAX {
            self.wrong.entry(ip).or_insert((now, 0)).1 += 1;
        }
    }
}
