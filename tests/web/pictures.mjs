//! Pictures of the page, into the folder that is given: with 3, with 5,000, dark in hex, 360 pixels wide.

import { mkdirSync } from "node:fs";
import { choose, drawn, World } from "./harness.mjs";

const into = process.argv[2] ?? "pictures";
mkdirSync(into, { recursive: true });
const world = await World.start();
const { mock } = world;
const wait = (page, ms) => page.waitForTimeout(ms);

async function three(page) {
  await page.waitForFunction(() => globalThis.switchboard.model.conns.size === 3);
  await choose(page, 2);
  await drawn(page);
}

mock.open("192.168.10.21:50122", { name: "lab-a" });
mock.open("192.168.10.22:41870", { name: "press-2" });
mock.open("[2001:db8::17]:39112", { via: "tls" });
const page = await world.page({ viewport: { width: 1180, height: 720 }, colorScheme: "light" });
await page.waitForFunction(() => globalThis.switchboard.model.conns.size === 3);
for (const [id, text] of [[1, "hello"], [2, "READY 4.20 bar"], [1, "temp=21.4"], [2, "ack?"]]) {
  mock.say(id, text);
  await wait(page, 130);
}
await three(page);
await page.fill("#text", "ACK");
await page.keyboard.press("Enter");
await wait(page, 300);
mock.say(2, "OK 1\nOK 2\nstate: idle\twaiting for \u202etxt.exe");
mock.say(3, "你好, is anybody there?");
await wait(page, 200);
mock.say(2, "log " + "0123456789 ".repeat(180));
await wait(page, 900);
mock.say(2, Uint8Array.from([0x02, 0x10, 0x41, 0x43, 0x4b, 0xff, 0x03]));
await wait(page, 1200);
await page.fill("#text", "set pressure 4.5");
await page.screenshot({ path: `${into}/three.png` });

await page.emulateMedia({ colorScheme: "dark" });
await page.fill("#text", "");
await page.click("#view");
await page.selectOption("#mode", "hex");
await page.fill("#text", "02 10 41 43 4b ff 03");
await wait(page, 300);
await page.screenshot({ path: `${into}/dark-hex.png` });
await page.keyboard.press("Escape");
await page.keyboard.press("?");
await wait(page, 200);
await page.screenshot({ path: `${into}/help.png` });

for (const scheme of ["light", "dark"]) {
  const small = await world.page({ viewport: { width: 360, height: 740 }, colorScheme: scheme });
  await small.waitForFunction(() => globalThis.switchboard.model.conns.size === 3);
  await wait(small, 1200);
  await small.screenshot({ path: `${into}/small-list-${scheme}.png` });
  await choose(small, 2);
  await wait(small, 300);
  await small.screenshot({ path: `${into}/small-thread-${scheme}.png` });
  await small.click("#view");
  await wait(small, 300);
  await small.screenshot({ path: `${into}/small-hex-${scheme}.png` });
  await small.context().close();
}

for (let i = 0; i < 4997; i += 1) mock.open(`10.${20 + (i >> 8)}.${i & 255}.7:${40000 + i}`, i % 7 ? {} : { name: `meter-${i}` });
const many = await world.page({ viewport: { width: 1180, height: 720 }, colorScheme: "light" });
await many.waitForFunction(() => globalThis.switchboard.model.conns.size === 5000);
const timer = setInterval(() => {
  for (let i = 0; i < 40; i += 1) mock.say(1 + Math.floor(Math.random() * 5000 * Math.random()), `reading ${mock.seq} value=${Math.random().toFixed(3)}`);
}, 20);
await many.click("#everything");
await wait(many, 4000);
await many.screenshot({ path: `${into}/many-stream.png` });
await many.hover("#thread");
await many.mouse.wheel(0, -400);
await wait(many, 600);
await many.screenshot({ path: `${into}/many-paused.png` });
clearInterval(timer);
await many.click("#next");
for (let i = 0; i < 3; i += 1) await many.locator(".conn").nth(i + 1).locator(".pick").click();
mock.skip(17);
await wait(many, 200);
mock.cut();
await wait(many, 1500);
await many.screenshot({ path: `${into}/many-several.png` });
await world.stop();
