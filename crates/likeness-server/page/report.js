// What the networks said, as words and figures; colour only repeats what the words say.

import { at, el, fixed, milliseconds } from './dom.js';

const MARKS = { good: '✓', bad: '✕', doubt: '?', none: '–' };

const DOUBTS = {
  no_colour: 'The face has no colour. Send a colour photograph, taken in visible light.',
  face_turned: 'The face is not upright, or not seen from the front. Hold the camera upright, and look into it.',
  context_too_small: 'The photograph shows too little around the face. Step back from the camera, or leave it uncropped.',
  face_cut: 'The photograph’s edge cuts the face. Leave room around it.',
  networks_disagree: 'One of the two networks alone is against a live face.',
  unsure: 'The probability lies between the two lines.',
};

const LIVENESS = {
  live: ['good', 'Live', 'Both networks see a real face.'],
  spoof: ['bad', 'Spoof', 'The networks see a picture of a face, not a face.'],
  indeterminate: ['doubt', 'Inconclusive', ''],
};

const PAIRS = {
  accept: ['good', 'The same person', 'Both faces are live and near enough.'],
  review: ['doubt', 'A person should look', 'Near enough, but not surely live.'],
  reject: ['bad', 'Not accepted', ''],
};

/** Why liveness was not judged: which files are not loaded. */
function unjudged(missing) {
  const files = missing.filter(({ role }) => role.startsWith('liveness')).map(({ file }) => file);
  return `Liveness was not judged: ${files.join(' and ')} ${files.length === 1 ? 'is' : 'are'} not loaded`;
}

/** The verdict's words for one photograph: kind, title, reasons. */
function single(seen, missing) {
  if (seen.unfit) return ['none', 'No verdict', [seen.unfit.message]];
  if (!seen.liveness) return ['none', 'No verdict', [unjudged(missing)]];
  const [kind, title, reason] = LIVENESS[seen.liveness.verdict];
  return [kind, title, [reason || DOUBTS[seen.liveness.doubt] || seen.liveness.message]];
}

function pair(comparison, missing) {
  if (!comparison.verdict) {
    const near = comparison.matched ? 'The faces are alike' : 'The faces are not alike';
    return ['none', near, [`No verdict. ${unjudged(missing)}`]];
  }
  const [kind, title, reason] = PAIRS[comparison.verdict];
  const reasons = comparison.reasons.map(({ code, message }) => (DOUBTS[code] ? `${sentence(message.split(':')[0])} ${DOUBTS[code]}` : sentence(message)));
  return [kind, title, reasons.length ? reasons : [reason]];
}

export const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;

/** The overall verdict of an answer. */
export function verdict(answer) {
  return answer.comparison ? pair(answer.comparison, answer.missing) : single(answer.photographs[0], answer.missing);
}

/** A verdict as an element. */
export function banner([kind, title, reasons]) {
  const mark = el('span', { class: 'mark', 'aria-hidden': 'true' }, MARKS[kind]);
  return el('div', { class: `verdict ${kind}` }, mark, el('div', {}, el('p', { class: 'verdict-title' }, title), reasons.map((reason) => el('p', {}, sentence(reason)))));
}

/** A number on a line from 0 to `most`, with named lines across. */
export function scale(title, value, lines, most, explained) {
  const pin = at(el('span', { class: 'pin' }), 'left', value / most);
  const ticks = lines.map(([name, line]) => at(el('span', { class: 'tick' }, el('span', {}, `${name} ${fixed(line, 2)}`)), 'left', line / most));
  return el('div', { class: 'scale' },
    el('div', { class: 'figure' }, el('span', {}, title), el('strong', {}, fixed(value))),
    el('div', { class: 'line', 'aria-hidden': 'true' }, ticks, pin),
    el('p', { class: 'hint' }, explained));
}

function distance(comparison, embedder) {
  const side = comparison.matched ? 'within' : 'beyond';
  const text = `The distance is ${side} the threshold of ${fixed(comparison.threshold, 2)}; smaller is more alike.`;
  const warning = embedder !== 'published' && el('p', { class: 'warning' }, 'The embedder is not a published one: only the operator who accepted it knows what this distance means.');
  return el('section', {}, el('h3', {}, 'Distance'), scale('Cosine distance', comparison.distance, [['threshold', comparison.threshold]], 1, text), warning);
}

const CLASSES = ['fake', 'real', 'other fake'];

function bars(network) {
  const row = (part, index) => el('tr', {},
    el('th', { scope: 'row' }, CLASSES[index]),
    el('td', {}, el('span', { class: 'bar', 'aria-hidden': 'true' }, at(el('span', { class: index === 1 ? 'real' : '' }), 'width', part))),
    el('td', { class: 'number' }, fixed(part)));
  return el('table', {}, el('caption', { class: 'visually-hidden' }, `What ${network.file} says`), el('tbody', {}, network.probabilities.map(row)));
}

function crop(source, size, alt) {
  return el('img', { src: source, width: size, height: size, alt, class: 'crop' });
}

function network(sight) {
  return el('li', { class: 'network' },
    crop(sight.crop, 80, `The 80 × 80 pixels that the network of scale ${fixed(sight.scale, 1)} saw`),
    el('div', {},
      el('p', { class: 'network-title' }, `Scale ${fixed(sight.scale, 1)}`, el('span', {}, `saw ${fixed(sight.scale_seen, 2)} × the box`)),
      bars(sight), el('p', { class: 'file' }, sight.file)));
}

function liveness({ liveness: seen }) {
  if (!seen) return null;
  const { live, spoof } = seen.thresholds;
  const text = `Live from ${fixed(live, 2)}, a spoof up to ${fixed(spoof, 2)}, open between.`;
  return el('section', {}, el('h3', {}, 'Liveness'),
    scale('Live probability', seen.live_probability, [['spoof', spoof], ['live', live]], 1, text),
    el('ul', { class: 'networks' }, seen.networks.map(network)));
}

function embedder({ embedder: seen, quality }) {
  const face = seen && [crop(seen.face, 160, 'The 160 × 160 pixels that the embedder saw'), el('div', {},
    el('p', { class: 'network-title' }, 'The embedder saw this'),
    el('p', { class: 'hint' }, `It gave ${seen.embedding_dimension} numbers. They stay in the service.`),
    figures(quality), el('p', { class: 'file' }, seen.file))];
  if (!face) return quality ? el('section', {}, el('h3', {}, 'Quality'), figures(quality)) : null;
  return el('section', {}, el('h3', {}, 'Identity'), el('div', { class: 'network wide' }, face));
}

function figures({ score, blur, light, side }) {
  const entry = (name, value) => el('div', {}, el('dt', {}, name), el('dd', {}, value));
  return el('dl', {}, entry('Quality', `${fixed(score, 1)} of 100`), entry('Sharpness', fixed(blur, 0)), entry('Light', fixed(light, 0)), entry('Shorter side', `${side} px`));
}

const STAGES = { decode: 'Decode', detect: 'Find faces', quality: 'Measure quality', spoof: 'Liveness, both networks', align: 'Turn upright', embed: 'Embed', render: 'Encode for this page' };

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

function photograph(seen, index, several, missing) {
  const title = several && el('h3', { class: 'which' }, index === 0 ? 'First photograph' : 'Second photograph');
  const own = several && banner(single(seen, missing));
  return el('div', { class: 'photograph' }, title, own, liveness(seen), embedder(seen), timings(seen));
}

/** The whole answer. */
export function report(answer) {
  const several = answer.photographs.length > 1;
  const parts = answer.photographs.map((seen, index) => photograph(seen, index, several, answer.missing));
  return [banner(verdict(answer)), answer.comparison && distance(answer.comparison, answer.model.embedder), ...parts].filter(Boolean);
}
