//! What was said, in one conversation or in all: the last rows, or, while somebody reads or has paused, rows that stay.

import { $, focus, make, on, point } from "./dom.js";
import { bytesAsText, clock, count, difference, fill, hexDump, many, millis, plain, utf8 } from "./format.js";
import { hue } from "./conversations.js";
import { Windowed } from "./windowed.js";

const FOLD = { chars: 800, narrow: 400, lines: 12, bytes: 128, stream: 300 };
// style.css has the same.
const HEIGHT = 20;
const HEIGHT_NARROW = 40;
// So many new rows at a time are a flood, which is drawn so often.
const FLOOD_ROWS = 8;
const FLOOD_MS = 125;

export class Thread {
	constructor(model, actions) {
		this.model = model;
		this.actions = actions;
		this.box = $("thread");
		this.more = $("new");
		this.pauseButton = $("pause");
		this.hex = new Set();
		// Rows that stay where it is paused, while another is looked at.
		this.held = new WeakMap();
		this.list = new Windowed(this.box, {
			make: () => this.make(), draw: (element, row, at) => this.draw(element, row, at), height: HEIGHT, anchors: true, role: "list",
			// In the stream a message is one line, until it is unfolded.
			known: (row) => (this.isStream && !row.open && !this.isHex ? (this.isNarrow ? HEIGHT_NARROW : HEIGHT) : 0),
		});
		this.show(null, false);
		this.listen();
	}

	listen() {
		const { box } = this;
		on(box, "wheel", (event) => {
			if (event.deltaY < 0 && box.scrollHeight > box.clientHeight) this.freeze();
		});
		on(box, "scroll", () => this.scrolled());
		on(box, "click", (event) => {
			const element = event.target.closest(".row");
			if (!element) return;
			if (event.target.closest(".fold")) this.toggle(element.row);
			else if (event.target.closest("time, .diff")) this.measureFrom(element.row);
			else if (this.isStream && event.target.closest(".text") && getSelection().isCollapsed) this.toggle(element.row);
			else if (event.target.closest(".whose") && element.row.id) this.actions.choose(this.model.conns.get(element.row.id), { write: true });
		});
		on(box, "keydown", (event) => this.key(event));
		on(this.more, "click", () => {
			this.follow();
			focus(this.box);
		});
		this.list.onResize = this.actions.due;
		const narrow = matchMedia("(max-width: 760px)");
		this.list.onWidth = () => (this.isNarrow = narrow.matches);
		this.list.onWidth();
	}

	get rows() {
		return this.isStream ? this.model.stream : this.conn?.rows;
	}

	show(conn, isStream) {
		if (this.isPaused && this.frozen) this.held.set(this.rows, this.frozen);
		this.conn = conn;
		this.isStream = isStream;
		// From which differences are taken; which keys have gone to.
		this.mark = this.cursor = null;
		this.box.classList.toggle("stream", isStream);
		this.box.ariaLabel = isStream ? "Messages of all" : conn ? `Messages of #${conn.id}` : "Messages";
		this.notBefore = 0;
		this.drawnTotal = this.rows?.total ?? 0;
		this.follow();
		this.frozen = this.held.get(this.rows);
		if (this.frozen) {
			this.held.delete(this.rows);
			this.list.rows = this.frozen.rows;
			this.list.sticks = false;
			this.list.wanted = Infinity;
			this.setPaused(true);
		}
		this.list.remeasure();
	}

	get hexKey() {
		return this.isStream ? 0 : this.conn?.id;
	}

	get isHex() {
		return this.hex.has(this.hexKey);
	}

	toggleHex() {
		if (!this.hex.delete(this.hexKey)) this.hex.add(this.hexKey);
		this.list.remeasure();
	}

	freeze() {
		if (this.frozen || !this.rows) return;
		this.frozen = { rows: (this.list.rows = this.rows.toArray()), total: this.rows.total };
		this.list.sticks = false;
		this.list.drawn = null;
		this.version = -1;
	}

	follow() {
		this.frozen = this.list.drawn = null;
		this.list.sticks = this.list.isDirty = true;
		this.setPaused(false);
	}

	pause() {
		if (this.isPaused) return void this.follow();
		this.freeze();
		this.setPaused(true);
	}

	setPaused(is) {
		this.isPaused = is;
		this.version = -1;
		this.pauseButton.textContent = is ? "Go on" : "Pause";
		this.pauseButton.ariaPressed = String(is);
	}

	scrolled() {
		this.list.isDirty = true;
		if (!this.list.isAtEnd()) {
			// Measured rows, or a box that shrank, leave a rest below, too.
			if (!this.frozen && this.list.isScrolledUp()) this.freeze();
		} else if (this.frozen && !this.isPaused) {
			if (this.rows.total === this.frozen.total) this.follow();
			else this.extend();
		}
	}

	extend() {
		const { rows } = this;
		const since = Math.min(rows.total - this.frozen.total, rows.length);
		const fresh = rows.toArray().slice(rows.length - since);
		this.frozen = { rows: [...this.frozen.rows, ...fresh].slice(-rows.rowsMax), total: rows.total };
		this.list.setRows(this.frozen.rows);
		this.version = -1;
	}

	update() {
		if (this.list.sticks && performance.now() < this.notBefore) return false;
		const { rows } = this;
		if (this.conn) this.model.tellGaps(this.conn);
		const version = rows ? this.versionNow() : 0;
		const waiting = this.actions.unanswered();
		if (version === this.version && waiting === this.waiting) return this.list.isDirty;
		this.version = version;
		this.waiting = waiting;
		if (!this.frozen) {
			const isHere = ({ ids }) => !this.conn || !ids || ids.includes(this.conn.id);
			this.list.rows = rows ? [...rows.toArray(), ...waiting.filter(isHere)] : [];
			this.list.isDirty = true;
		}
		const fresh = this.frozen ? rows.total - this.frozen.total : 0;
		this.more.hidden = !this.frozen || (fresh === 0 && !this.isPaused);
		this.more.textContent = fresh ? `${count(fresh)} new ↓` : "paused ↓";
		return this.list.isDirty;
	}

	isLate() {
		return this.list.sticks && !!this.rows && this.versionNow() !== this.version;
	}

	versionNow() {
		return this.rows.total * 1e4 + (this.conn?.version ?? 0) % 1e4;
	}

	make() {
		const element = make("div", { role: "listitem" });
		const parts = { second: document.createTextNode(""), millis: make("span"), body: make("bdi") };
		for (const [name, tag] of [["time", "time"], ["diff", "span"], ["whose", "span"], ["text", "div"], ["note", "span"]]) {
			element.append((parts[name] = make(tag, { className: name })));
		}
		for (const part of [parts.millis, parts.diff, parts.note]) part.append("");
		parts.time.append(parts.second, parts.millis);
		parts.text.append(parts.body);
		element.parts = parts;
		return element;
	}

	draw(element, row, at) {
		const base = this.mark ?? this.list.rows[at - 1];
		const isHex = this.isHex && (row.kind === "in" || row.kind === "out");
		const name = row.id && this.isStream ? this.model.label(row.id) : "";
		const shape = `${row.open}|${isHex}|${row.status}|${row.note}|${name}|${row.at}|${this.list.epoch}`;
		if (element.row === row && element.shape === shape && element.base === base) return void this.drawCursor(element, row);
		Object.assign(element, { row, shape, base });
		const { parts } = element;
		const kinds = `row ${row.kind} ${row.status ?? ""}${row.open ? " unfolded" : ""}${isHex ? " dump" : ""}${row === this.mark ? " mark-row" : ""}`;
		if (element.className !== kinds) element.className = kinds;
		this.drawCursor(element, row);
		if (row.id && this.isStream) element.style.setProperty("--hue", hue(row.id));
		parts.second.data = clock(row.at);
		parts.millis.firstChild.data = millis(row.at);
		parts.diff.firstChild.data = base && base !== row ? difference(row.at - base.at) : "";
		this.drawWhose(parts.whose, row);
		this.drawText(parts, row, isHex);
		parts.note.firstChild.data = PARTS[row.part] ?? row.note ?? "";
	}

	drawCursor(element, row) {
		const isCursor = row === this.cursor;
		element.classList.toggle("cursor", isCursor);
		const id = isCursor ? "row-cursor" : "";
		if (element.id !== id) element.id = id;
	}

	drawWhose(element, row) {
		const { kind, id, ids, by } = row;
		const label = id ? this.model.label(id) : "";
		let whose = this.isStream ? `  ${label}` : "";
		if (kind === "in") whose = this.isStream ? `< ${label}` : "<";
		else if (kind === "out") whose = this.isStream && ids?.length === 1 ? `> ${this.model.label(ids[0])}` : ">";
		fill(element, whose);
		if (kind === "out" && ids?.length !== 1) {
			const more = ids?.length > 4 ? `, and ${ids.length - 4}` : "";
			const textContent = `to ${ids?.slice(0, 4).map((one) => `#${one}`).join(", ") ?? "all"}${more}`;
			element.append(make("span", { className: "to", textContent }));
		}
		element.title = kind === "in" ? `from #${id}` : kind === "out" ? `sent by ${by}` : "";
	}

	drawText(parts, row, isHex) {
		parts.fold?.remove();
		const { body } = parts;
		const { bytes, open } = row;
		// Each byte may be spelt in four characters.
		const most = bytes && !open ? this.most() / 4 : Infinity;
		const text = bytes ? bytesAsText(bytes.subarray(0, most)) : row.text;
		let hidden = "";
		if (isHex) {
			const all = bytes ?? utf8(row.text + row.end);
			const shown = open ? all : all.subarray(0, FOLD.bytes);
			if (shown.length < all.length) hidden = many(all.length - shown.length, "more byte");
			body.textContent = hexDump(shown, this.list.width < (this.isStream ? 950 : 800) ? 8 : 16);
		} else {
			const shown = open ? text : this.folded(text);
			const rest = bytes ? bytes.length - most : text.length - shown.length;
			if (rest > 0) hidden = many(rest, bytes ? "more byte" : "more character");
			fill(body, shown, !this.isStream || open);
			if (row.kind === "in" && row.end) body.append(make("span", { className: "mark", textContent: plain(row.end) }));
		}
		if (!hidden && !(open && (text.length > FOLD.stream || text.includes("\n") || isHex))) return;
		const kept = bytes ? bytes.length : row.text.length;
		parts.fold ??= make("button", { className: "fold" });
		parts.fold.textContent = hidden || (row.whole > kept ? `fold; the first ${count(kept)} of ${count(row.whole)} bytes were kept` : "fold");
		parts.fold.ariaExpanded = String(open);
		parts.text.append(parts.fold);
	}

	most() {
		return this.isStream ? FOLD.stream : this.isNarrow ? FOLD.narrow : FOLD.chars;
	}

	folded(text) {
		// No half of a pair at the end.
		const start = text.length > this.most() ? text.slice(0, this.most()).replace(/[\ud800-\udbff]$/, "") : text;
		return this.isStream ? start : start.split("\n", FOLD.lines).join("\n");
	}

	toggle(row) {
		row.open = !row.open;
		if (row.open) this.freeze();
		row.epoch = 0;
		this.list.isDirty = true;
	}

	measureFrom(row) {
		this.mark = this.mark === row ? null : row;
		for (const element of this.list.elements.values()) element.shape = "";
		this.list.isDirty = true;
	}

	key(event) {
		if (event.target !== this.box || event.altKey || event.ctrlKey || event.metaKey) return;
		const { rows } = this.list;
		const page = Math.max(1, Math.floor(this.box.clientHeight / HEIGHT) - 2);
		const step = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity }[event.key];
		if (step) {
			const at = rows.indexOf(this.cursor);
			const to = Math.max(0, (at < 0 ? rows.length : at) + step);
			event.preventDefault();
			if (to >= rows.length) {
				this.cursor = null;
				this.follow();
			} else {
				this.freeze();
				this.cursor = rows[to];
				this.list.scrollTo(to);
			}
		} else if (this.cursor && (event.key === "Enter" || event.key === " ")) {
			event.preventDefault();
			if (this.isStream || this.list.elements.get(this.cursor)?.parts.fold?.isConnected) this.toggle(this.cursor);
		} else if (this.cursor && event.key === "=") this.measureFrom(this.cursor);
		else return;
		event.stopPropagation();
		this.list.isDirty = true;
	}

	render() {
		this.list.render();
		// Nobody reads a flood, and layout costs most.
		const total = this.rows?.total ?? 0;
		this.notBefore = total - this.drawnTotal > FLOOD_ROWS ? performance.now() + FLOOD_MS : 0;
		this.drawnTotal = total;
		point(this.box, this.list.elements.get(this.cursor));
	}
}

const PARTS = { silence: "no ending", limit: "goes on", eof: "cut off by the end" };
