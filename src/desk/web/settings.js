//! What the operator has chosen for this browser.

import { $ } from "./dom.js";

const THEME = "switchboard.theme";
const KEYS = "switchboard.keys";
const THEMES = ["system", "light", "dark"];

function read(key) {
	try {
		return localStorage.getItem(key);
	} catch {
		return null;
	}
}

function write(key, value) {
	try {
		localStorage.setItem(key, value);
	} catch {
		// It lasts as long as the page.
	}
}

export class Settings {
	constructor() {
		const kept = read(THEME);
		this.theme = THEMES.includes(kept) ? kept : "system";
		this.letters = read(KEYS) !== "off";
		this.apply();
	}

	apply() {
		document.documentElement.dataset.theme = this.theme;
		$("theme").lastChild.textContent = this.theme;
	}

	nextTheme() {
		this.theme = THEMES[(THEMES.indexOf(this.theme) + 1) % THEMES.length];
		write(THEME, this.theme);
		this.apply();
		return this.theme;
	}

	get hasKeys() {
		return this.letters;
	}

	set hasKeys(is) {
		this.letters = is;
		write(KEYS, is ? "on" : "off");
	}
}
