//! Two terminals and a page at one server: each text reaches the peer once, and the others are told it, and by whom. Run by
//! hand, with the program's path in SWITCHBOARD_PROGRAM; tmux holds the terminals.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { until } from "./harness.mjs";

const program = process.env.SWITCHBOARD_PROGRAM;
const skip = program ? false : "SWITCHBOARD_PROGRAM names no program";
const dir = mkdtempSync(join(tmpdir(), "switchboard-"));
const socket = join(dir, "desk");
const tmux = (...words) => execFileSync("tmux", ["-S", join(dir, "tmux"), ...words], { encoding: "utf8" });
const screen = (pane) => tmux("capture-pane", "-p", "-J", "-t", pane);
const shows = (pane, text) => until(`${pane} shows ${text}`, () => screen(pane).includes(text) && screen(pane));
let server;
let said = "";
let browser;

before(async () => {
  if (skip) return;
  const env = { ...process.env, XDG_RUNTIME_DIR: dir, XDG_STATE_HOME: dir };
  server = spawn(program, ["127.0.0.1:0", `--desk=${socket}`, "--web"], { stdio: ["pipe", "ignore", "pipe"], env });
  server.stderr.on("data", (data) => (said += data));
  await until("the server listens", () => /listening on /.test(said));
  tmux("-f", "/dev/null", "new-session", "-d", "-s", "one", "-x", "100", "-y", "30", `XDG_STATE_HOME=${dir} ${program} attach --name ann ${socket}`);
  tmux("new-session", "-d", "-s", "two", "-x", "100", "-y", "30", `XDG_STATE_HOME=${dir} ${program} attach --name bob ${socket}`);
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
});

after(async () => {
  await browser?.close();
  if (skip) return;
  try {
    tmux("kill-server");
  } catch {
    // It has ended with its last session.
  }
  server.kill();
  rmSync(dir, { recursive: true });
});

test("each text is there once, for the peer and for all desks, and by whom", { skip, timeout: 60000 }, async () => {
  const [, host, port] = /listening on ([\d.]+):(\d+)/.exec(said);
  const [url] = readFileSync(/with its token in (.*)/.exec(said)[1], "utf8").split("\n");
  const page = await browser.newPage();
  await page.goto(url);
  await page.waitForFunction(() => globalThis.switchboard?.link.state === "open");
  const peer = connect({ host, port: Number(port) });
  let heard = "";
  peer.on("data", (data) => (heard += data));
  peer.write("你好, is anybody there?\n");
  for (const pane of ["one", "two"]) await shows(pane, "你好, is anybody there?");
  await until("the page shows it", async () => (await page.textContent("#list")).includes("你好"));

  tmux("send-keys", "-t", "one", "ann is here", "Enter");
  await until("the peer hears ann", () => heard === "ann is here\n");
  await shows("two", "ann is here");
  tmux("send-keys", "-t", "two", "and bob", "Enter");
  await until("the peer hears bob", () => heard === "ann is here\nand bob\n");
  await shows("one", "and bob");
  await page.click("#list [role=option]");
  await page.fill("#text", "the page, too");
  await page.press("#text", "Enter");
  await until("the peer hears the page", () => heard === "ann is here\nand bob\nthe page, too\n");

  for (const pane of ["one", "two"]) {
    const seen = await shows(pane, "the page, too");
    for (const text of ["ann is here", "and bob", "the page, too"]) {
      assert.equal(seen.split(text).length - 1, 1, `${text} is on ${pane} once:\n${seen}`);
    }
  }
  assert.match(screen("two"), /desk \d+ ann\)? ?ann is here|ann.*ann is here/);
  assert.match(screen("one"), /bob.*and bob/);
  const thread = await page.textContent("#thread");
  for (const text of ["ann is here", "and bob", "the page, too"]) {
    assert.equal(thread.split(text).length - 1, 1, `${text} is on the page once: ${thread}`);
  }
  assert.match(thread, /ann/);
  if (process.env.SWITCHBOARD_PICTURES) await page.screenshot({ path: join(process.env.SWITCHBOARD_PICTURES, "together.png") });
  process.stdout.write(`${screen("one")}\n${screen("two")}\n${thread}\n`);

  // kill -9 of a terminal leaves nothing: the others are told, and the server goes on.
  const pid = tmux("list-panes", "-t", "two", "-F", "#{pane_pid}").trim();
  process.kill(Number(pid), "SIGKILL");
  await shows("one", "bob");
  tmux("send-keys", "-t", "one", "still here", "Enter");
  await until("the peer hears it", () => heard.endsWith("still here\n"));
});
