// The verdict of an answer in words; colour only repeats what the words say.

import { el } from './dom.js';
import { told, unfit } from './words.js';

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

export const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;

/** Why liveness was not judged: which files are not loaded. */
function unjudged(missing) {
  const files = missing.filter(({ role }) => role.startsWith('liveness')).map(({ file }) => file);
  return `Liveness was not judged: ${files.join(' and ')} ${files.length === 1 ? 'is' : 'are'} not loaded`;
}

/** Kind, title and reasons for one photograph. */
export function single(seen, missing) {
  if (seen.unfit) {
    const [title, lines] = unfit(seen.unfit, seen.faces.length);
    return ['none', `No verdict: ${title.charAt(0).toLowerCase()}${title.slice(1)}`, lines];
  }
  if (!seen.liveness) return ['none', 'No verdict', [unjudged(missing)]];
  const [kind, title, reason] = LIVENESS[seen.liveness.verdict];
  return [kind, title, [reason || DOUBTS[seen.liveness.doubt] || seen.liveness.message]];
}

const SIDES = ['A', 'B'];

function pair(answer) {
  const { comparison, missing, photographs } = answer;
  if (!comparison) {
    const lacking = photographs.map((seen, at) => [SIDES[at], single(seen, missing)]).filter(([, [kind]]) => kind === 'none');
    const reasons = lacking.flatMap(([side, [, title, lines]]) => [`Photograph ${side}: ${title.replace(/^No verdict: /, '')}`, ...lines]);
    return ['none', 'No comparison', reasons.length ? reasons : ['The embedder is not loaded, so faces can’t be compared.']];
  }
  if (!comparison.verdict) return ['none', comparison.matched ? 'The faces are alike' : 'The faces are not alike', [`No verdict. ${unjudged(missing)}`]];
  const [kind, title, reason] = PAIRS[comparison.verdict];
  const reasons = comparison.reasons.map(({ code, message }) => (DOUBTS[code] ? `${sentence(message.split(':')[0])} ${DOUBTS[code]}` : sentence(message)));
  return [kind, title, reasons.length ? reasons : [reason]];
}

/** The overall verdict of an answer. */
export const verdict = (answer) => (answer.photographs.length > 1 ? pair(answer) : single(answer.photographs[0], answer.missing));

/** A verdict as an element; a title or a reason with text of others is a list of its parts. */
export function banner([kind, title, reasons], ...more) {
  const mark = el('span', { class: 'mark', 'aria-hidden': 'true' }, MARKS[kind]);
  return el('div', { class: `verdict ${kind}` }, mark, el('div', {}, el('p', { class: 'verdict-title' }, title), reasons.map((reason) => el('p', {}, typeof reason === 'string' ? sentence(reason) : reason)), more));
}

/** Why the service did not do it; `further` is what a person can do right here. */
export function refused(problem, ...further) {
  const { kind, title, lines, code } = told(problem);
  return banner([kind, title, lines], el('p', { class: 'code-name' }, code), ...further.flat());
}
