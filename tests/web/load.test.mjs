//! 5,000 conversations and 2,000 messages a second: the page stays quick, and small. By hand; it takes a minute.
//! Figures are printed. With the real server peers come over TCP, SWITCHBOARD_MANY of them.

import assert from "node:assert/strict";
import { cpus, loadavg } from "node:os";
import { after, before, test } from "node:test";
import { choose, drawn, hasBrowser, REAL, until, World } from "./harness.mjs";

const skip = hasBrowser ? (REAL && !process.env.SWITCHBOARD_MANY ? "SWITCHBOARD_MANY says how many" : false) : "there is no browser";
const MANY = Number(process.env.SWITCHBOARD_MANY ?? 5000);
const RATE = Number(process.env.SWITCHBOARD_RATE ?? 2000);
const SECONDS = Number(process.env.SWITCHBOARD_SECONDS ?? 20);
// Where others have the processors, the clock says more about them than about the page.
const slack = loadavg()[0] > cpus().length ? 4 : 1;
const LONG_MS = 100 * slack;
const FRAME_MS = 8 * slack;
let world;

before(async () => {
  if (!skip) world = await World.start();
});
after(() => world?.stop());

async function figures(page) {
  const client = await page.context().newCDPSession(page);
  await client.send("HeapProfiler.collectGarbage");
  const { usedSize } = await client.send("Runtime.getHeapUsage");
  const { nodes } = await client.send("Memory.getDOMCounters");
  await client.detach();
  const live = await page.evaluate(() => document.querySelectorAll("*").length);
  return { heapMB: +(usedSize / 1e6).toFixed(1), nodes, elements: live };
}

/** Frames of so many seconds: what each cost, and tasks over 50 ms. */
async function measured(page, act) {
  await page.evaluate(() => {
    globalThis.longTasks.length = 0;
    globalThis.switchboard.cost.log = [];
  });
  await act();
  return page.evaluate(() => {
    const { log } = globalThis.switchboard.cost;
    const sorted = log.slice().sort((a, b) => a - b);
    const at = (part) => +(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0).toFixed(2);
    return {
      frames: log.length, p50: at(0.5), p99: at(0.99), most: at(1), over8: log.filter((ms) => ms > 8).length,
      longTasks: globalThis.longTasks.map(({ duration }) => Math.round(duration)),
    };
  });
}

/** Says so many a second for so many seconds, by whoever is next in a walk through all. */
function flood(peers, seconds, text = () => "reading value=20.125") {
  return new Promise((resolve) => {
    const began = performance.now();
    let said = 0;
    const timer = setInterval(() => {
      const now = performance.now() - began;
      for (const due = (now / 1000) * RATE; said < due; said += 1) peers[(said * 7919) % peers.length].say(text(said));
      if (now > seconds * 1000) {
        clearInterval(timer);
        resolve(said);
      }
    }, 5);
  });
}

test("5,000 conversations and 2,000 messages a second neither stop nor swell the page", { skip, timeout: 240000 }, async (t) => {
  const page = await world.page();
  const peers = [];
  for (let i = 0; i < MANY; i += 1) peers.push(await world.peer(page));
  await until("all are there", () => page.evaluate((many) => globalThis.switchboard.model.open >= many, MANY), 60000);
  const snapshot = await measured(page, async () => {
    await page.reload();
    await world.connected(page);
    await until("all are there again", () => page.evaluate((many) => globalThis.switchboard.model.open >= many, MANY), 60000);
    await drawn(page);
  });
  t.diagnostic(`snapshot: ${JSON.stringify(snapshot)}`);
  const before = await figures(page);
  t.diagnostic(`load of the machine: ${loadavg()[0].toFixed(1)} on ${cpus().length}, limits ${LONG_MS} and ${FRAME_MS} ms`);
  t.diagnostic(`before: ${JSON.stringify(before)}`);

  const shown = {
    "list and stream": async () => page.click("#everything"),
    "one thread, while its list is scrolled": async () => {
      await choose(page, peers[0].id);
      await page.hover("#list");
    },
  };
  const all = {};
  let said = 0;
  for (const [what, prepare] of Object.entries(shown)) {
    await prepare();
    all[what] = await measured(page, async () => {
      const flooding = flood(peers, SECONDS / 2, (n) => `reading ${n} value=${(n % 97) / 7}`);
      let isOver = false;
      flooding.then(() => (isOver = true));
      while (!isOver) {
        if (what.includes("scrolled")) await page.mouse.wheel(0, 3000 * (Math.random() - 0.4));
        await page.waitForTimeout(100);
      }
      said += await flooding;
      await until("all was worked through", () => page.evaluate(() => globalThis.switchboard.link.inbox.length === 0));
    });
    t.diagnostic(`${what}: ${JSON.stringify(all[what])}`);
  }
  const after = await figures(page);
  t.diagnostic(`after ${said} messages: ${JSON.stringify(after)}`);

  for (const [what, seen] of Object.entries({ snapshot, ...all })) {
    assert.deepEqual(seen.longTasks.filter((ms) => ms > LONG_MS), [], `no task over ${LONG_MS} ms: ${what}`);
    if (what !== "snapshot") assert.ok(seen.p99 <= FRAME_MS, `99 of 100 frames cost at most ${FRAME_MS} ms: ${what} ${seen.p99}`);
  }
  assert.ok(after.elements < 1500, `${after.elements} elements`);
  assert.ok(after.heapMB < 60, `${after.heapMB} MB`);
  const { lost, rows, size } = await page.evaluate(() => globalThis.switchboard.model);
  assert.equal(lost, 0, "nothing was left out");
  t.diagnostic(`kept: ${rows} rows, ${size} characters; faults ${page.faults}`);
});

test("big messages stay within the bound of memory", { skip, timeout: 120000 }, async (t) => {
  const page = await world.page();
  const peers = [];
  for (let i = 0; i < 100; i += 1) peers.push(await world.peer(page));
  const big = "0123456789abcdef".repeat(4096);
  const seen = await measured(page, async () => {
    for (let i = 0; i < 2000; i += 1) {
      peers[i % 100].say(`${i} ${big}`);
      if (i % 20 === 19) await drawn(page);
    }
    await until("all was worked through", () => page.evaluate(() => globalThis.switchboard.link.inbox.length === 0), 30000);
  });
  const after = await figures(page);
  t.diagnostic(`2,000 of 64 KiB: ${JSON.stringify(seen)} ${JSON.stringify(after)}`);

  assert.ok(after.heapMB < 80, `${after.heapMB} MB`);
  assert.deepEqual(seen.longTasks.filter((ms) => ms > LONG_MS), []);
});

test("a burst that no page can draw is worked through in pieces", { skip: skip || (REAL ? "only the mock can do that" : false), timeout: 120000 }, async (t) => {
  const page = await world.page();
  const one = await world.peer(page);
  await page.waitForFunction((id) => globalThis.switchboard.model.conns.has(id), one.id);
  await choose(page, one.id);
  const seen = await measured(page, async () => {
    for (let i = 0; i < 50000; i += 1) one.say(`burst ${i}`);
    await until("the last is there", () => page.evaluate((id) => {
      const { rows } = globalThis.switchboard.model.conns.get(id);
      return rows.length && rows.at(rows.length - 1).text === "burst 49999";
    }, one.id), 30000);
  });
  const lost = await page.evaluate(() => globalThis.switchboard.model.lost);
  t.diagnostic(`50,000 at once: ${JSON.stringify(seen)}, left out and told: ${lost}`);

  assert.deepEqual(seen.longTasks.filter((ms) => ms > LONG_MS), []);
});
