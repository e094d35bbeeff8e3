//! What is served at one address, and what each request there gets.

use std::net::IpAddr;

use super::access::{Access, Admitted};
use super::hosts::Hosts;
use super::page;
use super::request::Request;
use super::response::{Response, Status};
use crate::clock::Moment;

/// Where the WebSocket is.
const SOCKET: &str = "/ws";

/// What there is at an address.
#[derive(Debug)]
pub enum Kind {
    /// The page of the desk, and its WebSocket.
    Desk(Access),
    /// Figures for a monitoring system.
    Metrics,
}

/// See the file.
#[derive(Debug)]
pub struct Site {
    kind: Kind,
    hosts: Hosts,
}

/// What a request gets.
#[derive(Debug)]
pub enum Answer {
    /// These bytes, and the end.
    Response(Vec<u8>),
    /// The figures; only their head, where that is all that is wanted.
    Metrics {
        /// See `Response::is_head`.
        is_head: bool,
    },
    /// Its WebSocket.
    Socket(Admitted),
}

impl Site {
    /// A site that is asked for by these names.
    pub fn new(kind: Kind, hosts: Hosts) -> Site {
        Site { kind, hosts }
    }

    /// Judges a request that came from this address. `Host` comes first: whoever asks for somebody else is told
    /// nothing of what is here.
    pub fn answer(&mut self, request: &Request<'_>, from: Option<IpAddr>, now: Moment) -> Answer {
        let is_head = request.method == "HEAD";
        let refused =
            |status, why| Answer::Response(Response { is_head, ..Response::refusal(status, why) }.spell());
        match request.only("host") {
            Err(why) => return refused(Status::BadRequest, why),
            Ok(None) => return refused(Status::BadRequest, "the host is missing"),
            Ok(Some(host)) if !self.hosts.has(host) => {
                return refused(
                    Status::MisdirectedRequest,
                    "that host is not here, or not at that port (--web-host HOST:PORT adds one)",
                );
            }
            Ok(Some(_)) => {}
        }
        if !matches!(request.method, "GET" | "HEAD") {
            return refused(Status::MethodNotAllowed, "only GET and HEAD are understood here");
        }
        if request.has_body() {
            return refused(Status::BadRequest, "no request has a body here");
        }
        match (&mut self.kind, request.path) {
            (_, path) if !path.starts_with('/') => {
                refused(Status::BadRequest, "the path begins with no slash")
            }
            (Kind::Desk(access), SOCKET) => match access.judge(request, &self.hosts, from, now) {
                Ok(admitted) => Answer::Socket(admitted),
                Err((status, why)) => refused(status, why),
            },
            (Kind::Desk(_), path) => match page::file(path) {
                Some((kind, body)) => {
                    Answer::Response(Response { status: Status::Ok, kind, body, is_head }.spell())
                }
                None => refused(Status::NotFound, "there is no such page"),
            },
            (Kind::Metrics, "/metrics") => Answer::Metrics { is_head },
            (Kind::Metrics, "/healthz") => {
                let kind = "text/plain; charset=utf-8";
                Answer::Response(Response { status: Status::Ok, kind, body: b"ok\n", is_head }.spell())
            }
            (Kind::Metrics, _) => refused(Status::NotFound, "there are /metrics and /healthz"),
        }
    }
}
