//! What every program does around its work: reads its words, says what went wrong, and ends with a status.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ErrorKind};

use crate::address::joined;
use crate::terminal::{block_stopping_signals, restore_terminal};

/// A whole program: reads the command line, runs, prints what went wrong as one line, and gives the
/// exit status: 0 for an orderly end, 1 for an error, 2 for wrong usage.
pub fn main<Args: Parser>(run: impl FnOnce(&Args) -> Result<(), String>) -> ExitCode {
    main_checked(|_| Ok(()), run)
}

/// The same for arguments that may not go together in ways that clap cannot be told: where `check` says
/// so, that is wrong usage, too.
pub fn main_checked<Args: Parser>(
    check: impl FnOnce(&Args) -> Result<(), String>,
    run: impl FnOnce(&Args) -> Result<(), String>,
) -> ExitCode {
    main_from(std::env::args_os(), check, run)
}

/// The same for words of which the first is what the program is called.
pub fn main_from<Args: Parser>(
    words: impl Iterator<Item = OsString>,
    check: impl FnOnce(&Args) -> Result<(), String>,
    run: impl FnOnce(&Args) -> Result<(), String>,
) -> ExitCode {
    block_stopping_signals();
    let conflict = |why| Args::command().error(ErrorKind::ArgumentConflict, why);
    let checked =
        Args::try_parse_from(words).map_err(explained::<Args>).and_then(|args| match check(&args) {
            Ok(()) => Ok(args),
            Err(why) => Err(conflict(why)),
        });
    let args = match checked {
        Ok(args) => args,
        Err(error) => {
            // Help and version come this way, too. Where even printing fails, nobody is left to tell.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // Whatever kept it from being closed, no terminal is left as it is while a line is edited.
            restore_terminal();
            tell::<Args>(&why);
            ExitCode::FAILURE
        }
    }
}

/// Says what to write where an address was written as netcat takes it, in two words: `localhost 5000`.
fn explained<Args: Parser>(error: clap::Error) -> clap::Error {
    let told = |kind| error.get(kind).map(ToString::to_string);
    let is_address = told(ContextKind::InvalidArg).is_some_and(|arg| arg.starts_with("[ADDRESS]"));
    let (wrong, is_stray) = match error.kind() {
        ErrorKind::ValueValidation if is_address => (told(ContextKind::InvalidValue), false),
        ErrorKind::UnknownArgument => (told(ContextKind::InvalidArg), true),
        _ => return error,
    };
    let words: Vec<String> = std::env::args().skip(1).collect();
    // It is the host that is no address, or the port that is one word too many.
    let pairs = words.windows(2).filter(|pair| wrong.as_ref() == pair.get(usize::from(is_stray)));
    match pairs.filter_map(|pair| joined(&pair[0], &pair[1])).next() {
        Some(address) => {
            let why = format!("host and port are one word, with a colon between them: write {address}");
            Args::command().error(ErrorKind::ValueValidation, why)
        }
        None => error,
    }
}

/// Prints one line on stderr, behind the program's name. A closed stderr is nobody's error.
pub fn tell<Args: Parser>(what: &str) {
    let line = told::<Args>(what) + "\n";
    // In one write, so that it is not torn where others write there, too.
    let _ = io::stderr().write_all(line.as_bytes());
}

/// The line that `tell` prints, for where it is shown in another way.
pub fn told<Args: Parser>(what: &str) -> String {
    format!("{}: {what}", Args::command().get_name())
}
