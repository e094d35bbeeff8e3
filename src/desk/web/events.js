//! What each event changes, and what is told of it (a text, or one with its tone) in its conversation, or the stream.

import { count, many, withoutEnd } from "./format.js";

export const TCP = { "close-wait": "eof", "fin-wait": "fin", "last-ack": "fin", closing: "closing", "syn-sent": "dialing" };

const whoDid = (model, { by }) => (typeof by === "number" ? model.desks.label(by) : by ?? "");
const by = (model, event) => (event.by === undefined ? "" : ` (by ${whoDid(model, event)})`);

function over(model, words) {
	model.notice = words;
	return [words, "bad"];
}

export const EVENTS = {
	open(model, event, conn) {
		const isKnown = conn.peer || event.past;
		model.place(event);
		return !isKnown && `connected${conn.about ? ": " + conn.about : ""}`;
	},
	msg(model, event, conn, at) {
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
	sent(model, event, _, at) {
		if (event.past && model.resolves(event)) return;
		const { text, end } = withoutEnd(event.text);
		const row = model.said("out", at, 0, event.b64 === undefined ? { seq: event.seq, text } : event);
		const who = whoDid(model, event);
		const isOfDesk = typeof event.by === "number";
		Object.assign(row, { end, ids: event.ids, by: who, isOfDesk, past: event.past, status: "ok", note: who });
		model.deliver(row);
	},
	eof(model, event, conn) {
		conn.state = conn.state === "fin" ? "closing" : "eof";
		return "has finished sending, and can still be answered";
	},
	fin(model, event, conn) {
		conn.state = "fin";
		return "our side is finished; it is still heard";
	},
	close(model, event, conn) {
		const { peer = "", reason, msg, rx, tx, unsent } = event;
		conn.peer ||= peer;
		model.end(conn);
		const lost = unsent ? `; ${many(unsent, "byte")} could not be sent` : "";
		const isBad = unsent || ["reset", "lost", "timed-out", "truncated"].includes(reason);
		return [`closed: ${msg} (${many(rx, "byte")} in, ${count(tx)} out${lost})`, isBad ? "bad" : ""];
	},
	name(model, event, conn) {
		conn.name = event.name ?? "";
		return (conn.name ? `is called ${conn.name} now` : "has no name any more") + by(model, event);
	},
	done: (model, event, conn) => model.setPending(conn, 0),
	link: (model, event, _, at) => linked(model, event, at, true),
	unlink: (model, event, _, at) => linked(model, event, at, false),
	fault(model, event, conn) {
		const spec = event.spec === "off" ? "" : event.spec;
		if (conn) conn.fault = spec;
		return (conn ? "" : "newcomers: ") + (spec ? `broken on purpose: ${spec}` : "not broken on purpose any more") + by(model, event);
	},
	every: (model, { n, ms, off, msg = "" }) => (off ? `repetition ${n} has ended ${msg}` : `repetition ${n} every ${ms} ms`),
	note: (model, event) => event.msg,
	drained(model, event, conn) {
		conn.behind = 0;
		return "has read what was queued for it";
	},
	refused: (model, event) => [`${many(event.count, "newcomer")} turned away: ${event.why}`, "bad"],
	file: (model, { path, bytes, msg = "" }) => `file ${path}: ${many(bytes, "byte")} ${msg}`,
	desk: (model, event) => model.desks.came(event),
	typing: (model, event) => model.desks.wrote(event),
	stopping: (model) => over(model, "the server is stopping"),
	bye: (model) => over(model, "the server has ended"),
};

function linked(model, event, at, isLinked) {
	const [one, other] = event.ids.map((id) => model.conn(id));
	for (const [conn, far] of [[one, other], [other, one]]) {
		conn.link = isLinked ? far.id : 0;
		if (isLinked) model.setPending(conn, 0);
		model.system(conn, at, (isLinked ? `linked to #${far.id}` : `no longer linked to #${far.id}`) + by(model, event));
	}
}
