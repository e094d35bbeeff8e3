//! What each event changes.

import { count, many, withoutEnd } from "./format.js";

export const TCP = { "close-wait": "eof", "fin-wait": "fin", "last-ack": "fin", closing: "closing", "syn-sent": "dialing" };

const whoDid = (model, { by }) => (typeof by === "number" ? model.desks.label(by) : by ?? "");
const by = (model, event) => (event.by === undefined ? "" : ` (by ${whoDid(model, event)})`);

export const EVENTS = {
	open(model, event, at) {
		const isKnown = model.conns.has(event.id);
		const conn = model.place(event);
		if (!isKnown && !event.past) model.system(conn, at, `connected${conn.about ? ": " + conn.about : ""}`);
	},
	msg(model, event, at) {
		const conn = model.conn(event.id);
		const row = model.said("in", at, event.id, event);
		row.end = event.end ?? "";
		row.part = event.part;
		model.putIn(conn, row);
		model.putInStream(row, conn);
		conn.last = row.bytes ? many(row.whole, "byte") : row.text.slice(0, 100);
		if (event.past) return;
		conn.isFresh = !conn.pending;
		if (conn.isFresh && model.isConsole && !conn.link && !model.isGone(conn)) model.setPending(conn, at);
		model.setUnread(conn, conn.unread + 1);
		model.onMessage(conn);
	},
	sent(model, event, at) {
		if (event.past && model.resolves(event)) return;
		const { text, end } = withoutEnd(event.text ?? "");
		const row = model.said("out", at, 0, event.b64 === undefined ? { seq: event.seq, text } : event);
		const who = whoDid(model, event);
		const isOfDesk = typeof event.by === "number";
		Object.assign(row, { end, ids: event.to === "all" ? undefined : event.ids, by: who, isOfDesk, past: event.past, status: "ok", note: who });
		model.deliver(row);
	},
	eof(model, event, at) {
		const conn = model.conn(event.id);
		conn.state = conn.state === "fin" ? "closing" : "eof";
		model.system(conn, at, "has finished sending, and can still be answered");
	},
	fin(model, event, at) {
		const conn = model.conn(event.id);
		conn.state = "fin";
		model.system(conn, at, "our side is finished; it is still heard");
	},
	close(model, event, at) {
		const conn = model.conn(event.id);
		if (!conn.peer && event.peer) conn.peer = event.peer;
		const unsent = event.unsent ? `; ${many(event.unsent, "byte")} could not be sent` : "";
		conn.reason = event.reason;
		const tone = event.unsent || ["reset", "lost", "timed-out", "truncated"].includes(event.reason) ? "bad" : "";
		model.system(conn, at, `closed: ${event.msg} (${many(event.rx, "byte")} in, ${count(event.tx)} out${unsent})`, tone);
		model.end(conn);
	},
	name(model, event, at) {
		const conn = model.conn(event.id);
		conn.name = event.name ?? "";
		model.system(conn, at, (event.name ? `is called ${event.name} now` : "has no name any more") + by(model, event));
	},
	done(model, event) {
		model.setPending(model.conn(event.id), 0);
	},
	link: (model, event, at) => linked(model, event, at, true),
	unlink: (model, event, at) => linked(model, event, at, false),
	fault(model, event, at) {
		const conn = event.id ? model.conn(event.id) : null;
		if (conn) conn.fault = event.spec === "off" ? "" : event.spec;
		const what = event.spec === "off" ? "not broken on purpose any more" : `broken on purpose: ${event.spec}`;
		model.system(conn, at, (conn ? what : `newcomers: ${what}`) + by(model, event));
	},
	every: (model, event, at) => model.system(null, at, event.off ? `repetition ${event.n} has ended ${event.msg ?? ""}` : `repetition ${event.n} every ${event.ms} ms`),
	note: (model, event, at) => model.system(event.id ? model.conn(event.id) : null, at, event.msg),
	drained(model, event, at) {
		const conn = model.conn(event.id);
		conn.behind = 0;
		model.system(conn, at, "has read what was queued for it");
	},
	refused: (model, event, at) => model.system(null, at, `${many(event.count, "newcomer")} turned away: ${event.why}`, "bad"),
	stopping(model, event, at) {
		model.notice = "the server is stopping";
		model.system(null, at, model.notice, "bad");
	},
	file: (model, event, at) => model.system(event.id ? model.conn(event.id) : null, at, `file ${event.path}: ${many(event.bytes, "byte")} ${event.msg ?? ""}`),
	desk(model, event) {
		model.desks.came(event);
		model.version += 1;
	},
	typing(model, event) {
		model.desks.wrote(event);
		model.version += 1;
	},
	bye(model, event, at) {
		model.notice = "the server has ended";
		model.system(null, at, model.notice, "bad");
	},
};

function linked(model, event, at, isLinked) {
	const [one, other] = event.ids;
	for (const [id, far] of [[one, other], [other, one]]) {
		const conn = model.conn(id);
		conn.link = isLinked ? far : 0;
		if (isLinked) model.setPending(conn, 0);
		model.system(conn, at, (isLinked ? `linked to #${far}` : `no longer linked to #${far}`) + by(model, event));
	}
}
