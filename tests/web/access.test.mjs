//! By keyboard alone, by screen reader, in the dark, and on 360 pixels.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, afterEach, before, test } from "node:test";
import { choose, drawn, hasBrowser, rowsOf, texts, until, World } from "./harness.mjs";

const skip = hasBrowser ? false : "there is no browser";
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8").catch(() => "");
let world;

before(async () => {
  if (!skip) world = await World.start();
});
after(() => world?.stop());
afterEach(() => world?.mock?.begin(`run-${Math.random()}`));

/** What axe finds serious or worse, in words. */
async function serious(page, what) {
  // By way of the debugger, since the page's own policy lets no other script in.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${what}: ${id}: ${html.slice(0, 200)} ${failureSummary.slice(0, 300)}`));
}

async function scene(page) {
  const [one, two, three] = [await world.peer(page), await world.peer(page), await world.peer(page)];
  one.say("hello");
  two.say("control \x1b[0m and \u202e, and more");
  two.say("x".repeat(3000));
  two.say(Uint8Array.from([1, 2, 255]));
  await page.waitForFunction((id) => globalThis.switchboard.model.conns.get(id)?.rows.length > 3, two.id);
  await page.evaluate(() => globalThis.switchboard.model.apply({ ev: "skipped", count: 3 }));
  await choose(page, two.id);
  await page.fill("#text", "an answer");
  await page.keyboard.press("Enter");
  await until("it is answered", async () => (await texts(page, two.id, "out")).length === 1);
  await page.evaluate((id) => globalThis.switchboard.composer.transmit({ text: "to nobody" }, [id + 1e6]), two.id);
  three.leave();
  return [one, two];
}

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 360]) {
    test(`axe finds nothing serious: ${colorScheme}, ${width} pixels`, { skip, timeout: 90000 }, async () => {
      const page = await world.page({ colorScheme, viewport: { width, height: 740 } });
      const found = await serious(page, "nobody there");
      const [one, two] = await scene(page);
      await drawn(page);
      found.push(...await serious(page, "thread"));
      await page.click("#view");
      await drawn(page);
      found.push(...await serious(page, "hex"));
      await page.evaluate(() => globalThis.switchboard.conversations.actions.back());
      await page.evaluate((id) => {
        const { conversations, model } = globalThis.switchboard;
        conversations.actions.pick(model.conns.get(id));
      }, one.id);
      await drawn(page);
      found.push(...await serious(page, "list, chosen"));
      await page.evaluate(() => globalThis.switchboard.conversations.actions.stream());
      await drawn(page);
      found.push(...await serious(page, "stream"));
      await page.evaluate(() => void globalThis.switchboard.conversations.actions.help());
      found.push(...await serious(page, "help"));
      await page.keyboard.press("Escape");
      await choose(page, two.id);
      await page.evaluate(() => void globalThis.switchboard.conversations.actions.close("kick"));
      found.push(...await serious(page, "question"));
      await page.keyboard.press("Escape");

      assert.deepEqual(found, []);
      const wide = await page.evaluate(() => [...document.querySelectorAll("body, header, main, section, #head, #composer, #composer *")]
        .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5).map(({ tagName, id }) => `${tagName}#${id}`));
      assert.deepEqual(wide, [], "nothing stands out on the right");
      await page.context().close();
      for (const peer of [one, two]) peer.vanish();
    });
  }
}

test("the ten tasks are done by keyboard alone", { skip, timeout: 90000 }, async () => {
  const page = await world.page();
  const [one, two, three] = [await world.peer(page), await world.peer(page), await world.peer(page)];
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  const current = () => page.evaluate(() => globalThis.switchboard.thread.conn?.id);
  const type = (text) => page.keyboard.type(text);
  two.say("who waits longest?");
  await until("it waits", async () => (await texts(page, two.id)).length === 1);
  one.say("me, too");
  await until("it waits", async () => (await texts(page, one.id)).length === 1);

  // 1, 2: the one who waits longest is found and answered.
  await press("n");
  assert.equal(await current(), two.id);
  await type("you");
  await press("Enter");
  await until("it is answered", () => two.heard() === "you\n");
  // 3: the next, while writing.
  await press("Alt+n");
  assert.equal(await current(), one.id);
  await type("and you");
  await press("Enter");
  await until("it is answered", () => one.heard() === "and you\n");
  // 4: a name.
  await press("Escape", "e");
  await type("lab-a");
  await press("Enter");
  await page.waitForFunction((id) => globalThis.switchboard.model.conns.get(id).name === "lab-a", one.id);
  // 5: found by its name.
  await press("/");
  await type("lab-a");
  await press("ArrowDown");
  await page.waitForFunction(() => globalThis.switchboard.conversations.list.rows.length === 1);
  await press("ArrowDown");
  assert.equal(await current(), one.id);
  await press("/", "Escape", "Escape");
  // 6: hex, and back.
  await press("v");
  await page.waitForFunction(() => /6d 65 2c/.test(document.getElementById("thread").textContent));
  await press("v");
  // 7: several.
  await press("x", "l");
  await page.waitForFunction((many) => globalThis.switchboard.conversations.list.rows.length >= many, 3);
  await press("End");
  while (await current() !== three.id) await press("ArrowUp");
  await press("Space", "Enter");
  await type("to two");
  await press("Enter");
  await until("both have it", () => one.heard().endsWith("to two\n") && three.heard() === "to two\n");
  await press("Escape", "X");
  // 8: what was said before, and again.
  await press("r", "ArrowUp");
  assert.equal(await page.inputValue("#text"), "to two");
  await press("Control+a", "Delete", "Escape");
  // 9: further up, paused, and back to the newest.
  for (let i = 0; i < 100; i += 1) three.say(`line ${i}`);
  await until("all is there", async () => (await texts(page, three.id)).length === 100);
  await press("i", "PageUp", "PageUp");
  await page.waitForFunction(() => globalThis.switchboard.thread.frozen);
  await press("G");
  await page.waitForFunction(() => !globalThis.switchboard.thread.frozen);
  // 10: closed, with a reason.
  await until("a while after typing it asks", async () => {
    await press("K");
    return page.isVisible("#dialog");
  });
  await press("Shift+Tab");
  await type("good bye");
  await press("Enter");
  await until("it is closed", () => three.isClosed);
  await until("it is said", async () => (await rowsOf(page, three.id)).some(({ text }) => text.startsWith("closed: kicked: good bye")));

  await press("?");
  assert.ok(await page.isVisible("#dialog"));
  await press("Escape");
  assert.ok(!(await page.isVisible("#dialog")));
  await page.context().close();
  for (const peer of [one, two]) peer.vanish();
});

test("every control is reached with Tab, and shows that it is", { skip, timeout: 60000 }, async () => {
  const page = await world.page();
  const one = await world.peer(page);
  await page.waitForFunction((id) => globalThis.switchboard.model.conns.has(id), one.id);
  await choose(page, one.id);
  const reached = new Set();
  for (let i = 0; i < 60; i += 1) {
    await page.keyboard.press("Tab");
    const [id, outline] = await page.evaluate(() => [document.activeElement.id, getComputedStyle(document.activeElement).outlineStyle]);
    if (id) {
      assert.equal(outline, "solid", `${id} shows its focus`);
      reached.add(id);
    }
  }

  const missing = await page.evaluate(() => [...document.querySelectorAll("button, input, select, textarea, [tabindex]")]
    .filter((element) => element.checkVisibility() && !element.disabled).map(({ id }) => id));
  assert.deepEqual(missing.filter((id) => !reached.has(id)), []);
  await page.context().close();
  one.vanish();
});

test("a flood is announced in few words", { skip, timeout: 60000 }, async () => {
  const page = await world.page();
  const one = await world.peer(page);
  await page.waitForFunction((id) => globalThis.switchboard.model.conns.has(id), one.id);
  await choose(page, one.id);
  await page.evaluate(() => {
    globalThis.announced = [];
    new MutationObserver(() => globalThis.announced.push(document.getElementById("live").textContent)).observe(document.getElementById("live"), { childList: true, characterData: true, subtree: true });
  });
  for (let i = 0; i < 3000; i += 1) one.say(`line ${i}`);
  await page.waitForFunction(() => globalThis.announced.some((text) => /messages from #/.test(text)));

  assert.ok(await page.evaluate(() => globalThis.announced.length) <= 3);
  const loud = await page.evaluate(() => [...document.querySelectorAll("[aria-live], [role=status], [role=alert], [role=log]")].filter((element) => element.contains(document.querySelector(".row"))).length);
  assert.equal(loud, 0, "the messages themselves are no live region");
  await page.context().close();
  one.vanish();
});

test("the theme follows the system, and the switch overrides it and is kept", { skip, timeout: 60000 }, async () => {
  const page = await world.page({ colorScheme: "dark" });
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const dark = await ground();
  await page.click("#theme");
  const light = await ground();
  assert.notEqual(light, dark);
  await page.reload();
  await world.connected(page);

  assert.equal(await ground(), light);
  await page.context().close();
});
