//! What each key does. Letters are keys outside of fields alone, and can be switched off.

import { focus, on } from "./dom.js";
import { isAsking } from "./dialogs.js";

export function listenToKeys({ actions, settings, thread, conversations, composer }) {
	const write = () => focus(composer.text);
	const letters = {
		j: () => actions.step(1),
		k: () => actions.step(-1),
		n: () => actions.next({ write: true }),
		"/": () => conversations.search.focus(),
		x: () => thread.conn && actions.pick(thread.conn),
		r: write,
		i: () => focus(thread.box),
		E: () => actions.close("eof"),
		K: () => actions.close("kick"),
		R: () => actions.close("rst"),
	};
	const named = { a: "stream", X: "pickNone", p: "pause", G: "newest", v: "view", e: "name", m: "mute", d: "done", l: "back", w: "desks", t: "theme", "?": "help" };
	for (const [key, name] of Object.entries(named)) letters[key] = actions[name];
	const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
	const withAlt = {
		KeyN: letters.n,
		KeyA: () => actions.stream(),
		ArrowDown: () => actions.step(1),
		ArrowUp: () => actions.step(-1),
	};

	let typedAt = 0;
	on(document, "input", () => (typedAt = performance.now()));

	// What is typed by who thinks to be in the box must do nothing that cannot be undone.
	const isMeant = ({ key, target }) => !/[EKRd]/.test(key) || (performance.now() - typedAt > 1000 && target.closest("#list, #thread, button"));

	function escape(target) {
		if (target === conversations.search && target.value) {
			target.value = "";
			target.dispatchEvent(new Event("input"));
		} else if (target.matches("textarea, input, select")) focus(thread.box);
		else if (thread.frozen) actions.newest();
		else actions.back();
	}

	function handlerOf(event) {
		const { target, key } = event;
		if (event.ctrlKey || event.metaKey) return null;
		if (event.altKey) return withAlt[event.code];
		if (key === "Escape") return () => escape(target);
		if (target === conversations.search) return { ArrowDown: () => conversations.box.focus(), Enter: () => actions.step(1) }[key];
		if (target.matches("textarea, input, select")) return null;
		if (target === conversations.box && steps[key]) return () => actions.step(steps[key]);
		if (target === conversations.box && key === " ") return letters.x;
		if (target.matches("button") && (key === "Enter" || key === " ")) return null;
		if (key === "Enter") return thread.conn ? write : null;
		return settings.hasKeys && Object.hasOwn(letters, key) && isMeant(event) ? letters[key] : null;
	}

	on(document, "keydown", (event) => {
		if (event.defaultPrevented || event.isComposing || isAsking()) return;
		const handler = handlerOf(event);
		if (!handler) return;
		event.preventDefault();
		handler();
	});
}
