// A demonstration of the incident that this project answers: a network is missing, there is no verdict, the file comes
// back. Every answer is made here. Nothing is asked of the service, and none of its weights is touched.

import { el } from './dom.js';
import { banner, verdict } from './verdict.js';

const FILE = '2.7_80x80_MiniFASNetV2.pth';

const answer = (liveness, missing) => ({ photographs: [{ field: 'file', faces: [], unfit: null, liveness }], comparison: null, missing });
const MISSING = answer(null, [{ role: 'liveness_2_7', file: FILE }]);
const WHOLE = answer({ verdict: 'live', doubt: null, live_probability: 0.97 }, []);

/** The demonstration's element; `heading` gets the focus at each step. */
export function incident(focus) {
  const end = el('div', { class: 'incident-end' });
  const heal = el('button', { type: 'button', class: 'primary', onclick: healed }, 'Heal the file');

  function healed() {
    heal.remove();
    const title = el('h3', { tabindex: '-1' }, '3. The end: the file is back');
    end.replaceChildren(title,
      el('div', { class: 'code' }, el('pre', { tabindex: '0', role: 'region', 'aria-label': 'What ballast prints' }, el('code', {}, `$ ballast heal --baked mirror\nballast: ${FILE}  missing -> copied  owned`))),
      el('p', {}, 'The service loads the file once its SHA-256 is that of weights.lock, and answers again:'),
      banner(verdict(WHOLE)));
    focus(title);
  }

  return el('div', { class: 'incident' },
    el('p', { class: 'demonstration' }, el('strong', {}, 'A demonstration.'), ' Its answers are made for this page. The service was not asked, and its weights are untouched.'),
    el('h3', {}, '1. What happened before'),
    el('p', {}, `A volume belonged to root, so the file ${FILE} was never written. The replaced service took the error’s text for a verdict: it rejected everybody as a spoof, with a score of 99.47, while its health said 200.`),
    el('h3', {}, '2. What happens here'),
    banner(verdict(MISSING)),
    el('p', {}, 'Nobody is rejected: there is no verdict without both networks. Health names the file, its pin and the command that restores it. Faces are still found and compared.'),
    heal, end);
}
