//! The link to the server: one WebSocket, which comes back by itself; what comes in waits for a frame.

import { on } from "./dom.js";

const TOKEN = "switchboard.token";
const WAIT_MIN = 250;
const WAIT_MAX = 8000;
// A sign of life: how often, and how long it has to come.
const BEAT = 10000;
const BEAT_QUICK = 2500;
// What may wait for a frame. More is left out, and counted.
const INBOX_LINES = 20000;
const INBOX_SIZE = 16 << 20;

// Out of the address bar, where anybody could read it, or as it was kept.
function takeToken() {
	const [, token] = /^#([\w.~-]+)$/.exec(location.hash) ?? [];
	if (token) sessionStorage.setItem(TOKEN, token);
	if (location.hash) history.replaceState(null, "", location.pathname);
	return sessionStorage.getItem(TOKEN);
}

export class Link {
	constructor() {
		this.token = takeToken();
		// `off`, `connecting`, `open`, `waiting`.
		this.state = "off";
		this.inbox = [];
		this.asked = new Map();
		this.wait = WAIT_MIN;
		this.inboxSize = this.left = this.refs = this.failures = this.beatAt = this.beaten = this.judgedAt = 0;
		this.onState = this.onData = this.onLost = this.onRefused = () => {};
		addEventListener("hashchange", () => {
			const { token } = this;
			this.token = takeToken();
			if (token !== this.token && this.socket) this.lost(this.socket);
			this.begin();
		});
		addEventListener("online", () => this.hurry());
		on(document, "visibilitychange", () => {
			if (!document.hidden) this.hurry();
		});
		addEventListener("pagehide", () => this.socket?.close());
		setInterval(() => this.beat(), BEAT_QUICK);
	}

	begin() {
		if (this.state === "off" && this.token) this.connect();
		else this.hurry();
	}

	connect() {
		clearTimeout(this.timer);
		this.set("connecting");
		const socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/ws", ["switchboard.v1", `token.${this.token}`]);
		this.socket = socket;
		this.heard = performance.now();
		socket.onopen = () => {
			this.heard = performance.now();
			this.failures = 0;
			this.beatAt = 0;
			this.set("open");
		};
		socket.onmessage = ({ data }) => this.take(data);
		socket.onclose = () => this.lost(socket);
	}

	set(state) {
		this.state = state;
		this.onState(state);
	}

	// What came is worked through first: in the inbox a number (the last asked with) is the end.
	lost(socket) {
		if (socket !== this.socket) return;
		this.socket = socket.onopen = socket.onmessage = socket.onclose = null;
		socket.close();
		if (this.state === "open") this.inbox.push(this.refs);
		else this.failures += 1;
		this.set("waiting");
		// Not all pages of one server at once.
		const wait = this.wait * (0.75 + Math.random() / 2);
		this.next = Date.now() + wait;
		this.timer = setTimeout(() => this.connect(), wait);
		this.wait = Math.min(this.wait * 2, WAIT_MAX);
		this.onData();
	}

	// Somebody looks, or the network is back.
	hurry() {
		if (this.state === "waiting") {
			this.wait = WAIT_MIN;
			this.connect();
		} else if (this.state === "open") this.beat(true);
	}

	beat(isNow = false) {
		const now = performance.now();
		if (this.state === "connecting" && now - this.heard > BEAT) return void this.lost(this.socket);
		if (this.state !== "open") return;
		// Time in which nothing ran here proves nothing.
		if (this.heard > this.beatAt || now - this.judgedAt > BEAT_QUICK + 1000) this.beatAt = 0;
		this.judgedAt = now;
		if (this.beatAt && now - this.beatAt > this.patience) return void this.lost(this.socket);
		if (this.beatAt || (!isNow && now - this.beaten < BEAT)) return;
		this.patience = isNow ? BEAT_QUICK : BEAT;
		this.beatAt = this.beaten = now;
		this.send({ cmd: "stats" });
		if (isNow) setTimeout(() => this.beat(), BEAT_QUICK + 50);
	}

	take(data) {
		this.heard = performance.now();
		for (const line of data.split("\n")) {
			if (!line) continue;
			const isFull = this.inbox.length > INBOX_LINES || this.inboxSize > INBOX_SIZE;
			if (isFull && /^{"ev":"(msg|sent)"/.test(line)) {
				this.left += 1;
				continue;
			}
			if (this.left) this.tellLeft();
			this.inbox.push(line);
			this.inboxSize += line.length;
		}
		this.onData();
	}

	tellLeft() {
		this.inbox.push(`{"ev":"skipped","count":${this.left}}`);
		this.left = 0;
	}

	// For at most so many ms. True if something is left.
	drain(apply, ms) {
		const until = performance.now() + ms;
		const { inbox } = this;
		let at = 0;
		try {
			while (at < inbox.length && ((at & 15) !== 15 || performance.now() < until)) {
				at += 1;
				this.work(inbox[at - 1], apply);
			}
		} finally {
			// Nothing is worked through twice, also where that has failed.
			this.inbox = inbox.slice(at);
		}
		if (!this.inbox.length && this.left) this.tellLeft();
		return this.inbox.length > 0;
	}

	work(line, apply) {
		if (typeof line === "number") return this.forgetAsked(line);
		this.inboxSize -= line.length;
		const event = JSON.parse(line);
		if (event.ev === "ok" || event.ev === "error") return this.answer(event);
		if (event.ev === "hello") this.wait = WAIT_MIN;
		apply(event);
	}

	answer(event) {
		const asked = this.asked.get(event.ref);
		this.asked.delete(event.ref);
		asked?.then?.(event);
		// No place for this desk, for one.
		if (!asked && event.ev === "error") this.onRefused(event.msg);
	}

	forgetAsked(last) {
		const all = [...this.asked].filter(([ref]) => ref <= last);
		for (const [ref] of all) this.asked.delete(ref);
		this.onLost(all.map(([, asked]) => asked));
	}

	// False without a link: nothing will be sent. `sent` is kept until the reply.
	send(command, then, sent) {
		if (this.state !== "open" || this.socket.readyState !== 1) return false;
		const ref = String((this.refs += 1));
		this.asked.set(ref, { then, sent });
		this.socket.send(JSON.stringify({ ...command, ref }));
		return true;
	}
}
