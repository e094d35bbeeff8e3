//! `switchboard attach`: one more desk of a server that runs.

use std::path::PathBuf;
use std::time::Duration;

use switchboard::cli::AttachArgs;
use switchboard::desk::{
    Attached, DeskId, Display, Outlet, Screens, TerminalDesk, TerminalOptions, Wanted, check_name,
};
use switchboard::internals::cannot;
use switchboard::process::control;
use switchboard::terminal::{Terminal, on_signal, read_in_background};
use switchboard::{Limits, Reactor};

use super::ends::{edits_on_terminal, spelling, terminal_options, view};

/// Attaches, and stays until it is left.
pub fn run(args: &AttachArgs) -> Result<(), String> {
    if let Some(name) = &args.name {
        check_name(name).map_err(|why| format!("cannot use the name {name:?}: {why}"))?;
    }
    let path = path(args)?;
    // A server that stands still is waited for, and the longest line that it takes has room.
    let limits = Limits {
        write_stall_max: Duration::MAX,
        outbox_soft_max: Duration::MAX,
        outbox_bytes_max: Attached::QUEUED_BYTES_MAX,
        ..Limits::default()
    };
    let patience = limits.drain_max;
    let (reactor, mailbox) = Reactor::new(limits).map_err(cannot("start"))?;
    let spelling = spelling(args.look.format);
    let display = if edits_on_terminal(&args.look, spelling) {
        let options = TerminalOptions {
            has_others: !args.watch,
            is_attached: true,
            ..terminal_options::<AttachArgs>(&args.look, args.quiet)
        };
        let terminal = Terminal::new(TerminalDesk::new(options));
        Display::Terminal(terminal.map_err(cannot("use the terminal"))?)
    } else {
        let screens = Screens::open(spelling, true, args.quiet, mailbox.clone());
        Display::Screens(Box::new(screens.map_err(cannot("use stdout"))?))
    };
    on_signal(vec![mailbox.clone()]).map_err(cannot("watch for signals"))?;
    let source = match &display {
        Display::Terminal(terminal) => {
            let mailbox = mailbox.clone();
            // When the loop has ended there is nobody who wants to know.
            let post = move |mail| {
                let _ = mailbox.post(mail);
            };
            terminal.begin(post).map_err(cannot("use the terminal"))?;
            None
        }
        _ => Some(read_in_background(mailbox).map_err(cannot("read stdin"))?),
    };
    let outlet = Outlet::new(Some(DeskId(0)), display, view(&args.look));
    let wanted = Wanted { path, watches: args.watch, name: args.name.clone() };
    let attached = reactor.run(Attached::new(wanted, outlet, source)).map_err(cannot("wait for events"))?;
    attached.finish(patience)
}

/// Where the control socket is. In a directory of which it is not known whose it is, anybody could have put one.
fn path(args: &AttachArgs) -> Result<PathBuf, String> {
    if let Some(path) = args.path.as_ref().or(args.desk.as_ref()) {
        return Ok(path.clone());
    }
    let path = control::default_path(std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from));
    let cannot_attach = format!("attach to {} (a server with --desk makes it)", path.display());
    control::check_directory(&path, false).map_err(cannot(cannot_attach))?;
    Ok(path)
}
