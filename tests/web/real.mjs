//! The tests against the real server: `node real.mjs PROGRAM COMMAND…` starts it with `--web`, and then the command with
//! SWITCHBOARD_WEB, SWITCHBOARD_LOOKS (where one may only look) and SWITCHBOARD_PEERS. With SWITCHBOARD_SOURCES=1 the page
//! is that of the sources and not the one built in: then nothing has to be built while it is written.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Mock } from "./mock.mjs";

const [program, ...command] = process.argv.slice(2);
const options = (process.env.SWITCHBOARD_OPTIONS ?? "--quiet").split(" ");
const directory = mkdtempSync(join(tmpdir(), "switchboard-"));
const server = spawn(program, ["127.0.0.1:0", "--web", ...options], { stdio: ["pipe", "ignore", "pipe"], env: { ...process.env, XDG_RUNTIME_DIR: directory } });
let said = "";
const [peers, file] = await new Promise((resolve) => server.stderr.setEncoding("utf8").on("data", (data) => {
  said += data;
  const [listening, web] = [/listening on (\S+)/.exec(said), /web desk at .* token in (\S+)\n/.exec(said)];
  if (listening && web) resolve([listening[1], web[1]]);
}));
let addresses = readFileSync(file, "utf8").trim().split("\n");

/** Serves the page of the sources, and hands each WebSocket on to the server. */
class Sources extends Mock {
  upgrade(request, socket, head) {
    const behind = connect({ host: this.behind.hostname, port: Number(this.behind.port) });
    const fields = { ...request.headers, host: this.behind.host, origin: this.behind.origin };
    behind.write(`GET ${request.url} HTTP/1.1\r\n${Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
    behind.write(head);
    for (const [from, to] of [[socket, behind], [behind, socket]]) {
      from.pipe(to);
      from.on("error", () => to.destroy()).on("close", () => to.destroy());
    }
  }
}

if (process.env.SWITCHBOARD_SOURCES) {
  const sources = await Mock.serve(Object.assign(new Sources(), { behind: new URL(addresses[0]) }));
  addresses = addresses.map((address) => sources.origin + new URL(address).pathname + new URL(address).hash);
}
const [web, looks] = addresses;
const child = spawn(command[0], command.slice(1), { stdio: "inherit", env: { ...process.env, SWITCHBOARD_WEB: web, SWITCHBOARD_LOOKS: looks, SWITCHBOARD_PEERS: peers, SWITCHBOARD_PID: String(server.pid) } });
child.on("exit", (code) => {
  server.kill();
  process.exit(code ?? 1);
});
