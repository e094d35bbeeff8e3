//! What is being written, and to whom: the target stands on it, and only the operator moves it. A draft for each.

import { $, make, on } from "./dom.js";
import { count, many, parseEscapes, parseHex, size, toB64, utf8 } from "./format.js";

const DRAFTS = "switchboard.drafts";
const DRAFT_MAX = 50000;
const HISTORY_MAX = 100;
// The server takes a message of 1 MiB, whole.
const SAID_MAX = 1e6;
// To whom something is being written is told so often, and of so many.
const TYPING_EVERY = 1000;
const TYPING_CONNS = 100;
const NOBODY = [];
const NO_DRAFT = ["", "text", true];
const NO_LINK = "Not sent. There is no connection; the text stays here.";

export class Composer {
	constructor(model, link) {
		this.model = model;
		this.link = link;
		for (const id of ["composer", "text", "target", "send", "trouble", "mode", "eol", "drop"]) this[id] = $(id);
		this.goal = { kind: "nobody", key: "" };
		this.drafts = new Map();
		this.history = [];
		this.at = null;
		this.waiting = [];
		this.listen();
		this.aim(this.goal);
	}

	listen() {
		on(this.text, "input", () => {
			this.at = null;
			this.tell("");
			this.grow();
			this.keep();
			this.tellTyping();
		});
		on(this.eol, "change", () => this.keep());
		on(this.text, "keydown", (event) => this.key(event));
		on(this.send, "click", () => {
			this.submit();
			this.text.focus();
		});
		on(this.mode, "change", () => {
			this.eol.disabled = this.mode.value !== "text";
			this.keep();
			this.tell("");
			this.text.focus();
		});
	}

	// `one` or `several` with conns, `all`, or `nobody`.
	aim(goal) {
		const { key } = this.goal;
		this.goal = goal;
		if (goal.key !== key) {
			this.endTyping();
			this.bring();
			this.tell("");
		}
		this.drop.hidden = goal.kind !== "several";
		this.grow();
		this.refresh();
	}

	refresh() {
		const { goal: { kind }, model } = this;
		const conns = this.conns();
		const here = this.here();
		let words = "Nobody is chosen";
		let why = "";
		if (kind === "one") {
			const [{ id, peer, state, behind, link }] = conns;
			words = `To ${model.label(id)}  ${peer}`;
			if (!here.length) why = `${state === "gone" ? "gone" : "our side is finished"}: nothing can be sent`;
			else if (behind) why = `not reading, ${size(behind)} behind`;
			else if (link) why = `linked to #${link}: this goes to #${id} alone`;
		} else if (kind === "several") {
			words = `To ${conns.length}: ${conns.slice(0, 12).map(({ id }) => model.label(id)).join(", ")}${conns.length > 12 ? ", …" : ""}`;
			if (here.length < conns.length) why = `${conns.length - here.length} of them gone or finished`;
		} else if (kind === "all") words = `To everybody (${count(model.open)})`;
		const isOpen = this.link.state === "open" && !model.looks;
		if (!isOpen) why = `${model.looks ? "this desk only looks" : "not connected"}: nothing can be sent`;
		this.canSend = isOpen && (kind === "all" ? model.open > 0 : here.length > 0);
		const others = this.othersHere();
		const shape = `${words}|${why}|${others}|${this.canSend}`;
		if (shape === this.shape) return;
		this.shape = shape;
		const parts = [["bdi", words], ["em", why], ["i", others]].filter(([, textContent]) => textContent);
		this.target.replaceChildren(...parts.map(([tag, textContent]) => make(tag, { textContent })));
		this.composer.classList.toggle("wide", kind === "all" || kind === "several");
		this.send.disabled = !this.canSend;
		this.text.disabled = kind === "nobody" || model.looks;
		this.text.ariaLabel = kind === "nobody" ? "Message" : `Message ${words.toLowerCase().replace(/ {2}.*/, "")}`;
	}

	othersHere() {
		const { desks } = this.model;
		const conns = this.conns();
		const who = desks.writing.size && desks.writers((ids) => this.goal.kind === "all" || (ids ? conns.some(({ id }) => ids.includes(id)) : conns.length));
		return who ? `${who}, too` : "";
	}

	tellTyping() {
		if (!this.text.value) return this.endTyping();
		const { kind, key } = this.goal;
		const now = performance.now();
		if (this.model.looks || (this.typing === key && now - this.typedAt < TYPING_EVERY)) return;
		const ids = this.here().slice(0, TYPING_CONNS).map(({ id }) => id);
		if (kind !== "all" && !ids.length) return;
		if (this.link.send({ cmd: "typing", to: kind === "all" ? "all" : ids })) Object.assign(this, { typing: key, typedAt: now });
	}

	endTyping() {
		if (this.typing) this.link.send({ cmd: "typing" });
		this.typing = "";
	}

	conns() {
		return this.goal.conns ?? NOBODY;
	}

	here() {
		return this.conns().filter(({ state }) => state !== "gone" && state !== "fin");
	}

	keep() {
		const { key } = this.goal;
		if (!key) return;
		const draft = [this.text.value, this.mode.value, this.eol.checked];
		if (String(draft) === String(NO_DRAFT)) this.drafts.delete(key);
		else this.drafts.set(key, draft);
		this.save();
		this.model.version += 1;
	}

	// What was written to the target, and how it is sent.
	bring() {
		[this.text.value, this.mode.value, this.eol.checked] = this.drafts.get(this.goal.key) ?? NO_DRAFT;
		this.eol.disabled = this.mode.value !== "text";
		this.at = null;
	}

	hasDraft = ({ id }) => !!this.drafts.get(`c${id}`)?.[0];

	// A reload loses no draft; one of another run of the server would reach strangers.
	save() {
		if (!this.isRestored) return;
		// Longer ones last as long as the page.
		const drafts = [...this.drafts].filter(([, [text]]) => text.length < DRAFT_MAX);
		sessionStorage.setItem(DRAFTS, JSON.stringify({ run: this.model.run, desks: [...this.model.desks.mine], drafts }));
	}

	restore() {
		if (this.isRestored) return;
		this.isRestored = true;
		const kept = JSON.parse(sessionStorage.getItem(DRAFTS));
		if (kept?.run === this.model.run) {
			this.drafts = new Map([...kept.drafts, ...this.drafts]);
			for (const desk of kept.desks) this.model.desks.mine.add(desk);
		}
		if (!this.text.value) this.bring();
		this.grow();
	}

	// Numbers mean others from now on: a draft goes nowhere by itself.
	newRun() {
		for (const [text] of this.drafts.values()) this.remember(text);
		this.drafts.clear();
		this.goal = { kind: "nobody", key: "" };
		this.bring();
		this.save();
	}

	grow() {
		this.text.rows = Math.min(8, this.text.value.split("\n", 8).length);
	}

	key(event) {
		const { key, isComposing, keyCode, altKey, shiftKey, ctrlKey, metaKey } = event;
		// An Enter that ends a composition (229 in Safari) chooses characters, and sends nothing.
		if (isComposing || keyCode === 229 || altKey || shiftKey) return;
		if (key === "Enter") {
			event.preventDefault();
			this.submit();
		} else if (/^Arrow(Up|Down)$/.test(key) && !ctrlKey && !metaKey && this.look(key === "ArrowUp" ? -1 : 1)) event.preventDefault();
	}

	remember(text) {
		if (!text || text.length > 4096 || text.startsWith(" ") || this.history.at(-1) === text) return;
		this.history.push(text);
		if (this.history.length > HISTORY_MAX) this.history.shift();
	}

	look(by) {
		const { text } = this;
		const { value, selectionStart, selectionEnd } = text;
		const beyond = by < 0 ? value.slice(0, selectionStart) : value.slice(selectionEnd);
		if (beyond.includes("\n") || selectionStart !== selectionEnd || (by > 0 && this.at === null)) return false;
		if (this.at === null) {
			this.stash = text.value;
			this.at = this.history.length;
		}
		const to = this.at + by;
		if (to < 0 || to > this.history.length) return true;
		this.at = to;
		text.value = to === this.history.length ? this.stash : this.history[to];
		text.setSelectionRange(text.value.length, text.value.length);
		this.grow();
		this.keep();
		this.tell("");
		this.tellTyping();
		return true;
	}

	tell(trouble) {
		this.trouble.textContent = trouble;
		this.armed = null;
	}

	said() {
		const typed = this.text.value;
		if (this.mode.value === "text") return this.eol.checked ? { text: typed } : { text: typed, eol: false };
		const bytes = this.mode.value === "hex" ? parseHex(typed) : parseEscapes(typed);
		return { b64: toB64(bytes) };
	}

	submit() {
		const typed = this.text.value;
		this.refresh();
		if (!typed) return;
		if (!this.canSend) return void this.tell(this.link.state === "open" ? "Not sent. Nobody can be reached." : NO_LINK);
		let said;
		try {
			said = this.said();
		} catch (error) {
			return void this.tell(`Not sent: ${error.message}.`);
		}
		if (utf8(JSON.stringify(said)).length > SAID_MAX) return void this.tell(`Not sent: over ${size(SAID_MAX)}.`);
		const isToAll = this.goal.kind === "all";
		if (isToAll && this.armed !== typed) {
			this.tell(`Enter again sends this to everybody (${many(this.model.open, "peer")}).`);
			this.armed = typed;
			return;
		}
		if (!this.transmit(said, isToAll ? undefined : this.conns().map(({ id }) => id))) return void this.tell(NO_LINK);
		this.remember(typed);
		this.text.value = "";
		this.at = null;
		this.tell("");
		this.grow();
		this.keep();
		this.endTyping();
	}

	transmit(said, ids) {
		const sent = { ...said, ids };
		const to = !ids ? "all" : ids.length === 1 ? ids[0] : ids;
		const isSent = this.link.send({ cmd: "send", to, ...said }, (reply) => this.replied(reply, sent), sent);
		if (!isSent) return false;
		sent.row = this.model.ours(sent, { ids, status: "waiting", note: "…" });
		this.waiting = [...this.waiting, sent.row];
		return true;
	}

	replied(reply, sent) {
		this.waiting = this.waiting.filter((row) => row !== sent.row);
		this.model[reply.ev === "ok" ? "taken" : "refused"](reply, sent);
	}

	// Nobody knows of these.
	lost(rows) {
		this.typing = "";
		this.waiting = this.waiting.filter((row) => !rows.includes(row));
	}
}

