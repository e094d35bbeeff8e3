//! Another site's page in the same browser, and one whose name was made to lead to this machine (DNS rebinding): neither
//! opens a WebSocket to the desk, even where it has the token, nor reads the page. Against the real server alone, since
//! it is the server that refuses them.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { hasBrowser, REAL, until } from "./harness.mjs";

const skip = !hasBrowser ? "there is no browser" : REAL ? false : "SWITCHBOARD_WEB names no server";
const BROWSER = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const [desk, token] = (REAL || "http://127.0.0.1:1/#none").split("#");
const { host, port } = new URL(desk);

let browser;
let theirs;
let asked;

before(async () => {
  if (skip) return;
  asked = [];
  // What it serves is as bad as can be: it lets everybody do everything.
  theirs = createServer((request, response) => {
    asked.push(request.headers.host);
    response.writeHead(200, { "Content-Type": "text/html", "Access-Control-Allow-Origin": "*" });
    response.end("<!doctype html><title>theirs</title>");
  });
  await new Promise((resolve) => theirs.listen(0, "127.0.0.1", resolve));
  browser = await chromium.launch({ executablePath: BROWSER, args: ["--no-sandbox", "--host-resolver-rules=MAP evil.test 127.0.0.1"] });
});
after(async () => {
  await browser?.close();
  theirs?.close();
});

/** What becomes of a WebSocket that the page opens there, with the token. A page learns no more than that. */
const opens = (page, url) => page.evaluate(([address, secret]) => new Promise((resolve) => {
  try {
    const socket = new WebSocket(address, ["switchboard.v1", `token.${secret}`]);
    socket.onopen = () => resolve("open");
    socket.onerror = () => resolve("refused");
  } catch {
    resolve("refused");
  }
}), [url, token]);

/** What the page gets to read of what is there, in every way that it may ask. */
const reads = (page, url) => page.evaluate(async (address) => {
  const found = [];
  for (const mode of ["cors", "no-cors", "same-origin"]) {
    try {
      const response = await fetch(address, { mode });
      const text = await response.text();
      if (response.type !== "opaque" || text) found.push(`${mode}: ${response.status} ${text.slice(0, 40)}`);
    } catch { /* Refused, as it should be. */ }
  }
  const frame = document.createElement("iframe");
  frame.src = address;
  document.body.append(frame);
  await new Promise((resolve) => (frame.onload = resolve));
  try {
    const text = frame.contentDocument?.body?.textContent;
    if (text) found.push(`frame: ${text.slice(0, 40)}`);
  } catch { /* Refused, as it should be. */ }
  const script = document.createElement("script");
  script.src = new URL("main.js", address).href;
  const loaded = await new Promise((resolve) => {
    script.onload = () => resolve(true);
    script.onerror = () => resolve(false);
    document.body.append(script);
  });
  if (loaded) found.push("a script of the page's is run");
  return found;
}, url);

test("h66: a page of another origin opens no WebSocket even with the token, and reads nothing", { skip, timeout: 60000 }, async () => {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${theirs.address().port}/`);

  for (const name of [host, `localhost:${port}`, `0.0.0.0:${port}`, `evil.test:${port}`]) {
    assert.equal(await opens(page, `ws://${name}/ws`), "refused", name);
    assert.deepEqual(await reads(page, `http://${name}/`), [], name);
  }
  await page.close();
});

test("h66: neither does a page without an origin", { skip, timeout: 60000 }, async () => {
  const page = await browser.newPage();
  await page.goto("data:text/html,<title>none</title>");

  assert.equal(await opens(page, `ws://${host}/ws`), "refused");
  await page.close();
});

test("h67: a name that is made to lead here gets neither the page nor a WebSocket", { skip, timeout: 60000 }, async () => {
  const page = await browser.newPage();
  // The name leads here: it gets as far as the other server, and to ours.
  await page.goto(`http://evil.test:${theirs.address().port}/`);
  assert.ok(asked.some((name) => name.startsWith("evil.test:")), `${asked}`);
  assert.equal(await opens(page, `ws://${host}/ws`), "refused");

  const response = await page.goto(`http://evil.test:${port}/`);
  assert.equal(response.status(), 421);
  assert.doesNotMatch(await page.content(), /<script/);
  // Now Origin and Host are the same: both are theirs.
  assert.equal(await page.evaluate(() => location.host), `evil.test:${port}`);  assert.equal(await opens(page, `ws://evil.test:${port}/ws`), "refused");  assert.equal(await opens(page, `ws://${host}/ws`), "refused");
  await page.close();
});

test("our own page opens it, in the same browser", { skip, timeout: 60000 }, async () => {
  const page = await browser.newPage();
  await page.goto(desk);

  assert.equal(await opens(page, `ws://${host}/ws`), "open");
  // Another one: with another fragment alone it would stay the same.
  await page.goto("about:blank");
  await page.goto(`${desk}#${token}`);
  await until("the page is connected", () => page.evaluate(() => globalThis.switchboard?.link.state === "open"));
  assert.ok(!page.url().includes(token), "the token has left the address bar");
  await page.close();
});
