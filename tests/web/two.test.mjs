//! The short one, which every change has to pass: what an operator does in a minute, and a colleague who looks on.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { choose, drawn, hasBrowser, rowsOf, texts, until, World } from "./harness.mjs";

const skip = hasBrowser ? false : "there is no browser";
let world;

before(async () => {
  if (!skip) world = await World.start();
});
after(() => world?.stop());

test("two pages, three peers: who waits longest is answered, named, shown in hex; one is kicked, one leaves", { skip, timeout: 60000 }, async () => {
  const page = await world.page();
  const colleague = await world.page({ colorScheme: "dark" });
  const [one, two, three] = [await world.peer(page), await world.peer(page), await world.peer(page)];
  const order = (on) => on.evaluate(() => globalThis.switchboard.conversations.list.rows.filter(({ state }) => state !== "gone").map(({ id }) => id));
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  for (const [peer, text] of [[two, "first"], [three, "第二"], [one, "third"]]) {
    peer.say(text);
    await until(text, async () => (await texts(page, peer.id)).includes(text));
  }
  await until("who waits longest stands first", async () => String(await order(page)) === String([two.id, three.id, one.id]));

  // Answered, while others speak.
  await press("n");
  await page.keyboard.type("an ans");
  one.say("noise");
  three.say("hurry");
  await until("they are heard", async () => (await texts(page, three.id)).includes("hurry") && (await texts(page, one.id)).includes("noise"));
  await page.keyboard.type("wer");
  await until("the colleague sees it being written", async () => /is writing/.test(await colleague.textContent(`#conn-${two.id}`)));
  await press("Enter");
  await until("it is heard", () => two.heard() === "an answer\n");
  assert.equal(one.heard() + three.heard(), "");
  await until("the colleague has it once", async () => String(await texts(colleague, two.id, "out")) === "an answer");

  // Named, and shown in hex.
  await press("Escape", "e");
  await page.keyboard.type("lab-a");
  await press("Enter");
  await until("the colleague knows the name", async () => /lab-a/.test(await colleague.textContent(`#conn-${two.id}`)));
  await press("v");
  await page.waitForFunction(() => /66 69 72 73 74/.test(document.getElementById("thread").textContent));

  // Kicked.
  await choose(page, three.id);
  await press("Escape");
  await until("a while after typing it asks", async () => {
    await press("K");
    return page.isVisible("#dialog");
  });
  await press("Shift+Tab");
  await page.keyboard.type("good bye");
  await press("Enter");
  await until("it is closed", () => three.isClosed);
  await until("the colleague is told", async () => (await rowsOf(colleague, three.id)).some(({ text }) => text.startsWith("closed: kicked: good bye")));

  // One leaves while it is written to.
  await choose(page, one.id);
  await page.keyboard.type("still writ");
  one.vanish();
  await page.waitForFunction(() => /gone/.test(document.getElementById("target").textContent));
  await page.keyboard.type("ing");
  await press("Enter");
  assert.equal(await page.inputValue("#text"), "still writing");
  assert.match(await page.textContent("#trouble"), /Not sent/);

  // Looked at again, nothing is there twice.
  await colleague.reload();
  await world.connected(colleague);
  await until("it is there", async () => (await texts(colleague, two.id)).length > 0);
  await drawn(colleague);
  assert.deepEqual([await texts(colleague, two.id), await texts(colleague, two.id, "out")], [["first"], ["an answer"]]);
  for (const one of [page, colleague]) {
    assert.deepEqual(one.faults, []);
    assert.deepEqual(await one.evaluate(() => globalThis.violations), []);
    const { origin } = new URL(world.url);
    assert.deepEqual(one.asked.filter((url) => !url.startsWith(origin)), [], "nothing is asked of anybody else");
  }
});
