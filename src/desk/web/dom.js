//! Short words for what every part does with the document.

export const $ = (id) => document.getElementById(id);
export const on = (target, type, handler) => target.addEventListener(type, handler, { passive: type === "wheel" || type === "scroll" });
export const make = (tag, properties = {}) => Object.assign(document.createElement(tag), properties);
