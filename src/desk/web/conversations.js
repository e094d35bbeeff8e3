//! The list of conversations: who waits longest stands first, and nobody moves under the pointer.

import { $, make, on, point } from "./dom.js";
import { age, fill } from "./format.js";
import { Windowed } from "./windowed.js";

const HEIGHT = 42;
const ORDER_EVERY = 500;

export const STATES = { open: "open", eof: "peer finished", fin: "we finished", closing: "closing", dialing: "connecting", gone: "gone" };

const FILTERS = {
	all: () => true,
	waiting: (conn) => conn.pending > 0,
	unread: (conn) => conn.unread > 0,
	open: (conn) => conn.state !== "gone",
	gone: (conn) => conn.state === "gone",
};

// Who waits, the longest first; then who is here, by number; then who has left.
function byWaiting(one, other) {
	const rank = (conn) => (conn.state === "gone" ? 2 : conn.pending ? 0 : 1);
	return rank(one) - rank(other) || one.pending - other.pending || one.id - other.id;
}

export const hue = (id) => Math.round(id * 137.508) % 360;

const part = (className, parent, tag = "span") => parent.appendChild(make(tag, { className }));

export class Conversations {
	constructor(model, actions) {
		this.model = model;
		this.actions = actions;
		this.box = $("list");
		for (const id of ["search", "filter", "held", "none"]) this[id] = $(id);
		this.current = null;
		this.picked = new Set();
		this.orderedAt = -ORDER_EVERY;
		this.list = new Windowed(this.box, { make: () => this.make(), draw: (element, conn, at) => this.draw(element, conn, at), known: () => HEIGHT });
		this.list.onResize = actions.due;
		this.listen();
	}

	listen() {
		const { box } = this;
		on(box, "scroll", () => (this.list.isDirty = true));
		on(box, "pointerenter", (event) => (this.hasPointer = event.pointerType === "mouse"));
		on(box, "pointerleave", () => (this.hasPointer = false));
		on(box, "focus", () => (this.hasFocus = true));
		on(box, "blur", () => (this.hasFocus = false));
		on(box, "click", (event) => {
			const conn = event.target.closest(".conn")?.conn;
			if (!conn) return;
			if (event.target.closest(".pick") || event.ctrlKey || event.metaKey) this.actions.pick(conn);
			else this.actions.choose(conn, { write: event.detail > 0 });
		});
		for (const field of [this.search, this.filter]) on(field, "input", () => (this.isForced = true));
	}

	make() {
		const element = make("div", { role: "option" });
		const pick = part("pick", element);
		const [first, second] = [part("first", element), part("second", element)];
		element.parts = {
			pick, number: part("number", first), name: part("name", first, "bdi"),
			// What the eye takes from place and colour.
			said: part("unseen", first), draft: part("draft", first), wait: part("wait", first),
			peer: part("peer", second, "bdi"), last: part("last", second, "bdi"), badge: part("badge", second),
		};
		pick.ariaHidden = element.parts.badge.ariaHidden = "true";
		return element;
	}

	draw(element, conn, at) {
		const { parts } = element;
		const now = this.model.now();
		const isCurrent = conn === this.current;
		const isPicked = this.picked.has(conn);
		const { id, name, peer, state, pending, unread, muted } = conn;
		const wait = pending ? age(now - pending) : state === "open" ? "" : STATES[state];
		const last = this.model.desks.writersTo(id) || conn.last;
		const draft = this.actions.hasDraft(conn) ? "draft" : "";
		const badge = muted ? "muted" : unread > 999 ? "999+" : unread ? String(unread) : "";
		const kinds = `conn ${state}${isCurrent ? " current" : ""}${pending ? " waits" : ""}${muted ? " muted" : ""}${last === conn.last ? "" : " written"}`;
		const shape = `${id}|${name}|${peer}|${wait}|${badge}|${last}|${draft}|${kinds}|${isPicked}|${at}|${this.list.rows.length}`;
		if (element.shape === shape) return;
		element.shape = shape;
		element.conn = conn;
		element.id = `conn-${id}`;
		element.className = kinds;
		element.ariaSelected = String(isPicked);
		element.ariaSetSize = this.list.rows.length;
		element.ariaPosInSet = at + 1;
		element.ariaCurrent = isCurrent ? "true" : null;
		element.style.setProperty("--hue", hue(id));
		parts.number.textContent = `#${id}`;
		fill(parts.name, name);
		parts.draft.textContent = draft;
		parts.wait.textContent = wait;
		parts.said.textContent = [muted && "muted", isPicked && "chosen for a reply", unread && `${unread} unread`, pending && "waits for"].filter(Boolean).join(", ");
		fill(parts.peer, peer);
		fill(parts.last, last);
		parts.badge.textContent = badge;
		parts.pick.textContent = isPicked ? "✓" : "";
	}

	fits(conn, sought) {
		if (!sought) return true;
		if (sought.startsWith("#")) return `#${conn.id}`.startsWith(sought);
		return String(conn.id).startsWith(sought) || `${conn.name}\n${conn.peer}`.toLowerCase().includes(sought);
	}

	// The order is held while somebody points or steps through it.
	isDue(now) {
		const isHeld = (this.hasPointer || this.hasFocus) && !this.isForced;
		const isSoon = this.isForced || (this.isHeld && !isHeld);
		this.isHeld = isHeld;
		return isSoon || (now - this.orderedAt >= ORDER_EVERY && (this.version !== this.model.version || this.isLate));
	}

	order(now) {
		const { isHeld } = this;
		this.orderedAt = now;
		this.version = this.model.version;
		this.isForced = false;
		const sought = this.search.value.trim().toLowerCase();
		const isWanted = FILTERS[this.filter.value];
		const { conns, waiting } = this.model;
		// Nearly in order, and so sorted at a tenth of the cost.
		const all = [...waiting, ...[...conns.values()].filter((conn) => !conn.pending)];
		const rows = all.filter((conn) => isWanted(conn) && this.fits(conn, sought)).sort(byWaiting);
		const shown = this.list.rows;
		const isSame = rows.length === shown.length && rows.every((conn, at) => conn === shown[at]);
		this.isLate = isHeld && !isSame;
		if (this.isLate) {
			// Newcomers come last, and nobody moves.
			const known = new Set(shown);
			this.list.setRows([...shown.filter((conn) => conns.get(conn.id) === conn), ...rows.filter((conn) => !known.has(conn))]);
		} else if (!isSame) this.list.setRows(rows);
		this.held.hidden = !this.isLate;
		this.none.hidden = this.list.rows.length > 0;
		this.none.textContent = conns.size ? "Nobody fits." : "Nobody has connected yet.";
		this.list.isDirty = true;
	}

	step(by) {
		const { rows } = this.list;
		const last = rows.length - 1;
		const at = rows.indexOf(this.current);
		return rows[at < 0 ? (by > 0 ? 0 : last) : Math.min(last, Math.max(0, at + by))];
	}

	nextWaiting() {
		const waiting = [...this.model.waiting].filter((conn) => !conn.muted).sort(byWaiting);
		return waiting.find((conn) => conn !== this.current) ?? waiting[0];
	}

	choose(conn) {
		this.current = conn;
		if (conn) this.list.scrollTo(this.list.rows.indexOf(conn));
		this.list.isDirty = true;
	}

	render() {
		this.list.render();
		point(this.box, this.list.elements.get(this.current));
	}
}
