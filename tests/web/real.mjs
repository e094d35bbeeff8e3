//! The tests against the real server: `node real.mjs PROGRAM COMMAND…` starts it with `--web`, and then the command with
//! SWITCHBOARD_WEB, SWITCHBOARD_LOOKS (where one may only look) and SWITCHBOARD_PEERS.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [program, ...command] = process.argv.slice(2);
const directory = mkdtempSync(join(tmpdir(), "switchboard-"));
const server = spawn(program, ["127.0.0.1:0", "--web", "--quiet"], { stdio: ["pipe", "ignore", "pipe"], env: { ...process.env, XDG_RUNTIME_DIR: directory } });
let said = "";
const [peers, file] = await new Promise((resolve) => server.stderr.setEncoding("utf8").on("data", (data) => {
  said += data;
  const [listening, web] = [/listening on (\S+)/.exec(said), /web desk at .* token in (\S+)\n/.exec(said)];
  if (listening && web) resolve([listening[1], web[1]]);
}));
const [web, looks] = readFileSync(file, "utf8").split("\n");
const child = spawn(command[0], command.slice(1), { stdio: "inherit", env: { ...process.env, SWITCHBOARD_WEB: web, SWITCHBOARD_LOOKS: looks, SWITCHBOARD_PEERS: peers } });
child.on("exit", (code) => {
  server.kill();
  process.exit(code ?? 1);
});
