//! What the flags of the server come to, where several say it together.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, IsTerminal};

use switchboard::cli::{EolArg, ServerArgs, StdinEofArg};
use switchboard::desk::Spelling;
use switchboard::desk::text::Format;
use switchboard::hub::{DeskOptions, OnStdinEof, Voice};
use switchboard::modes::Heard;
use switchboard::{Envelope, Framing};

use super::ends::view;

/// Who hears what both sides of a tap say.
pub fn heard(args: &ServerArgs) -> Heard {
    match (args.quiet, &args.log) {
        (false, _) => Heard::Shown,
        (true, Some(_)) => Heard::Kept,
        (true, None) => Heard::Unheard,
    }
}

/// Whether there may be further desks.
pub fn has_others(args: &ServerArgs) -> bool {
    args.desk.is_some() || args.web.web.is_some()
}

/// How peers' bytes become messages. What is only shown raw needs no frames; a transcript has messages.
pub fn framing(args: &ServerArgs, frame: Framing, spelling: Spelling) -> Framing {
    let is_looked_at = args.stand_in.looks_at_messages() || args.log.is_some();
    let is_only_shown = spelling == Spelling::Text(Format::Raw) && !is_looked_at;
    if is_only_shown { Framing::Raw } else { frame }
}

/// Whether whoever speaks waits for the operator's answer, who is to miss nothing.
pub fn is_console(args: &ServerArgs) -> bool {
    !args.chat && !args.echo && args.tap.is_none()
}

/// What is put around what the operator types.
fn envelope(args: &ServerArgs, frame: Framing) -> Envelope {
    match args.eol {
        Some(EolArg::Lf) => Envelope::Lf,
        Some(EolArg::Crlf) => Envelope::CrLf,
        Some(EolArg::Cr) => Envelope::Cr,
        Some(EolArg::None) => Envelope::None,
        None => frame.envelope(),
    }
}

pub fn desk_options(args: &ServerArgs, frame: Framing) -> DeskOptions {
    let on_terminal = io::stdin().is_terminal();
    let voice = match (args.chat, args.echo) {
        (true, _) => Voice::Participant,
        (_, true) => Voice::Mute,
        _ => Voice::Plain,
    };
    let on_stdin_eof = match args.on_stdin_eof {
        Some(StdinEofArg::Keep) => OnStdinEof::Keep,
        Some(StdinEofArg::Drain) => OnStdinEof::Drain,
        Some(StdinEofArg::Quit) => OnStdinEof::Quit,
        None if on_terminal => OnStdinEof::Quit,
        None => OnStdinEof::Keep,
    };
    DeskOptions {
        voice,
        on_stdin_eof,
        waits_for_slow: !on_terminal,
        keeps_history: on_terminal,
        tracks_pending: is_console(args),
        envelope: envelope(args, frame),
        view: view(&args.look),
        dials_over_tls: args.tls.tls,
        trusts_system: args.tls.trust.is_of_system(),
        // Its keys differ from run to run.
        chance: RandomState::new().hash_one(()),
        ..DeskOptions::PIPE
    }
}
