// A number on a line between two named ends, with the lines that decide.

import { at, el, fixed } from './dom.js';

/** A number on a line from 0 to `most`; `zone` is shaded from 0, and `ends` name both ends. */
export function scale(title, value, lines, most, { explained, ends, zone }) {
  const pin = at(el('span', { class: 'pin' }), 'left', value / most);
  const ticks = lines.map(([name, line]) => at(el('span', { class: 'tick' }, el('span', {}, el('span', {}, name), ' ', el('span', {}, fixed(line, 2)))), 'left', line / most));
  const shaded = zone != null && at(el('span', { class: 'zone' }), 'width', zone / most);
  return el('div', { class: 'scale' },
    el('div', { class: 'figure' }, el('span', {}, title), el('strong', {}, fixed(value))),
    el('div', { class: 'line', 'aria-hidden': 'true' }, shaded, ticks, pin),
    ends && el('div', { class: 'ends' }, ends.map((end) => el('span', {}, end))),
    explained.filter(Boolean).map((text) => el('p', { class: 'hint' }, text)));
}

/** Where a threshold comes from, in words. */
export const SOURCES = {
  deepface: 'It is DeepFace’s own for Facenet512 and cosine distance. Nobody calibrated it on your photographs.',
  set: 'It is a setting of this installation (VERIFICATION_THRESHOLD).',
  calibrated: 'It was calibrated on this installation’s own photographs.',
  request: 'This request brought it.',
};

/** A cosine distance from 0 to 2 beside its threshold, with the threshold's source. */
export function distance({ distance: found, threshold, threshold_source: source }) {
  const side = found <= threshold ? 'within' : 'beyond';
  return scale('Cosine distance', found, [['threshold', threshold]], 2, {
    zone: threshold,
    ends: ['0: the same embedding', '2: opposite embeddings'],
    explained: [`The distance is ${side} the threshold of ${fixed(threshold, 2)}: smaller is more alike. ${SOURCES[source] ?? ''}`],
  });
}

/** The warning that a distance of another embedder needs. */
export const foreign = ({ embedder }) => embedder !== 'published' && el('p', { class: 'warning' }, 'The embedder is not a published one: only the operator who accepted it knows what this distance means.');
