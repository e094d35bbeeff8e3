//! What a connection keeps of what is under way, in memory that is there only meanwhile: most have nothing most of the
//! time, and then it is one word.

use crate::conn::tls_end::TlsEnd;

/// What there may be to keep of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// The beginning of a record whose rest has not come.
    Unfinished,
    /// What was said and the reader had no room for.
    Unread,
    /// Records that the socket has not taken.
    Unsent,
}

/// What is kept.
#[derive(Default)]
pub(super) struct Held(Option<Box<Inner>>);

/// What of that are the last words that were said: there are no others, since nothing more is said while something is
/// unsent.
#[derive(Clone, Copy, Default)]
pub(super) struct Said {
    /// All of them, in bytes.
    pub bytes: usize,
    /// Those in the last of their records, and how long that is.
    pub last_bytes: usize,
    pub last_record_bytes: usize,
}

#[derive(Default)]
struct Inner {
    parts: [Vec<u8>; 3],
    said: Said,
    end: Option<TlsEnd>,
}

impl Held {
    pub fn get(&self, part: Part) -> &[u8] {
        self.0.as_ref().map_or(&[], |inner| &inner.parts[part as usize])
    }

    pub fn get_mut(&mut self, part: Part) -> &mut [u8] {
        self.0.as_mut().map_or(&mut [], |inner| &mut inner.parts[part as usize])
    }

    pub fn has(&self, part: Part) -> bool {
        !self.get(part).is_empty()
    }

    /// Keeps this behind what is kept.
    pub fn add(&mut self, part: Part, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.0.get_or_insert_default().parts[part as usize].extend_from_slice(bytes);
        }
    }

    /// Keeps this in place of what was kept.
    pub fn set(&mut self, part: Part, bytes: &[u8]) {
        if bytes.is_empty() {
            return self.forget(part);
        }
        let kept = &mut self.0.get_or_insert_default().parts[part as usize];
        kept.clear();
        kept.shrink_to(bytes.len());
        kept.extend_from_slice(bytes);
    }

    /// So many bytes at the front are done with.
    pub fn done_with(&mut self, part: Part, count: usize) {
        if count < self.get(part).len() {
            let inner = self.0.as_mut().expect("it has something of that part");
            inner.parts[part as usize].drain(..count);
        } else {
            self.forget(part);
        }
    }

    /// What is unsent are these words, as far as it is not something unasked.
    pub fn set_said(&mut self, said: Said) {
        if let Some(inner) = &mut self.0 {
            inner.said = said;
        }
    }

    /// Of the last words, those whose records are not wholly out. What came about unasked behind them may have it be one
    /// record too many.
    pub fn unsaid_bytes(&self) -> usize {
        let Some(Inner { parts, said, .. }) = self.0.as_deref() else { return 0 };
        match parts[Part::Unsent as usize].len() {
            0 => 0,
            unsent if unsent <= said.last_record_bytes => said.last_bytes,
            _ => said.bytes,
        }
    }

    /// Keeps nothing of it.
    pub fn forget(&mut self, part: Part) {
        if let Some(inner) = &mut self.0 {
            inner.parts[part as usize] = Vec::new();
            if matches!(part, Part::Unsent) {
                inner.said = Said::default();
            }
            self.tidy();
        }
    }

    /// What has ended the session.
    pub fn end(&self) -> Option<&TlsEnd> {
        self.0.as_ref()?.end.as_ref()
    }

    pub fn set_end(&mut self, end: TlsEnd) {
        self.0.get_or_insert_default().end = Some(end);
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |inner| inner.parts.iter().map(Vec::capacity).sum())
    }

    fn tidy(&mut self) {
        self.0.take_if(|inner| inner.end.is_none() && inner.parts.iter().all(Vec::is_empty));
    }
}
