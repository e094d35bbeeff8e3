//! /file: what a file has in it reaches whoever it is for, exactly, whatever else is typed and however slowly they read.

// Helpers are test code, too, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use common::{Peer, Random, Server, connect_narrow, wait_until};

const MIB: usize = 1 << 20;

/// A folder that is there as long as the test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("files-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    /// A file with these bytes; returns its path.
    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What each gets, all reading at the same time.
fn all_read_to_end(peers: &mut [Peer]) -> Vec<Vec<u8>> {
    thread::scope(|scope| {
        let readers: Vec<_> = peers.iter_mut().map(|peer| scope.spawn(|| peer.read_to_end())).collect();
        readers.into_iter().map(|reader| reader.join().expect("it is read")).collect()
    })
}

/// Fails without printing megabytes.
#[track_caller]
fn assert_same(got: &[u8], expected: &[u8], what: &str) {
    let differs = got.iter().zip(expected).position(|(got, expected)| got != expected);
    assert_eq!((got.len(), differs), (expected.len(), None), "length, and first difference: {what}");
}

#[test]
fn a_file_goes_to_one_to_several_and_to_all_exactly_as_it_is() {
    let folder = Folder::new("exactly");
    let bytes = Random::seeded(1).bytes(300_000);
    let (large, small) = (folder.file("large", &bytes), folder.file("with blanks in it", b"no ending\r"));
    let empty = folder.file("empty", b"");
    // What is sent of a file is framed in no way.
    let (mut server, mut peers) = Server::with_peers(&["--frame", "len8"], 3);
    server.type_line("/name 1 lab-a");

    for line in [
        format!("/file @1 {large}"),
        format!("/file @2,3 {small}"),
        format!("@lab-a\n/file {small}"),
        format!("/file @lab-*,3 {large}"),
        format!("/file @all {empty}"),
        format!("/file @all {large}"),
        "/eof all".to_owned(),
    ] {
        server.type_line(&line);
    }

    let expected: [&[&[u8]]; 3] = [
        &[&bytes, b"no ending\r", &bytes, &bytes],
        &[b"no ending\r", &bytes],
        &[b"no ending\r", &bytes, &bytes],
    ];
    for (at, (got, expected)) in all_read_to_end(&mut peers).iter().zip(expected).enumerate() {
        assert_same(got, &expected.concat(), &format!("what #{} got", at + 1));
    }
    for told in [
        format!("-> #1 lab-a 300000 bytes of {large}"),
        format!("* {large}: 300000 bytes sent to #1 lab-a, all of it"),
        format!("-> 10 bytes of {small}"),
        format!("* {small}: 10 bytes sent, all of it"),
        format!("-> 0 bytes of {empty}"),
        format!("* {empty}: 0 bytes sent, all of it"),
    ] {
        assert_eq!(server.err.line_with(&told), told);
    }
}

#[test]
fn a_large_file_for_a_slow_reader_is_never_whole_in_memory() {
    let folder = Folder::new("large");
    let bytes = Random::seeded(2).bytes(20 * MIB);
    let path = folder.file("twenty megabytes", &bytes);
    let (mut server, mut peers) = Server::with_peers(&[], 2);
    let before = server.resident_bytes();

    server.type_line(&format!("/file @1 {path}"));
    // It reads nothing until the system takes nothing more for it.
    let mut last = 0;
    let mut since = Instant::now();
    while since.elapsed() < Duration::from_millis(300) {
        let sent = server.who()[0].sent;
        if sent != last {
            (last, since) = (sent, Instant::now());
        }
    }
    assert!(last < bytes.len() as u64, "the file is larger than what the system holds");
    assert!(server.who()[0].queued <= 128 << 10, "{:?}", server.who());
    let mut highest = server.resident_bytes();
    // Meanwhile others are served.
    server.hears(&mut peers[1], "and what about me?");
    let mut got = Vec::new();
    for _ in 0..20 {
        got.extend(peers[0].exactly(MIB));
        highest = highest.max(server.resident_bytes());
    }
    server.type_line("/eof 1");
    got.extend(peers[0].read_to_end());

    assert_same(&got, &bytes, "the file");
    assert!(highest < before + 4 * MIB as u64, "from {before} bytes of memory to {highest}");
    server.err.line_with(": 20971520 bytes sent to #1, all of it");
}

#[test]
fn what_is_typed_behind_a_file_in_a_pipe_waits_for_it() {
    let folder = Folder::new("order");
    let bytes = Random::seeded(3).bytes(8 * MIB);
    let path = folder.file("large", &bytes);
    let (mut server, mut peers) = Server::with_peers(&[], 2);

    server.type_line("@1");
    server.type_line(&format!("before\n/file @1,2 {path}"));
    server.write_stdin(b"behind it\n@1,2 to both\n@all to all\n/hex @2 00\n/eof all\n");
    let got = all_read_to_end(&mut peers);

    let first = [b"before\n".as_slice(), &bytes, b"behind it\nto both\nto all\n"].concat();
    let second = [bytes.as_slice(), b"to both\nto all\n\0"].concat();
    assert_same(&got[0], &first, "what #1 got");
    assert_same(&got[1], &second, "what #2 got");
}

#[test]
fn what_is_repeated_never_gets_into_the_middle_of_a_file() {
    let folder = Folder::new("every");
    let bytes = vec![b'f'; 12 * MIB];
    let path = folder.file("large", &bytes);
    let (mut server, mut peers) = Server::with_peers(&[], 2);

    server.write_stdin(b"/every 10ms @1 tick\n/every 10ms @1,2 tock\n/every 10ms @all tack\n");
    server.type_line(&format!("/file @1 {path}"));
    server.err.line_with("-> #1 12582912 bytes of ");
    // Whoever is sent no file goes on being told.
    let tocks = (0..200).filter(|_| peers[1].line() == "tock").count();
    assert!(tocks >= 10, "{tocks}");
    let mut got = Vec::new();
    let mut of_file = 0;
    while of_file < bytes.len() {
        let more = peers[0].exactly(4096);
        of_file += more.iter().filter(|byte| **byte == b'f').count();
        got.extend(more);
    }

    let from = got.iter().position(|byte| *byte == b'f').unwrap();
    let file = &got[from..];
    let run = file.iter().position(|byte| *byte != b'f').unwrap_or(file.len());
    assert_eq!(run, bytes.len(), "the file is in one piece");
    // And then it goes on.
    assert!((0..1000).any(|_| peers[0].line().ends_with("tack")));
}

#[test]
fn what_is_no_file_is_told_in_one_line_and_nothing_is_sent() {
    let folder = Folder::new("none");
    let there = folder.file("there", b"bytes");
    let (fifo, missing) = (folder.0.join("fifo"), folder.0.join("missing"));
    let (fifo, missing) = (fifo.to_str().unwrap(), missing.to_str().unwrap());
    assert!(Command::new("mkfifo").arg(fifo).status().expect("mkfifo is everywhere").success());
    let directory = folder.0.to_str().unwrap();
    let (mut server, mut peers) = Server::with_peers(&[], 3);
    server.type_line("/rst 3");
    server.wait_for_status("* #3 closed");
    server.type_line("/eof 2");
    server.wait_for_status("-> #2 finishes");

    for (typed, told) in [
        (format!("/file @1 {missing}"), format!("cannot send {missing}: No such file or directory")),
        (format!("/file @1 {directory}"), format!("cannot send {directory}: it is no regular file")),
        (format!("/file @1 {fifo}"), format!("cannot send {fifo}: it is no regular file")),
        ("/file @1 /dev/zero".into(), "cannot send /dev/zero: it is no regular file".into()),
        ("/file @1".into(), "/file is written /file [@3] PATH".into()),
        ("/file".into(), "/file is written /file [@3] PATH".into()),
        (format!("/file {there}"), "cannot send: nobody has spoken yet (@3 text sends to #3)".into()),
        (format!("/file @9 {there}"), "there is no #9: nothing was done".into()),
        (format!("/file @1,9 {there}"), "there is no #9: nothing was done".into()),
        (format!("/file @3 {there}"), "#3 is gone".into()),
        (format!("/file @1,2 {there}"), "cannot send to #2: our side of it is finished".into()),
        (format!("/every 10ms /file @1 {there}"), "/every with /file is not built yet".into()),
    ] {
        let from = server.err.so_far().len();
        server.type_line(&typed);
        let got = server.err.wait_for(&format!("the answer to {typed:?}"), |err| {
            String::from_utf8_lossy(&err[from..]).strip_suffix('\n').map(str::to_owned)
        });
        assert_eq!(got, told, "to {typed:?}");
    }
    server.type_line("/eof 1");
    assert_eq!(peers[0].read_to_end(), b"");
}

#[test]
fn a_receiver_that_leaves_in_the_middle_is_told_of_and_the_others_get_all_of_it() {
    let folder = Folder::new("leaves");
    let bytes = Random::seeded(5).bytes(16 * MIB);
    let path = folder.file("large", &bytes);
    let server = &mut Server::start(&[]);
    let mut leaves = connect_narrow(server.address);
    server.wait_for_status("* #1 connected");
    let (mut stays, _) = server.connect_numbered();

    // One alone: how much of it was sent, and that it was not all.
    server.type_line(&format!("/file @1 {path}"));
    leaves.read_exact(&mut [0; 1000]).unwrap();
    drop(leaves);
    server.wait_for_status("* #1 closed: ");
    let told = server.err.line_with(" not all: ");
    let start = format!("* {path}: ");
    let rest = told.strip_prefix(&start).unwrap_or_else(|| panic!("{told:?}"));
    let sent: usize = rest.split(' ').next().unwrap().parse().unwrap();
    assert!((1000..bytes.len()).contains(&sent), "{told:?}");
    assert!(rest.ends_with(" bytes sent to #1, not all: nobody is left to take it"), "{told:?}");

    // Of several, those who stay are not held up by one who has gone.
    let mut leaves = connect_narrow(server.address);
    server.wait_for_status("* #3 connected");
    server.type_line(&format!("/file @2,3 {path}\n@2 behind it\n/eof 2"));
    leaves.read_exact(&mut [0; 1000]).unwrap();
    drop(leaves);
    let got = stays.read_to_end();
    assert_same(&got, &[bytes.as_slice(), b"behind it\n"].concat(), "what #2 got");
    server.wait_for_status(&format!("* {path}: 16777216 bytes sent, all of it"));
    wait_until("nothing to be left open", || (server.who().len() <= 1).then_some(()));
}
