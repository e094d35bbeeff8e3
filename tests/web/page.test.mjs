//! What an operator does on the page, against the mock or the real server (see harness.mjs).

import assert from "node:assert/strict";
import { choose, drawn, REAL, rowsOf, stage, texts, until, write } from "./harness.mjs";

const { world, skip, mockOnly, test, open, peer } = stage();

const gotBy = (page, id, text) => until(`the page has ${text}`, async () => (await texts(page, id)).includes(text));
const heard = (one, text) => until(`${one.id} hears ${JSON.stringify(text)}, and not ${JSON.stringify(one.heard())}`, () => one.heard() === text);
const target = (page) => page.textContent("#target");
const order = (page) => page.evaluate(() => globalThis.switchboard.conversations.list.rows.filter((conn) => conn.state !== "gone").map(({ id }) => id));

test("the token leaves the address bar at once, and nothing is asked of anybody else", { skip }, async () => {
  const page = await open();

  assert.equal(new URL(page.url()).hash, "");
  const { origin } = new URL(world.url);
  const elsewhere = page.asked.filter((url) => new URL(url).origin !== origin);
  assert.deepEqual(elsewhere, []);
  assert.ok(page.asked.every((url) => !url.includes(new URL(world.url).hash.slice(1))), "the token is in no request");
  await page.reload();
  await world.connected(page);
});

test("a wrong token is told, and asks for another", { skip: mockOnly }, async () => {
  const context = await world.browser.newContext();
  const page = await context.newPage();
  await page.goto(`${world.mock.origin}/#wrong`);

  await page.waitForFunction(() => /wrong token/.test(document.getElementById("link").textContent));
  await context.close();
});

test("the one who waits longest is answered while others speak", { skip }, async () => {
  const page = await open();
  const [one, two, three] = [await peer(page), await peer(page), await peer(page)];
  two.say("first");
  await gotBy(page, two.id, "first");
  three.say("second");
  await gotBy(page, three.id, "second");
  one.say("third");
  await gotBy(page, one.id, "third");
  await until("the longest waiting first", async () => String(await order(page)) === String([two.id, three.id, one.id]));

  await page.keyboard.press("n");
  await page.keyboard.type("an ans");
  for (let i = 0; i < 50; i += 1) one.say(`noise ${i}`);
  three.say("hurry");
  await gotBy(page, three.id, "hurry");
  await gotBy(page, one.id, "noise 49");
  assert.match(await target(page), new RegExp(`^To #${two.id} `));
  await page.keyboard.type("wer");
  await page.keyboard.press("Enter");

  await heard(two, "an answer\n");
  assert.equal(one.heard() + three.heard(), "");
  await until("it waits no more", async () => !(await page.evaluate((id) => globalThis.switchboard.model.conns.get(id).pending, two.id)));
  await until("its state stands behind it", async () => (await rowsOf(page, two.id)).some(({ kind, text, status }) => kind === "out" && text === "an answer" && status === "ok"));
});

test("each conversation keeps its draft, also over a reload", { skip }, async () => {
  const page = await open();
  const [one, two] = [await peer(page), await peer(page)];
  await choose(page, one.id);
  await page.keyboard.type("for one");
  await choose(page, two.id);
  await page.keyboard.type("for two");

  await choose(page, one.id);
  assert.equal(await page.inputValue("#text"), "for one");
  await page.waitForFunction(() => sessionStorage.getItem("switchboard.drafts")?.includes("for two"));
  await page.reload();
  await world.connected(page);
  await page.waitForFunction((id) => globalThis.switchboard.model.conns.has(id), two.id);
  await choose(page, two.id);

  assert.equal(await page.inputValue("#text"), "for two");
  assert.equal(one.heard() + two.heard(), "");
});

test("the arrow brings back what was sent", { skip }, async () => {
  const page = await open();
  const one = await peer(page);
  await choose(page, one.id);
  await write(page, "alpha");
  await write(page, "beta");
  await page.keyboard.type("begun");

  const seen = [];
  for (const key of ["ArrowUp", "ArrowUp", "ArrowUp", "ArrowDown", "ArrowDown"]) {
    await page.keyboard.press(key);
    seen.push(await page.inputValue("#text"));
  }

  assert.deepEqual(seen, ["beta", "alpha", "alpha", "beta", "begun"]);
  await heard(one, "alpha\nbeta\n");
});

test("several get a reply once each, and the target says whom", { skip }, async () => {
  const page = await open();
  const [one, two, three] = [await peer(page), await peer(page), await peer(page)];
  for (const { id } of [one, three]) await page.locator(`#conn-${id} .pick`).click();
  assert.equal((await target(page)).trim(), `To 2: #${one.id}, #${three.id}`);

  await write(page, "to two of you");

  await heard(one, "to two of you\n");
  await heard(three, "to two of you\n");
  assert.equal(two.heard(), "");
  await page.click("#drop");
  assert.doesNotMatch(await target(page), /To 2/);
});

test("everybody is asked for twice", { skip }, async () => {
  const page = await open();
  const [one, two] = [await peer(page), await peer(page)];
  await page.click("#everything");
  await write(page, "all of you");
  await drawn(page);
  assert.equal(one.heard(), "");
  assert.match(await page.textContent("#trouble"), /Enter again/);

  await page.press("#text", "Enter");

  await heard(one, "all of you\n");
  await heard(two, "all of you\n");
});

test("bytes go as they are typed, in hex and with escapes", { skip }, async () => {
  const page = await open();
  const one = await peer(page);
  await choose(page, one.id);
  await page.selectOption("#mode", "hex");
  await write(page, "48:69 0x0a");
  await heard(one, "Hi\n");
  await write(page, "4");
  assert.match(await page.textContent("#trouble"), /half a byte/);
  await page.selectOption("#mode", "escapes");

  await write(page, "a\\tb\\x41\\r\\n");

  await heard(one, "Hi\na\tbA\r\n");
  await page.selectOption("#mode", "text");
  await page.uncheck("#eol");
  await write(page, "OK> ");
  await heard(one, "Hi\na\tbA\r\nOK> ");
});

test("named, shown in hex, muted, finished and kicked", { skip }, async () => {
  const page = await open();
  const [one, two] = [await peer(page), await peer(page)];
  await choose(page, one.id);
  await page.keyboard.press("Escape");
  await page.keyboard.press("e");
  await page.keyboard.type("lab-a");
  await page.keyboard.press("Enter");
  await until("the name is on it", async () => (await target(page)).startsWith(`To #${one.id} lab-a`));
  one.say("ABC");
  await gotBy(page, one.id, "ABC");

  await page.keyboard.press("v");
  await page.waitForFunction(() => /41 42 43/.test(document.getElementById("thread").textContent));
  await page.keyboard.press("m");
  one.say("not in the stream");
  await gotBy(page, one.id, "not in the stream");
  assert.ok(!(await texts(page, 0)).includes("not in the stream"));
  await until("a while after typing it asks", async () => {
    await page.keyboard.press("K");
    return page.isVisible("#dialog");
  });
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.type("good bye");
  await page.keyboard.press("Enter");
  await until("it is closed", () => one.isClosed);
  await until("the page says so", async () => (await rowsOf(page, one.id)).some(({ text }) => text.startsWith("closed: kicked")));
  await choose(page, two.id);
  await page.click("#eof");
  await page.click("#dialog-yes");
  await until("our side is finished", async () => (await rowsOf(page, two.id)).some(({ text }) => text.startsWith("our side is finished")));
  await page.click("#rst");
  await page.click("#dialog-yes");
  await until("it is reset", () => two.isClosed);
});

test("who leaves while being written to gets nothing, and the text stays", { skip }, async () => {
  const page = await open();
  const [one, two] = [await peer(page), await peer(page)];
  await choose(page, one.id);
  await page.keyboard.type("still writ");
  one.leave();
  await page.waitForFunction((id) => /gone|finished/.test(globalThis.switchboard.model.conns.get(id).state) || globalThis.switchboard.model.conns.get(id).state !== "open", one.id);
  if (REAL) await page.evaluate((id) => globalThis.switchboard.link.send({ cmd: "close", to: id, how: "rst" }), one.id);
  await page.waitForFunction(() => /gone/.test(document.getElementById("target").textContent));
  await page.keyboard.type("ing");
  await page.keyboard.press("Enter");

  assert.equal(await page.inputValue("#text"), "still writing");
  assert.match(await page.textContent("#trouble"), /Not sent/);
  assert.equal(two.heard(), "");
});

test("nothing moves while somebody reads further up, and what is new is counted", { skip }, async () => {
  const page = await open();
  const one = await peer(page);
  for (let i = 0; i < 200; i += 1) one.say(`line ${i}`);
  await gotBy(page, one.id, "line 199");
  await choose(page, one.id);
  await drawn(page);
  await page.hover("#thread");
  await page.mouse.wheel(0, -600);
  await page.waitForFunction(() => globalThis.switchboard.thread.frozen);
  await drawn(page);
  const seen = await page.evaluate(() => [document.getElementById("thread").scrollTop, document.querySelector(".row .text").textContent]);
  for (let i = 200; i < 1500; i += 1) one.say(`line ${i}`);
  await gotBy(page, one.id, "line 1499");
  await drawn(page);

  assert.deepEqual(await page.evaluate(() => [document.getElementById("thread").scrollTop, document.querySelector(".row .text").textContent]), seen);
  assert.match(await page.textContent("#new"), /1,300 new/);
  await page.click("#new");
  await page.waitForFunction(() => [...document.querySelectorAll(".row .text")].some((row) => row.textContent === "line 1499"));
  assert.ok(await page.evaluate(() => globalThis.switchboard.thread.list.isAtEnd()));
  assert.ok(await page.evaluate(() => document.querySelectorAll(".row").length) < 80, "only what is seen is in the document");
});

test("pause holds the page, and going on shows what came", { skip }, async () => {
  const page = await open();
  const one = await peer(page);
  await choose(page, one.id);
  await page.click("#pause");
  one.say("meanwhile");
  await gotBy(page, one.id, "meanwhile");
  await page.waitForFunction(() => /1 new/.test(document.getElementById("new").textContent));
  assert.doesNotMatch(await page.textContent("#thread"), /meanwhile/);

  await page.click("#pause");

  await page.waitForFunction(() => /meanwhile/.test(document.getElementById("thread").textContent));
});

test("a long message is folded, and unfolds by key", { skip }, async () => {
  const page = await open();
  const one = await peer(page);
  one.say("x".repeat(5000));
  await until("it is there", async () => (await texts(page, one.id)).length === 1);
  await choose(page, one.id);
  await page.waitForFunction(() => /4,200 more characters/.test(document.querySelector(".fold")?.textContent));

  await page.keyboard.press("Escape");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");

  await page.waitForFunction(() => document.querySelector(".row.in bdi").textContent.length === 5000);
});

test("after a reload nothing is there twice, and nothing is missing", { skip }, async () => {
  const page = await open();
  const one = await peer(page);
  for (let i = 0; i < 20; i += 1) one.say(`m${i}`);
  await gotBy(page, one.id, "m19");
  await choose(page, one.id);
  await write(page, "an answer");
  await heard(one, "an answer\n");

  await page.reload();
  await world.connected(page);
  await gotBy(page, one.id, "m19");
  await drawn(page);

  assert.deepEqual(await texts(page, one.id), Array.from({ length: 20 }, (_, i) => `m${i}`));
  assert.deepEqual(await texts(page, one.id, "out"), ["an answer"]);
});

test("after the link was lost nothing is there twice, and the time without it is told", { skip }, async () => {
  const page = await open();
  const one = await peer(page);
  one.say("before");
  await gotBy(page, one.id, "before");
  await choose(page, one.id);
  await page.keyboard.type("half a tex");
  await world.cut(page);
  one.say("meanwhile");

  await gotBy(page, one.id, "meanwhile");
  await world.connected(page);
  one.say("after");
  await gotBy(page, one.id, "after");

  const rows = await rowsOf(page, one.id);
  assert.deepEqual(rows.filter(({ kind }) => kind === "in").map(({ text }) => text), ["before", "meanwhile", "after"]);
  assert.equal(rows.filter(({ kind, text }) => kind === "gap" && /not connected for .* no message was missed/.test(text)).length, 1);
  assert.equal(await page.inputValue("#text"), "half a tex");
  assert.equal(one.heard(), "");
});

test("more than the server keeps is told as a gap", { skip: mockOnly }, async () => {
  const page = await open();
  const one = await peer(page);
  one.say("before");
  await gotBy(page, one.id, "before");
  world.mock.isDown = true;
  world.mock.cut();
  await page.waitForFunction(() => globalThis.switchboard.link.state === "waiting");
  for (let i = 0; i < 1100; i += 1) one.say(`n${i}`);
  world.mock.isDown = false;

  await gotBy(page, one.id, "n1099");

  const gaps = (await rowsOf(page, 0)).filter(({ kind }) => kind === "gap");
  assert.equal(gaps.length, 1);
  assert.match(gaps[0].text, /up to 100 events were missed/);
  const seen = await texts(page, 0);
  assert.equal(new Set(seen).size, seen.length);
});

test("what the server skips is told once, with its count", { skip: mockOnly }, async () => {
  const page = await open();
  const one = await peer(page);
  one.say("before");
  world.mock.skip(17);
  one.say("after");
  world.mock.seq += 3;
  one.say("later");
  await gotBy(page, one.id, "later");

  const rows = await rowsOf(page, 0);
  assert.deepEqual(rows.slice(-5).map(({ kind, text }) => (kind === "gap" ? text.match(/^\d+ events \w+/)[0] : text)),
    ["before", "17 events skipped", "after", "3 events missed", "later"]);
});

test("a text whose reply is lost is unknown and is not sent again", { skip: mockOnly }, async () => {
  const page = await open();
  const one = await peer(page);
  await choose(page, one.id);
  world.mock.loses = ({ cmd }) => cmd === "send";
  await write(page, "did it go?");
  await page.waitForFunction(() => document.querySelector(".row.waiting"));
  world.mock.loses = null;
  world.mock.cut();
  await until("it is unknown", async () => (await rowsOf(page, one.id)).some(({ status }) => status === "unknown"));
  await world.connected(page);
  one.say("back");
  await gotBy(page, one.id, "back");

  assert.equal(one.heard(), "");
  const [row] = (await rowsOf(page, one.id)).filter(({ kind }) => kind === "out");
  assert.equal(row.note, "unknown whether sent");
  assert.equal(await page.evaluate(() => !!globalThis.switchboard.model.conns.values().next().value.pending), true, "it still waits");
});

test("a text whose reply is lost is certain when the server tells of it", { skip: mockOnly }, async () => {
  const page = await open();
  const one = await peer(page);
  await choose(page, one.id);
  world.mock.losesReply = true;
  await write(page, "it went");
  await heard(one, "it went\n");
  world.mock.losesReply = false;
  world.mock.cut();
  await world.connected(page);

  await until("it is certain", async () => (await rowsOf(page, one.id)).some(({ status, text }) => status === "ok" && text === "it went"));
  assert.equal((await texts(page, one.id, "out")).length, 1);
  assert.equal(one.heard(), "it went\n");
});

test("another run of the server makes nobody an old number's heir", { skip: mockOnly }, async () => {
  const page = await open();
  const one = await peer(page);
  await choose(page, one.id);
  await page.keyboard.type("for the old one");
  world.mock.begin("another");
  const stranger = world.mock.open();
  world.mock.cut();
  await page.waitForFunction(() => globalThis.switchboard.model.run === "another");
  await page.waitForFunction(() => globalThis.switchboard.model.conns.size === 1);
  await drawn(page);

  assert.equal(await target(page), "Nobody is chosen");
  assert.equal(stranger.id, one.id);
  await choose(page, stranger.id);
  assert.equal(await page.inputValue("#text"), "");
  await page.keyboard.press("ArrowUp");
  assert.equal(await page.inputValue("#text"), "for the old one");
  assert.equal(stranger.heard.join(""), "");
});

test("rows do not move under the pointer", { skip }, async () => {
  const page = await open();
  const [one, two] = [await peer(page), await peer(page)];
  // The real server may still have others, who are just leaving.
  const these = async () => (await order(page)).filter((id) => id === one.id || id === two.id);
  await until("both are listed", async () => (await these()).length === 2);
  await page.hover(`#conn-${one.id}`);
  two.say("I wait");
  await page.waitForFunction(() => !document.getElementById("held").hidden);
  assert.deepEqual(await these(), [one.id, two.id]);

  await page.hover("#thread");

  await until("who waits is first", async () => (await these())[0] === two.id);
});

test("search and filter find by number, name, peer and state", { skip }, async () => {
  const page = await open();
  const [one, two] = [await peer(page), await peer(page)];
  await page.evaluate((id) => globalThis.switchboard.link.send({ cmd: "name", id, name: "Meter-7" }), two.id);
  await until("it is named", async () => (await page.textContent("#list")).includes("Meter-7"));
  const found = async (text, filter = "all") => {
    await page.fill("#search", text);
    await page.selectOption("#filter", filter);
    await drawn(page);
    return order(page);
  };

  assert.deepEqual(await found("meter"), [two.id]);
  assert.deepEqual(await found(`#${one.id}`), [one.id]);
  assert.deepEqual(await found("", "waiting"), []);
  one.say("hello");
  await until("one waits", async () => String(await found("", "waiting")) === String(one.id));
  assert.deepEqual(await found("nobody has this"), []);
  assert.equal(await page.textContent("#none"), "Nobody fits.");
});

test("two pages see each other's texts once, and who sent them", { skip }, async () => {
  const page = await open();
  const one = await peer(page);
  const other = await open();
  await choose(page, one.id);
  await write(page, "from the first");
  await heard(one, "from the first\n");

  await until("the other has it", async () => (await texts(other, one.id, "out")).length === 1);
  const [row] = (await rowsOf(other, one.id)).filter(({ kind }) => kind === "out");
  assert.match(row.note, /^desk \d+$/);
  assert.equal(row.text, "from the first");
});
