//! What a page believes after something was lost: a reply, the link, a run of the server, or who a text did not reach.

import assert from "node:assert/strict";
import { choose, drawn, LOOKS, REAL, rowsOf, stage, texts, until, write } from "./harness.mjs";

const { world, skip, mockOnly, test, open, peer } = stage();

const waits = (page, id) => page.evaluate((number) => {
  const { model } = globalThis.switchboard;
  const conn = model.conns.get(number);
  return !!conn.pending && model.waiting.has(conn);
}, id);

test("whoever answered a text whose reply was lost waits when the page comes back", { skip: mockOnly }, async () => {
  const page = await open();
  const one = await peer(page);
  await choose(page, one.id);
  world.mock.losesReply = true;
  await write(page, "did you get it?");
  await until("it is heard", () => one.heard() === "did you get it?\n");
  world.mock.losesReply = false;
  world.mock.isDown = true;
  world.mock.cut();
  await page.waitForFunction(() => globalThis.switchboard.link.state === "waiting");
  one.say("yes");
  world.mock.isDown = false;
  await world.connected(page);
  await until("it is here", async () => (await texts(page, one.id)).includes("yes"));

  const [row] = (await rowsOf(page, one.id)).filter(({ kind }) => kind === "out");
  assert.equal(row.status, "ok", "the text is certain");
  assert.equal(await waits(page, one.id), true);
});

test("whom a reply to several did not reach still waits, and nobody else is said not to read", { skip: mockOnly }, async () => {
  const page = await open();
  const [one, two] = [await peer(page), await peer(page)];
  for (const each of [one, two]) each.say("well?");
  await page.waitForFunction(() => globalThis.switchboard.model.waiting.size === 2);
  await page.evaluate((second) => {
    const { link, model } = globalThis.switchboard;
    const { send } = link;
    // As the server says it where the queue of one is full.
    link.send = (command, then, sent) => {
      if (command.cmd !== "send") return send.call(link, command, then, sent);
      then({ ev: "ok", seq: model.lastSeq + 1, queued: 1, bytes: 3, full: [second], behind: 300000 });
      return true;
    };
  }, two.id);
  for (const each of [one, two]) await page.click(`#conn-${each.id}`, { modifiers: ["Control"] });
  await write(page, "ok");
  await until("it is answered", async () => !(await waits(page, one.id)));

  assert.equal(await waits(page, two.id), true);
  assert.deepEqual(await page.evaluate(() => [...globalThis.switchboard.model.conns.values()].map(({ behind }) => behind)), [0, 0]);
});

test("a text of the new link is not lost with the old one", { skip: mockOnly }, async () => {
  const page = await open();
  const one = await peer(page);
  await choose(page, one.id);
  // So busy that the end of the old link is worked through after the new one is open.
  await page.evaluate(() => {
    const { link } = globalThis.switchboard;
    globalThis.drain = link.drain;
    link.drain = () => true;
  });
  world.mock.cut();
  await page.waitForFunction(() => globalThis.switchboard.link.state === "waiting");
  await page.waitForFunction(() => globalThis.switchboard.link.state === "open");
  await write(page, "by the new one");
  await until("it is heard", () => one.heard() === "by the new one\n");
  await page.evaluate(() => (globalThis.switchboard.link.drain = globalThis.drain));

  await until("it is known", async () => (await rowsOf(page, one.id)).some(({ kind, status }) => kind === "out" && status !== "waiting"));
  const rows = (await rowsOf(page, one.id)).filter(({ kind }) => kind === "out");
  assert.deepEqual(rows.map(({ text, status }) => [text, status]), [["by the new one", "ok"]]);
});

test("another token in the address of an open page is used at once", { skip: skip || (REAL ? false : "the mock has one token") }, async () => {
  const page = await open();
  assert.equal(await page.evaluate(() => globalThis.switchboard.model.may), "web");

  await page.evaluate((hash) => (location.hash = hash), new URL(LOOKS).hash);

  await page.waitForFunction(() => globalThis.switchboard.model.may === "look");
});

test("a stream that was paused is at its beginning in another run", { skip: mockOnly }, async () => {
  const page = await open();
  const one = await peer(page);
  for (let n = 0; n < 40; n += 1) one.say(`line ${n}`);
  await until("all are here", async () => (await texts(page, one.id)).length === 40);
  await page.click("#everything");
  await drawn(page);
  await page.click("#pause");

  world.mock.begin("another");
  world.mock.cut();
  await page.waitForFunction(() => globalThis.switchboard.model.run === "another");
  const stranger = world.mock.open();
  world.mock.say(stranger.id, "of the new run");
  await until("it is shown", async () => /of the new run/.test(await page.textContent("#thread")));

  assert.equal(await page.isHidden("#new"), true);
  assert.doesNotMatch(await page.textContent("#thread"), /line \d/);
});
