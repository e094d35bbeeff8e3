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
const TASK_MS = 100;
const FRAME_MS = 8;
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

/**
 * What frames and tasks of the page's main thread cost: in processor time, which does not grow where others have the
 * processors, and beside it by the clock.
 */
async function measured(page, act) {
  await page.evaluate(() => {
    globalThis.longTasks.length = 0;
    globalThis.costs.length = 0;
  });
  await world.browser.startTracing(page, { categories: ["toplevel", "devtools.timeline"] });
  await act();
  const { traceEvents } = JSON.parse(await world.browser.stopTracing());
  const one = traceEvents.find(({ name }) => name === "FireAnimationFrame");
  const costs = (name) => traceEvents.filter((event) => event.name === name && event.pid === one.pid && event.tid === one.tid)
    .map(({ tdur = 0 }) => tdur / 1000).sort((a, b) => a - b);
  const at = (sorted, part) => +(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0).toFixed(2);
  const frames = costs("FireAnimationFrame");
  const slowest = traceEvents.filter(({ name, pid, tid }) => name === "FireAnimationFrame" && pid === one.pid && tid === one.tid)
    .reduce((most, event) => (event.tdur > most.tdur ? event : most));
  const isWithin = ({ pid, tid, ts, dur, tdur }) =>
    pid === one.pid && tid === one.tid && tdur > 500 && ts >= slowest.ts && ts + dur <= slowest.ts + slowest.dur;
  const parts = traceEvents.filter((event) => event !== slowest && isWithin(event)).map(({ name, tdur }) => `${name} ${(tdur / 1000).toFixed(1)}`);
  const tasks = costs("ThreadControllerImpl::RunTask");
  const clock = await page.evaluate(() => ({
    most: Math.max(...globalThis.costs), long: globalThis.longTasks.map(({ duration }) => Math.round(duration)),
  }));
  return {
    frames: frames.length, p50: at(frames, 0.5), p99: at(frames, 0.99), most: at(frames, 1), over8: frames.filter((ms) => ms > FRAME_MS).length,
    busiestTask: at(tasks, 1), load: +tasks.reduce((sum, ms) => sum + ms, 0).toFixed(0), inTheSlowest: parts.join(", "), byTheClock: `frame ${clock.most.toFixed(0)}, long tasks ${clock.long}`,
  };
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
  t.diagnostic(`load of the machine: ${loadavg()[0].toFixed(1)} on ${cpus().length} processors`);
  t.diagnostic(`before: ${JSON.stringify(before)}`);

  const shown = {
    "list and stream": async () => page.click("#everything"),
    "one thread, while its list is scrolled": async () => {
      await choose(page, peers[0].id);
      await page.hover("#list");
    },
  };
  const all = {};
  // The collection of garbage that was asked for has thrown away compiled code, too.
  let said = await flood(peers, 2);
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
    assert.ok(seen.busiestTask <= TASK_MS, `no task over ${TASK_MS} ms: ${what} ${seen.busiestTask}`);
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
  assert.ok(seen.busiestTask <= TASK_MS, `${seen.busiestTask} ms`);
});

test("a burst that no page can draw is worked through in pieces", { skip, timeout: 120000 }, async (t) => {
  const page = await world.page();
  const one = await world.peer(page);
  await page.waitForFunction((id) => globalThis.switchboard.model.conns.has(id), one.id);
  await choose(page, one.id);
  const burst = REAL ? 500000 : 50000;
  const seen = await measured(page, async () => {
    const said = (from) => Array.from({ length: 1000 }, (_, n) => `burst ${from + n}`);
    for (let i = 0; i < burst; i += 1000) if (REAL) one.say(said(i).join("\n")); else said(i).forEach((text) => one.say(text));
    // What is more than a page can keep is left out, and counted.
    await until("each was taken or counted", () => page.evaluate(([id, many]) => {
      const { conns, lost } = globalThis.switchboard.model;
      return conns.get(id).rows.total + lost >= many && !globalThis.switchboard.link.inbox.length;
    }, [one.id, burst]), 60000);
  });
  const { lost, left } = await page.evaluate(() => ({ lost: globalThis.switchboard.model.lost, left: globalThis.switchboard.link.left }));
  t.diagnostic(`${burst} at once: ${JSON.stringify(seen)}, left out and told: ${lost}, memory ${JSON.stringify(await figures(page))}`);
  assert.equal(left, 0);
  // What was missed may have been anybody's coming and going: the page asks who is here.
  const two = await world.peer(page);
  two.say("is it still right?");
  await page.waitForFunction((id) => globalThis.switchboard.model.conns.get(id)?.rows.length > 1, two.id);
  await page.waitForFunction(() => !globalThis.switchboard.model.isUnsure && !globalThis.switchboard.model.ended);
  const [known, here] = await page.evaluate(() => new Promise((resolve) => {
    const { link, model } = globalThis.switchboard;
    link.send({ cmd: "who" }, ({ conns }) => resolve([model.open, conns.length]));
  }));
  assert.equal(known, here);

  assert.ok(seen.busiestTask <= TASK_MS, `${seen.busiestTask} ms`);
});
