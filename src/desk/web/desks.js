//! Who is at the other desks, and to whom something is being written there.

export class Desks {
	constructor() {
		this.reset();
	}

	// In another run of the server numbers are new.
	reset() {
		this.own = 0;
		this.ownName = "";
		// Numbers that this page has had.
		this.mine = new Set();
		this.others = new Map();
		// Also of who has left, since what they sent still stands there.
		this.names = new Map();
		// For whom, at which desk: numbers, or null for everybody.
		this.writing = new Map();
	}

	greeted(own) {
		this.own = own;
		this.mine.add(own);
		this.others.clear();
		this.writing.clear();
	}

	areHere(all) {
		this.others.clear();
		for (const one of all) if (one.desk !== this.own) this.came(one);
		// Who stopped writing may have been missed; who goes on says so again.
		this.writing.clear();
	}

	came(event) {
		const { desk, name, watch, gone } = event;
		if (name) this.names.set(desk, name);
		if (gone || watch) this.writing.delete(desk);
		if (gone) this.others.delete(desk);
		else this.others.set(desk, event);
	}

	wrote({ by, name, ids, to }) {
		if (name) this.names.set(by, name);
		if (ids || to) this.writing.set(by, ids ?? null);
		else this.writing.delete(by);
	}

	label(desk) {
		return this.mine.has(desk) ? "you" : this.names.get(desk) ?? `desk ${desk}`;
	}

	writers(isMeant) {
		const who = [...this.writing].filter(([, ids]) => isMeant(ids)).map(([desk]) => this.label(desk));
		return who.length ? `${who.join(", ")} ${who.length === 1 ? "is" : "are"} writing` : "";
	}

	writersTo(id) {
		return this.writing.size ? this.writers((ids) => ids?.includes(id)) : "";
	}

	inShort() {
		const { size } = this.others;
		const names = [...this.others.keys()].map((desk) => this.label(desk));
		return size === 0 ? "nobody else" : size > 3 ? `${size} others` : names.join(", ");
	}

	inWords(label) {
		const lines = [...this.others.values()].map(({ desk, watch }) => {
			const ids = this.writing.get(desk);
			const writes = !this.writing.has(desk) ? "" : `, writing to ${ids ? ids.slice(0, 5).map(label).join(", ") : "everybody"}`;
			return `desk ${desk}${this.names.has(desk) ? ` ${this.names.get(desk)}` : ""}${watch ? ", only looking" : ""}${writes}`;
		});
		return [`desk ${this.own}, this page`, ...lines];
	}
}
