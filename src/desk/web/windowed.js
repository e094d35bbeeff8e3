//! A long list of which only what is seen is in the document.

import { focus, make as create, on } from "./dom.js";

const OVERSCAN = 4;

export class Windowed {
	static epochs = 1;

	// `known(row)` is the height of a row, or 0 if it is measured when shown: `height` is a guess until then. With
	// `anchors` what is seen stays.
	constructor(box, { make, draw, height, known, anchors = false, role = "presentation" }) {
		Object.assign(this, { box, make, draw, height, known, anchors });
		this.space = create("div", { className: "space", role: "presentation" });
		this.frame = create("div", { className: "frame", role });
		this.space.append(this.frame);
		box.append(this.space);
		this.rows = [];
		this.elements = new Map();
		this.pool = [];
		// Heights of another epoch (another width, hex) do not count.
		this.epoch = 1;
		this.sticks = false;
		this.isDirty = true;
		// To ask the box would lay the page out once more within a frame.
		this.width = box.clientWidth;
		this.view = box.clientHeight;
		this.scrollTop = 0;
		on(box, "scroll", () => (this.scrollTop = box.scrollTop));
		new ResizeObserver(() => this.resized()).observe(box);
		// Scrolling lays out, too, so it waits until that was done.
		new ResizeObserver(() => this.sticks && this.toEnd()).observe(this.space);
	}

	toEnd() {
		const { box } = this;
		box.scrollTop = this.total;
		this.scrollTop = box.scrollTop;
		this.drawn = { scrollTop: box.scrollTop, scrollHeight: box.scrollHeight, clientHeight: box.clientHeight };
		this.isUnsure = false;
	}

	resized() {
		const { clientWidth, clientHeight } = this.box;
		if (clientWidth !== this.width) {
			this.width = clientWidth;
			this.onWidth?.();
			this.remeasure();
		}
		this.view = clientHeight;
		this.scrollTop = this.box.scrollTop;
		this.isUnsure = true;
		this.isDirty = true;
		this.onResize?.();
	}

	// All heights are guesses again.
	remeasure() {
		const { row, by } = this.anchor();
		this.epoch = Windowed.epochs += 1;
		this.isDirty = true;
		if (row) this.wanted = this.topOf(this.rows.indexOf(row)) - by;
	}

	heightOf(row) {
		return this.known(row) || (row.epoch === this.epoch ? row.h : this.height);
	}

	isAtEnd() {
		return this.box.scrollTop + this.box.clientHeight >= this.box.scrollHeight - 4;
	}

	// Since it was drawn.
	isScrolledUp() {
		const { scrollTop, scrollHeight, clientHeight } = this.box;
		const { drawn } = this;
		return !!drawn && scrollTop < drawn.scrollTop - 2 && scrollHeight === drawn.scrollHeight && clientHeight === drawn.clientHeight;
	}

	// The first row seen, and how far below the edge it begins.
	anchor() {
		if (this.sticks || !this.anchors) return {};
		const { first, top } = this.firstAt(this.scrollTop);
		return { row: this.rows[first], by: top - this.scrollTop };
	}

	firstAt(y) {
		const { rows } = this;
		let first = 0;
		let top = 0;
		for (; first < rows.length; first += 1) {
			const bottom = top + this.heightOf(rows[first]);
			if (bottom > y) break;
			top = bottom;
		}
		return { first, top };
	}

	topOf(index) {
		let top = 0;
		for (let i = 0; i < index; i += 1) top += this.heightOf(this.rows[i]);
		return top;
	}

	// Those that were seen stay where they are.
	setRows(rows) {
		const { row, by } = this.anchor();
		this.rows = rows;
		this.isDirty = true;
		if (!row) return;
		const at = rows.indexOf(row);
		if (at >= 0) this.wanted = this.topOf(at) - by;
	}

	scrollTo(index) {
		if (index < 0 || index >= this.rows.length) return;
		const top = this.topOf(index);
		const bottom = top + this.heightOf(this.rows[index]);
		if (top < this.scrollTop) this.wanted = top;
		else if (bottom > this.scrollTop + this.view) this.wanted = bottom - this.view;
		this.isDirty = true;
	}

	render() {
		this.isDirty = false;
		const { rows, view } = this;
		const before = this.total;
		const total = this.topOf(rows.length);
		const end = Math.max(0, total - view);
		const scrolled = this.sticks ? end : Math.min(this.wanted ?? this.scrollTop, end);
		let { first, top } = this.firstAt(scrolled);
		for (let i = 0; i < OVERSCAN && first > 0; i += 1) top -= this.heightOf(rows[(first -= 1)]);
		let last = first;
		for (let at = top; last < rows.length && (at < scrolled + view || last - first < 1); last += 1) at += this.heightOf(rows[last]);
		last = Math.min(rows.length, last + OVERSCAN);
		this.place(first, last);
		this.setSpace(total, top);
		const above = this.measure(first, last, scrolled);
		const isWanted = this.wanted !== undefined && !this.sticks;
		this.wanted = undefined;
		if (this.sticks) {
			if (this.total === before && (this.isUnsure || this.scrollTop !== Math.max(0, this.total - view))) this.toEnd();
		} else if (isWanted || above) {
			this.box.scrollTop = scrolled + above;
			this.scrollTop = this.box.scrollTop;
		}
	}

	setSpace(total, top) {
		if (this.total !== total) this.space.style.height = `${total}px`;
		if (this.top !== top) this.frame.style.transform = `translateY(${top}px)`;
		this.total = total;
		this.top = top;
	}

	place(first, last) {
		const shown = this.rows.slice(first, last);
		let kept = 0;
		for (const row of shown) if (this.elements.has(row)) kept += 1;
		// In a flood nearly all is new, and moving elements costs.
		if (kept * 2 < shown.length) this.placeAnew(shown, first);
		else this.placeAmong(shown, first);
	}

	placeAnew(shown, first) {
		const elements = [...this.frame.children];
		this.elements.clear();
		shown.forEach((row, i) => {
			const element = elements[i] ?? this.frame.appendChild(this.pool.pop() ?? this.make());
			this.elements.set(row, element);
			this.draw(element, row, first + i);
		});
		for (const element of elements.slice(shown.length)) this.putAway(element);
	}

	placeAmong(shown, first) {
		const wanted = new Set(shown);
		for (const [row, element] of this.elements) {
			if (wanted.has(row)) continue;
			this.elements.delete(row);
			this.putAway(element);
		}
		let before = null;
		for (let i = shown.length - 1; i >= 0; i -= 1) {
			const row = shown[i];
			let element = this.elements.get(row);
			if (!element) {
				element = this.pool.pop() ?? this.make();
				this.elements.set(row, element);
			}
			this.draw(element, row, first + i);
			if (element.nextSibling !== before || element.parentNode !== this.frame) this.frame.insertBefore(element, before);
			before = element;
		}
	}

	putAway(element) {
		if (element.contains(document.activeElement)) focus(this.box);
		element.remove();
		if (this.pool.length < 50) this.pool.push(element);
	}

	measure(first, last, scrolled) {
		let more = 0;
		let above = 0;
		let at = this.top;
		for (let i = first; i < last; i += 1) {
			const row = this.rows[i];
			const was = this.heightOf(row);
			at += was;
			if (this.known(row)) continue;
			row.h = this.elements.get(row).offsetHeight;
			row.epoch = this.epoch;
			if (at <= scrolled) above += row.h - was;
			more += row.h - was;
		}
		if (more) {
			this.setSpace(this.total + more, this.top);
			this.isDirty = true;
		}
		return above;
	}
}
