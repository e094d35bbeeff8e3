//! What is wrong on the wire of a WebSocket, and what is right, cut anywhere.

use super::*;

const MASK: [u8; 4] = [1, 0x80, 0xff, 7];

/// A frame as a client sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// What becomes of what is said in these pieces: the texts that are heard, what is said back, and whether it goes on.
fn heard<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, Vec<u8>, Going) {
    let (mut socket, mut texts) = (Socket::new(), Vec::new());
    for piece in pieces {
        if socket.take(piece, |text| texts.push(text.to_owned())) == Going::Ended {
            return (texts, socket.outgoing(), Going::Ended);
        }
    }
    (texts, socket.outgoing(), Going::On)
}

/// The same however it is cut in two, in threes, and byte by byte.
#[track_caller]
fn wherever_cut(bytes: &[u8]) -> (Vec<String>, Vec<u8>, Going) {
    let whole = heard([bytes]);
    for at in 0..=bytes.len() {
        let (one, two) = bytes.split_at(at);
        assert_eq!(heard([one, two]), whole, "cut at {at} of {bytes:x?}");
    }
    for length in [1, 3] {
        assert_eq!(heard(bytes.chunks(length)), whole, "in pieces of {length}: {bytes:x?}");
    }
    whole
}

/// The code of the close frame that is said back, and nothing else.
#[track_caller]
fn code(bytes: &[u8]) -> u16 {
    let [0x88, length, high, low, ..] = *bytes else { panic!("no close frame: {bytes:x?}") };
    assert_eq!(bytes.len(), 2 + usize::from(length), "nothing behind it");
    u16::from_be_bytes([high, low])
}

#[test]
fn texts_are_heard_wherever_they_and_their_frames_are_cut() {
    let fragments =
        [frame(0x01, b"one "), frame(0x89, b"ping"), frame(0x00, b""), frame(0x80, "zwölf".as_bytes())];
    let bytes = [frame(0x81, b"first"), fragments.concat(), frame(0x81, b""), frame(0x8a, b"x")].concat();

    let (texts, said, going) = wherever_cut(&bytes);

    assert_eq!(texts, ["first", "one zwölf", ""]);
    assert_eq!(said, [&[0x8a, 4][..], b"ping"].concat());
    assert_eq!(going, Going::On);
}

#[test]
fn what_no_client_may_send_ends_it_with_the_code_that_says_so() {
    let unmasked = vec![0x81, 1, b'x'];
    let within = |second: Vec<u8>| [frame(0x01, b"begun"), second].concat();
    for (bytes, expected) in [
        (unmasked, 1002),
        (frame(0xc1, b"compressed"), 1002),
        (frame(0xa1, b"x"), 1002),
        (frame(0x91, b"x"), 1002),
        (frame(0x83, b"x"), 1002),
        (frame(0x8b, b"x"), 1002),
        (frame(0x80, b"of nothing"), 1002),
        (within(frame(0x81, b"x")), 1002),
        (within(frame(0x82, b"x")), 1002),
        (frame(0x09, b"in fragments"), 1002),
        (frame(0x89, &[b'x'; 126]), 1002),
        (frame(0x88, b"x"), 1002),
        (frame(0x88, &1005_u16.to_be_bytes()), 1002),
        (frame(0x88, b"\x03\xe8\xff"), 1007),
        (frame(0x81, b"\xff"), 1007),
        (frame(0x81, b"\xe4\xbd"), 1007),
        (within(frame(0x80, b"\xc0\x80")), 1007),
        (frame(0x82, b"bytes"), 1003),
        ([&[0x81, 0xff][..], &(1_u64 << 63).to_be_bytes(), &MASK].concat(), 1009),
        ([&[0x81, 0xff][..], &(MESSAGE_BYTES_MAX as u64 + 1).to_be_bytes(), &MASK].concat(), 1009),
    ] {
        let (texts, said, going) = wherever_cut(&bytes);
        assert_eq!((texts, code(&said), going), (Vec::new(), expected, Going::Ended), "{bytes:x?}");
        // Whatever follows is nobody's.
        let more = [&bytes[..], &frame(0x81, b"late"), &[0xff; 20]].concat();
        let (texts, said, _) = heard([&more[..]]);
        assert_eq!((texts, code(&said)), (Vec::new(), expected), "{bytes:x?} and more");
    }
}

#[test]
fn a_head_that_is_wrong_is_not_waited_for_any_longer() {
    for head in
        [&[0x81, 0x7e][..], &[0xc1, 0xfe], &[0x80, 0xff], &[0x89, 0xfe], &[0x09, 0x81], &[0x83, 0x80], b"GE"]
    {
        let (_, said, going) = heard([head]);
        assert_eq!((code(&said), going), (1002, Going::Ended), "{head:x?}");
    }
}

#[test]
fn a_close_is_answered_with_what_it_says_and_is_the_end() {
    for (close, answer) in [
        (frame(0x88, b""), vec![0x88, 0]),
        (frame(0x88, b"\x03\xe8"), vec![0x88, 2, 3, 0xe8]),
        (frame(0x88, b"\x0f\xa0bye"), [&[0x88, 5, 0x0f, 0xa0][..], b"bye"].concat()),
    ] {
        let bytes = [frame(0x81, b"heard"), close, frame(0x81, b"late"), vec![0xff; 9]].concat();
        assert_eq!(wherever_cut(&bytes), (vec!["heard".to_owned()], answer, Going::Ended));
    }
}

#[test]
fn a_message_may_have_a_mebibyte_and_no_byte_more_in_one_frame_or_in_many() {
    let most = vec![b'x'; MESSAGE_BYTES_MAX];
    let pieces = |bytes: &[u8]| -> Vec<u8> {
        let (head, rest) = bytes.split_at(1000);
        [frame(0x01, head), frame(0x00, &rest[..500_000]), frame(0x80, &rest[500_000..])].concat()
    };
    for bytes in [frame(0x81, &most), pieces(&most)] {
        let (texts, said, going) = heard(bytes.chunks(64 << 10));
        assert_eq!((texts.len(), texts[0].len(), said.len(), going), (1, most.len(), 0, Going::On));
    }
    let more = [&most[..], b"x"].concat();
    for bytes in [frame(0x81, &more), pieces(&more)] {
        let (texts, said, going) = heard(bytes.chunks(64 << 10));
        assert_eq!((texts.len(), code(&said), going), (0, 1009, Going::Ended));
    }
}

#[test]
fn what_a_long_message_needed_is_given_back_and_what_follows_is_heard() {
    let mut socket = Socket::new();
    let long = frame(0x81, &vec![b'x'; 64 << 10]);
    let bytes = [&frame(0x89, b"ping")[..], &long, &frame(0x01, b"beg")].concat();
    let mut texts = Vec::new();
    socket.take(&bytes, |text| texts.push(text.len()));
    assert!(socket.inner.get_ref().longest_bytes > 0, "a message has begun: nothing is touched");

    let going = socket.take(&frame(0x80, b"un"), |text| texts.push(text.len()));

    assert_eq!((texts, going), (vec![64 << 10, 5], Going::On));
    assert_eq!(socket.inner.get_ref().longest_bytes, 0, "it is a new one");
    assert_eq!(socket.outgoing(), b"\x8a\x04ping", "what it had to say is still said");
    assert_eq!(socket.frame(1, true), Some(vec![0x81, 1]));
    socket.take(&frame(0x81, b"and on"), |text| assert_eq!(text, "and on"));
}

#[test]
fn who_says_nothing_is_asked_and_given_up_when_that_is_not_answered() {
    let mut socket = Socket::new();
    assert_eq!([socket.beat(), socket.beat(), socket.beat()], [Beat::Alive, Beat::Asked, Beat::Silent]);
    assert_eq!(socket.outgoing(), [0x89, 0]);

    socket.take(&frame(0x8a, b""), |_| {});

    assert_eq!([socket.beat(), socket.beat()], [Beat::Alive, Beat::Asked]);
}

#[test]
fn a_text_in_pieces_is_one_message_and_behind_an_end_nothing_is_said() {
    let mut socket = Socket::new();
    let heads =
        [socket.frame(1, false), socket.frame(70_000, false), socket.frame(0, true), socket.frame(126, true)];
    assert_eq!(
        heads.map(Option::unwrap),
        [
            vec![0x01, 1],
            vec![0x00, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70],
            vec![0x80, 0],
            vec![0x81, 126, 0, 126]
        ]
    );

    socket.close(Socket::GOING_AWAY, "the server has ended");

    assert_eq!(socket.frame(1, true), None);
    assert_eq!(code(&socket.outgoing()), 1001);
}
