//! The load tester: all of it is in the library, where it can be tested.

use std::process::ExitCode;

use switchboard::load::{LoadArgs, run};

fn main() -> ExitCode {
    switchboard::cli::main_checked(LoadArgs::check, run)
}
