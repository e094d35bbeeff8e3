//! What is written at the end of a run: the result on stdout, and files, which are opened before it: whether they can
//! be written should be known before the time is spent.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::conn::reason::cannot;

/// Prints the result on stdout. Nobody who reads it is no error.
///
/// # Errors
/// One line: why it cannot be written.
pub fn print(text: &str) -> Result<(), String> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(cannot("write to stdout")(error)),
        _ => Ok(()),
    }
}

/// Opens the file, if one is asked for.
///
/// # Errors
/// One line: why it cannot be written.
pub fn open(path: &Option<PathBuf>) -> Result<Option<Output>, String> {
    path.as_deref().map(Output::open).transpose()
}

/// A file that will be written. What was in it before stays there until then.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    file: File,
    /// It was made for this run, and nothing is in it yet.
    is_new: bool,
}

impl Output {
    /// Opens the file, making it if there is none.
    ///
    /// # Errors
    /// One line: why it cannot be written.
    pub fn open(path: &Path) -> Result<Output, String> {
        let mut options = OpenOptions::new();
        options.write(true);
        let opened = match options.open(path) {
            Ok(file) => Ok((file, false)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                options.create(true).open(path).map(|file| (file, true))
            }
            Err(error) => Err(error),
        };
        let (file, is_new) = opened.map_err(cannot(format!("write {}", path.display())))?;
        Ok(Output { path: path.to_owned(), file, is_new })
    }

    /// Puts the text in place of what the file contains.
    ///
    /// # Errors
    /// One line: why it could not be written.
    pub fn write(mut self, text: &str) -> Result<(), String> {
        self.is_new = false;
        self.replace(text).map_err(cannot(format!("write {}", self.path.display())))
    }

    fn replace(&mut self, text: &str) -> io::Result<()> {
        // A pipe or a device has no length.
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        self.file.write_all(text.as_bytes())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.is_new {
            // The run did not come about, so its empty file should not stay. If it does, it is empty.
            let _ = fs::remove_file(&self.path);
        }
    }
}
