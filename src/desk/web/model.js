//! What is known of the server: connections, what was said, who waits. Draws nothing.

import { Desks } from "./desks.js";
import { EVENTS, TCP } from "./events.js";
import { Ring } from "./ring.js";
import { asText, fromB64, many, parseStamp, utf8, withoutEnd } from "./format.js";

export const MAX = {
	// Rows and characters, roughly, of a conversation, of the stream, of all conversations.
	rows: 1000, size: 4 << 20, streamRows: 5000, streamSize: 8 << 20, allRows: 60000, allSize: 24 << 20,
	gone: 500,
	// Of a longer message only the beginning is kept.
	text: 65536,
};

const ROW_SIZE = 64;

export class Model {
	constructor() {
		this.onMessage = this.onNewRun = () => {};
		// Who left and is looked at, or chosen for a reply, stays.
		this.isHeld = () => false;
		this.desks = new Desks();
		this.reset();
		this.run = null;
	}

	reset() {
		this.conns = new Map();
		this.stream = new Ring(MAX.streamRows, MAX.streamSize);
		this.gone = [];
		this.lastSeq = 0;
		// How many events the greeting covers.
		this.greetedAt = 0;
		// Only a list of all can tell what was missed.
		this.isUnsure = false;
		this.rows = this.size = this.skips = this.lost = this.gaps = this.open = 0;
		// In the order in which they began to.
		this.waiting = new Set();
		this.skew = null;
		this.unknown = [];
		this.notice = "";
		this.version = 0;
	}

	now = () => Date.now() + (this.skew ?? 0);

	row(kind, at, id, text = "") {
		return { kind, at, id, text, bytes: null, end: "", seq: 0, whole: text.length, size: ROW_SIZE + text.length, h: 0, epoch: 0, open: false };
	}

	said(kind, at, id, event) {
		const { b64, text = "", seq = 0 } = event;
		const row = this.row(kind, at, id, text);
		row.seq = seq;
		if (b64 !== undefined) {
			const bytes = fromB64(b64);
			row.whole = bytes.length;
			row.bytes = bytes.length > MAX.text ? bytes.slice(0, MAX.text) : bytes;
			row.size += row.bytes.length;
		} else if (text.length > MAX.text) {
			// By way of bytes, or the whole would be kept behind the part.
			row.text = asText(utf8(text.slice(0, MAX.text).replace(/[\ud800-\udbff]$/, "")));
			row.whole = utf8(text).length;
			row.size = ROW_SIZE + row.text.length;
		}
		return row;
	}

	putIn(conn, row) {
		this.tellGaps(conn);
		const { rows } = conn;
		const { length, size } = rows;
		rows.push(row);
		this.rows += rows.length - length;
		this.size += rows.size - size;
		conn.version += 1;
		if (this.rows > MAX.allRows || this.size > MAX.allSize) this.thin();
	}

	// Cuts the longest to a bit under their share, so that this is rare.
	thin() {
		const share = Math.max(4, (MAX.allRows / this.conns.size) * 0.75);
		const size = Math.max(1024, (MAX.allSize / this.conns.size) * 0.75);
		this.rows = 0;
		this.size = 0;
		for (const { rows } of this.conns.values()) {
			rows.trim(share, size);
			this.rows += rows.length;
			this.size += rows.size;
		}
	}

	putInStream(row, conn) {
		if (!conn?.muted) this.stream.push(row);
	}

	system(conn, at, text, status = "") {
		const row = this.row("sys", at, conn?.id ?? 0, text);
		row.status = status;
		if (conn) this.putIn(conn, row);
		this.putInStream(row, conn);
	}

	gap(lost, text) {
		const row = this.row("gap", this.now(), 0, text);
		this.lost += lost;
		this.gaps += 1;
		this.lastGap = text;
		this.isUnsure = true;
		this.stream.push(row);
	}

	// Which missed something is unknown: a gap stands in each, once needed.
	tellGaps(conn) {
		if (conn.gaps === this.gaps) return;
		const lost = this.lost - conn.lost;
		const text = this.gaps - conn.gaps === 1 ? this.lastGap : `${many(lost, "event")} missed, in ${many(this.gaps - conn.gaps, "gap")}`;
		conn.gaps = this.gaps;
		conn.lost = this.lost;
		this.putIn(conn, this.row("gap", this.now(), conn.id, text + (lost ? ": something may be missing here" : "")));
	}

	conn(id) {
		let conn = this.conns.get(id);
		if (!conn) {
			conn = {
				id, name: "", peer: "", state: "open", about: "", pending: 0, unread: 0, muted: false, behind: 0, link: 0, fault: "", last: "",
				rows: new Ring(MAX.rows, MAX.size), version: 0, gaps: this.gaps, lost: this.lost, isPast: !!this.ended,
			};
			this.conns.set(id, conn);
			this.open += 1;
		}
		return conn;
	}

	get looks() {
		return this.may === "look";
	}

	isGone = ({ state }) => state === "gone";

	setPending(conn, at) {
		this.waiting[at ? "add" : "delete"](conn);
		conn.pending = at;
		this.version += 1;
	}

	setUnread(conn, unread) {
		conn.unread = unread;
		this.version += 1;
	}

	end(conn) {
		if (this.isGone(conn)) return;
		this.setPending(conn, 0);
		conn.state = "gone";
		conn.behind = 0;
		this.ended?.add(conn.id);
		this.open -= 1;
		this.gone.push(conn);
		this.version += 1;
		const oldest = this.gone.length > MAX.gone && this.gone.find((one) => !this.isHeld(one));
		if (!oldest) return;
		this.gone.splice(this.gone.indexOf(oldest), 1);
		this.rows -= oldest.rows.length;
		this.size -= oldest.rows.size;
		this.conns.delete(oldest.id);
	}

	label(id) {
		const name = this.conns.get(id)?.name;
		return name ? `#${id} ${name}` : `#${id}`;
	}

	// `false` where this was told before.
	follows(event) {
		const { seq } = event;
		if (!seq) return true;
		if (seq <= this.lastSeq) {
			// What is kept there reaches back to here: nothing is missing between.
			if (event.past && this.away) this.away.reaches = true;
			return false;
		}
		const hole = seq - this.lastSeq - 1;
		if (this.away && !this.away.isTold) this.tellAway(event.past && !this.away.reaches && this.lastSeq ? hole : 0);
		if (!event.past) {
			const missed = seq - Math.max(this.lastSeq, this.greetedAt) - 1 - this.skips;
			if (missed > 0) this.gap(missed, `${many(missed, "event")} missed`);
			this.away = null;
		}
		this.skips = 0;
		this.lastSeq = seq;
		return true;
	}

	tellAway(hole) {
		const { from } = this.away;
		const seconds = Math.max(0, (Date.now() - from) / 1000).toFixed(1);
		const missed = hole > 0 ? `up to ${many(hole, "event")} were missed` : "no message was missed";
		this.gap(hole, `not connected for ${seconds} s: ${missed}`);
		this.away.isTold = true;
		// The greeting has told who is here.
		this.isUnsure = false;
	}

	disconnected(unanswered) {
		if (!this.away || this.away.isTold) this.away = { from: Date.now(), isTold: false, reaches: false };
		for (const sent of unanswered) {
			const row = this.ours(sent, { ids: sent.ids, status: "unknown", note: "unknown whether sent" });
			this.unknown.push({ row, desk: this.desks.own, sent });
			this.deliver(row);
		}
	}

	ours(sent, more) {
		return Object.assign(this.said("out", this.now(), 0, sent), { by: "you", isOfDesk: true, ...more });
	}

	hello(event) {
		const isFirst = this.run !== event.run;
		const isNew = isFirst && this.run;
		if (isNew) {
			this.reset();
			this.onNewRun();
			this.away = null;
		}
		if (isFirst) this.desks.reset();
		this.run = event.run;
		this.may = event.may;
		this.isConsole = event.mode === "console";
		this.greetedAt = event.seq;
		this.skips = 0;
		this.skew = null;
		this.notice = "";
		this.desks.greeted(event.desk);
		this.expectAll();
		if (isNew) this.gap(1, "the server was started anew: numbers are new, too");
		if (this.away && event.seq === this.lastSeq) this.tellAway(0);
		this.isUnsure = false;
		this.version += 1;
	}

	// Each is named once more, by a greeting or `who`, or has left.
	expectAll() {
		for (const conn of this.conns.values()) conn.isPast = true;
		this.ended = new Set();
	}


	place(row) {
		const { id, peer, name = "", link = 0, fault = "", slow, queued, state, via, dialed, pid, uid, pending } = row;
		const conn = this.conn(id);
		const about = [via, dialed && "dialled", row.for && `for #${row.for}`, pid && `pid ${pid}`, uid !== undefined && `uid ${uid}`];
		Object.assign(conn, { isPast: false, peer, name, link, fault, behind: slow ? queued : 0, state: TCP[state] ?? "open" });
		conn.about = about.filter(Boolean).join(", ") || conn.about;
		this.setPending(conn, pending ? parseStamp(pending) : 0);
		return conn;
	}

	// Whoever was not named since `expectAll` has left.
	allNamed({ conns = [], desks } = {}) {
		if (desks) this.desks.areHere(desks);
		// Who has left since the list was made must not come back.
		for (const row of conns) if (!this.ended.has(row.id)) this.place(row);
		for (const conn of this.conns.values()) {
			if (conn.isPast && !this.isGone(conn)) {
				this.system(conn, this.now(), "left, unseen by this page");
				this.end(conn);
			}
			conn.isPast = false;
			if (conn.pending && !conn.rows.length) this.putIn(conn, this.row("gap", conn.pending, conn.id, "what was said before is no longer kept here"));
		}
		this.ended = null;
		this.lastSeq = Math.max(this.lastSeq, this.greetedAt);
		if (this.away && !this.away.isTold) this.tellAway(0);
		this.version += 1;
	}

	apply(event) {
		if (event.ev === "hello") return void this.hello(event);
		if (event.ev === "skipped") {
			this.skips += event.count;
			return void this.gap(event.count, `${many(event.count, "event")} skipped, since this page was too slow`);
		}
		if (!this.follows(event)) return;
		const at = event.ts ? parseStamp(event.ts) : this.now();
		if (!event.past && event.ts) this.skew = Math.max(this.skew ?? -Infinity, at - Date.now());
		const conn = event.id ? this.conn(event.id) : null;
		const told = EVENTS[event.ev]?.(this, event, conn, at);
		if (told) this.system(conn, at, ...[told].flat());
		if (event.ev !== "msg") this.version += 1;
	}

	deliver(row) {
		const ids = row.ids ?? this.conns.keys();
		for (const id of ids) {
			const conn = this.conns.get(id);
			if (!conn || (!row.ids && ["gone", "fin", "closing"].includes(conn.state))) continue;
			this.putIn(conn, row);
			if (row.status !== "unknown" && row.status !== "error" && !row.missed?.includes(id)) this.answered(conn, row);
		}
		this.stream.push(row);
		this.version += 1;
	}

	// What was told again says nothing of who waits now; what goes by itself answers its own cause.
	answered(conn, row) {
		conn.last = "> " + row.text.slice(0, 100);
		const isAnswer = row.isOfDesk || (conn.isFresh && ["reply", "play"].includes(row.by));
		if (isAnswer && !row.past) this.setPending(conn, 0);
	}

	taken(event, sent) {
		this.follows(event);
		const row = this.ours(sent, { seq: event.seq, ids: sent.ids });
		const ending = event.bytes - (row.bytes ? row.bytes.length : utf8(sent.text).length);
		row.end = ending === 1 ? "\n" : ending === 2 ? "\r\n" : "";
		const missed = ["gone", "full", "finished"].flatMap((why) => (event[why] ?? []).map((id) => ({ id, why })));
		row.missed = missed.map(({ id }) => id);
		const note = [missed.length && `not to ${missed.slice(0, 5).map(({ id, why }) => `#${id} ${why}`).join(", ")}${missed.length > 5 ? " …" : ""}`,
			event.behind && `not read yet: ${many(event.behind, "byte")} behind`].filter(Boolean).join("; ");
		Object.assign(row, { status: note ? "warn" : "ok", note: note || "queued" });
		// Of several the most is told, and not of whom.
		const [id, ...others] = sent.ids ?? [];
		if (event.behind && !others.length && this.conns.has(id)) this.conns.get(id).behind = event.behind;
		this.deliver(row);
	}

	refused(event, sent) {
		this.deliver(this.ours(sent, { ids: sent.ids ?? [], status: "error", note: `not sent: ${event.msg}` }));
	}

	// Whether a text of ours whose reply was lost is certain now.
	resolves(event) {
		const at = this.unknown.findIndex(({ desk, sent }) => desk === event.by && sent.b64 === event.b64 &&
			withoutEnd(sent.text).text === withoutEnd(event.text).text && String(sent.ids) === String(event.ids));
		if (at < 0) return false;
		const [{ row }] = this.unknown.splice(at, 1);
		Object.assign(row, { seq: event.seq, at: parseStamp(event.ts), past: true, status: "ok", note: "queued, as the server says now", epoch: 0 });
		for (const id of row.ids ?? this.conns.keys()) {
			const conn = this.conns.get(id);
			if (!conn) continue;
			conn.version += 1;
			this.answered(conn, row);
		}
		return true;
	}
}
