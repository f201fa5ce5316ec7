// Elements, and figures as text. Nothing here parses HTML: text stays text. Text of others does not change the order of
// the page's own.

/** Characters that are not seen, and that may turn the text around them. */
const HIDDEN = /[\p{Cc}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

/** A text whose hidden characters are written as their numbers. */
export const visible = (text) => String(text).replace(HIDDEN, (found) => `‹U+${found.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}›`);

/** A text of others as a child of an element: its direction stays its own. */
export const quote = (text) => ({ quoted: visible(text) });

/** An element with attributes and children; false, null and undefined are left out. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  const shown = children.flat().filter((child) => child != null && child !== false);
  element.append(...shown.map((child) => (child.quoted == null ? child : el('bdi', {}, child.quoted))));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Announces a text to screen readers. */
export function announce(text) {
  byId('live').textContent = text;
}

/** A number with so many decimals; what rounds to nothing has no sign. */
export const fixed = (number, decimals = 4) => Number(number).toFixed(decimals).replace(/^-(0\.?0*)$/, '$1');

/** A time, in seconds from a second on, so that it fits into a narrow column. */
export const milliseconds = (number) => (number < 1000 ? `${fixed(number, number < 10 ? 2 : 1)} ms` : `${fixed(number / 1000, 2)} s`);

/** A place on a line, in per cent, set by script: the policy forbids style attributes. */
export function at(element, property, part) {
  element.style.setProperty(property, `${Math.min(100, Math.max(0, part * 100))}%`);
  return element;
}
