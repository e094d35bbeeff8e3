//! How a kind of frame is spelt on a command line.

use super::durations;
use crate::buffer::framing::{Delimiter, Framing, LengthBytes};

/// Every spelling.
const KINDS: &str =
    "lines, cr, crlf, nul, stx, len8, len16, len32, len16le, len32le, silence=DURATION (1ms to 1h), chunks";

impl Framing {
    /// What a command line means by one of these: `lines`; `cr`, `crlf` and `nul` for what ends a frame; `stx` for STX
    /// and ETX around it; `len8`, `len16` and `len32` for its length in so many bits in front, the highest byte first,
    /// and with `le` behind that the lowest; `silence=20ms` for silence behind it, of 1ms to 1h; `chunks` for bytes as
    /// they come.
    ///
    /// # Errors
    /// What is wrong, in one line that lists all of these.
    pub fn parse(text: &str) -> Result<Framing, String> {
        let length = |bytes, little_endian| Framing::Length { bytes, little_endian };
        Ok(match text {
            "lines" => Framing::Lines,
            "cr" => Framing::Delimited(Delimiter::Cr),
            "crlf" => Framing::Delimited(Delimiter::CrLf),
            "nul" => Framing::Delimited(Delimiter::Nul),
            "stx" => Framing::StxEtx,
            "len8" => length(LengthBytes::One, false),
            "len16" => length(LengthBytes::Two, false),
            "len32" => length(LengthBytes::Four, false),
            // One byte has no order.
            "len8le" => length(LengthBytes::One, false),
            "len16le" => length(LengthBytes::Two, true),
            "len32le" => length(LengthBytes::Four, true),
            "chunks" => Framing::Raw,
            _ => {
                let silence = text.strip_prefix("silence=");
                let silence = silence.ok_or_else(|| format!("no such kind of frame; there are {KINDS}"))?;
                let silence = durations("1ms", "1h")(silence);
                Framing::Silence(silence.map_err(|why| format!("its silence: {why}; there are {KINDS}"))?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_kind_of_frame_has_its_spelling() {
        let length = |bytes, little_endian| Framing::Length { bytes, little_endian };
        for (text, framing) in [
            ("lines", Framing::Lines),
            ("cr", Framing::Delimited(Delimiter::Cr)),
            ("crlf", Framing::Delimited(Delimiter::CrLf)),
            ("nul", Framing::Delimited(Delimiter::Nul)),
            ("stx", Framing::StxEtx),
            ("len8", length(LengthBytes::One, false)),
            ("len8le", length(LengthBytes::One, false)),
            ("len16", length(LengthBytes::Two, false)),
            ("len16le", length(LengthBytes::Two, true)),
            ("len32", length(LengthBytes::Four, false)),
            ("len32le", length(LengthBytes::Four, true)),
            ("silence=1ms", Framing::Silence(Duration::from_millis(1))),
            ("silence=20ms", Framing::Silence(Duration::from_millis(20))),
            ("silence=1h", Framing::Silence(Duration::from_secs(3600))),
            ("chunks", Framing::Raw),
        ] {
            assert_eq!(Framing::parse(text), Ok(framing), "{text}");
            assert_eq!(Framing::parse(&framing.to_string()), Ok(framing), "{framing} is read back");
        }
    }

    #[test]
    fn what_is_no_kind_of_frame_is_told_all_there_are_in_one_line() {
        let others = ["", "Lines", " lines", "lines ", "len", "len64", "len24le", "echo", "raw", "silence"];
        let silences =
            ["silence=", "silence=0ms", "silence=61m", "silence=20", "silence= 20ms", "silence=-1s"];
        for text in others.into_iter().chain(silences) {
            let why = Framing::parse(text).expect_err(text);
            assert!(why.contains("lines, cr, crlf, nul, stx, len8,") && !why.contains('\n'), "{text}: {why}");
        }
        let why = Framing::parse("silence=2h").expect_err("it is too long");
        assert!(why.starts_with("its silence: has to be from 1ms to 1h; there are lines, "), "{why}");
        let why = Framing::parse("silence=x").expect_err("it is none");
        assert!(why.starts_with("its silence: not a duration such as 200ms"), "{why}");
    }
}
