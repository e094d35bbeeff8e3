//! Where the control socket is, if nothing else is said: in a directory that nobody else can put something into. What
//! else is this user's alone is put there, too.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

const NAME: &str = "switchboard.sock";

/// The path of the control socket: in `directory`.
pub fn default_path(runtime_dir: Option<PathBuf>) -> PathBuf {
    directory(runtime_dir).join(NAME)
}

/// Where what is this user's alone is put: `XDG_RUNTIME_DIR` (the value of that), or a directory below `/tmp`.
pub fn directory(runtime_dir: Option<PathBuf>) -> PathBuf {
    let below_tmp = || PathBuf::from(format!("/tmp/switchboard-{}", rustix::process::geteuid().as_raw()));
    runtime_dir.filter(|path| path.is_absolute()).unwrap_or_else(below_tmp)
}

/// Makes sure that the directory of a default path is ours alone. `makes`: it is made if it is not there.
///
/// # Errors
/// When it is somebody else's, open to others, or no directory.
pub fn check_directory(path: &Path, makes: bool) -> io::Result<()> {
    let Some(directory) = path.parent() else { return Ok(()) };
    if makes {
        match DirBuilder::new().mode(0o700).create(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    let wrong = |why: &str| Err(io::Error::other(format!("{} {why}", directory.display())));
    // A link, too, could lead anywhere.
    let found = fs::symlink_metadata(directory)?;
    if !found.is_dir() {
        return wrong("is no directory");
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return wrong("belongs to somebody else");
    }
    match found.mode() & 0o077 {
        0 => Ok(()),
        _ => wrong("is open to others: chmod 700 shuts it"),
    }
}
