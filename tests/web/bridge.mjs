//! Until the server speaks WebSocket itself: its control socket (`--desk=PATH`), bridged to the page, so that the tests
//! run against it. `node bridge.mjs PROGRAM COMMAND…` starts the server, and the command with SWITCHBOARD_WEB and
//! SWITCHBOARD_PEERS.

import { spawn } from "node:child_process";
import { connect } from "node:net";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Mock } from "./mock.mjs";

const [program, ...command] = process.argv.slice(2);
const path = join(mkdtempSync(join(tmpdir(), "switchboard-")), "desk");
const server = spawn(program, ["127.0.0.1:0", `--desk=${path}`, "--format", "json"], { stdio: ["pipe", "pipe", "inherit"] });
const listening = await new Promise((resolve) => server.stdout.once("data", (data) => resolve(JSON.parse(String(data).split("\n")[0]))));
server.stdout.resume();

class Bridge extends Mock {
  greet(desk) {
    const socket = connect(path);
    let rest = "";
    socket.setEncoding("utf8");
    socket.on("data", (data) => {
      const lines = (rest + data).split("\n");
      rest = lines.pop();
      if (lines.length) desk.send(lines.join("\n"));
    });
    desk.on("message", (data) => socket.write(`${data}\n`));
    desk.on("close", () => socket.destroy());
    socket.on("close", () => desk.close());
    socket.on("error", () => desk.close());
  }
}

const mock = new Bridge();
const { url } = await Mock.serve(mock);
const child = spawn(command[0], command.slice(1), { stdio: "inherit", env: { ...process.env, SWITCHBOARD_WEB: url, SWITCHBOARD_PEERS: listening.addr } });
child.on("exit", (code) => {
  server.kill();
  process.exit(code ?? 1);
});
