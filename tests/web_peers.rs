//! Others than a browser at the web desk: two WebSocket clients of Python's, written by other people, which are strict
//! about what a server may say.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/web.rs"]
mod web;

use std::process::Command;

use common::{Program, has_python_module};
use web::Web;

/// With `websockets`: what is in it for programs that just use it.
const WEBSOCKETS: &str = r#"
import json, sys
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

url, token = sys.argv[1:]
origin = url.replace("ws://", "http://").removesuffix("/ws")


def desk(token, **more):
    return connect(url, origin=origin, subprotocols=["switchboard.v1", f"token.{token}"], **more)


try:
    desk("0" * 32)
    sys.exit("a wrong token is let in")
except InvalidStatus as refused:
    assert refused.response.status_code == 401, refused

with desk(token) as socket:
    assert socket.subprotocol == "switchboard.v1", socket.subprotocol
    assert not socket.response.headers.get("Sec-WebSocket-Extensions"), "nothing is compressed"
    told = []

    def until(is_it):
        while True:
            found = next((line for line in told if is_it(line)), None)
            if found:
                told.remove(found)
                return found
            told.extend(json.loads(line) for line in socket.recv(timeout=20).splitlines())

    hello = until(lambda line: line["ev"] == "hello")
    assert hello["v"] == 1, hello
    socket.send(json.dumps({"cmd": "who", "ref": "w"}))
    who = until(lambda line: line.get("ref") == "w")
    assert [conn["id"] for conn in who["conns"]] == [1], who
    # In pieces, with a ping between them.
    text = json.dumps({"cmd": "send", "to": 1, "text": "你好 from websockets", "ref": "s"})
    socket.send([text[:10], text[10:20], text[20:]])
    assert until(lambda line: line.get("ref") == "s")["ev"] == "ok"
    assert socket.ping(b"are you there").wait(20), "no pong"
    print("sent", flush=True)
    assert until(lambda line: line["ev"] == "msg")["text"] == "an answer"
    socket.send(b"bytes")
    try:
        while True:
            socket.recv(timeout=20)
    except ConnectionClosed as closed:
        assert closed.rcvd.code == 1003, closed

with desk(token) as socket:
    socket.close(4001, "enough")
    assert (socket.close_code, socket.close_reason) == (4001, "enough"), (socket.close_code, socket.close_reason)
"#;

/// With `wsproto`: the protocol alone, over a socket of our own.
const WSPROTO: &str = r#"
import json, socket, sys
from wsproto import ConnectionType, WSConnection
from wsproto.events import (AcceptConnection, CloseConnection, Ping, Pong, RejectConnection, Request, TextMessage)

url, token = sys.argv[1:]
place = url.removeprefix("ws://").removesuffix("/ws")
host, port = place.split(":")


class Desk:
    def __init__(self, token):
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        self.protocol, self.seen, self.text = WSConnection(ConnectionType.CLIENT), [], ""
        self.say(Request(host=place, target="/ws", subprotocols=["switchboard.v1", f"token.{token}"],
                         extra_headers=[(b"Origin", f"http://{place}".encode())]))

    def say(self, event):
        self.socket.sendall(self.protocol.send(event))

    def next(self, kind):
        while True:
            for event in self.seen:
                if isinstance(event, kind):
                    self.seen.remove(event)
                    return event
            data = self.socket.recv(65536)
            self.protocol.receive_data(data or None)
            self.seen += self.protocol.events()

    def line(self, is_it):
        while True:
            event = self.next(TextMessage)
            self.text += event.data
            if event.message_finished:
                lines, self.text = [json.loads(line) for line in self.text.splitlines()], ""
                found = next((line for line in lines if is_it(line)), None)
                if found:
                    return found


assert Desk("0" * 32).next(RejectConnection).status_code == 401
desk = Desk(token)
accepted = desk.next(AcceptConnection)
assert (accepted.subprotocol, accepted.extensions) == ("switchboard.v1", []), accepted
assert desk.line(lambda line: line["ev"] == "hello")["v"] == 1
desk.say(TextMessage(json.dumps({"cmd": "who", "ref": "w"})))
assert [conn["id"] for conn in desk.line(lambda line: line.get("ref") == "w")["conns"]] == [1]
text = json.dumps({"cmd": "send", "to": 1, "text": "from wsproto"})
desk.say(TextMessage(text[:10], message_finished=False))
desk.say(Ping(b"between"))
desk.say(TextMessage(text[10:]))
assert desk.next(Pong).payload == b"between"
print("sent", flush=True)
assert desk.line(lambda line: line["ev"] == "msg")["text"] == "an answer"
desk.say(CloseConnection(code=1000, reason="done"))
closed = desk.next(CloseConnection)
assert (closed.code, closed.reason) == (1000, "done"), closed
assert desk.socket.recv(1) == b"", "the server ends the connection"
"#;

/// Lets a script speak to a peer, which hears this and answers.
#[track_caller]
fn speaks(module: &str, script: &str, text: &str) {
    if !has_python_module(module) {
        return;
    }
    let web = Web::start(&[]);
    let mut peer = web.server.connect_numbered().0;
    let mut command = Command::new("python3");
    command.args(["-c", script, &format!("ws://{}/ws", web.at), &web.acts]);
    let mut python = Program::start(command);
    // Where it fails before that, it says why.
    let heard = std::thread::spawn(move || {
        let line = peer.line();
        peer.send("an answer\n");
        (line, peer)
    });

    let why = String::from_utf8(python.err.to_end()).unwrap();

    assert!(python.exit_status().success(), "{module}: {why}");
    assert_eq!(heard.join().unwrap().0, text);
}

#[test]
fn python_websockets_speaks_to_a_peer_and_is_answered_and_refused_with_the_right_codes() {
    speaks("websockets", WEBSOCKETS, "你好 from websockets");
}

#[test]
fn wsproto_speaks_to_a_peer_and_finds_nothing_wrong_with_what_it_is_told() {
    speaks("wsproto", WSPROTO, "from wsproto");
}
