// Elements, and figures as text. Nothing here parses HTML: text stays text.

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
  element.append(...children.flat().filter((child) => child != null && child !== false));
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
