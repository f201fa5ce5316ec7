// Enrol, verify, search, delete. The service judges; this only asks and tells.

import { byId, el, fixed } from './dom.js';
import { ask, Problem } from './api.js';
import { banner, scale, sentence } from './report.js';

const ACTS = {
  enroll: { method: 'POST', path: () => 'api/v1/enroll', id: true, photo: true, tell: enrolled },
  verify: { method: 'POST', path: () => 'api/v1/verify', id: true, photo: true, tell: verified },
  search: { method: 'POST', path: () => 'api/v1/search', id: false, photo: true, tell: searched },
  delete: { method: 'DELETE', path: (id) => `api/v1/enroll/${encodeURIComponent(id)}`, id: true, photo: false, tell: deleted },
};

/** Wires the form; `photo()` is the first photograph, `requested` gets each request. */
export function people(photo, requested) {
  const form = byId('people');
  form.addEventListener('submit', (event) => { event.preventDefault(); act('verify'); });
  for (const button of form.querySelectorAll('[data-act]')) button.addEventListener('click', () => act(button.dataset.act));

  async function act(name) {
    const { method, path, id, photo: wanted, tell } = ACTS[name];
    const user = form.elements.user_id.value.trim();
    const tenant = form.elements.tenant_id.value.trim();
    if (id && (!user || !form.elements.user_id.validity.valid)) return ask_for_id(form.elements.user_id);
    if (wanted && !photo()) return say(banner(['none', 'No photograph', ['Choose the first photograph above, or try the sample.']]));
    if (name === 'delete' && !(await confirmed(user))) return undefined;
    const fields = { ...(method === 'POST' && id ? { user_id: user } : {}), tenant_id: tenant, ...(wanted ? { file: photo() } : {}) };
    requested(method, path(user), fields);
    busy(true);
    try {
      say(...tell(await ask(method, path(user), fields)));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      say(refused(error));
    } finally {
      busy(false);
    }
    return undefined;
  }

  function busy(on) {
    for (const button of form.querySelectorAll('[data-act]')) button.toggleAttribute('aria-disabled', on);
  }
}

function say(...children) {
  byId('people-answer').replaceChildren(...children.filter(Boolean));
}

function ask_for_id(field) {
  say(banner(['none', 'A user id is needed', ['1 to 255 letters, digits, _ or -.']]));
  field.setAttribute('aria-invalid', 'true');
  field.addEventListener('input', () => field.removeAttribute('aria-invalid'), { once: true });
  field.focus();
}

function confirmed(user) {
  const dialog = byId('confirm');
  byId('confirm-text').textContent = `Everything that is stored about “${user}” goes, and does not come back.`;
  dialog.returnValue = 'cancel';
  dialog.showModal();
  return new Promise((done) => { dialog.addEventListener('close', () => done(dialog.returnValue === 'delete'), { once: true }); });
}

function enrolled(answer) {
  return [banner(['good', `${answer.user_id} is enrolled`, [`${sentence(answer.message)} Quality ${fixed(answer.quality_score, 1)} of 100, live probability ${fixed(answer.liveness_score)}`]])];
}

function verified(answer) {
  const kind = answer.verified ? 'good' : answer.recommended_action === 'review' ? 'doubt' : 'bad';
  const title = answer.verified ? 'Verified' : answer.recommended_action === 'review' ? 'A person should look' : 'Not verified';
  const facts = `Matched: ${answer.matched ? 'yes' : 'no'}. Liveness: ${answer.liveness.verdict}, live probability ${fixed(answer.liveness.live_probability)}`;
  const text = `A match is at most the threshold of ${fixed(answer.threshold, 2)}.`;
  return [banner([kind, title, [answer.message, facts]]), scale('Cosine distance', answer.distance, [['threshold', answer.threshold]], 1, text)];
}

function searched(answer) {
  const head = answer.found ? ['good', `${answer.matches.length === 1 ? '1 person' : `${answer.matches.length} persons`} within the threshold`] : ['none', 'Nobody within the threshold'];
  const rows = answer.matches.map((match) => el('tr', {}, el('th', { scope: 'row' }, match.user_id), el('td', { class: 'number' }, fixed(match.distance)), el('td', { class: 'number' }, fixed(match.confidence))));
  const table = rows.length && el('table', { class: 'matches' }, el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'User id'), el('th', { scope: 'col' }, 'Distance'), el('th', { scope: 'col' }, 'Confidence'))), el('tbody', {}, rows));
  return [banner([...head, [`${answer.total_searched} searched, threshold ${fixed(answer.threshold, 2)}`]]), table || null];
}

function deleted(answer) {
  const how = answer.erasure === 'pending' ? 'Erasure is being finished in the background' : 'Nothing of it is left in the store';
  return [banner(['good', `${answer.user_id} is deleted`, [sentence(answer.message ?? ''), how].filter((text) => text !== '.')])];
}

const REFUSALS = {
  LIVENESS_FAILED: ['bad', 'Not enrolled: the face is not known to be live'],
  ANTISPOOF_BLOCKED: ['bad', 'Blocked'],
  EMBEDDING_NOT_FOUND: ['none', 'Nobody is enrolled under this id'],
  EMBEDDING_ALREADY_EXISTS: ['doubt', 'Somebody else is enrolled under this id'],
};

/** Why the service did not do it. */
export function refused(problem) {
  const [kind, title] = REFUSALS[problem.code] ?? ['none', problem.status === 401 ? 'This service asks for a key' : 'No answer'];
  const way = problem.status === 401 || problem.status === 403 && problem.code === 'FORBIDDEN' ? ['Enter a key that may do this, at the end of this page.'] : [];
  return banner([kind, title, [problem.message, ...way, `Code ${problem.code}`]]);
}
