//! Those who ask in HTTP: each says one request, which has to come soon, and gets one answer, with which its connection
//! ends; or it becomes a desk, by a WebSocket. They are no desks before that, and peers never.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::board::Board;
use crate::conn::ConnId;
use crate::conn::policy::{Policy, Role};
use crate::conn::reason::Reason;
use crate::desk::Rights;
use crate::desk::http::metrics;
use crate::desk::http::{
    Admitted, Answer, HEAD_BYTES_MAX, Holder, Read, Request, Response, Site, Socket, Status, switching,
};
use crate::hub::Hub;
use crate::hub::attached::{self, DESK, refusal_line};
use crate::hub::carrier::Carrier;

/// Of those who come with a browser.
pub const WEB: Role = Role::new(2);

/// Of those who want figures.
pub const METRICS: Role = Role::new(3);

/// A request has so long to come.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);

/// So many may be asking at a time; one more, and who has been asking for longest goes.
const ASKING_MAX: usize = 64;

/// So many may have their answer and not have left; one more, and who has come first goes. Whoever stays, or does not read
/// its answer, would else keep newcomers out.
const ANSWERED_MAX: usize = 128;

/// So many connections there may be of a kind, those included that were answered and have not left.
pub const CONNS_MAX: usize = 256;

/// How they are treated.
pub const POLICY: Policy = Policy { conns_max: Some(CONNS_MAX), ..attached::POLICY };

/// See the file.
#[derive(Debug, Default)]
pub struct Visitors {
    sites: Vec<(Role, Site)>,
    /// By when they came.
    asking: BTreeMap<u64, Asking>,
    /// Those who have their answer, by when they came.
    answered: BTreeMap<u64, ConnId>,
    /// Whether who has a browser may do what reaches further.
    pub web_is_full: bool,
}

/// Somebody whose request has not come to its end.
#[derive(Debug)]
struct Asking {
    id: ConnId,
    head: Vec<u8>,
}

/// What somebody's request has led to.
enum Outcome {
    /// More is to come.
    Waits,
    /// These bytes, and the end.
    Response(Vec<u8>),
    /// The figures.
    Metrics { is_head: bool },
    /// A WebSocket, and what was said over it already.
    Socket(Admitted, Vec<u8>),
}

impl Visitors {
    /// Serves this at the address of a role.
    pub fn serve(&mut self, role: Role, site: Site) {
        self.sites.push((role, site));
    }

    /// Somebody has come.
    fn opened(&mut self, id: ConnId, board: &mut Board) {
        self.asking.insert(id.serial(), Asking { id, head: Vec::new() });
        board.set_timer(id, board.now() + HEAD_TIME_MAX);
        if self.asking.len() > ASKING_MAX
            && let Some((_, oldest)) = self.asking.pop_first()
        {
            board.hang_up(oldest.id, Reason::PushedOut);
        }
    }

    /// What it has said by now, judged.
    fn says(&mut self, id: ConnId, bytes: &[u8], board: &Board) -> Outcome {
        let Some(asking) = self.asking.get_mut(&id.serial()) else { return Outcome::Waits };
        // Where no line has ended there is nothing new to be read, but in the beginning, where it may be no HTTP at all.
        let is_worth_it = asking.head.is_empty() || bytes.contains(&b'\n');
        asking.head.extend_from_slice(bytes);
        if !is_worth_it && asking.head.len() <= HEAD_BYTES_MAX {
            return Outcome::Waits;
        }
        let refused = |status, why| Outcome::Response(Response::refusal(status, why).spell());
        let (request, length) = match Request::read(&asking.head) {
            Read::Partial => return Outcome::Waits,
            Read::Wrong(status, why) => return refused(status, why),
            Read::Whole(request, length) => (request, length),
        };
        let Some(view) = board.view(id) else { return Outcome::Waits };
        let Some((_, site)) = self.sites.iter_mut().find(|(role, _)| *role == view.role) else {
            return refused(Status::NotFound, "there is nothing here");
        };
        match site.answer(&request, view.peer.ip(), board.now()) {
            Answer::Socket(admitted) => Outcome::Socket(admitted, asking.head[length..].to_vec()),
            Answer::Response(bytes) => Outcome::Response(bytes),
            Answer::Metrics { is_head } => Outcome::Metrics { is_head },
        }
    }

    /// It asks no more.
    fn forget(&mut self, id: ConnId) -> bool {
        self.asking.remove(&id.serial()).is_some()
    }

    /// It has its answer, and ends once that is sent.
    fn answered(&mut self, id: ConnId, why: Reason, board: &mut Board) {
        self.forget(id);
        board.clear_timer(id);
        board.close(id, why);
        self.answered.insert(id.serial(), id);
        if self.answered.len() > ANSWERED_MAX
            && let Some((_, first)) = self.answered.pop_first()
        {
            board.hang_up(first, Reason::PushedOut);
        }
    }

    /// It has ended.
    pub(super) fn closed(&mut self, id: ConnId) {
        self.forget(id);
        self.answered.remove(&id.serial());
    }

    /// The server ends. It does not wait for those who stay with their answer.
    pub fn close(&mut self, board: &mut Board) {
        let asking = std::mem::take(&mut self.asking).into_values().map(|asking| asking.id);
        let all = asking.chain(std::mem::take(&mut self.answered).into_values());
        all.for_each(|id| board.hang_up(id, Reason::Stopping));
    }
}

impl<M> Hub<M> {
    /// Somebody has connected who asks in HTTP.
    pub(super) fn visitor_opened(&mut self, id: ConnId, board: &mut Board) {
        self.visitors.opened(id, board);
    }

    /// What came is of somebody who asks, and was dealt with.
    pub(super) fn visitor_says(&mut self, id: ConnId, bytes: &[u8], board: &mut Board) -> bool {
        if !self.visitors.asking.contains_key(&id.serial()) {
            return false;
        }
        match self.visitors.says(id, bytes, board) {
            Outcome::Waits => {}
            Outcome::Response(bytes) => self.answer(id, &bytes, board),
            Outcome::Metrics { is_head } => {
                let mut body = Vec::new();
                metrics::push_page(&mut body, &self.desks.figures(board));
                let response =
                    Response { status: Status::Ok, kind: metrics::CONTENT_TYPE, body: &body, is_head };
                self.answer(id, &response.spell(), board);
            }
            Outcome::Socket(admitted, rest) => self.upgrade(id, &admitted, &rest, board),
        }
        true
    }

    fn answer(&mut self, id: ConnId, bytes: &[u8], board: &mut Board) {
        board.send(id, bytes);
        self.visitors.answered(id, Reason::Finished, board);
    }

    /// It is at a desk from now on, if there is one free.
    fn upgrade(&mut self, id: ConnId, admitted: &Admitted, rest: &[u8], board: &mut Board) {
        self.visitors.forget(id);
        board.send(id, &switching(&admitted.accept));
        let mut socket = Box::new(Socket::new());
        if let Some(refusal) = self.refuses_desks() {
            let line = refusal_line(refusal);
            let head = socket.frame(line.len(), true).unwrap_or_default();
            socket.close(Socket::TRY_AGAIN_LATER, "there are too many desks");
            board.send_parts(id, &[&head, &line, &socket.outgoing()]);
            return self.visitors.answered(id, Reason::Kicked(String::new()), board);
        }
        board.take_role(id, DESK);
        board.set_timer(id, board.now() + Socket::BEAT_EVERY);
        let rights = match (admitted.holder, self.visitors.web_is_full) {
            (Holder::Looks, _) => Rights::Looks,
            (Holder::Acts, true) => Rights::WebFull,
            (Holder::Acts, false) => Rights::Web,
        };
        self.attach_desk(Carrier::WebSocket(id, socket), rights, board);
        if !rest.is_empty() {
            self.desk_says(id, rest, board);
        }
    }

    /// The time of one that has no number has come.
    pub(super) fn visitor_timer(&mut self, id: ConnId, board: &mut Board) {
        if self.visitors.asking.contains_key(&id.serial()) {
            let late = Response::refusal(Status::RequestTimeout, "no request came within ten seconds");
            self.answer(id, &late.spell(), board);
        } else if let Some(session) = self.at(id) {
            session.carrier.beat(board);
        }
    }

    /// One that asks has ended, or will say nothing more: what it has said is no request.
    pub(super) fn visitor_leaves(&mut self, id: ConnId, board: &mut Board) -> bool {
        let was_here = self.visitors.forget(id);
        if was_here {
            board.close(id, Reason::Finished);
        }
        was_here
    }
}
