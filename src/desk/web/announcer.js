//! What is read aloud: little, and not often, however much happens.

import { many, plain } from "./format.js";

const EVERY = 4000;

export class Announcer {
	constructor(model, element) {
		this.model = model;
		this.element = element;
		this.heardOf = new Map();
		this.saidAt = 0;
		this.waiting = 0;
	}

	heard(conn) {
		if (!conn.muted) this.heardOf.set(conn, (this.heardOf.get(conn) ?? 0) + 1);
	}

	tick(thread) {
		const now = performance.now();
		if (now - this.saidAt < EVERY || !this.heardOf.size) return;
		const words = [];
		const current = thread.conn;
		const mine = this.heardOf.get(current);
		if (mine === 1) words.push(`${this.model.label(current.id)}: ${plain(current.last.slice(0, 100))}`);
		else if (mine) words.push(`${many(mine, "message")} from ${this.model.label(current.id)}`);
		const others = this.heardOf.size - (mine ? 1 : 0);
		if (others === 1 && !mine) words.push(`${this.model.label([...this.heardOf.keys()][0].id)} has written`);
		else if (others) words.push(`${many(others, "other")} have written`);
		if (this.model.waiting !== this.waiting) words.push(`${this.model.waiting} waiting`);
		this.waiting = this.model.waiting;
		this.heardOf.clear();
		this.say(words.join(". "));
	}

	say(text) {
		this.saidAt = performance.now();
		if (text) this.element.textContent = text;
	}
}
