//! What the operator has chosen for this browser.

import { $ } from "./dom.js";

const THEMES = ["system", "light", "dark"];

export function recall(key) {
	try {
		return localStorage.getItem(`switchboard.${key}`) ?? "";
	} catch {
		return "";
	}
}

export function remember(key, value) {
	try {
		localStorage.setItem(`switchboard.${key}`, value);
	} catch {
		// It lasts as long as the page.
	}
}

function useTheme(theme) {
	document.documentElement.dataset.theme = theme;
	$("theme").lastChild.textContent = theme;
}

export class Settings {
	constructor() {
		this.hasKeys = recall("keys") !== "off";
		this.theme = THEMES.find((theme) => theme === recall("theme")) ?? "system";
		useTheme(this.theme);
	}

	nextTheme() {
		this.theme = THEMES[(THEMES.indexOf(this.theme) + 1) % THEMES.length];
		remember("theme", this.theme);
		useTheme(this.theme);
		return this.theme;
	}

	setKeys(has) {
		this.hasKeys = has;
		remember("keys", has ? "on" : "off");
	}
}
