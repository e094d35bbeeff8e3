//! What is being written, and to whom: the target stands on it, and only the operator moves it. A draft for each.

import { count, many, parseEscapes, parseHex, size, toB64 } from "./format.js";

const DRAFTS = "switchboard.drafts";
const DRAFTS_MAX = 200000;
const HISTORY_MAX = 100;
const TEXT_MAX = 8 << 20;
const NOBODY = [];

export class Composer {
  constructor(model, link) {
    this.model = model;
    this.link = link;
    for (const id of ["composer", "text", "target", "send", "trouble", "mode", "eol", "drop"]) this[id] = document.getElementById(id);
    this.goal = { kind: "nobody", key: "" };
    this.drafts = new Map();
    this.history = [];
    this.at = null;
    this.armed = null;
    /** Rows of what has no reply yet. */
    this.waiting = [];
    this.waitingFor = new Map();
    this.listen();
    this.aim(this.goal);
  }

  listen() {
    this.text.addEventListener("input", () => {
      this.at = null;
      this.tell("");
      this.grow();
      this.keep();
    });
    this.text.addEventListener("keydown", (event) => this.key(event));
    this.send.addEventListener("click", () => this.submit());
    this.mode.addEventListener("change", () => {
      this.eol.disabled = this.mode.value !== "text";
      this.tell("");
      this.text.focus();
    });
  }

  // ------------------------------------------------------------------ target

  /** `one` with a conn, `several` with conns, `all`, or `nobody`. The draft of the former target is kept. */
  aim(goal) {
    if (goal.key !== this.goal.key) {
      this.keep();
      this.text.value = this.drafts.get(goal.key)?.text ?? "";
      this.at = null;
      this.tell("");
    }
    this.goal = goal;
    this.drop.hidden = goal.kind !== "several";
    this.grow();
    this.refresh();
  }

  /** Says whom Enter reaches, as it is now. */
  refresh() {
    const { kind } = this.goal;
    const conns = this.conns();
    const here = conns.filter((conn) => conn.state !== "gone" && conn.state !== "fin");
    let words = "Nobody is chosen";
    let why = "";
    if (kind === "one") {
      const [conn] = conns;
      words = `To ${this.model.label(conn.id)}  ${conn.peer}`;
      if (conn.state === "gone") why = "gone: nothing can be sent";
      else if (conn.state === "fin") why = "our side is finished: nothing can be sent";
      else if (conn.behind) why = `not reading, ${size(conn.behind)} behind`;
      else if (conn.link) why = `linked to #${conn.link}: this goes to #${conn.id} alone`;
    } else if (kind === "several") {
      words = `To ${conns.length}: ${conns.slice(0, 12).map((conn) => this.model.label(conn.id)).join(", ")}${conns.length > 12 ? ", …" : ""}`;
      if (here.length < conns.length) why = `${conns.length - here.length} of them gone or finished`;
    } else if (kind === "all") words = `To everybody (${count(this.model.open)})`;
    const isOpen = this.link.state === "open";
    if (!isOpen) why = "not connected: nothing can be sent";
    this.canSend = isOpen && (kind === "all" ? this.model.open > 0 : here.length > 0);
    const shape = `${words}|${why}|${this.canSend}`;
    if (shape === this.shape) return;
    this.shape = shape;
    this.target.textContent = "";
    const name = document.createElement("bdi");
    name.textContent = words;
    this.target.append(name);
    if (why) {
      const more = document.createElement("em");
      more.textContent = why;
      this.target.append(more);
    }
    this.composer.classList.toggle("cannot", !this.canSend);
    this.composer.classList.toggle("wide", kind === "all" || kind === "several");
    this.send.disabled = !this.canSend;
    this.text.disabled = kind === "nobody";
    this.text.setAttribute("aria-label", kind === "nobody" ? "Message" : `Message ${words.toLowerCase().replace(/ {2}.*/, "")}`);
  }

  conns() {
    if (this.goal.kind === "one") return [this.goal.conn];
    return this.goal.kind === "several" ? this.goal.conns : NOBODY;
  }

  // ------------------------------------------------------------------- drafts

  keep() {
    const { key } = this.goal;
    if (!key) return;
    const text = this.text.value;
    if (text) this.drafts.set(key, { text });
    else this.drafts.delete(key);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), 300);
  }

  /** A reload of the page loses no draft; one of another run of the server would reach strangers. */
  save() {
    const all = JSON.stringify({ run: this.model.run, drafts: [...this.drafts].map(([key, { text }]) => [key, text]) });
    try {
      if (all.length < DRAFTS_MAX) sessionStorage.setItem(DRAFTS, all);
    } catch {
      // There is no room: they last as long as the page.
    }
  }

  restore() {
    if (this.isRestored) return;
    this.isRestored = true;
    try {
      const kept = JSON.parse(sessionStorage.getItem(DRAFTS) ?? "null");
      if (kept?.run === this.model.run) for (const [key, text] of kept.drafts) if (!this.drafts.has(key)) this.drafts.set(key, { text });
    } catch {
      sessionStorage.removeItem(DRAFTS);
    }
    if (!this.text.value) this.text.value = this.drafts.get(this.goal.key)?.text ?? "";
    this.grow();
  }

  /** Numbers mean others from now on: what was being written is to be had with the arrow, and goes nowhere by itself. */
  newRun() {
    for (const { text } of this.drafts.values()) this.remember(text);
    this.text.value = "";
    this.drafts.clear();
    this.goal = { kind: "nobody", key: "" };
    this.save();
  }

  grow() {
    let lines = 1;
    for (let at = this.text.value.indexOf("\n"); at >= 0 && lines < 8; at = this.text.value.indexOf("\n", at + 1)) lines += 1;
    this.text.rows = lines;
  }

  // --------------------------------------------------------------------- keys

  key(event) {
    if (event.isComposing || event.keyCode === 229 || event.altKey) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.submit();
    } else if ((event.key === "ArrowUp" || event.key === "ArrowDown") && !event.shiftKey && !event.ctrlKey && !event.metaKey) {
      if (this.look(event.key === "ArrowUp" ? -1 : 1)) event.preventDefault();
    }
  }

  remember(text) {
    if (!text || text.length > 4096 || text.startsWith(" ") || this.history.at(-1) === text) return;
    this.history.push(text);
    if (this.history.length > HISTORY_MAX) this.history.shift();
  }

  /** The text before, or after, in the history; only from the first line up, and from the last one down. */
  look(by) {
    const { text } = this;
    const isEdge = by < 0 ? !text.value.slice(0, text.selectionStart).includes("\n") : !text.value.slice(text.selectionEnd).includes("\n");
    if (!isEdge || text.selectionStart !== text.selectionEnd || (by > 0 && this.at === null)) return false;
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
    return true;
  }

  tell(trouble) {
    this.trouble.textContent = trouble;
    if (!trouble) this.armed = null;
  }

  // ------------------------------------------------------------------ sending

  /** What is sent, in the words of the protocol. Throws what is wrong with it. */
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
    if (!this.canSend) return void this.tell(`Not sent. ${this.link.state === "open" ? "Nobody can be reached." : "There is no connection; the text stays here."}`);
    if (typed.length > TEXT_MAX) return void this.tell(`Not sent: over ${size(TEXT_MAX)}.`);
    let said;
    try {
      said = this.said();
    } catch (error) {
      return void this.tell(`Not sent: ${error.message}.`);
    }
    const { kind } = this.goal;
    if (kind === "all" && this.armed !== typed) {
      this.armed = typed;
      this.trouble.textContent = `Enter again sends this to everybody (${many(this.model.open, "peer")}).`;
      return;
    }
    const ids = kind === "all" ? undefined : this.conns().map((conn) => conn.id);
    if (!this.transmit(said, ids)) return void this.tell("Not sent. There is no connection; the text stays here.");
    this.remember(typed);
    this.text.value = "";
    this.at = null;
    this.tell("");
    this.grow();
    this.keep();
  }

  transmit(said, ids) {
    const sent = { ...said, ids };
    const to = !ids ? "all" : ids.length === 1 ? ids[0] : ids;
    const isSent = this.link.send({ cmd: "send", to, ...said }, (reply) => this.replied(reply, sent), sent);
    if (!isSent) return false;
    const row = this.model.said("out", this.model.now(), 0, sent);
    sent.row = Object.assign(row, { by: "you", ids, status: "waiting", note: "…" });
    this.waiting.push(row);
    this.waitingFor.clear();
    return true;
  }

  replied(reply, sent) {
    this.waiting = this.waiting.filter((row) => row !== sent.row);
    this.waitingFor.clear();
    if (reply.ev === "ok") this.model.taken(reply, sent);
    else this.model.refused(reply, sent);
  }

  /** The link was lost: nobody knows of these. */
  lost() {
    this.waiting = [];
    this.waitingFor.clear();
  }

  /** What has no reply yet, of one conversation or of all. The same list as long as nothing changes. */
  unanswered(conn) {
    if (!this.waiting.length) return NOBODY;
    const key = conn?.id ?? 0;
    let rows = this.waitingFor.get(key);
    if (!rows) {
      rows = this.waiting.filter((row) => !conn || !row.ids || row.ids.includes(conn.id));
      this.waitingFor.set(key, rows);
    }
    return rows;
  }
}

