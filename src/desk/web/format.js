//! How things are spelt: stamps, sizes, bytes, and texts of strangers, with every character seen.

import { make } from "./dom.js";

const ODD = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}]/u;
const ODD_EACH = new RegExp(ODD.source, "gu");
// Anchored in front alone: a class before `$` does not match beyond U+FFFF in V8 of 2026.
const PICTURE = /^[\p{ExtPict}\p{EMod}\ufe0f]/u;
const SHORT = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" };
const PARTS_MAX = 400;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function escaped(odd) {
	const code = odd.codePointAt(0);
	return SHORT[odd] ?? (code < 0x80 ? `\\x${hex2(code)}` : `\\u{${code.toString(16)}}`);
}

// Joiners are part of a picture (family, flag), and are shown anywhere else.
function belongsToPicture(text, at, odd) {
	if (odd !== "\u200d" && odd !== "\ufe0f") return false;
	const isPair = text.charCodeAt(at - 1) >> 10 === 0x37;
	const isAfter = PICTURE.test(text.slice(Math.max(0, at - (isPair ? 2 : 1)), at));
	return isAfter && (odd === "\ufe0f" || PICTURE.test(text.slice(at + 1, at + 3)));
}

// In parts, `{ text, mark }`: a mark stands for characters that cannot be seen.
export function visible(text, lines = false) {
	if (!ODD.test(text)) return [{ text, mark: false }];
	const parts = [];
	let from = 0;
	const add = (piece, mark) => {
		const last = parts.at(-1);
		if (!piece) return;
		if (last && (last.mark === mark || parts.length >= PARTS_MAX)) last.text += piece;
		else parts.push({ text: piece, mark });
	};
	for (const found of text.matchAll(ODD_EACH)) {
		const odd = found[0];
		if (belongsToPicture(text, found.index, odd)) continue;
		add(text.slice(from, found.index), false);
		from = found.index + odd.length;
		add(escaped(odd), true);
		if (lines && odd === "\n" && from < text.length) add("\n", false);
	}
	add(text.slice(from), false);
	return parts;
}

export const plain = (text) => visible(text).map((part) => part.text).join("");

export function fill(element, text, lines = false) {
	const parts = visible(text, lines);
	const only = element.firstChild;
	if (parts.length > 1 || parts[0].mark) {
		element.replaceChildren(...parts.map((part) => (part.mark ? make("span", { className: "mark", textContent: part.text }) : part.text)));
	} else if (only?.nodeType === 3 && !only.nextSibling) {
		if (only.data !== parts[0].text) only.data = parts[0].text;
	} else element.textContent = parts[0].text;
}

const hex2 = (byte) => byte.toString(16).padStart(2, "0");
const isPlain = (byte) => byte >= 0x20 && byte < 0x7f;

export function bytesAsText(bytes) {
	let out = "";
	for (const byte of bytes) out += byte === 0x5c ? "\\\\" : isPlain(byte) ? String.fromCharCode(byte) : "\\x" + hex2(byte);
	return out;
}

export function hexDump(bytes, width = 16) {
	const rows = [];
	for (let at = 0; at < bytes.length; at += width) {
		const row = [...bytes.subarray(at, at + width)];
		const left = row.map((byte, i) => `${i === 8 ? " " : ""}${hex2(byte)} `).join("").padEnd(width * 3 + (width > 8));
		rows.push(`${at.toString(16).padStart(4, "0")}  ${left} ${row.map((byte) => (isPlain(byte) ? String.fromCharCode(byte) : "·")).join("")}`);
	}
	return rows.length ? rows.join("\n") : "(empty)";
}

export const utf8 = (text) => encoder.encode(text);

export function fromB64(text) {
	const raw = atob(text);
	const bytes = new Uint8Array(raw.length);
	for (let i = 0; i < raw.length; i += 1) bytes[i] = raw.charCodeAt(i);
	return bytes;
}

export function toB64(bytes) {
	let raw = "";
	for (const byte of bytes) raw += String.fromCharCode(byte);
	return btoa(raw);
}

export const asText = (bytes) => decoder.decode(bytes);

// `0d 0a ff`, with blanks, colons and 0x. Throws what is wrong.
export function parseHex(typed) {
	const digits = typed.replace(/0x/gi, "").replace(/[\s:,]/g, "");
	if (/[^0-9a-f]/i.test(digits)) throw new Error(`"${plain(digits.match(/[^0-9a-f]/i)[0])}" is no hexadecimal digit`);
	if (!digits) throw new Error("there are no bytes");
	if (digits.length % 2) throw new Error("half a byte is missing");
	return Uint8Array.from(digits.match(/../g), (pair) => parseInt(pair, 16));
}

const PLAIN_ESCAPES = { r: "\r", n: "\n", t: "\t", 0: "\0", "\\": "\\" };

export function parseEscapes(typed) {
	const out = [];
	const put = (text) => out.push(...utf8(text));
	const each = /\\(?:x([0-9a-f]{2})|u\{([0-9a-f]{1,6})\}|([rnt0\\]))|(\\.?)|([^\\]+)/gisu;
	for (const [, byte, code, short, wrong, rest] of typed.matchAll(each)) {
		if (wrong !== undefined) throw new Error(`"${plain(wrong)}" is no escape: \\r \\n \\t \\0 \\\\ \\xNN \\u{N} are`);
		if (byte) out.push(parseInt(byte, 16));
		else if (code) {
			if (parseInt(code, 16) > 0x10ffff) throw new Error(`\\u{${code}} is no character`);
			put(String.fromCodePoint(parseInt(code, 16)));
		} else put(short ? PLAIN_ESCAPES[short.toLowerCase()] : rest);
	}
	return Uint8Array.from(out);
}

export const parseStamp = (ts) => Date.parse(ts) + (Number(ts.slice(23, 26)) || 0) / 1000;

const two = (n) => String(n).padStart(2, "0");

export function clock(at) {
	const date = new Date(at);
	return [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
}

export const millis = (at) => `.${String(Math.floor(at % 1000)).padStart(3, "0")}`;

// `+12 ms`, `+1.20 s`, `+3:05`.
export function difference(ms) {
	const sign = ms < 0 ? "−" : "+";
	const much = Math.abs(ms);
	if (much < 10) return `${sign}${much.toFixed(much < 1 ? 2 : 1)} ms`;
	if (much < 1000) return `${sign}${Math.round(much)} ms`;
	return much < 60000 ? `${sign}${(much / 1000).toFixed(2)} s` : sign + age(much);
}

export function age(ms) {
	const s = Math.max(0, Math.floor(ms / 1000));
	if (s < 60) return `${s} s`;
	if (s < 3600) return `${Math.floor(s / 60)}:${two(s % 60)}`;
	return `${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))}`;
}

export const count = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");

export const size = (bytes) => (bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

export const many = (n, one) => `${count(n)} ${one}${n === 1 ? "" : "s"}`;

export function withoutEnd(text = "") {
	const end = text.endsWith("\r\n") ? "\r\n" : text.endsWith("\n") ? "\n" : "";
	return { text: end ? text.slice(0, -end.length) : text, end };
}
