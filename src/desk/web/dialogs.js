//! Questions before what cannot be undone, names, and what the keys do.

import { $, make, on } from "./dom.js";

const [dialog, title, body, yes, no] = ["dialog", "dialog-title", "dialog-body", "dialog-yes", "dialog-no"].map($);
let settle = null;
let timer = 0;

function end(answer) {
	dialog.close();
	const done = settle;
	settle = null;
	done?.(answer);
}

on(yes, "click", () => end(body.querySelector("input[type=text]")?.value ?? ""));
on(no, "click", () => end(null));
on(dialog, "cancel", () => end(null));
on(dialog, "keydown", (event) => {
	const { key, target } = event;
	if (key === "Tab") yes.disabled = false;
	else if (yes.disabled) key !== "Escape" && event.preventDefault();
	else if (key === "Enter" && target.matches("input[type=text]") && !event.isComposing) {
		// Or it would press the button to which the focus returns.
		event.preventDefault();
		end(target.value);
	}
});

export const isAsking = () => dialog.open;

function open(heading, yesWords, noWords) {
	if (dialog.open) end(null);
	title.textContent = heading;
	body.textContent = "";
	yes.textContent = yesWords;
	yes.hidden = !yesWords;
	no.textContent = noWords;
	yes.disabled = false;
	clearTimeout(timer);
	const answer = new Promise((resolve) => (settle = resolve));
	dialog.showModal();
	return answer;
}

// A question; with `label` there is something to type. Null is no. One that `ends` something cannot be answered by what
// was being typed, or clicked on, when it came.
export function ask({ heading, text = [], label = "", value = "", button, ends }) {
	const answer = open(heading, button, "Cancel");
	for (const textContent of [text].flat()) body.append(make("p", { textContent }));
	if (label) {
		const input = make("input", { type: "text", value, autocomplete: "off", spellcheck: false });
		body.append(make("label", { textContent: label }));
		body.lastChild.append(input);
		input.focus();
		input.select();
	}
	if (ends) {
		yes.disabled = true;
		timer = setTimeout(() => (yes.disabled = false), 500);
		no.focus();
	}
	return answer;
}

const KEYS = `Conversations
n  Alt N: write to who waits longest
j  k: the next, the one before
Alt ↓  Alt ↑: the same, also while writing
a  Alt A: the stream of all
/: search
x: choose for a reply to several; in the list Space, Ctrl and click
X: choose none
Writing
r  Enter: write; send
Shift Enter: a new line
↑  ↓: what was sent before
Escape: leave the text, close, go back
Messages
i: to the messages; then ↑ ↓, Enter unfolds, = takes differences from it
p: pause, go on
G: to the newest
v: text or hex
This conversation
e: name
m: mute, not in the stream
d: needs no answer
E: finish our side (FIN)
K: say why, and close
R: reset
Page
l: to the list
w: who is at the desks, your name
t: light, dark, as the system has it
?: this`;

export function help(settings) {
	const answer = open("Keys", "", "Close");
	for (const line of KEYS.split("\n")) {
		const [key, what] = line.split(": ");
		if (!what) {
			body.append(make("h3", { textContent: key }), make("dl"));
			continue;
		}
		const term = make("dt");
		for (const one of key.split("  ")) term.append(make("kbd", { textContent: one }), " ");
		body.lastChild.append(term, make("dd", { textContent: what }));
	}
	const input = make("input", { type: "checkbox", checked: settings.hasKeys });
	on(input, "change", () => settings.setKeys(input.checked));
	body.append(make("label"));
	body.lastChild.append(input, " single letters are keys");
	no.focus();
	return answer;
}
