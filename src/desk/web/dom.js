//! Short words for what every part does with the document.

export const $ = (id) => document.getElementById(id);
export const on = (target, type, handler) => target.addEventListener(type, handler, { passive: type === "wheel" || type === "scroll" });
export const focus = (element) => element.focus({ preventScroll: true });
// For screen readers: keys act on this element of the box.
export const point = (box, element) => box.setAttribute("aria-activedescendant", element?.id ?? "");
export const make = (tag, properties = {}) => Object.assign(document.createElement(tag), properties);
