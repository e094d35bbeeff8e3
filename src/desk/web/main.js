//! Puts the parts together: once a frame what comes in is worked through, and what has changed is drawn.

import { $, focus, on } from "./dom.js";
import { Composer } from "./composer.js";
import { Conversations, STATES } from "./conversations.js";
import { ask, help } from "./dialogs.js";
import { Announcer } from "./announcer.js";
import { count, fill } from "./format.js";
import { listenToKeys } from "./keys.js";
import { Link } from "./link.js";
import { Model } from "./model.js";
import { recall, remember, Settings } from "./settings.js";
import { Thread } from "./thread.js";

// Of a frame, for events.
const APPLY_MS = 4;
// A list of all is asked for so often.
const ALL_EVERY = 5000;
const SHOWN = "switchboard.shown";
const GONE = "The server is gone. If it was started anew, open the address that it prints now.";

const settings = new Settings();
const model = new Model();
const link = new Link();
const actions = { due };
const composer = new Composer(model, link);
const conversations = new Conversations(model, actions);
const thread = new Thread(model, actions);
const announcer = new Announcer(model, $("live"));

let isDue = false;

function due() {
	if (isDue) return;
	isDue = true;
	if (document.hidden) setTimeout(frame, 200);
	else requestAnimationFrame(frame);
}

function frame() {
	isDue = false;
	const now = performance.now();
	const isOrdered = conversations.isDue(now);
	const isMore = link.drain(apply, isOrdered ? 1 : APPLY_MS);
	const { conn } = thread;
	if (conn?.unread && !thread.frozen && document.hasFocus()) model.setUnread(conn, 0);
	if (isOrdered) conversations.order(now);
	if (!document.hidden) draw();
	if (isMore || thread.isLate() || thread.list.isDirty || conversations.list.isDirty || conversations.isDue(now)) due();
}

function draw() {
	const isListDrawn = conversations.list.isDirty;
	if (isListDrawn) conversations.render();
	// In a flood not both in one frame.
	if (!(isListDrawn && thread.notBefore) && thread.update()) thread.render();
	composer.refresh();
	drawHead();
	drawLink();
}

function apply(event) {
	model.apply(event);
	if (event.ev === "hello") {
		if (event.v !== 1) model.notice = "the server speaks another version than this page: reload it";
		composer.restore();
		composer.save();
		const name = recall("name");
		// Whatever is answered, the greeting is over.
		link.send(name ? { cmd: "desk", name } : { cmd: "stats" }, (reply) => {
			model.desks.ownName = reply.name ?? "";
			model.allNamed();
			showAgain();
			seqBefore = model.lastSeq;
			tick();
		});
	}
}

let askedAll = -ALL_EVERY;

// Who came and who left may be among what was missed.
function askAll(now) {
	if (!model.isUnsure || model.ended || now - askedAll < ALL_EVERY) return;
	if (!link.send({ cmd: "who" }, (reply) => reply.conns && model.allNamed(reply))) return;
	model.isUnsure = false;
	askedAll = now;
	model.expectAll();
}

function aboutOf(conn) {
	return [conn.peer, link.state === "open" || model.isGone(conn) ? STATES[conn.state] : "not connected", conn.about, conn.link && `linked to #${conn.link}`, conn.fault && `broken on purpose: ${conn.fault}`,
		conn.pending && "waits", conn.muted && "muted", model.desks.writersTo(conn.id)].filter(Boolean).join(" · ");
}

function drawHead() {
	const { conn, isStream, isHex } = thread;
	const who = isStream ? "Stream of all" : conn ? model.label(conn.id) : "";
	const about = isStream ? "what all say, without those that are muted" : conn ? aboutOf(conn) : "";
	const shape = `${who}|${about}|${isHex}|${conversations.picked.size}|${model.looks}`;
	if (shape === drawHead.shape) return;
	drawHead.shape = shape;
	$("who").textContent = who;
	fill($("about"), about);
	$("view").textContent = isHex ? "Text" : "Hex";
	$("head").hidden = !who;
	$("composer").hidden = !who && !conversations.picked.size;
	$("hint").hidden = !!who;
	document.querySelector(".one").hidden = isStream;
	for (const id of ["name", "done", "eof", "kick", "rst"]) $(id).disabled = !conn || conn.state === "gone" || model.looks;
	$("eof").disabled ||= conn?.state === "fin";
	$("done").disabled ||= !conn?.pending;
	$("mute").ariaPressed = String(!!conn?.muted);
}

let seqBefore = 0;

function say(element, words) {
	if (element.textContent !== words) element.textContent = words;
}

function tick() {
	const rate = model.lastSeq - seqBefore;
	seqBefore = model.lastSeq;
	const { size } = model.waiting;
	say($("counts"), `${count(model.open)} here · ${count(size)} waiting${rate > 9 ? ` · ${count(rate)} events/s` : ""}`);
	document.title = (size ? `(${size}) ` : "") + "switchboard";
	if (size) conversations.list.isDirty = true;
	askAll(performance.now());
	drawLink();
	announcer.tick(thread);
	due();
}

function drawLink() {
	const { desks, notice, looks } = model;
	const isOpen = link.state === "open" && desks.own;
	let words = { connecting: "connecting", open: "connecting", off: "no token: open the address that the server prints", waiting: "not connected" }[link.state];
	if (isOpen) words = `desk ${desks.own}${desks.ownName && ` ${desks.ownName}`}${looks ? ", only looking" : ""}`;
	if (link.state === "waiting") words += `; next attempt in ${Math.max(0, Math.ceil((link.next - Date.now()) / 1000))} s`;
	const isGone = !isOpen && link.failures > 2;
	if (isGone) words = `no server, or a wrong token; ${words}`;
	say($("gone"), isGone ? GONE : "");
	document.body.classList.toggle("away", link.state !== "open");
	if (notice) words = isOpen ? notice : `${notice}; ${words}`;
	say($("link"), words);
	document.body.dataset.link = notice && !isOpen ? "waiting" : link.state;
	$("desks").hidden = !isOpen;
	say($("desks"), `with ${desks.inShort()}`);
}

function aim() {
	const { conn, isStream } = thread;
	const conns = [...conversations.picked];
	if (conns.length) composer.aim({ kind: "several", key: "several", conns });
	else if (isStream) composer.aim({ kind: "all", key: "all" });
	else composer.aim(conn ? { kind: "one", key: `c${conn.id}`, conns: [conn] } : { kind: "nobody", key: "" });
	// At once: nobody can write into what is unseen, and keys would be commands.
	drawHead();
	due();
	sessionStorage.setItem(SHOWN, JSON.stringify([model.run, isStream ? 0 : conn?.id]));
}

// A reload comes back to what was shown.
function showAgain() {
	const [run, id] = JSON.parse(sessionStorage.getItem(SHOWN)) ?? [];
	if (thread.rows || run !== model.run) return;
	if (id === 0) actions.stream();
	else actions.choose(model.conns.get(id));
}

Object.assign(actions, {
	choose(conn, { write = false } = {}) {
		if (!conn) return;
		if (conn !== thread.conn) {
			thread.show(conn, false);
			model.setUnread(conn, 0);
		}
		conversations.choose(conn);
		$("everything").ariaCurrent = null;
		document.body.dataset.pane = "talk";
		aim();
		if (write) focus(composer.text);
	},
	stream() {
		thread.show(null, true);
		conversations.choose(null);
		$("everything").ariaCurrent = "true";
		document.body.dataset.pane = "talk";
		aim();
	},
	pick(conn) {
		if (!conversations.picked.delete(conn)) conversations.picked.add(conn);
		conversations.list.isDirty = true;
		aim();
	},
	pickNone() {
		conversations.picked.clear();
		conversations.list.isDirty = true;
		aim();
	},
	back() {
		document.body.dataset.pane = "list";
		focus(conversations.box);
	},
	step: (by) => actions.choose(conversations.step(by)),
	next: (options) => actions.choose(conversations.nextWaiting(), options),
	unanswered: () => composer.waiting,
	hasDraft: (conn) => composer.hasDraft(conn),
	command(command, conn) {
		const isSent = link.send(command, (reply) => {
			if (reply.ev === "error" && conn) model.system(conn, model.now(), `not done: ${reply.msg}`, "bad");
		}, { cmd: command.cmd, conn });
		if (!isSent) announcer.say("Not connected: nothing was done.");
		due();
	},
	async name() {
		const { conn } = thread;
		if ($("name").disabled) return;
		const name = await ask({ heading: `Name of #${conn.id}`, label: "Letters, digits, - _ . (empty takes it away) ", value: conn.name, button: "Name it" });
		if (name !== null && name.trim() !== conn.name) actions.command({ cmd: "name", id: conn.id, name: name.trim() || undefined }, conn);
	},
	async close(how) {
		const { conn } = thread;
		if ($(how).disabled) return;
		const [what, text, button, label] = {
			kick: ["Close", "What is queued is sent, then it is closed.", "Close it", "Reason, its last line (may be empty) "],
			eof: ["Finish our side of", "FIN after what is queued. It is still heard, and nothing more can be said to it.", "Finish"],
			rst: ["Reset", "What is queued is lost.", "Reset it"],
		}[how];
		const reason = await ask({ heading: `${what} ${model.label(conn.id)}`, text, label, button, ends: true });
		if (reason !== null) actions.command({ cmd: "close", to: conn.id, how, text: reason || undefined }, conn);
	},
	async desks() {
		for (let trouble = ""; ;) {
			const text = [...model.desks.inWords((id) => model.label(id)), trouble];
			const { ownName } = model.desks;
			const name = await ask({ heading: "Who is at the desks", text, label: "What you are called at this one ", value: ownName, button: "Say so" });
			if (!name?.trim() || name.trim() === ownName) return;
			const reply = await new Promise((resolve) => link.send({ cmd: "desk", name: name.trim() }, resolve) || resolve({ msg: "not connected" }));
			if (reply.ev === "ok") {
				remember("name", (model.desks.ownName = reply.name));
				return void drawLink();
			}
			trouble = reply.msg;
		}
	},
	done: () => $("done").disabled || actions.command({ cmd: "done", id: thread.conn.id }, thread.conn),
	mute() {
		if (!thread.conn) return;
		thread.conn.muted = !thread.conn.muted;
		model.version += 1;
	},
	view: () => thread.toggleHex(),
	pause: () => thread.pause(),
	newest: () => thread.follow(),
	theme: () => announcer.say(`Theme: ${settings.nextTheme()}`),
	help: () => help(settings),
});

const click = (id, action) => on($(id), "click", () => action());
click("everything", actions.stream);
click("next", () => actions.next({ write: true }));
click("drop", actions.pickNone);
for (const id of ["back", "view", "pause", "name", "mute", "done", "theme", "help", "desks"]) click(id, actions[id]);
for (const how of ["eof", "kick", "rst"]) click(how, () => actions.close(how));
listenToKeys({ actions, settings, thread, conversations, composer });
for (const type of ["input", "pointerleave", "scroll", "resize", "focus", "blur", "click", "keydown"]) addEventListener(type, due, { capture: true, passive: true });
on(document, "visibilitychange", () => {
	// No frame comes while nobody looks.
	isDue = false;
	due();
});

model.isHeld = (conn) => conn === thread.conn || conversations.picked.has(conn);
model.onMessage = (conn) => announcer.heard(conn);
model.onNewRun = () => {
	composer.newRun();
	conversations.picked.clear();
	conversations.current = null;
	thread.follow();
	thread.show(null, thread.isStream);
	thread.hex.clear();
	aim();
};
link.onData = () => {
	due();
	// What comes in while nobody looks must not pile up.
	if (document.hidden && link.inbox.length > 500) link.drain(apply, 50);
};
link.onLost = (asked) => {
	composer.lost(asked.map(({ sent }) => sent?.row));
	model.disconnected(asked.map(({ sent }) => sent).filter((sent) => sent?.row));
	for (const { sent } of asked) {
		if (sent?.cmd) model.system(sent.conn, model.now(), `the connection was lost: unknown whether it was done (${sent.cmd})`, "bad");
	}
};
link.onRefused = (why) => (model.notice = why);
link.onState = due;
setInterval(tick, 1000);
tick();
link.begin();

globalThis.switchboard = { model, link, thread, conversations, composer };
