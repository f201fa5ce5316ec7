// The answers of this session, newest first: in this page's memory, and gone with it.

import { byId, el } from './dom.js';
import { verdict } from './verdict.js';

const MOST = 20;
const MARKS = { good: '✓', bad: '✕', doubt: '?', none: '–' };
const kept = [];

/** A small picture of a photograph, as a canvas. */
async function small(file) {
  const canvas = el('canvas', { width: 40, height: 40, 'aria-hidden': 'true' });
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return canvas;
  const side = Math.min(bitmap.width, bitmap.height);
  canvas.getContext('2d').drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 3, side, side, 0, 0, 40, 40);
  bitmap.close();
  return canvas;
}

/** Keeps an answer with its photographs; `again` shows it without asking the service. */
export async function keep(answer, files, again) {
  const [kind, title] = verdict(answer);
  const shown = await Promise.all(files.filter(Boolean).map(small));
  const time = new Date().toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
  kept.unshift(el('li', {}, el('div', { class: 'small-pictures' }, shown), el('span', { class: `history-title ${kind}` }, el('span', { 'aria-hidden': 'true' }, MARKS[kind]), ' ', title), el('span', { class: 'hint' }, time),
    el('button', { type: 'button', class: 'small', onclick: again }, 'Show again', el('span', { class: 'visually-hidden' }, `: ${title}, ${time}`))));
  kept.length = Math.min(kept.length, MOST);
  render();
}

function clear() {
  kept.length = 0;
  render();
  byId('photographs').focus();
}

function render() {
  byId('history').hidden = kept.length === 0;
  byId('history-list').replaceChildren(...kept);
}

/** Wires the section. */
export function history() {
  byId('history-clear').addEventListener('click', clear);
  render();
}
