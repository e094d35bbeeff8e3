//! Several desks at one server, as a page has them: who else is here, who writes to whom, who may only look; and what the
//! page knows of who is here after it came, came back, or was too slow.

import assert from "node:assert/strict";
import { choose, drawn, LOOKS, REAL, rowsOf, stage, texts, until } from "./harness.mjs";

const { world, skip, mockOnly, test, open, peer } = stage(60000);

const says = (page, id, pattern) => until(`${id} says ${pattern}`, async () => pattern.test(await page.textContent(`#${id}`)));

/** Says a name for the page, as somebody at it would. */
async function call(page, name) {
  await page.click("#desks");
  await page.fill("#dialog input", name);
  await page.click("#dialog-yes");
}

test("who else is here is shown, by name once one is said, and who has left is not", { skip }, async () => {
  const ann = await open();
  const bob = await open();
  await says(ann, "desks", /desk \d+/);

  await call(bob, "9 lives");
  await says(bob, "dialog", /name/);
  await bob.fill("#dialog input", "bob");
  await bob.press("#dialog input", "Enter");

  await says(ann, "desks", /^with .*bob/);
  await says(bob, "link", /^desk \d+ bob$/);
  await ann.click("#desks");
  assert.match(await ann.textContent("#dialog-body"), /desk \d+, this page/);
  assert.match(await ann.textContent("#dialog-body"), /desk \d+ bob/);
  await ann.keyboard.press("Escape");
  await bob.reload();
  await world.connected(bob);
  await says(bob, "link", /^desk \d+ bob$/);
  await bob.close();
  await until("bob has left", async () => !/bob/.test(await ann.textContent("#desks")));
});

test("who is writing to somebody is shown there, and in the composer of who writes to the same", { skip }, async () => {
  const ann = await open();
  const bob = await open();
  const [one, two] = [await peer(ann), await peer(ann)];
  await bob.waitForFunction((id) => globalThis.switchboard.model.conns.has(id), two.id);
  await call(bob, "bob");
  await choose(ann, one.id);
  await choose(bob, one.id);
  await bob.keyboard.type("a lo");

  await says(ann, "target", /bob is writing, too/);
  await says(ann, "about", /bob is writing/);
  await says(ann, `conn-${one.id}`, /bob is writing/);
  assert.doesNotMatch(await bob.textContent("#target"), /writing/, "nobody is told of what they write themselves");
  await choose(ann, two.id);
  await drawn(ann);
  assert.doesNotMatch(await ann.textContent("#target"), /writing/);
  await bob.fill("#text", "");
  await until("it has ended", async () => !/writing/.test(await ann.textContent(`#conn-${one.id}`)));
  await choose(bob, two.id);
  await bob.keyboard.type("to two");
  await says(ann, "target", /bob is writing, too/);
  await bob.keyboard.press("Enter");
  await until("it has ended", async () => !/writing/.test(await ann.textContent("#target")));
  await until("by whom is said", async () => (await rowsOf(ann, two.id)).some(({ text, note }) => text === "to two" && note === "bob"));
});

test("what is being written is told once a second at most", { skip }, async () => {
  const ann = await open();
  const bob = await open();
  const one = await peer(ann);
  await ann.evaluate(() => {
    const { link } = globalThis.switchboard;
    globalThis.typing = [];
    const send = link.send.bind(link);
    link.send = (command, ...rest) => {
      if (command.cmd === "typing") globalThis.typing.push([performance.now(), command.to]);
      return send(command, ...rest);
    };
  });
  await choose(ann, one.id);
  for (let i = 0; i < 40; i += 1) await ann.keyboard.type("x");
  await until("it is told again", async () => {
    await ann.keyboard.type("x");
    return ann.evaluate(() => globalThis.typing.length > 1);
  });
  await ann.keyboard.press("Enter");

  const told = await ann.evaluate(() => globalThis.typing);
  const gaps = told.slice(1, -1).map(([at], i) => at - told[i][0]);
  assert.ok(gaps.every((ms) => ms >= 999), `${gaps}`);
  assert.equal(told.at(-1)[1], undefined, "and that it has ended");
  await bob.close();
});

test("a desk that only looks says so, and offers nothing else", { skip }, async () => {
  if (world.mock) world.mock.may = "look";
  const page = await open(REAL ? { url: LOOKS } : {});
  const one = await peer(page);
  one.say("hello");
  await choose(page, one.id);
  await says(page, "target", /this desk only looks/);

  assert.match(await page.textContent("#link"), /only looking/);
  const disabled = await page.evaluate(() => ["text", "send", "name", "done", "eof", "kick", "rst"].filter((id) => !document.getElementById(id).disabled));
  assert.deepEqual(disabled, []);
  for (const key of ["e", "d", "E", "K", "R", "r"]) await page.keyboard.press(key);
  assert.ok(!(await page.isVisible("#dialog")));
  assert.equal(await page.evaluate(() => [...globalThis.switchboard.link.asked.values()].filter(({ sent }) => sent).length), 0, "nothing is asked that it may not");
  await until("it is shown", async () => (await texts(page, one.id)).length === 1);
});

test("there is no place: the page says why, and tries again", { skip: mockOnly }, async () => {
  const page = await open();
  world.mock.refuses = { ev: "error", code: "too-many", msg: "16 desks are here already" };
  world.mock.cut();
  await says(page, "link", /16 desks are here already; .*next attempt/);

  world.mock.refuses = null;

  await says(page, "link", /^desk \d+/);
});

test("whoever leaves while the list of all is on its way does not come back", { skip: mockOnly }, async () => {
  const page = await open();
  const [one, two, three] = [await peer(page), await peer(page), await peer(page)];
  for (const { id } of [one, two, three]) await page.waitForFunction((number) => globalThis.switchboard.model.conns.has(number), id);
  // It leaves unseen; of the next one, and of a newcomer, the list is older than what is told.
  world.mock.conns.delete(one.id);
  world.mock.skip(1);
  world.mock.delaysWho = true;
  await until("it is asked", () => world.mock.asked);
  two.leave();
  const late = world.mock.open();
  world.mock.delaysWho = false;
  world.mock.asked();
  three.say("end");
  await until("it is known", async () => (await texts(page, three.id)).length === 1);
  await page.waitForFunction(() => !globalThis.switchboard.model.ended);

  const states = await page.evaluate(() => Object.fromEntries([...globalThis.switchboard.model.conns.values()].map(({ id, state }) => [id, state])));
  assert.deepEqual(states, { [one.id]: "gone", [two.id]: "gone", [three.id]: "open", [late.id]: "open" });
  assert.equal(await page.evaluate(() => globalThis.switchboard.model.open), 2);
  assert.equal((await rowsOf(page, 0)).filter(({ kind }) => kind === "gap").length, 1);
});

test("who waits is known from the greeting, whatever was said before", { skip }, async () => {
  const page = await open();
  const [one, two] = [await peer(page), await peer(page)];
  one.say("first");
  await until("it is here", async () => (await texts(page, one.id)).length === 1);
  await choose(page, one.id);
  await page.keyboard.type("an answer");
  await page.keyboard.press("Enter");
  await until("it is answered", () => one.heard() === "an answer\n");
  one.say("and again");
  await until("it is here", async () => (await texts(page, one.id)).length === 2);

  await page.reload();
  await world.connected(page);
  await until("it is here", async () => (await texts(page, one.id)).length === 2);

  const waiting = await page.evaluate(() => [...globalThis.switchboard.model.conns.values()].filter(({ pending }) => pending).map(({ id }) => id));
  assert.deepEqual(waiting.filter((id) => [one.id, two.id].includes(id)), [one.id]);
  const by = (await rowsOf(page, one.id)).filter(({ kind }) => kind === "out").map(({ note }) => note);
  assert.deepEqual(by, ["you"], "what this page has sent before is its own");
});

test("who has left before the page came is there with what it said, and is gone", { skip }, async () => {
  const page = await open();
  const one = await peer(page);
  one.say("last words");
  await until("it is here", async () => (await texts(page, one.id)).length === 1);
  one.vanish();
  await page.waitForFunction((id) => globalThis.switchboard.model.conns.get(id).state === "gone", one.id);

  await page.reload();
  await world.connected(page);
  await page.waitForFunction((id) => globalThis.switchboard.model.conns.get(id)?.state === "gone", one.id);

  assert.deepEqual(await texts(page, one.id), ["last words"]);
  const here = await page.evaluate(() => [...globalThis.switchboard.model.conns.values()].filter(({ state, peer }) => state !== "gone" && !peer).length);
  assert.equal(here, 0, "nobody is here of whom nothing is known");
});

test("an Enter that ends a composition sends nothing", { skip }, async () => {
  const page = await open();
  const one = await peer(page);
  await choose(page, one.id);
  const client = await page.context().newCDPSession(page);
  await client.send("Input.imeSetComposition", { text: "ni hao", selectionStart: 6, selectionEnd: 6 });
  await client.send("Input.dispatchKeyEvent", { type: "rawKeyDown", windowsVirtualKeyCode: 229, key: "Process", code: "Enter" });
  await page.evaluate(() => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true, isComposing: true })));
  await client.send("Input.insertText", { text: "你好" });
  await drawn(page);
  assert.equal(await page.inputValue("#text"), "你好");
  assert.equal(one.heard(), "");

  await page.keyboard.press("Enter");

  await until("it is sent", () => one.heard() === "你好\n");
});
