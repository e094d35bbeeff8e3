//! A file that only its owner may read, for as long as this process runs.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The file; it goes with this.
#[derive(Debug)]
pub struct SecretFile(PathBuf);

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
        let secret = SecretFile(path);
        file.write_all(text.as_bytes())?;
        Ok(secret)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        // Whatever it was, nobody is let in by it any more.
        let _ = fs::remove_file(&self.0);
    }
}
