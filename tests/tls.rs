//! TLS in our own programs: what they show, whom they believe, and what they say of both.
#![cfg(feature = "tls")]
// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/load.rs"]
mod load;
#[path = "common/tls.rs"]
mod made;

use std::io::Write;
use std::process::Command;

use common::{Program, Server, has_tool};
use load::load_for_people;
use made::{Authority, Folder, House, refusal, self_signed, told};

/// A client that gets `hi` back from an echo.
#[track_caller]
fn gets_hi_back(client: Program) {
    let (out, err) = told(client, "hi\n");
    assert_eq!(out, "hi\n", "{err}");
}

/// A client that does not come to be connected, and says this.
#[track_caller]
fn is_refused(client: Program, why: &str) {
    let (out, err) = told(client, "hi\n");
    assert!(err.contains("no TLS handshake: ") && err.contains(why), "{why}: {err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    assert_eq!(out, "");
}

fn client(server: &Server, host: &str, arguments: &[&str]) -> Program {
    let address = format!("{host}:{}", server.port());
    Program::client(&[arguments, &[&address]].concat())
}

/// A client that takes this file for all that its system believes.
fn client_of_system(server: &Server, roots: &str) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard-client"));
    command.env("SSL_CERT_FILE", roots).env_remove("SSL_CERT_DIR");
    command.args(["--tls", &format!("localhost:{}", server.port())]);
    Program::start(command)
}

/// The fingerprint that a server has printed.
fn fingerprint(server: &Server) -> String {
    let line = server.err.line_with("switchboard: certificate SHA-256 ");
    line.rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn the_fingerprint_that_is_printed_first_is_the_one_that_openssl_prints() {
    let house = House::new("fingerprint");
    let server = house.serve(&["--echo"]);
    let told = String::from_utf8(server.err.so_far()).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].starts_with("switchboard: certificate SHA-256 "), "{told}");
    assert_eq!(lines[1], format!("switchboard: listening on tls:{}", server.address), "{told}");
    if has_tool("openssl") {
        let arguments = ["x509", "-noout", "-fingerprint", "-sha256", "-in", &house.certificate];
        let printed = Command::new("openssl").args(arguments).output().unwrap();
        let printed = String::from_utf8(printed.stdout).unwrap();
        assert_eq!(printed.trim().rsplit('=').next(), Some(&*fingerprint(&server)));
    }
}

#[test]
fn a_server_is_believed_by_its_authority_its_own_certificate_or_its_fingerprint() {
    let house = House::new("believed");
    let server = house.serve(&["--echo"]);
    gets_hi_back(client(&server, "localhost", &["--tls-ca", &house.ca]));
    gets_hi_back(client(&server, "tls:127.0.0.1", &["--tls-ca", &house.ca]));
    gets_hi_back(client(&server, "localhost", &["--tls-ca", &house.certificate]));
    let shown = fingerprint(&server);
    gets_hi_back(client(&server, "localhost", &["--tls-fingerprint", &shown]));
    let bare = shown.replace(':', "").to_lowercase();
    gets_hi_back(client(
        &server,
        "127.0.0.1",
        &["--tls-fingerprint", &bare, "--tls-name", "whatever.example"],
    ));
    gets_hi_back(client(&server, "localhost", &["--tls-insecure"]));
    gets_hi_back(client_of_system(&server, &house.ca));

    let why = format!("certificate: the fingerprint is another: {shown}");
    is_refused(client(&server, "localhost", &["--tls-fingerprint", &"0".repeat(64)]), &why);
    let other = house.folder.write("other.pem", &Authority::new("another").certificate);
    is_refused(client(&server, "localhost", &["--tls-ca", &other]), "certificate: its issuer is not known");
    is_refused(client_of_system(&server, &other), "certificate: its issuer is not known");
    let none = house.folder.path("none.pem");
    is_refused(client_of_system(&server, &none), "this system knows no authorities");
    server.wait_for_status("closed: no TLS handshake: certificate refused by the peer (unknown CA)");
}

#[test]
fn a_certificate_has_to_be_for_the_name_and_for_now() {
    let house = House::new("names");
    let (certificate, key) = house.authority.sign(&["device.example"]).write(&house.folder, "device");
    let named = Server::start(&["--echo", "--tls-cert", &certificate, "--tls-key", &key]);
    let why = "certificate: for another name (device.example)";
    is_refused(house.client(&named, &[]), why);
    // To be given a certificate is not to be told that it is for any name.
    is_refused(client(&named, "localhost", &["--tls-ca", &certificate]), why);
    gets_hi_back(house.client(&named, &["--tls-name", "device.example"]));

    for (from, to, why, warning) in [
        (1990, 1991, "certificate: expired", "the certificate has expired: "),
        (3990, 3991, "certificate: not valid yet", "the certificate is not valid yet: "),
    ] {
        let made = house.authority.sign_with(&["localhost"], |params| {
            params.not_before = rcgen::date_time_ymd(from, 1, 1);
            params.not_after = rcgen::date_time_ymd(to, 1, 1);
        });
        let (certificate, key) = made.write(&house.folder, "dated");
        let server = Server::start(&["--echo", "--tls-cert", &certificate, "--tls-key", &key]);
        server.err.line_with(warning);
        is_refused(house.client(&server, &[]), why);
        is_refused(client(&server, "localhost", &["--tls-ca", &certificate]), why);
        gets_hi_back(client(&server, "localhost", &["--tls-fingerprint", &fingerprint(&server)]));
    }
}

#[test]
fn a_devices_own_certificate_is_believed_as_openssl_makes_it() {
    let folder = Folder::new("device");
    // An authority's, by its own word, which the library takes for nobody's own; and one that has no name to compare.
    for (names, host) in [(&["localhost"][..], "localhost"), (&[], "127.0.0.1")] {
        let (certificate, key) = self_signed(names).write(&folder, "device");
        let server = Server::start(&["--echo", "--tls-cert", &certificate, "--tls-key", &key]);
        gets_hi_back(client(&server, host, &["--tls-ca", &certificate]));
        let (other, _) = self_signed(names).write(&folder, "other");
        let (out, err) = told(client(&server, host, &["--tls-ca", &other]), "hi\n");
        assert!(out.is_empty() && err.contains("no TLS handshake: certificate: "), "{err}");
    }
}

#[test]
fn a_certificate_that_is_made_at_the_start_is_known_by_its_fingerprint_and_is_for_this_machine() {
    let server = Server::start(&["--echo", "--tls-self-signed"]);
    gets_hi_back(client(&server, "localhost", &["--tls-fingerprint", &fingerprint(&server)]));
    is_refused(client(&server, "localhost", &["--tls"]), "certificate: ");
    if !has_tool("openssl") {
        return;
    }
    let folder = Folder::new("made");
    let address = format!("localhost:{}", server.port());
    let shown = Command::new("openssl").args(["s_client", "-connect", &address]).output().unwrap();
    let certificate = folder.write("made.pem", &String::from_utf8_lossy(&shown.stdout));
    for host in ["localhost", "127.0.0.1"] {
        gets_hi_back(client(&server, host, &["--tls-ca", &certificate]));
    }
}

#[test]
fn who_has_to_show_a_certificate_and_has_none_that_is_believed_is_refused() {
    let house = House::new("clients");
    let server = house.serve(&["--echo", "--tls-client-ca", &house.ca]);
    let (certificate, key) = house.authority.sign(&["a client"]).write(&house.folder, "client");
    gets_hi_back(house.client(&server, &["--tls-cert", &certificate, "--tls-key", &key]));

    let (_, err) = told(house.client(&server, &[]), "hi\n");
    assert!(err.contains("it demands a certificate of ours"), "{err}");
    server.wait_for_status("closed: no TLS handshake: it has shown no certificate");
    let (strange, strange_key) =
        Authority::new("another").sign(&["a client"]).write(&house.folder, "strange");
    let (_, err) = told(house.client(&server, &["--tls-cert", &strange, "--tls-key", &strange_key]), "hi\n");
    assert!(err.contains("certificate refused by the peer"), "{err}");
    server.wait_for_status("closed: no TLS handshake: certificate: its issuer is not known");

    // One that is listed itself needs nobody who has signed it.
    let (own, own_key) = self_signed(&["a client"]).write(&house.folder, "own");
    let server = house.serve(&["--echo", "--tls-client-ca", &own]);
    gets_hi_back(house.client(&server, &["--tls-cert", &own, "--tls-key", &own_key]));
}

#[test]
fn of_several_addresses_those_speak_tls_that_say_so() {
    let house = House::new("mixed");
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(["--echo", "--tls-cert", &house.certificate, "--tls-key", &house.key, "tls:0", "0"]);
    let server = Server::of(command);
    let plain = server.err.line_with("listening on 127.0.0.1:");
    let plain = plain.rsplit(' ').next().unwrap();

    gets_hi_back(house.client(&server, &[]));
    gets_hi_back(Program::client(&[plain]));
    let mut plainly = client(&server, "localhost", &[]);
    plainly.type_line("GET / HTTP/1.1");
    server.wait_for_status("closed: no TLS handshake: it spoke plain HTTP");
    let mut plainly = client(&server, "localhost", &[]);
    plainly.type_line("hello, is anybody there?");
    server.wait_for_status("closed: no TLS handshake: it did not speak TLS");
    plainly.err.line_with("switchboard-client: the server speaks TLS: write tls: in front of its address");
    is_refused(Program::client(&["--tls-ca", &house.ca, plain]), "no TLS handshake: ");
}

#[test]
fn what_is_no_certificate_or_no_key_is_told_in_one_line() {
    let house = House::new("broken");
    let (certificate, key, ca) = (&*house.certificate, &*house.key, &*house.ca);
    let text = std::fs::read_to_string(certificate).unwrap();
    let none = house.folder.path("none.pem");
    let cut = house.folder.write("cut.pem", &text[..text.len() - 40]);
    let noise = house.folder.write("noise.pem", &text.replace('M', "!"));
    let other = house.folder.write("other.key", &house.authority.sign(&["other"]).key);
    let (begin, end) = ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "-----END ENCRYPTED PRIVATE KEY-----");
    let empty = house.folder.write("empty.key", "");
    let chain = house.folder.write("chain.pem", &format!("{}{text}", house.authority.certificate));
    let locked = house.folder.write("locked.key", &format!("{begin}\nAAAA\n{end}\n"));
    for (arguments, expected) in [
        (
            &["--tls-cert", &none, "--tls-key", key][..],
            format!("cannot read {none}: No such file or directory"),
        ),
        (&["--tls-cert", key, "--tls-key", key], format!("cannot use {key}: no certificate in it")),
        (
            &["--tls-cert", certificate, "--tls-key", certificate],
            format!("cannot use {certificate}: no key in it"),
        ),
        (
            &["--tls-cert", certificate, "--tls-key", &locked],
            format!("cannot use {locked}: the key in it is encrypted"),
        ),
        (
            &["--tls-cert", certificate, "--tls-key", &other],
            format!("cannot use {other}: the key in it does not fit the certificate in {certificate}"),
        ),
        (
            &["--tls-cert", &chain, "--tls-key", key],
            format!(
                "cannot use {key}: the key in it is that of certificate 2 in {chain}, which has to be the first"
            ),
        ),
        (&["--tls-cert", "/", "--tls-key", key], "cannot read /: Is a directory".to_owned()),
        (&["--tls-cert", certificate, "--tls-key", &empty], format!("cannot use {empty}: no key in it")),
        (
            &["--tls-cert", &cut, "--tls-key", key],
            format!("cannot use {cut}: it is cut off: an END line is missing"),
        ),
        (&["--tls-cert", &noise, "--tls-key", key], format!("cannot use {noise}: ")),
        (&["--tls-self-signed", "--tls-client-ca", &none], format!("cannot read {none}: ")),
        (&["--tls-ca", key], format!("cannot use {key}: no certificate in it")),
        (&["--tls-ca", "/"], "cannot read /: ".to_owned()),
    ] {
        let (status, told) = refusal(&[arguments, &["0"]].concat());
        assert!(told.starts_with(&format!("switchboard: {expected}")), "{arguments:?}: {told}");
        assert_eq!((status, told.lines().count()), (Some(1), 1), "{arguments:?}: {told}");
    }
    for arguments in [&["tls:0"][..], &["--tls-client-ca", ca, "0"], &["--tls-cert", certificate, "0"]] {
        let (status, told) = refusal(arguments);
        assert_eq!(status, Some(2), "{arguments:?}: {told}");
    }
    let (_, told) = told(Program::client(&["--tls-ca", key]), "");
    assert_eq!(told, format!("switchboard-client: cannot use {key}: no certificate in it\n"));
}

#[test]
fn a_tap_speaks_tls_on_either_side_or_on_both() {
    let house = House::new("tap");
    let target = house.serve(&["--echo"]);
    let plain_target = Server::start(&["--echo"]);
    let tls = format!("tls:localhost:{}", target.port());
    let plain = plain_target.address.to_string();
    for (own, tapped, via) in [
        (false, &tls, [None, Some("tls")]),
        (true, &plain, [Some("tls"), None]),
        (true, &tls, [Some("tls"); 2]),
    ] {
        let arguments = ["--format", "json", "--tls-ca", &house.ca, "--tap", tapped];
        let tap = if own { house.serve(&arguments) } else { Server::start(&arguments) };
        gets_hi_back(if own { house.client(&tap, &[]) } else { client(&tap, "localhost", &[]) });
        tap.out.lines_with(r#""ev":"close""#, 2);
        let out = String::from_utf8(tap.out.so_far()).unwrap();
        for (number, via) in [1, 2].into_iter().zip(via) {
            let opened = out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
            let opened = opened.into_iter().find(|event| event["ev"] == "open" && event["id"] == number);
            assert_eq!(opened.unwrap()["via"].as_str(), via, "#{number} of {tapped}: {out}");
        }
    }
}

#[test]
fn a_tap_whose_target_is_not_believed_says_so_and_lets_its_client_go() {
    let house = House::new("tap-refused");
    let target = house.serve(&["--echo"]);
    let address = format!("tls:localhost:{}", target.port());
    let tap = Server::start(&["--tls-fingerprint", &"0".repeat(64), "--tap", &address]);
    let (out, _) = told(client(&tap, "localhost", &[]), "");
    assert_eq!(out, "");
    tap.wait_for_status("certificate: the fingerprint is another: ");
}

#[test]
fn whoever_is_dialled_may_speak_tls() {
    let house = House::new("dialled");
    let far = house.serve(&["--greet", "welcome\\n", "--tls-client-ca", &house.ca]);
    let address = format!("localhost:{}", far.port());
    // It shows the certificate it has, if it is asked for one.
    let own = ["--tls-cert", &house.certificate, "--tls-key", &house.key, "--tls-ca", &house.ca];
    let mut server = Server::start(&[&own[..], &["--dial", &format!("tls:{address}")]].concat());
    server.out.line_with("welcome");
    server.type_line(&format!("/dial tls:{address} second"));
    server.out.lines_with("welcome", 2);

    // With --tls it goes without saying.
    let mut server = Server::start(&[&own[..], &["--tls", "--dial", &address]].concat());
    server.out.line_with("welcome");
    server.type_line(&format!("/dial {address}"));
    server.out.lines_with("welcome", 2);

    let mut server = Server::start(&["--tls-fingerprint", &"0".repeat(64)]);
    server.type_line(&format!("/dial tls:{address}"));
    server.wait_for_status("certificate: the fingerprint is another: ");
}

#[test]
fn the_load_tester_speaks_tls_and_says_why_where_it_cannot() {
    let house = House::new("load");
    let server = house.serve(&["--echo"]);
    let address = format!("localhost:{}", server.port());
    let run = load_for_people(&address, &["--tls-ca", &house.ca, "-c", "10", "-n", "1000", "-t", "2"]);
    assert_eq!(run.status, Some(0), "{}{}", run.out, run.err);
    assert!(run.out.contains(&format!("10 connections to tls:{address}")), "{}", run.out);
    let run = load_for_people(&address, &["--tls-fingerprint", &"0".repeat(64), "-c", "3", "-n", "10"]);
    assert_eq!(run.status, Some(1), "{}{}", run.out, run.err);
    assert!(run.out.contains("the fingerprint is another: "), "{}{}", run.out, run.err);
    let (certificate, key) = house.authority.sign(&["a client"]).write(&house.folder, "client");
    let server = house.serve(&["--echo", "--tls-client-ca", &house.ca]);
    let own = ["--tls-ca", &house.ca, "--tls-cert", &certificate, "--tls-key", &key, "-c", "2", "-n", "10"];
    let run = load_for_people(&format!("localhost:{}", server.port()), &own);
    assert_eq!(run.status, Some(0), "{}{}", run.out, run.err);
}

#[test]
fn a_handshake_that_is_not_made_in_time_is_ended() {
    let server = Server::start(&["--tls-self-signed", "--tls-handshake", "300ms"]);
    let mut silent = server.connect();
    server.wait_for_status("closed: no TLS handshake: ");
    silent.read_to_any_end();
    let mut begun = std::net::TcpStream::connect(server.address).unwrap();
    begun.write_all(&[22, 3, 1, 1, 0, 1]).unwrap();
    server.err.lines_with("closed: no TLS handshake: ", 2);
}
