//! The transcript as the hub sees it: what goes into it that no desk is shown, and what is told of its file.

use crate::board::Board;
use crate::buffer::framing::{Frame, Framing};
use crate::conn::ConnId;
use crate::conn::reason::in_words;
use crate::desk::{Author, Event, Receivers, Transcript};
use crate::hub::desks::Desks;
use crate::terminal::LogNews;

impl Desks {
    /// Keeps a transcript from now on: what was told before is not in it.
    pub fn keep_transcript(&mut self, transcript: Transcript) {
        self.out.add_transcript(transcript);
    }

    /// Keeps what a peer said, where it is shown at no desk; and that it was passed on, if it was.
    pub fn heard_unseen(&mut self, id: ConnId, frame: Frame<'_>, board: &Board) {
        self.out.tell_unseen(&Event::Message(self.names.who(id.serial()), frame));
        if let Some(mate) = board.mate(id).filter(|_| !self.links.is_empty()) {
            self.passed_on_unseen(mate, frame, board);
        }
    }

    /// Keeps that an echo has returned this.
    pub fn returned_unseen(&mut self, id: ConnId, bytes: &[u8]) {
        let to = Receivers::One(id.serial());
        self.out.tell_unseen(&Event::Sent { by: Author::Echo, to, bytes });
    }

    /// Goes on in a file that is opened anew: what was there may have been moved away. A new one says by itself who is here,
    /// and how what they say is framed.
    pub(super) fn reopen_transcript(&mut self, framing: Framing, board: &Board) {
        let Desks { out, own, names, links, dialled, .. } = self;
        let Some(transcript) = out.transcript() else { return };
        let addresses: Vec<String> = own.bound().iter().map(ToString::to_string).collect();
        let listening = addresses.iter().map(|address| Event::Listening(address, framing));
        let here = board.peers().filter(|view| !view.is_connecting).map(|view| {
            let serial = view.id.serial();
            let (dialled, client) = (dialled.contains(&serial), links.client_of(serial));
            Event::Opened { who: names.who(serial), peer: view.peer, dialled, client }
        });
        transcript.reopen(listening.chain(here));
    }

    /// Tells what became of the transcript's file.
    pub(super) fn transcript_is(&mut self, news: LogNews) {
        let Some(path) = self.out.transcript().map(|transcript| transcript.path()) else { return };
        let told = match news {
            LogNews::Failed(error) => format!(
                "cannot write the transcript {path}: {}; it is tried again, and what is left out meanwhile is counted",
                in_words(&error)
            ),
            LogNews::GoesOn => format!("the transcript {path} is written again"),
            LogNews::NotReopened(error) => {
                format!(
                    "cannot reopen the transcript {path}: {}; it goes on in the file it has",
                    in_words(&error)
                )
            }
        };
        self.out.tell(&Event::Note(&told));
    }
}
