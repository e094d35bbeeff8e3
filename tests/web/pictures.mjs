//! Pictures of the page, into the folder that is given: with 3 conversations, with 5,000, dark in hex, 360 pixels wide.

import { mkdirSync, writeFileSync } from "node:fs";
import { choose, drawn, World } from "./harness.mjs";
import { withPalette } from "./palette.mjs";

const into = process.argv[2] ?? "pictures";
mkdirSync(into, { recursive: true });
const world = await World.start();
const { mock } = world;
const taken = [];
const picture = async (page, name) => {
  await drawn(page);
  taken.push([name, await page.screenshot()]);
};
const all = (page, many) => page.waitForFunction((number) => globalThis.switchboard.model.open === number, many);
/** So much time lies between what is said. */
const pass = (page, ms) => page.waitForTimeout(ms);
const colleague = { tell() {}, terminate() {}, number: 2, name: "ann" };

mock.open("192.168.10.21:50122", { name: "lab-a" });
mock.open("192.168.10.22:41870", { name: "press-2" });
mock.open("[2001:db8::17]:39112", { via: "tls" });
mock.lastDesk = 2;
mock.desks.add(colleague);
const page = await world.page({ viewport: { width: 1060, height: 560 }, colorScheme: "light" });
await all(page, 3);
for (const [id, text] of [[1, "hello"], [2, "READY 4.20 bar"], [1, "temp=21.4"], [2, "ack?"]]) {
  mock.say(id, text);
  await pass(page, 130);
}
await choose(page, 2);
await page.fill("#text", "ACK");
await page.keyboard.press("Enter");
await pass(page, 300);
mock.say(2, "OK 1\nOK 2\nstate: idle\twaiting for \u202etxt.exe");
await pass(page, 700);
mock.cmd_send({ desk: colleague, command: { to: 2, text: "report" }, ok() {}, error() {} });
await pass(page, 40);
mock.say(2, "log " + "0123456789 ".repeat(180));
mock.say(3, "你好, is anybody there?");
await pass(page, 900);
mock.say(2, Uint8Array.from([0x02, 0x10, 0x41, 0x43, 0x4b, 0xff, 0x03]));
mock.cmd_typing({ desk: colleague, command: { to: 1 }, ok() {} });
await page.fill("#text", "set pressure 4.5");
await pass(page, 1200);
await picture(page, "three");

await page.emulateMedia({ colorScheme: "dark" });
await page.click("#view");
await page.selectOption("#mode", "hex");
await page.fill("#text", "02 10 41 43 4b ff 03");
await pass(page, 300);
await picture(page, "dark-hex");

const small = await world.page({ viewport: { width: 360, height: 640 }, colorScheme: "light" });
await all(small, 3);
await choose(small, 2);
await pass(small, 500);
await picture(small, "small");

for (let i = 0; i < 4997; i += 1) mock.open(`10.${20 + (i >> 8)}.${i & 255}.7:${40000 + i}`, i % 7 ? {} : { name: `meter-${i}` });
const many = await world.page({ viewport: { width: 1060, height: 560 }, colorScheme: "light" });
await all(many, 5000);
const timer = setInterval(() => {
  for (let i = 0; i < 40; i += 1) mock.say(1 + Math.floor(Math.random() * 5000 * Math.random()), `reading ${mock.seq} value=${Math.random().toFixed(3)}`);
}, 20);
await many.click("#everything");
await pass(many, 4000);
await many.hover("#thread");
await many.mouse.wheel(0, -400);
await pass(many, 600);
clearInterval(timer);
await picture(many, "many");
if (process.argv[3] === "more") {
  await many.click("#next");
  for (let i = 0; i < 3; i += 1) await many.locator(".conn").nth(i + 1).locator(".pick").click();
  mock.skip(17);
  await pass(many, 300);
  mock.cut();
  await pass(many, 1500);
  await picture(many, "several");
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  await picture(page, "help");
  await page.keyboard.press("Escape");
  await page.keyboard.press("w");
  await picture(page, "desks");
  await small.click("#back");
  await picture(small, "small-list");
  await small.emulateMedia({ colorScheme: "dark" });
  await small.click("#everything");
  await pass(small, 1000);
  await picture(small, "small-stream");
}
mock.desks.delete(colleague);
const blank = await world.browser.newPage();
for (const [name, png] of taken) writeFileSync(`${into}/${name}.png`, await withPalette(blank, png));
await world.stop();
