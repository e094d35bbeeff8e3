//! What there is where the feature `tls` is not: nobody speaks it, and whoever asks for it is told.

use crate::reactor::Reactor;

use super::{Fingerprint, Settings};

/// Says that there is no TLS.
///
/// # Errors
/// Always.
pub fn check_built() -> Result<(), String> {
    Err("this program was built without TLS (its feature \"tls\")".into())
}

/// Takes any name, since none is used.
///
/// # Errors
/// None.
pub fn check_name(name: &str) -> Result<String, String> {
    Ok(name.to_owned())
}

/// Does nothing.
pub fn read_system_authorities() {}

/// There is nothing to be read.
pub fn system_authorities_are_read() -> bool {
    true
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Loaded;

impl Settings {
    /// Reads nothing.
    ///
    /// # Errors
    /// Where there is something to be read.
    pub fn load(&self) -> Result<Loaded, String> {
        let is_asked_for = self.accepting.is_some() || self.files().next().is_some();
        if is_asked_for { check_built().map(|()| Loaded) } else { Ok(Loaded) }
    }
}

impl Loaded {
    /// Does nothing.
    pub fn use_in<M: Send + 'static>(&self, _reactor: &mut Reactor<M>) {}

    /// What would read it again.
    pub fn keep<M: Send + 'static>(self, _settings: Settings, _reactor: &mut Reactor<M>) -> Keeper {
        Keeper
    }
}

/// Keeps nothing.
#[derive(Debug)]
pub struct Keeper;

impl Keeper {
    /// None.
    pub fn fingerprint(&self) -> Option<&Fingerprint> {
        None
    }

    /// None.
    pub fn warning(&self) -> Option<String> {
        None
    }

    /// Reads nothing again.
    ///
    /// # Errors
    /// None.
    pub fn reread(&mut self) -> Result<Option<String>, String> {
        Ok(None)
    }
}
