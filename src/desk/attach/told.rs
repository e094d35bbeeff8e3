//! What a server says to an attached desk: a line of JSON, made the event again that it was. What a later version may
//! have, and is not known here, is left out.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::address::Endpoint;
use crate::buffer::framing::{End, Frame};
use crate::conn::reason::Reason;
use crate::conn::stream::Via;
use crate::conn::{Credentials, Peer};
use crate::desk::{Author, DeskId, Event, FaultSpec, Namer, Operator, Receivers, Roster, Who};

/// A line that a server has said.
#[derive(Debug)]
pub struct Told(Value);

impl Told {
    /// Reads a line.
    pub fn read(line: &[u8]) -> Option<Told> {
        serde_json::from_slice(line).ok().filter(Value::is_object).map(Told)
    }

    /// What it is.
    pub fn kind(&self) -> &str {
        self.text("ev")
    }

    /// A text; an empty one, where there is none.
    pub fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_default()
    }

    /// A number; 0, where there is none.
    pub fn number(&self, key: &str) -> u64 {
        self.0[key].as_u64().unwrap_or_default()
    }

    /// Whether a key is there.
    pub fn has(&self, key: &str) -> bool {
        self.0.get(key).is_some()
    }

    /// The desk under this key.
    pub fn desk(&self, key: &str) -> DeskId {
        DeskId(u32::try_from(self.number(key)).unwrap_or(u32::MAX))
    }

    /// Whether it was told before to those who were here then.
    pub fn is_past(&self) -> bool {
        self.has("past")
    }

    /// Lines in words, one behind the other.
    pub fn words(&self) -> String {
        let words = self.0["words"].as_array().into_iter().flatten().filter_map(Value::as_str);
        words.flat_map(|line| [line, "\n"]).collect()
    }

    /// The number of the first connection that it lists.
    pub fn first_listed(&self) -> Option<u64> {
        self.0["conns"][0]["id"].as_u64()
    }

    fn id(&self) -> u64 {
        self.number("id")
    }

    fn ids(&self) -> Vec<u64> {
        self.0["ids"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect()
    }

    /// The bytes that were said.
    fn bytes(&self) -> Vec<u8> {
        match self.0["b64"].as_str() {
            Some(spelt) => STANDARD.decode(spelt).unwrap_or_default(),
            None => self.text("text").as_bytes().to_vec(),
        }
    }

    /// Who is at the other end.
    fn peer(&self) -> Peer {
        let spelt = self.text("peer");
        if let Ok(address) = spelt.parse::<SocketAddr>() {
            return Peer::from(address);
        }
        if spelt != "unix" {
            return Endpoint::parse(spelt).map_or(Peer::Unix, Peer::from);
        }
        match self.0["uid"].as_u64().and_then(|uid| u32::try_from(uid).ok()) {
            None => Peer::Unix,
            Some(uid) => {
                let pid = u32::try_from(self.number("pid")).ok().and_then(NonZeroU32::new);
                Peer::UnixOf(Credentials { pid, uid })
            }
        }
    }

    fn via(&self) -> Via {
        match (self.text("via"), self.text("tls")) {
            ("tls", "1.2") => Via::Tls12,
            ("tls", _) => Via::Tls13,
            _ => Via::Plain,
        }
    }

    fn author(&self) -> Option<Author> {
        if self.0["by"].is_u64() {
            return Some(Author::Desk(self.desk("by")));
        }
        let all = [Author::Every, Author::Greet, Author::Reply, Author::Play, Author::Link, Author::Echo];
        all.into_iter().find(|author| author.word() == Some(self.text("by")))
    }

    fn operator(&self, key: &str) -> Operator<'_> {
        let name = self.0["name"].as_str();
        Operator { desk: self.desk(key), name, watches: self.has("watch") }
    }

    /// Tells of the event that it is, if it is one for people. `here`: who is known by which name.
    pub fn event(&self, here: &Roster, tell: impl FnOnce(&Event<'_>)) {
        let who = Who { serial: self.id(), name: here.name(self.id()) };
        match self.kind() {
            "msg" => {
                let mut bytes = self.bytes();
                let end = match self.text("part") {
                    "silence" => End::Silence,
                    "limit" => End::Limit,
                    "eof" => End::Gone,
                    _ => End::Newline,
                };
                if self.text("end") == "\r\n" {
                    bytes.push(b'\r');
                }
                tell(&Event::Message(who, Frame::of(&bytes, end)));
            }
            "sent" => self.sent(here, tell),
            "open" => {
                let (peer, name) = (self.peer(), self.0["name"].as_str());
                tell(&Event::Opened {
                    who: Who { serial: self.id(), name },
                    peer: &peer,
                    dialled: self.has("dialed"),
                    client: self.0["for"].as_u64(),
                    via: self.via(),
                });
            }
            "close" => {
                let why = Reason::Lost(io::Error::other(self.text("msg").to_owned()));
                let peer = self.has("peer").then(|| self.peer());
                let bytes = |key| usize::try_from(self.number(key)).unwrap_or(usize::MAX);
                tell(&Event::Closed {
                    who,
                    why: &why,
                    unseen: peer.as_ref(),
                    received_bytes: self.number("rx"),
                    sent_bytes: self.number("tx"),
                    unsent_bytes: bytes("unsent"),
                    discarded_bytes: bytes("discarded"),
                });
            }
            "eof" => tell(&Event::Ended(who, None)),
            "name" => {
                let by = match () {
                    () if self.has("nick") => Namer::Peer,
                    () if self.has("by") => Namer::Desk(self.desk("by")),
                    () => Namer::List,
                };
                tell(&Event::Named(Who { serial: self.id(), name: self.0["name"].as_str() }, by));
            }
            "done" => tell(&Event::Done(who, self.desk("by"))),
            _ => self.other_event(who, here, tell),
        }
    }

    /// What was sent, by another desk or of itself.
    fn sent(&self, here: &Roster, tell: impl FnOnce(&Event<'_>)) {
        let (Some(by), ids, bytes) = (self.author(), self.ids(), self.bytes()) else { return };
        match (by, &ids[..]) {
            // What is passed on was read once already.
            (Author::Link | Author::Echo, _) => {}
            (Author::Greet | Author::Reply | Author::Play, [only]) => {
                let who = Who { serial: *only, name: here.name(*only) };
                tell(&Event::Answered { who, by, bytes: &bytes });
            }
            (_, [only]) => tell(&Event::Sent { by, to: Receivers::One(*only), bytes: &bytes }),
            (_, []) => tell(&Event::Sent { by, to: Receivers::All, bytes: &bytes }),
            (_, ids) => tell(&Event::Sent { by, to: Receivers::Several(ids), bytes: &bytes }),
        }
    }

    /// What is rarer.
    fn other_event(&self, who: Who<'_>, here: &Roster, tell: impl FnOnce(&Event<'_>)) {
        let ids = self.ids();
        match self.kind() {
            "link" | "unlink" => {
                let [one, other] = ids[..] else { return };
                let both = [one, other].map(|serial| Who { serial, name: here.name(serial) });
                let by = self.desk("by");
                match self.kind() {
                    "link" => tell(&Event::Linked(both[0], both[1], by)),
                    _ => tell(&Event::Unlinked(both[0], both[1], by)),
                }
            }
            "fault" => {
                let spec = FaultSpec::parse(self.text("spec")).ok();
                let by = self.has("by").then(|| self.desk("by"));
                tell(&Event::Fault { who: self.has("id").then_some(who), spec: spec.as_ref(), by });
            }
            "every" => {
                let period = self.0["ms"].as_u64().map(Duration::from_millis);
                tell(&Event::Every { number: self.number("n"), period, why: self.0["msg"].as_str() });
            }
            "file" => tell(&Event::FileSent {
                whom: self.has("id").then_some(who),
                path: self.text("path"),
                bytes: self.number("bytes"),
                error: self.0["msg"].as_str(),
            }),
            "note" if self.has("id") => {
                tell(&Event::Note(&format!("#{} {}", self.id(), self.text("msg"))));
            }
            "note" => tell(&Event::Note(self.text("msg"))),
            "refused" => {
                let (count, why) = (self.number("count"), self.text("why"));
                tell(&Event::Note(&format!("{count} turned away in the last second: {why}")));
            }
            "stopping" => {
                let waiting = usize::try_from(self.number("waiting")).unwrap_or(usize::MAX);
                tell(&Event::Stopping(waiting, self.has("by").then(|| self.desk("by"))));
            }
            "skipped" => tell(&Event::Skipped(self.number("count"))),
            "desk" if self.has("gone") => tell(&Event::DeskLeft(self.operator("desk"))),
            "desk" => tell(&Event::Desk(self.operator("desk"))),
            "typing" => {
                let to = match &ids[..] {
                    [] if self.has("to") => Some(Receivers::All),
                    [] => None,
                    ids => Some(Receivers::Several(ids)),
                };
                tell(&Event::Typing(self.operator("by"), to));
            }
            _ => {}
        }
    }
}
