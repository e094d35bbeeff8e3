//! Hazard 74: a certificate, or a list, that is broken when it is read again takes the server down, or opens it.
#![cfg(feature = "tls")]
// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/tls.rs"]
mod made;

use std::fs;
use std::process::Command;

use common::{Program, Server};
use made::{Authority, House, told};

/// Whether a client that knows this fingerprint gets its line back.
fn is_known_by(server: &Server, fingerprint: &str) -> bool {
    let address = format!("localhost:{}", server.port());
    let (out, _) = told(Program::client(&["--tls-fingerprint", fingerprint, &address]), "hi\n");
    out == "hi\n"
}

/// Has files read again; returns what is said of that, which has this in it.
#[track_caller]
fn read_again(server: &Server, part: &str) -> String {
    let from = server.err.so_far().len();
    server.signal("USR1");
    server.err.wait_for(part, |err| {
        let lines = String::from_utf8_lossy(&err[from..]).into_owned();
        lines.lines().find(|line| line.contains(part)).map(str::to_owned)
    })
}

#[test]
fn h74_a_certificate_that_was_renewed_is_shown_to_newcomers_and_a_broken_one_changes_nothing() {
    let house = House::new("h74");
    let server = house.serve(&["--echo"]);
    let line = server.err.line_with("switchboard: certificate SHA-256 ");
    let first = line.rsplit(' ').next().unwrap().to_owned();
    let mut earlier = house.client(&server, &[]);
    earlier.type_line("before");
    earlier.out.line_with("before");

    let (good, good_key) = (fs::read(&house.certificate).unwrap(), fs::read(&house.key).unwrap());
    let other = house.authority.sign(&["localhost"]);
    for (certificate, key, told) in [
        (&b"nonsense"[..], &good_key[..], "no certificate in it"),
        (b"", &good_key, "no certificate in it"),
        (&good, b"nonsense", "no key in it"),
        (&good, other.key.as_bytes(), "the key in it does not fit the certificate in"),
        (other.certificate.as_bytes(), &good_key, "the key in it does not fit the certificate in"),
        (&good[..good.len() / 2], &good_key, "it is cut off"),
    ] {
        fs::write(&house.certificate, certificate).unwrap();
        fs::write(&house.key, key).unwrap();
        let line = read_again(&server, told);
        assert!(line.starts_with("* cannot use ") && line.ends_with("; TLS stays as it was"), "{line}");
        assert!(is_known_by(&server, &first), "{line}");
    }
    fs::remove_file(&house.key).unwrap();
    read_again(&server, "No such file or directory; TLS stays as it was");
    assert!(Command::new("mkfifo").arg(&house.key).status().unwrap().success());
    // Nobody writes there: the loop would wait for ever.
    read_again(&server, "it is no regular file; TLS stays as it was");
    assert!(is_known_by(&server, &first));

    fs::remove_file(&house.key).unwrap();
    fs::write(&house.key, &other.key).unwrap();
    fs::write(&house.certificate, &other.certificate).unwrap();
    let line = read_again(&server, "TLS was read again: certificate SHA-256 ");
    let second = line.rsplit(' ').next().unwrap();
    assert!(is_known_by(&server, second) && !is_known_by(&server, &first), "{line}");
    earlier.type_line("after");
    earlier.out.line_with("after");
}

#[test]
fn h74_a_list_of_clients_authorities_that_is_broken_lets_nobody_else_in() {
    let house = House::new("h74-clients");
    let list = house.folder.write("clients.pem", &house.authority.certificate);
    let server = house.serve(&["--echo", "--tls-client-ca", &list]);
    let is_let_in = |certificate: &str, key: &str| {
        told(house.client(&server, &["--tls-cert", certificate, "--tls-key", key]), "hi\n").0 == "hi\n"
    };
    let (old, old_key) = house.authority.sign(&["old"]).write(&house.folder, "old");
    let another = Authority::new("another");
    let (new, new_key) = another.sign(&["new"]).write(&house.folder, "new");
    assert!(is_let_in(&old, &old_key) && !is_let_in(&new, &new_key));

    for broken in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        fs::write(&list, broken).unwrap();
        let line = read_again(&server, "TLS stays as it was");
        assert!(line.starts_with(&format!("* cannot use {list}: ")), "{line}");
        assert!(is_let_in(&old, &old_key) && !is_let_in(&new, &new_key), "{broken:?}");
        assert!(told(house.client(&server, &[]), "hi\n").0.is_empty(), "nobody without one");
    }
    fs::write(&list, &another.certificate).unwrap();
    read_again(&server, "TLS was read again");
    assert!(!is_let_in(&old, &old_key) && is_let_in(&new, &new_key));
}

#[test]
fn h74_a_certificate_that_was_made_at_the_start_stays_the_same() {
    let house = House::new("h74-made");
    let server = Server::start(&["--echo", "--tls-self-signed", "--tls-client-ca", &house.ca]);
    let line = server.err.line_with("switchboard: certificate SHA-256 ");
    let first = line.rsplit(' ').next().unwrap();
    assert!(read_again(&server, "TLS was read again: certificate SHA-256 ").ends_with(first));
}
