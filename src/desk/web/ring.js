//! Rows in their order, the oldest of which go when there are too many or they are too big.

export class Ring {
	constructor(rowsMax, sizeMax) {
		this.rowsMax = rowsMax;
		this.sizeMax = sizeMax;
		this.items = [];
		this.head = 0;
		this.size = 0;
		/** How many have ever been put in: the number of a row is `first + its index`. */
		this.total = 0;
	}

	get length() {
		return this.items.length - this.head;
	}

	get first() {
		return this.total - this.length;
	}

	at(index) {
		return this.items[this.head + index];
	}

	push(row) {
		this.items.push(row);
		this.size += row.size;
		this.total += 1;
		while (this.length > this.rowsMax || (this.size > this.sizeMax && this.length > 1)) this.shift();
	}

	shift() {
		const row = this.items[this.head];
		this.items[this.head] = undefined;
		this.head += 1;
		this.size -= row.size;
		if (this.head > 64 && this.head * 2 > this.items.length) {
			this.items = this.items.slice(this.head);
			this.head = 0;
		}
		return row;
	}

	trim(rows, size) {
		while (this.length > 1 && (this.length > rows || this.size > size)) this.shift();
	}

	toArray() {
		return this.items.slice(this.head);
	}
}
