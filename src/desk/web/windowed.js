//! A long list of which only what is seen is in the document. Rows have one height, or are measured when they are shown.

const OVERSCAN = 6;

export class Windowed {
  /**
   * `box` scrolls, `make()` builds an element for a row, `draw(element, row, index)` fills it; `height` is that of
   * all rows, or a first guess where `isMeasured`.
   */
  constructor(box, { make, draw, height, isMeasured = false, label = null }) {
    Object.assign(this, { box, make, draw, height, isMeasured });
    this.space = document.createElement("div");
    this.space.className = "space";
    this.space.setAttribute("role", "presentation");
    this.frame = document.createElement("div");
    this.frame.className = "frame";
    this.frame.setAttribute("role", label ?? "presentation");
    this.space.append(this.frame);
    box.append(this.space);
    this.rows = [];
    this.elements = new Map();
    this.pool = [];
    /** Heights of another width, or of another way to show rows, do not count: `row.epoch`. */
    this.epoch = 1;
    this.sticks = false;
    this.isDirty = true;
    this.width = 0;
    new ResizeObserver(() => {
      if (box.clientWidth !== this.width) this.remeasure();
      this.isDirty = true;
      this.onResize?.();
    }).observe(box);
  }

  /** All heights are guesses again; what is seen stays where it is, as near as these tell. */
  remeasure() {
    const { row, by } = this.sticks || !this.isMeasured ? {} : this.anchor();
    Windowed.epochs = (Windowed.epochs ?? 1) + 1;
    this.epoch = Windowed.epochs;
    this.isDirty = true;
    if (row) this.wanted = this.topOf(this.rows.indexOf(row)) - by;
  }

  heightOf(row) {
    return this.isMeasured && row.epoch === this.epoch ? row.h : this.height;
  }

  isAtEnd() {
    return this.box.scrollTop + this.box.clientHeight >= this.box.scrollHeight - 4;
  }

  /** Whether somebody has scrolled up since it was drawn, in a box and over rows that are as they were. */
  isScrolledUp() {
    const { scrollTop, scrollHeight, clientHeight } = this.box;
    const { drawn } = this;
    return !!drawn && scrollTop < drawn.scrollTop - 2 && scrollHeight === drawn.scrollHeight && clientHeight === drawn.clientHeight;
  }

  /** The first row that is seen, and how far its top is from that of the box. */
  anchor() {
    let top = 0;
    const { scrollTop } = this.box;
    if (!this.isMeasured) {
      const at = Math.min(Math.floor(scrollTop / this.height), this.rows.length - 1);
      return { row: this.rows[at], by: at * this.height - scrollTop };
    }
    for (const row of this.rows) {
      const height = this.heightOf(row);
      if (top + height > scrollTop) return { row, by: top - scrollTop };
      top += height;
    }
    return { row: undefined, by: 0 };
  }

  topOf(index) {
    if (!this.isMeasured) return index * this.height;
    let top = 0;
    for (let i = 0; i < index; i += 1) top += this.heightOf(this.rows[i]);
    return top;
  }

  /** Other rows, of which those that were seen stay where they are, if they are still there. */
  setRows(rows) {
    const { row, by } = this.sticks || !this.isMeasured ? {} : this.anchor();
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
    const { scrollTop, clientHeight } = this.box;
    if (top < scrollTop) this.wanted = top;
    else if (bottom > scrollTop + clientHeight) this.wanted = bottom - clientHeight;
    this.isDirty = true;
  }

  /** Draws what is seen. */
  render() {
    this.isDirty = false;
    const { box, rows } = this;
    const view = box.clientHeight;
    if (this.width === 0) this.width = box.clientWidth;
    if (this.width !== box.clientWidth) {
      this.width = box.clientWidth;
      this.remeasure();
    }
    let total = this.topOf(rows.length);
    const end = Math.max(0, total - view);
    const scrolled = this.sticks ? end : Math.min(this.wanted ?? box.scrollTop, end);
    let first = 0;
    let top = 0;
    if (!this.isMeasured) {
      first = Math.max(0, Math.floor(scrolled / this.height) - OVERSCAN);
      top = first * this.height;
    } else {
      while (first < rows.length && top + this.heightOf(rows[first]) <= scrolled) {
        top += this.heightOf(rows[first]);
        first += 1;
      }
      for (let i = 0; i < OVERSCAN && first > 0; i += 1) {
        first -= 1;
        top -= this.heightOf(rows[first]);
      }
    }
    let last = first;
    for (let at = top; last < rows.length && (at < scrolled + view || last - first < 1); last += 1) at += this.heightOf(rows[last]);
    last = Math.min(rows.length, last + OVERSCAN);
    this.place(first, last);
    this.setSpace(total, top);
    if (this.isMeasured) total += this.measure(first, last, scrolled, top);
    this.wanted = undefined;
    if (this.sticks) this.drawn = { scrollTop: box.scrollTop, scrollHeight: box.scrollHeight, clientHeight: view };
  }

  setSpace(total, top) {
    if (this.total !== total) this.space.style.height = `${total}px`;
    if (this.top !== top) this.frame.style.transform = `translateY(${top}px)`;
    this.total = total;
    this.top = top;
  }

  /** The rows from `first` to `last` are in the document, each in its element; the others' elements serve anew. */
  place(first, last) {
    const shown = new Set(this.rows.slice(first, last));
    for (const [row, element] of this.elements) {
      if (shown.has(row)) continue;
      this.elements.delete(row);
      if (element === document.activeElement || element.contains(document.activeElement)) this.box.focus({ preventScroll: true });
      this.pool.push(element);
    }
    let before = null;
    for (let i = last - 1; i >= first; i -= 1) {
      const row = this.rows[i];
      let element = this.elements.get(row);
      if (!element) {
        element = this.pool.pop() ?? this.make();
        this.elements.set(row, element);
      }
      this.draw(element, row, i);
      if (element.nextSibling !== before || element.parentNode !== this.frame) this.frame.insertBefore(element, before);
      before = element;
    }
    for (const element of this.pool) element.remove();
    if (this.pool.length > 50) this.pool.length = 50;
  }

  /** Takes the true heights of what is shown, and keeps what is seen in its place. */
  measure(first, last, scrolled, top) {
    let more = 0;
    let above = 0;
    let at = top;
    for (let i = first; i < last; i += 1) {
      const row = this.rows[i];
      const was = this.heightOf(row);
      const is = this.elements.get(row).offsetHeight;
      if (at + was <= scrolled) above += is - was;
      at += was;
      more += is - was;
      row.h = is;
      row.epoch = this.epoch;
    }
    if (more) {
      this.setSpace(this.total + more, this.top);
      this.isDirty = true;
    }
    const { box } = this;
    if (this.sticks) box.scrollTop = this.total;
    else if (above || this.wanted !== undefined) box.scrollTop = scrolled + above;
    return more;
  }
}
