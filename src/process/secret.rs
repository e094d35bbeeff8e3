//! A file that only its owner may read, for as long as this process runs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::own_file::OwnFile;

/// The file; it goes with this. Another process that has written its own there meanwhile, as whoever takes the same port
/// next does while this one still ends, keeps that.
#[derive(Debug)]
pub struct SecretFile {
    own: OwnFile,
    _open: File,
}

impl SecretFile {
    /// Writes it, with mode 0600 from the moment it is there. One that a process left behind there is replaced; what stands
    /// there is never written to, whoever has put it there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn write(path: PathBuf, text: &str) -> io::Result<SecretFile> {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let own = OwnFile::new(path, &file.metadata()?);
        file.write_all(text.as_bytes())?;
        Ok(SecretFile { own, _open: file })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.own.path()
    }
}
