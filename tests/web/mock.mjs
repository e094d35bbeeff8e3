//! Stands in for the server: serves the page as it does, and speaks JSON version 1 over a WebSocket, out of memory.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";

const FILES = fileURLToPath(new URL("../../src/desk/web/", import.meta.url));
export const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'";
const TYPES = { html: "text/html; charset=utf-8", css: "text/css; charset=utf-8", js: "text/javascript; charset=utf-8" };
const TOKEN = "0123456789abcdef0123456789abcdef";
const NAME = /^\p{L}[\p{L}\d._-]{0,31}$/u;
const HISTORY = 1000;
const FRAME = 65536;

const nameIn = (path) => (path === "/" ? "index.html" : path.slice(1));

export class Mock {
  static async start() {
    return Mock.serve(new Mock());
  }

  static async serve(mock) {
    mock.http = createServer((request, response) => mock.serve(request, response));
    mock.ws = new WebSocketServer({ noServer: true, handleProtocols: () => "switchboard.v1" });
    mock.http.on("upgrade", (request, socket, head) => mock.upgrade(request, socket, head));
    await new Promise((resolve) => mock.http.listen(0, "127.0.0.1", resolve));
    mock.origin = `http://127.0.0.1:${mock.http.address().port}`;
    mock.url = `${mock.origin}/#${TOKEN}`;
    return mock;
  }

  constructor() {
    this.desks = new Set();
    this.requests = [];
    this.sends = [];
    this.isDown = false;
    this.lastDesk = 1;
    this.may = "web";
    this.begin("run-1");
  }

  /** A server that has just started. */
  begin(run) {
    Object.assign(this, { run, seq: 0, lastId: 0, conns: new Map(), history: [] });
  }

  async serve(request, response) {
    const path = new URL(request.url, "http://x").pathname;
    this.requests.push(request.url);
    const name = nameIn(path);
    const type = TYPES[name.split(".").pop()];
    let body = null;
    if (type && /^[\w-]+\.\w+$/.test(name)) body = await readFile(FILES + name).catch(() => null);
    response.writeHead(body ? 200 : 404, {
      "Content-Type": type ?? "text/plain", "Content-Security-Policy": CSP, "X-Content-Type-Options": "nosniff",
      "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin", "Cache-Control": "no-store",
    });
    response.end(body ?? "not here\n");
  }

  upgrade(request, socket, head) {
    const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((one) => one.trim());
    const isRight = offered[0] === "switchboard.v1" && offered[1] === `token.${TOKEN}` && request.headers.origin === this.origin;
    if (this.isDown || request.url !== "/ws" || !isRight) return void socket.end("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n");
    this.ws.handleUpgrade(request, socket, head, (desk) => this.greet(desk));
  }

  greet(desk) {
    if (this.refuses) {
      desk.send(JSON.stringify(this.refuses));
      return void desk.close(1013);
    }
    desk.number = this.lastDesk += 1;
    desk.queued = [];
    desk.tell = (event) => this.queue(desk, JSON.stringify(event));
    desk.tell({ ev: "hello", v: 1, run: this.run, desk: desk.number, seq: this.seq, mode: "console", may: this.may });
    for (const other of [{ desk: 1 }, ...this.present()]) desk.tell({ ev: "desk", ...other, past: true });
    for (const conn of this.conns.values()) {
      const { since, ...row } = this.row(conn);
      desk.tell({ ev: "open", ts: since, ...row, past: true });
    }
    for (const event of this.history) desk.tell({ ...event, past: true });
    this.tellDesks(desk, { ev: "desk", desk: desk.number });
    this.desks.add(desk);
    desk.on("close", () => {
      this.desks.delete(desk);
      this.tellDesks(desk, { ev: "desk", ...this.of(desk), gone: true });
    });
    desk.on("message", (data) => {
      const command = JSON.parse(String(data));
      if (this.loses?.(command)) return;
      this.obey(desk, command);
    });
  }

  of = ({ number, name, watch }) => ({ desk: number, ...(name ? { name } : {}), ...(watch ? { watch } : {}) });
  present = () => [...this.desks].map(this.of);

  tellDesks(but, event) {
    for (const desk of this.desks) if (desk !== but) desk.tell(event);
  }

  /** What is told in one turn goes in frames of several lines, up to 64 KiB. */
  queue(desk, line) {
    desk.queued.push(line);
    if (desk.queued.length > 1) return;
    setImmediate(() => {
      let frame = "";
      for (const one of desk.queued.splice(0)) {
        if (frame && frame.length + one.length > FRAME) {
          desk.send(frame);
          frame = "";
        }
        frame += (frame ? "\n" : "") + one;
      }
      desk.send(frame);
    });
  }

  // ------------------------------------------------------------------ what happens

  now() {
    const now = performance.timeOrigin + performance.now();
    return new Date(now).toISOString().slice(0, 23) + String(Math.floor((now % 1) * 1000)).padStart(3, "0") + "Z";
  }

  happen(event, but = null) {
    const { ev, ...rest } = event;
    const whole = { ev, seq: (this.seq += 1), ts: this.now(), ...rest };
    if (ev === "msg" || ev === "sent") {
      this.history.push(whole);
      if (this.history.length > HISTORY) this.history.shift();
    }
    for (const desk of this.desks) if (desk !== but && !desk.isDeaf) desk.tell(whole);
    return whole;
  }

  open(peer = `127.0.0.1:${50000 + ((this.lastId + 1) % 10000)}`, more = {}) {
    const conn = { id: (this.lastId += 1), peer, name: "", state: "open", since: this.now(), rx: 0, tx: 0, heard: [], pending: null, ...more };
    this.conns.set(conn.id, conn);
    this.happen({ ev: "open", id: conn.id, peer, ...(conn.name ? { name: conn.name } : {}), ...(more.via ? { via: more.via } : {}) });
    return conn;
  }

  say(id, text, more = {}) {
    const conn = this.conns.get(id);
    const event = this.happen({ ev: "msg", id, ...(typeof text === "string" ? { text } : { b64: Buffer.from(text).toString("base64") }), ...more });
    conn.rx += text.length;
    conn.pending ??= event.ts;
    return event;
  }

  close(id, reason = "finished", msg = "both sides finished") {
    const { rx, tx } = this.conns.get(id);
    this.conns.delete(id);
    this.happen({ ev: "close", id, reason, msg, rx, tx, unsent: 0 });
  }

  /** Events that no desk is told, as when it reads too slowly. */
  skip(events, count = events) {
    this.seq += events;
    for (const desk of this.desks) desk.tell({ ev: "skipped", count });
  }

  cut() {
    for (const desk of this.desks) desk.terminate();
  }

  // --------------------------------------------------------------------- commands

  members(to) {
    if (to === "all") return [...this.conns.keys()];
    return (Array.isArray(to) ? to : [to]).flatMap((one) => (typeof one === "number" ? [one] : [...this.conns.values()].filter(({ name }) => name === one).map(({ id }) => id)));
  }

  obey(desk, command) {
    const { cmd, ref } = command;
    const error = (code, msg) => desk.tell({ ev: "error", ref, code, msg });
    const ok = (more) => desk.tell({ ev: "ok", ref, ...more });
    const act = this[`cmd_${cmd}`];
    if (!act) return void error("unknown-command", `there is no ${cmd}`);
    if (this.may === "look" && !["who", "stats", "desk"].includes(cmd)) return void error("not-allowed", "this desk only looks");
    act.call(this, { desk, command, ok, error });
  }

  cmd_send({ desk, command, ok, error }) {
    const ids = this.members(command.to);
    const isOver = (id) => id <= this.lastId && !this.conns.has(id);
    if (ids.some((id) => id > this.lastId)) return void error("no-such-conn", `there is no #${ids.find((id) => id > this.lastId)}: nothing was done`);
    const here = ids.filter((id) => this.conns.has(id));
    if (!here.length) return void error(command.to === "all" ? "nobody" : "gone", command.to === "all" ? "nobody is here" : `#${ids[0]} is gone`);
    const text = command.text === undefined ? undefined : command.text + (command.eol === false ? "" : "\n");
    const bytes = text === undefined ? Buffer.from(command.b64, "base64") : Buffer.from(text);
    this.sends.push({ ids: here, bytes: String(bytes) });
    for (const id of here) {
      const conn = this.conns.get(id);
      conn.heard.push(String(bytes));
      conn.tx += bytes.length;
      conn.pending = null;
    }
    const said = text === undefined ? { b64: command.b64 } : { text };
    const { seq } = this.happen({ ev: "sent", ...(command.to === "all" ? { to: "all" } : { ids: here }), ...said, by: desk.number }, desk);
    const gone = ids.filter(isOver);
    if (desk.readyState === 1 && !this.losesReply) ok({ seq, queued: here.length, bytes: bytes.length, ...(gone.length ? { gone } : {}), ...(this.behind ? { behind: this.behind } : {}) });
  }

  cmd_close({ command, ok, error }) {
    const [id] = this.members(command.to);
    if (!this.conns.has(id)) return void error("gone", `#${id} is gone`);
    ok({ id, how: command.how ?? "kick" });
    if (command.how === "eof") {
      this.conns.get(id).state = "fin-wait";
      this.happen({ ev: "fin", id });
    } else if (command.how === "rst") this.close(id, "we-reset", "reset by us");
    else this.close(id, "kicked", `kicked${command.text ? `: ${command.text}` : ""}`);
  }

  cmd_name({ desk, command, ok, error }) {
    const conn = this.conns.get(command.id);
    if (!conn) return void error("gone", `#${command.id} is gone`);
    if (command.name !== undefined && !NAME.test(command.name)) return void error("bad-name", `"${command.name}" is no name`);
    conn.name = command.name ?? "";
    ok({ id: conn.id, ...(conn.name ? { name: conn.name } : {}) });
    this.happen({ ev: "name", id: conn.id, ...(conn.name ? { name: conn.name } : {}), by: desk.number });
  }

  cmd_done({ desk, command, ok }) {
    const conn = this.conns.get(command.id);
    if (conn) conn.pending = null;
    ok({ id: command.id });
    this.happen({ ev: "done", id: command.id, by: desk.number });
  }

  row({ id, name, peer, since, rx, tx, state, pending, via }) {
    return { id, peer, since, ...(name ? { name } : {}), ...(via ? { via } : {}), rx, tx, queued: 0, state, ...(pending ? { pending } : {}) };
  }

  cmd_who({ ok: answer }) {
    const ok = (more) => (this.delaysWho ? (this.asked = () => answer(more)) : answer(more));
    ok({ conns: [...this.conns.values()].map((conn) => this.row(conn)), desks: [{ desk: 1 }, ...this.present()] });
  }

  cmd_desk({ desk, command, ok, error }) {
    if (command.name !== undefined && !NAME.test(command.name)) return void error("bad-name", `"${command.name}" is no name`);
    desk.name = command.name ?? desk.name;
    ok(this.of(desk));
    this.tellDesks(desk, { ev: "desk", ...this.of(desk) });
  }

  cmd_typing({ desk, command, ok }) {
    const { to } = command;
    ok(this.of(desk));
    this.tellDesks(desk, { ev: "typing", by: desk.number, ...(desk.name ? { name: desk.name } : {}), ...(to === "all" ? { to } : to === undefined ? {} : { ids: this.members(to) }) });
  }

  cmd_stats({ ok }) {
    ok({ uptime_ms: 1, conns_now: this.conns.size });
  }

  async stop() {
    this.cut();
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }
}

// By hand: `node tests/web/mock.mjs [PEERS] [MESSAGES A SECOND]`
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const mock = await Mock.start();
  const peers = Number(process.argv[2] ?? 3);
  const rate = Number(process.argv[3] ?? 1);
  for (let i = 0; i < peers; i += 1) mock.open();
  let due = 0;
  setInterval(() => {
    for (due += rate / 50; due >= 1; due -= 1) mock.say(1 + Math.floor(Math.random() * peers), `reading ${mock.seq} ${Math.random().toFixed(4)}`);
  }, 20);
  process.stdout.write(`${mock.url}\n`);
}
