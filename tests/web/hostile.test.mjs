//! What peers say stays text: 500 messages of which each would like to be more.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { choose, drawn, hasBrowser, REAL, rowsOf, until, World } from "./harness.mjs";

const skip = hasBrowser ? false : "there is no browser";
let world;

before(async () => {
  if (!skip) world = await World.start();
});
after(() => world?.stop());

const BASES = [
  "<script>globalThis.owned=1</script>", "<img src=x onerror='globalThis.owned=1'>", "<svg onload=globalThis.owned=1>", "<iframe src=https://evil.invalid></iframe>",
  "<a href=javascript:globalThis.owned=1>click</a>", "<style>*{display:none}</style>", "<link rel=stylesheet href=https://evil.invalid/x.css>",
  "<meta http-equiv=refresh content='0;url=https://evil.invalid'>", "<base href=https://evil.invalid>", "<form action=https://evil.invalid><input name=token autofocus></form>",
  "</div></main></body><h1>gone</h1>", "<!--", "-->", "<![CDATA[", "<template><slot>", "<dialog open>hi</dialog>", "<button popovertarget=dialog>x</button>", "<marquee>",
  "<video src=https://evil.invalid/v autoplay>", "<object data=https://evil.invalid>", "<embed src=https://evil.invalid>", "<math><mtext></mtext><script>globalThis.owned=1</script></math>",
  "https://evil.invalid/?token=1", "javascript:globalThis.owned=1", "data:text/html,<script>1</script>", "//evil.invalid/x", "blob:https://evil.invalid/1",
  "${globalThis.owned=1}", "{{constructor.constructor('globalThis.owned=1')()}}", "__proto__", "constructor", "\\u003cscript\\u003e", "%3Cscript%3E", "&lt;script&gt;&#x3c;b&#62;",
  "\u202egnp.exe\u202c", "\u2066\u2067\u2068abc\u2069", "\u200e\u200f\u061c", "\u202a\u202b\u202d\u202e".repeat(200), "‮#1 lab-a> kick", "a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg",
  "\u115f\u1160\u3164\uffa0\u17b4\u17b5\u180e", "\u{e0001}\u{e0041}\u{e0042}\u{e007f}", "\ufe00\ufe01\ufe0f\u{e0100}", "\u2028next\u2029para", "\ufff9\ufffa\ufffb", "\ud800", "\udc00x\ud83d",
  "\x1b[2J\x1b[H", "\x1b]0;owned\x07", "\x1b]52;c;YQ==\x07", "\x1b[31mred\x1b[0m", "\x9b31m", "\x90q\x9c", "\x07\x08\x08\x7f", "\x00\x00", "\r#1 forged", "one\n[7] root: two\nthree",
  "\x85\x84\x8d", "\t\t\t", "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢".repeat(40), "\u0301".repeat(500), "ﷺ".repeat(200), "𒐫".repeat(100), "👨‍👩‍👧‍👦".repeat(50), "שלום #1 עולם", "مرحبا @3 kick",
  "x".repeat(65536), "<b>".repeat(21845), "\u202e".repeat(65536 / 4), " ".repeat(10000) + "end", "\n".repeat(5000), "W".repeat(4000), "a ".repeat(30000), "\\x1b[2J", "switchboard: closed: kicked", "skipped 17 events",
];
const WRAPS = [(text) => text, (text) => `before ${text} after`, (text) => `'"><x ${text}`, (text) => `${text}\u202e${text}`.slice(0, 65536), (text) => `#3 lab-a> ${text}`, (text) => `\u2067${text}\x1b[0m`.slice(0, 65536)];
const CORPUS = WRAPS.flatMap((wrap) => BASES.map(wrap)).concat(Array.from({ length: 256 }, (_, i) => `byte ${String.fromCharCode(i)} ${String.fromCodePoint(0x2000 + i)}`)).slice(0, 700);

const TAGS = ["BDI", "BUTTON", "DIV", "SMALL", "SPAN", "TIME"];

/** Goes through all rows, looking at what is drawn. */
const looked = (page) => page.evaluate(async () => {
  const box = document.getElementById("thread");
  const frame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const seen = { tags: new Set(), attributes: new Set(), odd: [], elements: 0, wide: 0, right: 0 };
  const odd = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}]/u;
  const picture = /\p{ExtPict}(\ufe0f|\u200d\p{ExtPict}|\p{EMod})*/gu;
  for (let top = 0; ; top += box.clientHeight) {
    box.scrollTop = top;
    await frame();
    for (const element of box.querySelectorAll("*")) {
      seen.tags.add(element.tagName);
      for (const { name } of element.attributes) seen.attributes.add(name);
    }
    for (const row of box.querySelectorAll(".row")) {
      const text = row.textContent.replace(/\n/g, "").replace(picture, "");
      if (odd.test(text)) seen.odd.push(text.slice(0, 80));
      if (row.scrollWidth > box.clientWidth + 1) seen.wide += 1;
      if (row.querySelector("time").getBoundingClientRect().left > box.getBoundingClientRect().left + 40) seen.right += 1;
    }
    seen.elements = Math.max(seen.elements, document.querySelectorAll("*").length);
    if (top + box.clientHeight >= box.scrollHeight) break;
  }
  return { ...seen, tags: [...seen.tags], attributes: [...seen.attributes] };
});

test("500 hostile messages stay text", { skip, timeout: 180000 }, async (t) => {
  const page = await world.page();
  page.on("dialog", (dialog) => page.faults.push(`dialog ${dialog.message()}`));
  const one = await world.peer(page);
  one.say("<b>first</b>");
  await page.waitForFunction((id) => globalThis.switchboard.model.conns.get(id)?.rows.length > 1, one.id);
  await choose(page, one.id);
  await drawn(page);
  const { origin } = new URL(world.url);
  const shape = () => page.evaluate(() => {
    const outline = (element, depth) => (element.id === "thread" || depth > 6 ? element.tagName : `${element.tagName}(${[...element.children].map((child) => outline(child, depth + 1))})`);
    return outline(document.getElementById("talk"), 0) + outline(document.head, 0) + document.body.children.length;
  });
  const shapeBefore = await shape();
  const asked = page.asked.length;

  let said = 0;
  for (const text of CORPUS) {
    // A line of TCP ends at LF.
    for (const line of REAL ? text.split("\n").filter(Boolean) : [text]) {
      one.say(line);
      said += 1;
    }
  }
  for (let byte = 0; byte < 256; byte += 1) if (byte !== 10) one.say(Uint8Array.from([byte, 0xff, byte]));
  said += 255;
  if (world.mock) {
    for (const msg of ["<img src=x>", "\u202e\x1b[2J"]) {
      world.mock.happen({ ev: "note", id: one.id, msg });
      world.mock.happen({ ev: "refused", count: 1, why: msg });
      const { id } = world.mock.open(`<i>${msg}</i>`);
      world.mock.close(id, "lost", msg);
    }
  }
  one.say("the last");
  await until("all is there", async () => {
    const rows = await rowsOf(page, one.id);
    return rows.at(-1)?.text === "the last";
  }, 30000);
  t.diagnostic(`${said} messages`);

  const results = { text: await looked(page) };
  await page.evaluate(() => {
    const { thread } = globalThis.switchboard;
    for (const row of thread.list.rows) if (row.text.length < 3000) row.open = true;
    thread.list.remeasure();
  });
  results.unfolded = await looked(page);
  await page.click("#view");
  await drawn(page);
  results.hex = await looked(page);
  await page.click("#everything");
  await drawn(page);
  results.stream = await looked(page);

  for (const [what, seen] of Object.entries(results)) {
    assert.deepEqual(seen.tags.filter((tag) => !TAGS.includes(tag)), [], `elements of ${what}`);
    assert.deepEqual(seen.attributes.filter((name) => !["class", "role", "style", "id", "title", "type", "aria-expanded"].includes(name)), [], `attributes of ${what}`);
    assert.deepEqual(seen.odd.slice(0, 3), [], `characters that cannot be seen, in ${what}`);
    assert.equal(seen.wide, 0, `rows wider than their box, in ${what}`);
    assert.equal(seen.right, 0, `stamps that were pushed aside, in ${what}`);
    assert.ok(seen.elements < 4000, `${seen.elements} elements in ${what}`);
  }
  t.diagnostic(JSON.stringify(Object.fromEntries(Object.entries(results).map(([what, { elements }]) => [what, elements]))));
  await choose(page, one.id);
  assert.equal(await shape(), shapeBefore, "the page has the shape that it had");
  assert.deepEqual(page.asked.slice(asked).filter((url) => !url.startsWith(origin)), [], "nothing is asked of anybody");
  assert.equal(page.asked.length, asked, "nothing is asked at all");
  assert.equal(await page.evaluate(() => globalThis.owned), undefined);
  assert.deepEqual(await page.evaluate(() => globalThis.violations), []);
  assert.deepEqual(page.faults, []);
  const live = await page.textContent("#live");
  assert.doesNotMatch(live, /[\p{Cc}\p{Cf}\p{DI}]/u);
  const list = await page.evaluate(() => document.getElementById("list").textContent);
  assert.doesNotMatch(list, /[\p{Cc}\p{Cf}]/u);
  if (!REAL) assert.equal((await page.evaluate(() => document.querySelectorAll("#list i, #list img").length)), 0);
});

test("what is kept of a text is what was said, character by character", { skip, timeout: 60000 }, async () => {
  const page = await world.page();
  const spelt = await page.evaluate(async () => {
    const { visible, plain, parseEscapes, hexDump } = await import("/format.js");
    return {
      arrow: plain("\u202eabc"), family: visible("👨‍👩‍👧 ok").length, lone: plain("a\u200db"), esc: plain("\x1b[0m\r\n\t\\"), nul: plain("\x00"),
      back: [...parseEscapes("\\x1b\\r\\n\\u{202e}é\\\\")], wrong: (() => { try { parseEscapes("a\\q"); } catch (error) { return error.message; } })(),
      dump: hexDump(Uint8Array.from([0, 65, 255])), marks: visible("\u202ea".repeat(1000)).length,
    };
  });
  assert.equal(spelt.arrow, "\\u{202e}abc");
  assert.equal(spelt.family, 1);
  assert.equal(spelt.lone, "a\\u{200d}b");
  assert.equal(spelt.esc, "\\x1b[0m\\r\\n\\t\\");
  assert.equal(spelt.nul, "\\x00");
  assert.deepEqual(spelt.back, [0x1b, 13, 10, 0xe2, 0x80, 0xae, 0xc3, 0xa9, 0x5c]);
  assert.match(spelt.wrong, /"\\q" is no escape/);
  assert.match(spelt.dump, /^0000 {2}00 41 ff .*·A·$/);
  assert.ok(spelt.marks < 500);
});
