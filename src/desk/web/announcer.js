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
		const { heardOf, model } = this;
		if (performance.now() - this.saidAt < EVERY || !heardOf.size) return;
		const words = [];
		const { conn } = thread;
		const here = heardOf.get(conn);
		if (here) words.push(here === 1 ? `${model.label(conn.id)}: ${plain(conn.last)}` : `${many(here, "message")} from ${model.label(conn.id)}`);
		const others = heardOf.size - (here ? 1 : 0);
		if (others) words.push(others === 1 ? `${model.label([...heardOf.keys()].find((one) => one !== conn).id)} has written` : `${others} others have written`);
		const { size } = model.waiting;
		if (size !== this.waiting) words.push(`${size} waiting`);
		this.waiting = size;
		heardOf.clear();
		this.say(words.join(". "));
	}

	say(text) {
		this.saidAt = performance.now();
		if (text) this.element.textContent = text;
	}
}
