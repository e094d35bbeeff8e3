//! A browser, and a server behind the page: the mock, or the real one where SWITCHBOARD_WEB (the address of the page with
//! its token), SWITCHBOARD_LOOKS (the same, only to look) and SWITCHBOARD_PEERS (host:port for peers) are given.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, afterEach, before, test } from "node:test";
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";
import { Mock } from "./mock.mjs";

export const REAL = process.env.SWITCHBOARD_WEB ?? "";
export const LOOKS = process.env.SWITCHBOARD_LOOKS ?? "";
const PEERS = process.env.SWITCHBOARD_PEERS ?? "";
const BROWSER = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
export const hasBrowser = !!BROWSER;

/** Waits until it is so; a failure says what was seen last. */
export async function until(what, isSo, deadline = 10000) {
  const end = Date.now() + deadline;
  for (;;) {
    const seen = await isSo();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`not within ${deadline} ms: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A peer over TCP. */
class TcpPeer {
  constructor(socket) {
    this.socket = socket;
    this.got = "";
    socket.on("data", (data) => (this.got += data));
    socket.on("error", () => {});
    for (const end of ["end", "close"]) socket.on(end, () => (this.isClosed = true));
    this.port = socket.localPort;
  }

  say(text) {
    this.socket.write(typeof text === "string" ? `${text}\n` : Buffer.concat([Buffer.from(text), Buffer.from("\n")]));
  }

  heard = () => this.got;
  leave = () => this.socket.end();
  // Who only finishes stays for as long as the server lets it answer.
  vanish = () => this.socket.resetAndDestroy();
}

class MockPeer {
  constructor(mock, conn) {
    Object.assign(this, { mock, conn, id: conn.id });
  }

  say(text) {
    this.mock.say(this.id, text);
  }

  heard = () => this.conn.heard.join("");
  leave = () => this.mock.close(this.id);
  vanish = () => this.isClosed || this.leave();
  get isClosed() {
    return !this.mock.conns.has(this.id);
  }
}

/** The server, as tests see it. `mock` is there only where it is the mock: what only that can do needs it. */
export class World {
  sockets = new Set();

  static async start() {
    const world = new World();
    await world.begin();
    return world;
  }

  async begin() {
    if (!REAL) this.mock = await Mock.start();
    this.url = REAL || this.mock.url;
    this.browser = await chromium.launch({ executablePath: BROWSER, args: ["--no-sandbox", "--js-flags=--expose-gc", "--enable-precise-memory-info"] });
  }

  /** Connects, and waits until the page knows: then `id` is known, too. */
  async peer(page, more) {
    if (this.mock) return new MockPeer(this.mock, this.mock.open(undefined, more));
    const [host, port] = PEERS.split(":");
    const socket = connect({ host, port: Number(port), allowHalfOpen: true });
    this.sockets.add(socket);
    socket.once("close", () => this.sockets.delete(socket));
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    const peer = new TcpPeer(socket);
    peer.id = await until("the page knows the peer", () => page.evaluate((end) =>
      [...globalThis.switchboard.model.conns.values()].find((conn) => conn.peer.endsWith(end) && conn.state === "open")?.id, `:${socket.localPort}`));
    return peer;
  }

  async page(options = {}) {
    const context = await this.browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    const page = await context.newPage();
    page.faults = [];
    page.asked = [];
    page.on("pageerror", (error) => page.faults.push(String(error)));
    page.on("console", (message) => message.type() === "error" && !/WebSocket connection/.test(message.text()) && page.faults.push(message.text()));
    page.on("request", (request) => page.asked.push(request.url()));
    await page.addInitScript(() => {
      globalThis.violations = [];
      document.addEventListener("securitypolicyviolation", (event) => globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
      globalThis.longTasks = [];
      globalThis.costs = [];
      const ask = globalThis.requestAnimationFrame;
      globalThis.requestAnimationFrame = (draw) => ask.call(globalThis, (at) => {
        const began = performance.now();
        draw(at);
        globalThis.costs.push(performance.now() - began);
      });
      new PerformanceObserver((list) => globalThis.longTasks.push(...list.getEntries().map(({ duration, startTime }) => ({ duration, startTime })))).observe({ type: "longtask", buffered: true });
    });
    await page.goto(options.url ?? this.url);
    await this.connected(page);
    return page;
  }

  connected(page) {
    return page.waitForFunction(() => globalThis.switchboard?.link.state === "open" && globalThis.switchboard.model.run);
  }

  /** The link breaks, as with a lid that is shut: the page finds out, and comes back. */
  async cut(page) {
    if (this.mock) this.mock.cut();
    else await page.evaluate(() => globalThis.switchboard.link.lost(globalThis.switchboard.link.socket));
  }

  async stop() {
    await this.browser.close();
    for (const socket of this.sockets) socket.resetAndDestroy();
    await this.mock?.stop();
  }
}

/**
 * What a file of tests stands on: a world, and pages and peers of it that go after each test. No page may have made an error by
 * then, or broken its own policy.
 */
export function stage(timeout = 30000) {
  const skip = hasBrowser ? false : "there is no browser";
  const world = new World();
  let [pages, peers] = [[], []];
  before(() => skip || world.begin());
  after(() => skip || world.stop());
  afterEach(async () => {
    for (const page of pages) {
      assert.deepEqual(page.faults, [], "the page has no errors");
      if (page.isClosed()) continue;
      assert.deepEqual(await page.evaluate(() => globalThis.violations), [], "no rule of the CSP is broken");
      await page.context().close();
    }
    for (const peer of peers) peer.vanish();
    [pages, peers] = [[], []];
    if (world.mock) Object.assign(world.mock, { may: "web", isDown: false }).begin(`run-${Math.random()}`);
  });
  return {
    world,
    skip,
    mockOnly: skip || (REAL ? "only the mock can do that" : false),
    test: (name, options, body) => test(name, { timeout, ...options }, body),
    async open(options) {
      const page = await world.page(options);
      pages.push(page);
      return page;
    },
    /** Connects, and waits until the page knows. */
    async peer(page, more) {
      const peer = await world.peer(page, more);
      peers.push(peer);
      await page.waitForFunction((id) => globalThis.switchboard.model.conns.has(id), peer.id);
      return peer;
    },
  };
}

/** Types a text into the composer, and sends it. */
export const write = async (page, text) => {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
};

/** What the page has of a conversation: kind and text of each row, drawn or not. */
export const rowsOf = (page, id) => page.evaluate((number) => {
  const { model } = globalThis.switchboard;
  const rows = number ? model.conns.get(number)?.rows : model.stream;
  return rows?.toArray().map(({ kind, text, seq, status, note, ids }) => ({ kind, text, seq, status, note, ids })) ?? [];
}, id);

export const texts = async (page, id, kind = "in") => (await rowsOf(page, id)).filter((row) => row.kind === kind).map(({ text }) => text);
export const choose = (page, id) => page.evaluate((number) => {
  const { conversations } = globalThis.switchboard;
  conversations.actions.choose(globalThis.switchboard.model.conns.get(number), { write: true });
}, id);
/** Until what came is drawn. */
export const drawn = (page) => page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
