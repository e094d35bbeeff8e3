//! TLS, as far as the operator has to do with it: what was read of it is read again when that is asked for.

use crate::desk::Event;
use crate::hub::desks::Desks;
use crate::reactor::tls::setup::Keeper;

impl Desks {
    /// Has certificates, keys and authorities read again by this.
    pub fn keep_tls(&mut self, keeper: Keeper) {
        self.tls = Some(keeper);
    }

    /// Reads all that again. Where anything is broken, all stays as it was.
    pub(super) fn reread_tls(&mut self) {
        let told = match self.tls.as_mut().map_or(Ok(None), Keeper::reread) {
            Ok(None) => return,
            Ok(Some(told)) => told,
            Err(why) => format!("{why}; TLS stays as it was"),
        };
        self.out.tell(&Event::Note(&told));
    }
}
