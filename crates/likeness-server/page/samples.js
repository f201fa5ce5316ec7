// Photographs to try without having one: a public portrait, and pictures that this project made (SAMPLE.md).

import { byId, el } from './dom.js';

const SAMPLES = [
  { title: 'Same person', hint: 'the portrait, again in other light', files: ['sample.jpg', 'same.jpg'] },
  { title: 'Another person', hint: 'a rendered head, of nobody', files: ['sample.jpg', 'other.jpg'] },
  { title: 'A spoof', hint: 'the portrait on a drawn phone', files: ['sample.jpg', 'spoof.jpg'] },
  { title: 'One portrait', hint: 'without a comparison', files: ['sample.jpg'] },
];

async function file(name) {
  const response = await fetch(`page/${name}`).catch(() => null);
  return response?.ok ? new File([await response.blob()], name, { type: 'image/jpeg' }) : null;
}

/** Offers the samples; `put` gets their files, `incident` shows what happens without a model. */
export function samples(put, incident) {
  const state = el('p', { class: 'hint', role: 'status' });
  async function load(names) {
    const files = await Promise.all(names.map(file));
    state.textContent = files.includes(null) ? 'The sample did not arrive. Is the service still running?' : '';
    if (!files.includes(null)) put(files);
  }
  const button = ({ title, hint, files }) => el('button', { type: 'button', class: 'sample', onclick: () => load(files) },
    el('img', { src: `page/${files.at(-1)}`, width: 44, height: 44, alt: '' }), el('span', {}, el('strong', {}, title), el('span', { class: 'hint' }, hint)));
  const missing = el('button', { type: 'button', class: 'sample', onclick: incident },
    el('span', { class: 'gap', 'aria-hidden': 'true' }, '?'), el('span', {}, el('strong', {}, 'Without a model'), el('span', { class: 'hint' }, 'the incident, and its end')));
  byId('samples').append(el('div', { class: 'sample-list' }, SAMPLES.map(button), missing), state);
}
