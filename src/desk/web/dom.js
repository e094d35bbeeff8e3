//! Short words for what every part does with the document.

export const $ = (id) => document.getElementById(id);
export const on = (target, type, handler) => target.addEventListener(type, handler, { passive: type === "wheel" || type === "scroll" });
export const focus = (element) => element.focus({ preventScroll: true });
// That the element in the box is the one which keys act on, for screen readers.
export const point = (box, element) => box.setAttribute("aria-activedescendant", element?.id ?? "");
export const make = (tag, properties = {}) => Object.assign(document.createElement(tag), properties);
