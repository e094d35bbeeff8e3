//! What each key does. Letters are keys outside of text fields alone, and can be switched off.

import { on } from "./dom.js";
import { isAsking } from "./dialogs.js";

export function listenToKeys({ actions, settings, thread, conversations, composer }) {
	const write = () => composer.text.focus({ preventScroll: true });
	const letters = {
		j: () => actions.step(1),
		k: () => actions.step(-1),
		n: () => actions.next(),
		a: () => actions.stream(),
		"/": () => conversations.search.focus(),
		x: () => thread.conn && actions.pick(thread.conn),
		X: () => actions.pickNone(),
		r: write,
		i: () => thread.box.focus({ preventScroll: true }),
		p: () => actions.pause(),
		G: () => actions.newest(),
		v: () => actions.view(),
		e: () => actions.name(),
		m: () => actions.mute(),
		d: () => actions.done(),
		E: () => actions.close("eof"),
		K: () => actions.close("kick"),
		R: () => actions.close("rst"),
		l: () => actions.back(),
		w: () => actions.desks(),
		t: () => actions.theme(),
		"?": () => actions.help(),
	};
	const inList = {
		ArrowDown: () => actions.step(1),
		ArrowUp: () => actions.step(-1),
		PageDown: () => actions.step(10),
		PageUp: () => actions.step(-10),
		Home: () => actions.step(-Infinity),
		End: () => actions.step(Infinity),
		" ": () => thread.conn && actions.pick(thread.conn),
		Enter: write,
	};
	const withAlt = {
		KeyN: () => actions.next({ write: true }),
		KeyA: () => actions.stream(),
		ArrowDown: () => actions.step(1),
		ArrowUp: () => actions.step(-1),
	};

	function escape(target) {
		if (target === conversations.search && target.value) {
			target.value = "";
			target.dispatchEvent(new Event("input"));
		} else if (target.matches("textarea, input, select")) thread.box.focus({ preventScroll: true });
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
		if (target === conversations.box && Object.hasOwn(inList, key)) return inList[key];
		if (target.matches("button") && (key === "Enter" || key === " ")) return null;
		if (key === "Enter") return thread.conn ? write : null;
		return settings.hasKeys && Object.hasOwn(letters, key) ? letters[key] : null;
	}

	on(document, "keydown", (event) => {
		if (event.defaultPrevented || event.isComposing || isAsking()) return;
		const handler = handlerOf(event);
		if (!handler) return;
		event.preventDefault();
		handler();
	});
}
