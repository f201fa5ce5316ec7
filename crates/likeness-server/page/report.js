// What the networks saw and said: one column for a photograph, so that two photographs face each other.

import { at, el, fixed, milliseconds } from './dom.js';
import { scale } from './gauge.js';
import { banner, single } from './verdict.js';

const CLASSES = ['fake', 'real', 'other fake'];

function bars(network) {
  const row = (part, index) => el('tr', {},
    el('th', { scope: 'row' }, CLASSES[index]),
    el('td', {}, el('span', { class: 'bar', 'aria-hidden': 'true' }, at(el('span', { class: index === 1 ? 'real' : '' }), 'width', part))),
    el('td', { class: 'number' }, fixed(part)));
  return el('table', {}, el('caption', { class: 'visually-hidden' }, `What ${network.file} says`), el('tbody', {}, network.probabilities.map(row)));
}

const crop = (source, size, alt) => el('img', { src: source, width: size, height: size, alt, class: 'crop' });

function network(sight, side) {
  return el('section', { class: 'network', 'aria-label': `Scale ${fixed(sight.scale, 1)}, photograph ${side}` },
    crop(sight.crop, 80, `The 80 × 80 pixels that the network of scale ${fixed(sight.scale, 1)} saw`),
    el('div', {},
      el('h4', { class: 'network-title' }, `Scale ${fixed(sight.scale, 1)}`, ' ', el('span', {}, `saw ${fixed(sight.scale_seen, 2)} × the box`)),
      bars(sight), el('p', { class: 'file' }, sight.file)));
}

/** The probability may lie in the live zone and the verdict be open: the text says why. */
function outcome({ verdict, live_probability: found, thresholds: { live, spoof } }) {
  if (verdict !== 'indeterminate') return null;
  if (found >= live) return 'The probability alone would be live. The reason above keeps the verdict open.';
  return found <= spoof ? 'The probability alone would be a spoof. The reason above keeps the verdict open.' : null;
}

function liveness({ liveness: seen }) {
  const { live, spoof } = seen.thresholds;
  const text = `Live from ${fixed(live, 2)}, a spoof up to ${fixed(spoof, 2)}, open between.`;
  return el('section', {}, el('h3', {}, 'Liveness'),
    scale('Live probability', seen.live_probability, [['spoof', spoof], ['live', live]], 1, { explained: [text, outcome(seen)] }));
}

function embedder({ embedder: seen, quality }) {
  if (!seen) return quality ? el('section', {}, el('h3', {}, 'Quality'), figures(quality)) : null;
  return el('section', {}, el('h3', {}, 'The aligned face'), el('div', { class: 'network wide' },
    crop(seen.face, 160, 'The 160 × 160 pixels that the embedder saw'),
    el('div', {}, el('p', { class: 'hint' }, `The embedder saw this and gave ${seen.embedding_dimension} numbers. They stay in the service.`), figures(quality), el('p', { class: 'file' }, seen.file))));
}

function figures({ score, blur, light, side }) {
  const entry = (name, value) => el('div', {}, el('dt', {}, name), el('dd', {}, value));
  return el('dl', {}, entry('Quality', `${fixed(score, 1)} of 100`), entry('Sharpness', fixed(blur, 0)), entry('Light', fixed(light, 0)), entry('Shorter side', `${side} px`));
}

const STAGES = { decode: 'Decode', detect: 'Find faces', quality: 'Measure quality', spoof: 'Both liveness networks', align: 'Turn upright', embed: 'Embed', render: 'Encode for this page' };

function timings({ timing_ms: stages }) {
  const all = Object.entries(STAGES).filter(([name]) => name in stages);
  const total = all.reduce((sum, [name]) => sum + stages[name], 0);
  const most = Math.max(...all.map(([name]) => stages[name]));
  const row = ([name, title]) => el('tr', {},
    el('th', { scope: 'row' }, title),
    el('td', {}, el('span', { class: 'bar', 'aria-hidden': 'true' }, at(el('span'), 'width', stages[name] / most))),
    el('td', { class: 'number' }, milliseconds(stages[name])));
  return el('section', {}, el('h3', {}, 'Time'), el('table', { class: 'times' }, el('caption', { class: 'visually-hidden' }, 'Milliseconds by stage'),
    el('tbody', {}, all.map(row)), el('tfoot', {}, el('tr', {}, el('th', { scope: 'row' }, 'Together'), el('td'), el('td', { class: 'number' }, milliseconds(total))))));
}

const or = (part, words) => part || el('p', { class: 'hint nothing' }, words);

/** The column of one photograph, as six rows that stand beside those of the other. */
export function column(seen, side, several, missing) {
  const networks = seen.liveness?.networks.map((sight) => network(sight, side)) ?? [null, null];
  const rows = [
    several ? banner(single(seen, missing)) : el('span', { class: 'nothing' }),
    or(embedder(seen), 'The embedder saw nothing.'),
    or(seen.liveness && liveness(seen), 'Liveness was not judged.'),
    or(networks[0], 'The network of scale 2.7 saw nothing.'),
    or(networks[1], 'The network of scale 4.0 saw nothing.'),
    timings(seen),
  ];
  // A row of nothing keeps its place only beside another photograph's.
  const kept = several ? rows : rows.filter((row) => !row.classList.contains('nothing'));
  return el('div', { class: 'column', role: 'group', 'aria-label': `What the networks saw in photograph ${side}` }, kept);
}
