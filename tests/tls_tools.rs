//! Other people's tools over TLS, with TLS 1.2 and 1.3. A test whose tool is missing says so.
#![cfg(feature = "tls")]
// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/load.rs"]
mod load;
#[path = "common/tls.rs"]
mod made;

use std::net::TcpStream;
use std::process::Command;

use common::{Program, Server, has_tool, wait_until};
use load::{free_port, load_for_people};
use made::{Authority, House, self_signed};

/// Both versions that are spoken, as openssl's tools and Python's `ssl` call them.
const VERSIONS: [(&str, &str); 2] = [("1.2", "-tls1_2"), ("1.3", "-tls1_3")];

fn start(tool: &str, arguments: &[&str]) -> Program {
    let mut command = Command::new(tool);
    command.args(arguments);
    Program::start(command)
}

/// A tool that gets back what it says, and then ends, with success.
#[track_caller]
fn gets_hi_back(mut tool: Program) {
    tool.write_stdin(b"hi\n");
    tool.out.line_with("hi");
    tool.close_stdin();
    let status = tool.exit_status();
    assert!(status.success(), "{status}: {}", String::from_utf8_lossy(&tool.err.to_end()));
    assert_eq!(String::from_utf8_lossy(&tool.out.to_end()), "hi\n");
}

fn at(server: &Server) -> String {
    format!("localhost:{}", server.port())
}

#[test]
fn openssl_s_client_verifies_and_gets_its_line_back() {
    if !has_tool("openssl") {
        return;
    }
    let house = House::new("openssl");
    let server = house.serve(&["--echo"]);
    let guarded = house.serve(&["--echo", "--tls-client-ca", &house.ca]);
    let (certificate, key) = house.authority.sign(&["a client"]).write(&house.folder, "client");
    for (version, flag) in VERSIONS {
        let place = at(&server);
        let arguments = [
            "s_client",
            "-quiet",
            "-no_ign_eof",
            "-verify_return_error",
            "-verify_hostname",
            "localhost",
            flag,
        ];
        let trusting = [&arguments[..], &["-CAfile", &house.ca]].concat();
        gets_hi_back(start("openssl", &[&trusting[..], &["-connect", &place]].concat()));
        server.wait_for_status(&format!("(TLS {version})"));
        let place = at(&guarded);
        let own = ["-cert", &certificate, "-key", &key, "-connect", &place];
        gets_hi_back(start("openssl", &[&trusting[..], &own].concat()));
        guarded.wait_for_status(&format!("(TLS {version})"));
        let mut without = start("openssl", &[&trusting[..], &["-connect", &place]].concat());
        assert!(!without.exit_status().success());
        guarded.err.lines_with("closed: no TLS handshake: it has shown no certificate", 1);
    }
}

#[test]
fn a_client_is_let_in_for_its_certificate_or_is_told_by_an_alert_what_is_wrong_with_it() {
    if !has_tool("openssl") {
        return;
    }
    let house = House::new("judged");
    let own = self_signed(&["a client"]);
    let list = house.folder.write("list.pem", &format!("{}{}", house.authority.certificate, own.certificate));
    let server = house.serve(&["--echo", "--tls-client-ca", &list]);
    let stranger = Authority::new("another").sign(&["a client"]);
    let expired = house.authority.sign_with(&["a client"], |params| {
        params.not_before = rcgen::date_time_ymd(1990, 1, 1);
        params.not_after = rcgen::date_time_ymd(1991, 1, 1);
    });
    let place = at(&server);
    for (_, flag) in VERSIONS {
        for (made, why) in [
            (&own, None),
            (&stranger, Some(("certificate: its issuer is not known", "alert unknown ca"))),
            (&expired, Some(("certificate: expired", "alert certificate expired"))),
        ] {
            let (certificate, key) = made.write(&house.folder, "client");
            let arguments = ["s_client", "-quiet", "-no_ign_eof", "-CAfile", &house.ca, flag];
            let shown = ["-cert", &certificate, "-key", &key, "-connect", &place];
            let mut client = start("openssl", &[&arguments[..], &shown].concat());
            let Some((told, alert)) = why else {
                gets_hi_back(client);
                continue;
            };
            assert!(!client.exit_status().success());
            client.err.line_with(alert);
            server.wait_for_status(&format!("closed: no TLS handshake: {told}"));
        }
    }
    server.err.lines_with("certificate: expired", VERSIONS.len());
}

#[test]
fn an_older_version_and_no_cipher_suite_in_common_are_told_apart() {
    if !has_tool("openssl") {
        return;
    }
    let house = House::new("older");
    let server = house.serve(&["--echo"]);
    for (arguments, told) in [
        (&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"][..], "no TLS handshake: no common version"),
        (&["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"], "no TLS handshake: no common"),
    ] {
        let place = at(&server);
        let mut client = start("openssl", &[&["s_client", "-connect", &place], arguments].concat());
        client.close_stdin();
        server.wait_for_status(told);
        assert!(!client.exit_status().success());
    }
    // The other way round: one who believes us in nothing.
    let place = at(&server);
    start("openssl", &["s_client", "-verify_return_error", "-connect", &place]).exit_status();
    server.wait_for_status("closed: no TLS handshake: certificate refused by the peer (");
}

#[test]
fn ncat_verifies_and_gets_its_line_back() {
    if !has_tool("ncat") {
        return;
    }
    let house = House::new("ncat");
    let server = house.serve(&["--echo", "--tls-client-ca", &house.ca]);
    let (certificate, key) = house.authority.sign(&["a client"]).write(&house.folder, "client");
    let port = server.port();
    let trusting =
        ["--ssl-verify", "--ssl-trustfile", &house.ca, "--ssl-cert", &certificate, "--ssl-key", &key];
    gets_hi_back(start("ncat", &[&trusting[..], &["localhost", &port]].concat()));
}

#[test]
fn socat_verifies_and_gets_its_line_back_whichever_side_it_is() {
    if !has_tool("socat") {
        return;
    }
    let house = House::new("socat");
    let server = house.serve(&["--echo", "--tls-client-ca", &house.ca]);
    let (certificate, key) = house.authority.sign(&["a client"]).write(&house.folder, "client");
    for (version, _) in VERSIONS {
        let only = format!("openssl-min-proto-version=TLS{version},openssl-max-proto-version=TLS{version}");
        let shown = format!("cafile={},cert={certificate},key={key}", house.ca);
        let place = format!("OPENSSL:localhost:{},snihost=localhost,{shown},{only}", server.port());
        gets_hi_back(start("socat", &["-t", "6", "-", &place]));
        server.wait_for_status(&format!("(TLS {version})"));
    }
    server.err.lines_with("closed: both sides finished (received 3, sent 3)", VERSIONS.len());

    // Our client and the load tester to it; it says which port it got.
    let own =
        format!("OPENSSL-LISTEN:0,bind=127.0.0.1,fork,cert={},key={},verify=0", house.certificate, house.key);
    let far = start("socat", &["-d", "-d", &own, "EXEC:cat"]);
    let line = far.err.line_with("listening on ");
    let place = format!("localhost:{}", line.rsplit(':').next().unwrap());
    gets_hi_back(Program::client(&["--tls-ca", &house.ca, &place]));
    loads_it(&house, &place, &["-c", "3"]);
}

#[test]
fn ncat_understands_our_client_and_the_load_tester() {
    if !has_tool("ncat") {
        return;
    }
    let house = House::new("ncat-listens");
    let port = free_port();
    let own = ["--ssl", "--ssl-cert", &house.certificate, "--ssl-key", &house.key];
    let _far = start("ncat", &[&own[..], &["-k", "-l", "127.0.0.1", &port, "-e", "/bin/cat"]].concat());
    // This one says nothing, which is a handshake that fails, and no more to it.
    drop(wait_until("ncat to listen", || TcpStream::connect(format!("127.0.0.1:{port}")).ok()));
    let place = format!("localhost:{port}");
    gets_hi_back(Program::client(&["--tls-ca", &house.ca, &place]));
    loads_it(&house, &place, &["-c", "3"]);
}

/// The load tester gets each message back.
#[track_caller]
fn loads_it(house: &House, place: &str, arguments: &[&str]) {
    let run = load_for_people(place, &[&["--tls-ca", &house.ca, "-n", "60", "-t", "1"], arguments].concat());
    assert_eq!(run.status, Some(0), "{}{}", run.out, run.err);
}

#[test]
fn curl_is_answered_over_tls() {
    if !has_tool("curl") {
        return;
    }
    let house = House::new("curl");
    let server = house.serve(&["--reply", "^GET /", "hello over TLS\\n${close}"]);
    for version in ["1.2", "1.3"] {
        let (least, most) = (format!("--tlsv{version}"), ["--tls-max", version]);
        let place = format!("https://{}/", at(&server));
        let arguments = ["--silent", "--show-error", "--http0.9", "--cacert", &house.ca, &least, &place];
        let mut curl = start("curl", &[&most[..], &arguments].concat());
        assert!(curl.exit_status().success(), "{}", String::from_utf8_lossy(&curl.err.to_end()));
        assert_eq!(String::from_utf8_lossy(&curl.out.to_end()), "hello over TLS\n");
        server.wait_for_status(&format!("(TLS {version})"));
    }
}

#[test]
fn pythons_ssl_ends_its_side_and_ours_in_order() {
    if !has_tool("python3") {
        return;
    }
    let house = House::new("python");
    let server = house.serve(&["--echo", "--tls-client-ca", &house.ca]);
    let (certificate, key) = house.authority.sign(&["a client"]).write(&house.folder, "client");
    // `unwrap` says that nothing more will come, and waits until the other side has said so, too.
    let script = "import socket, ssl, sys\n\
                  port, ca, cert, key, version = sys.argv[1:]\n\
                  context = ssl.create_default_context(cafile=ca)\n\
                  context.load_cert_chain(cert, key)\n\
                  context.minimum_version = context.maximum_version = ssl.TLSVersion[version]\n\
                  plain = socket.create_connection(('127.0.0.1', int(port)))\n\
                  with context.wrap_socket(plain, server_hostname='localhost') as tls:\n\
                  \x20   tls.sendall(b'hi\\n')\n\
                  \x20   assert tls.recv(3) == b'hi\\n'\n\
                  \x20   rest = tls.unwrap()\n\
                  \x20   assert rest.recv(1) == b''\n\
                  \x20   print('in order')\n";
    for version in ["TLSv1_2", "TLSv1_3"] {
        let port = server.port();
        let mut python = start("python3", &["-c", script, &port, &house.ca, &certificate, &key, version]);
        let status = python.exit_status();
        assert!(status.success(), "{version}: {}", String::from_utf8_lossy(&python.err.to_end()));
        assert_eq!(String::from_utf8_lossy(&python.out.to_end()), "in order\n");
    }
    server.err.lines_with("closed: both sides finished (received 3, sent 3)", 2);
}

#[test]
fn our_client_is_understood_by_openssl_s_server_and_hears_what_comes_after_its_own_end() {
    if !has_tool("openssl") {
        return;
    }
    let house = House::new("s_server");
    for (_, flag) in VERSIONS {
        let own = ["s_server", "-accept", "127.0.0.1:0", "-cert", &house.certificate, "-key", &house.key];
        // It turns each line round.
        let mut far = start("openssl", &[&own[..], &["-rev", flag]].concat());
        let line = far.out.line_with("ACCEPT 127.0.0.1:");
        let port = line.rsplit(':').next().unwrap().to_owned();
        let mut client = Program::client(&["--tls-ca", &house.ca, &format!("localhost:{port}")]);
        client.type_line("olleh");
        client.out.line_with("hello");
        client.close_stdin();
        assert!(client.exit_status().success(), "{}", String::from_utf8_lossy(&client.err.to_end()));
        // One at a time, of a text that is the same either way.
        loads_it(&house, &format!("localhost:{port}"), &["-c", "1", "-m", "racecar"]);
        far.close_stdin();
    }
}
