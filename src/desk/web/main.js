//! Puts the parts together: what comes in is worked through once a frame, and what has changed is drawn.

import { $, make, on } from "./dom.js";
import { Composer } from "./composer.js";
import { Conversations, STATES } from "./conversations.js";
import { ask, help, isAsking } from "./dialogs.js";
import { Announcer } from "./announcer.js";
import { count, fill } from "./format.js";
import { listenToKeys } from "./keys.js";
import { keepToken, Link, takeToken } from "./link.js";
import { Model } from "./model.js";
import { Settings } from "./settings.js";
import { Thread } from "./thread.js";

/** For working through events in one frame, in ms. */
const APPLY_MS = 4;

const settings = new Settings();
const model = new Model();
const link = new Link(takeToken());
const actions = { due };
const composer = new Composer(model, link);
const conversations = new Conversations(model, actions);
const thread = new Thread(model, actions);
const announcer = new Announcer(model, $("live"));
const cost = { log: globalThis.costs };

let isDue = false;

function due() {
	if (isDue) return;
	isDue = true;
	if (document.hidden) setTimeout(frame, 200);
	else requestAnimationFrame(frame);
}

function frame() {
	isDue = false;
	const began = performance.now();
	const isMore = link.drain(apply, APPLY_MS);
	const current = thread.conn;
	if (current?.unread && !thread.isStream && !thread.frozen && document.hasFocus()) model.setUnread(current, 0);
	conversations.order(began);
	if (!document.hidden) draw();
	cost.log?.push(performance.now() - began);
	if (isMore || thread.isLate() || thread.list.isDirty || conversations.list.isDirty) due();
}

function draw() {
	const isListDrawn = conversations.list.isDirty;
	if (isListDrawn) conversations.render();
	// In a flood not both in one frame.
	if (!(isListDrawn && thread.notBefore) && thread.update()) thread.render();
	composer.refresh();
	drawHead();
}

function apply(event) {
	model.apply(event);
	if (event.ev === "hello") {
		if (event.v !== 1) model.notice = `the server speaks version ${event.v}, this page version 1: reload it`;
		composer.restore();
		// What a greeting does not tell: who waits, and who has left meanwhile.
		link.send({ cmd: "who" }, (reply) => reply.conns && model.snapshot(reply.conns));
	}
}

function drawHead() {
	const { conn, isStream } = thread;
	const state = conn ? [STATES[conn.state], conn.about, conn.link ? `linked to #${conn.link}` : "", conn.fault ? `broken on purpose: ${conn.fault}` : "",
		conn.pending ? "waits" : "", conn.muted ? "muted" : ""].filter(Boolean).join(" · ") : "";
	const shape = `${isStream}|${conversations.picked.size}|${conn?.id}|${conn?.name}|${conn?.peer}|${state}|${thread.isHex}`;
	if (shape === drawHead.shape) return;
	drawHead.shape = shape;
	$("who").textContent = "";
	if (conn && !isStream) {
		$("who").append(make("bdi", { textContent: model.label(conn.id) }));
	} else $("who").textContent = isStream ? "Stream of all" : "";
	fill($("about"), conn && !isStream ? `${conn.peer} · ${state}` : isStream ? "what all say, without those that are muted" : "");
	$("view").textContent = thread.isHex ? "Text" : "Hex";
	$("head").hidden = !conn && !isStream;
	$("composer").hidden = !conn && !isStream && !conversations.picked.size;
	$("hint").hidden = !!conn || isStream;
	document.querySelector("#acts .one").hidden = isStream;
	for (const id of ["name", "done", "eof", "kick", "rst"]) $(id).disabled = !conn || conn.state === "gone";
	$("eof").disabled ||= conn?.state === "fin";
	$("done").disabled ||= !conn?.pending;
	$("mute").ariaPressed = String(!!conn?.muted);
}

let seqBefore = 0;

function tick() {
	const rate = Math.max(0, model.lastSeq - seqBefore);
	seqBefore = model.lastSeq;
	const counts = [`${count(model.open)} here`, `${count(model.waiting)} waiting`, rate > 9 ? `${count(rate)} events/s` : ""].filter(Boolean).join(" · ");
	if ($("counts").textContent !== counts) $("counts").textContent = counts;
	const title = (model.waiting ? `(${model.waiting}) ` : "") + "switchboard";
	if (document.title !== title) document.title = title;
	if (model.waiting) conversations.list.isDirty = true;
	drawLink();
	announcer.tick(thread);
	due();
}

function drawLink() {
	let words = { connecting: "connecting", open: `desk ${model.desk ?? ""}`, off: "no token", waiting: "not connected" }[link.state];
	if (link.state === "waiting") words += `; next attempt in ${Math.max(0, Math.ceil((link.next - Date.now()) / 1000))} s`;
	if (model.notice) words = model.notice;
	else if (link.state !== "open" && !link.wasOpen && link.failures) words = `no server, or a wrong token; ${words}`;
	const element = $("link");
	if (element.textContent !== words) element.textContent = words;
	document.body.dataset.link = model.notice && link.state !== "open" ? "waiting" : link.state;
}

function aim() {
	const { conn, isStream } = thread;
	const conns = [...conversations.picked];
	if (conns.length) composer.aim({ kind: "several", key: "several", conns });
	else if (isStream) composer.aim({ kind: "all", key: "all" });
	else composer.aim(conn ? { kind: "one", key: `c${conn.id}`, conn } : { kind: "nobody", key: "" });
	// At once: what is not to be seen cannot be written into, and keys would be commands.
	drawHead();
	due();
}

function hold(conn) {
	if (conn) conn.isHeld = conn === thread.conn || conversations.picked.has(conn);
}

Object.assign(actions, {
	choose(conn, { write = false } = {}) {
		if (!conn) return;
		const before = thread.conn;
		if (conn !== before || thread.isStream) {
			thread.show(conn, false);
			hold(before);
			hold(conn);
			model.setUnread(conn, 0);
		}
		conversations.choose(conn);
		$("everything").ariaCurrent = null;
		document.body.dataset.pane = "talk";
		aim();
		if (write) composer.text.focus({ preventScroll: true });
	},
	stream() {
		const before = thread.conn;
		thread.show(null, true);
		hold(before);
		conversations.choose(null);
		$("everything").ariaCurrent = "true";
		document.body.dataset.pane = "talk";
		aim();
	},
	pick(conn) {
		if (!conversations.picked.delete(conn)) conversations.picked.add(conn);
		hold(conn);
		conversations.list.isDirty = true;
		aim();
	},
	pickNone() {
		const conns = [...conversations.picked];
		conversations.picked.clear();
		conns.forEach(hold);
		conversations.list.isDirty = true;
		aim();
	},
	back() {
		document.body.dataset.pane = "list";
		conversations.box.focus({ preventScroll: true });
	},
	step: (by) => actions.choose(conversations.step(by)),
	next: (options) => actions.choose(conversations.nextWaiting(), options),
	unanswered: (conn) => composer.unanswered(conn),
	command(command, conn) {
		const isSent = link.send(command, (reply) => {
			if (reply.ev === "error" && conn) model.system(conn, model.now(), `not done: ${reply.msg}`, "bad");
		}, { command, conn });
		if (!isSent) announcer.say("Not connected: nothing was done.");
		due();
	},
	async name() {
		const { conn } = thread;
		if (!conn || conn.state === "gone") return;
		const name = await ask({ heading: `Name of #${conn.id}`, label: "Letters, digits, - _ . (empty takes it away) ", value: conn.name, button: "Name it" });
		if (name === null) return;
		actions.command({ cmd: "name", id: conn.id, ...(name.trim() ? { name: name.trim() } : {}) }, conn);
	},
	async close(how) {
		const { conn } = thread;
		if (!conn || conn.state === "gone") return;
		const who = model.label(conn.id);
		const question = {
			kick: { heading: `Close ${who}`, text: "What is queued is sent, then it is closed.", label: "Reason, its last line (may be empty) ", button: "Close it" },
			eof: { heading: `Finish our side of ${who}`, text: "FIN after what is queued. It is still heard, and nothing more can be said to it.", button: "Finish" },
			rst: { heading: `Reset ${who}`, text: "What is queued is lost.", button: "Reset it" },
		}[how];
		const reason = await ask(question);
		if (reason !== null) actions.command({ cmd: "close", to: conn.id, how, ...(reason ? { text: reason } : {}) }, conn);
	},
	done: () => thread.conn?.pending && actions.command({ cmd: "done", id: thread.conn.id }, thread.conn),
	mute() {
		const { conn } = thread;
		if (!conn) return;
		conn.muted = !conn.muted;
		model.version += 1;
		due();
	},
	view() {
		thread.toggleHex();
		due();
	},
	pause() {
		thread.pause();
		due();
	},
	newest() {
		thread.follow();
		due();
	},
	theme: () => announcer.say(`Theme: ${settings.nextTheme()}`, true),
	help: () => help(settings),
});

const click = (id, action) => on($(id), "click", () => action());
click("everything", actions.stream);
click("next", () => actions.next({ write: true }));
click("back", actions.back);
click("drop", actions.pickNone);
click("view", actions.view);
click("pause", actions.pause);
click("name", actions.name);
click("mute", actions.mute);
click("done", actions.done);
for (const how of ["eof", "kick", "rst"]) click(how, () => actions.close(how));
click("theme", actions.theme);
click("help", actions.help);
listenToKeys({ actions, settings, thread, conversations, composer });
for (const type of ["input", "pointerleave", "scroll", "resize", "focus", "blur", "click", "keydown"]) addEventListener(type, due, { capture: true, passive: true });
on(document, "visibilitychange", () => {
	// What was asked for does not come while nobody looks.
	isDue = false;
	due();
});

model.onMessage = (conn) => announcer.heard(conn);
model.onNewRun = () => {
	composer.newRun();
	conversations.picked.clear();
	conversations.current = null;
	thread.show(null, thread.isStream);
	thread.hex.clear();
	aim();
};
link.onData = () => {
	due();
	// Frames are not drawn while nobody looks, and what comes in must not pile up.
	if (document.hidden && link.inbox.length > 500) link.drain(apply, 50);
};
link.onLost = (asked) => {
	composer.lost();
	model.disconnected(asked.map(({ sent }) => sent).filter((sent) => sent && !sent.command));
	for (const { sent } of asked) {
		if (sent?.command) model.system(sent.conn, model.now(), `the connection was lost: unknown whether it was done (${sent.command.cmd})`, "bad");
	}
};
link.onState = () => {
	drawLink();
	if (link.failures === 3 && !link.wasOpen && !isAsking()) askToken("No server answers, or the token is wrong.").then((token) => token && link.hurry());
	due();
};

async function askToken(text) {
	const typed = await ask({ heading: "Token", text: `${text} The server prints the address of this page with a token behind #.`, label: "Address or token ", button: "Connect" });
	const token = (typed ?? "").trim().replace(/^.*#/, "");
	if (!/^[\w.~-]+$/.test(token)) return "";
	keepToken(token);
	return (link.token = token);
}

async function begin() {
	while (!link.token) await askToken("There is none.");
	link.connect();
}

addEventListener("hashchange", () => {
	link.token = takeToken() || link.token;
	link.hurry();
});
setInterval(tick, 1000);
tick();
begin();

globalThis.switchboard = { model, link, thread, conversations, composer, cost };
