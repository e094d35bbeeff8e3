//! A file that this process has made, and that goes with it.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The file: removed in the end, if it is still ours. It is known by its inode, whose number is given to another file as
/// soon as nobody has this one open: whoever keeps this has to keep it open, and to let go of this first.
#[derive(Debug)]
pub struct OwnFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl OwnFile {
    /// The one at this path, of which the system says this.
    pub fn new(path: PathBuf, found: &Metadata) -> OwnFile {
        OwnFile { path, device: found.dev(), inode: found.ino() }
    }

    /// Where it is, or was.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode));
        // Somebody may have removed it meanwhile and put another there.
        if is_ours && let Err(error) = fs::remove_file(&self.path) {
            log::debug!("cannot remove {}: {error}", self.path.display());
        }
    }
}
