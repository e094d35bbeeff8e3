//! Rows in their order, the oldest of which go when there are too many or they are too big.

export class Ring {
	constructor(rowsMax, sizeMax) {
		this.rowsMax = rowsMax;
		this.sizeMax = sizeMax;
		this.items = [];
		this.head = 0;
		this.size = 0;
		// Ever put in.
		this.total = 0;
	}

	get length() {
		return this.items.length - this.head;
	}

	push(row) {
		this.items.push(row);
		this.size += row.size;
		this.total += 1;
		this.trim(this.rowsMax, this.sizeMax);
	}

	shift() {
		this.size -= this.items[this.head].size;
		this.items[this.head] = undefined;
		this.head += 1;
		if (this.head > 64 && this.head * 2 > this.items.length) {
			this.items = this.items.slice(this.head);
			this.head = 0;
		}
	}

	trim(rows, size) {
		while (this.length > 1 && (this.length > rows || this.size > size)) this.shift();
	}

	toArray() {
		return this.items.slice(this.head);
	}
}
