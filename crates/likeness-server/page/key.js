// The key: asked for where it is missing, and checked when it is entered. It is never written anywhere.

import { byId, el, visible } from './dom.js';
import { ask, hasKey, needsKey, Problem, unsendable, useKey } from './api.js';

const LISTENERS = new Set();

/** Calls `listener` when another key counts. */
export const onKey = (listener) => LISTENERS.add(listener);

/** A photograph without a face: the least that a route with a key answers. */
async function blank() {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 64;
  canvas.getContext('2d').fillRect(0, 0, 64, 64);
  const blob = await new Promise((done) => { canvas.toBlob(done, 'image/jpeg'); });
  return new File([blob], 'blank.jpg', { type: 'image/jpeg' });
}

/** What the service answers with this key: a status, 0 if it does not answer, and the code of a problem. */
async function answered(key) {
  try {
    await ask('POST', 'api/v1/faces/detect-all', { file: await blank() }, key);
    return { status: 200, code: '' };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return error;
  }
}

/** Statuses of a request that passed the check of its key. */
const PASSED = [200, 400, 413, 415, 422];

/** Whether a key counts (`valid`, `wrong`, or `unknown` if the answer does not show it), and what to say about it. */
async function checked(key) {
  const strange = unsendable(key);
  if (strange) return ['wrong', `This is no key: it contains “${visible(strange)}”. A key has the letters a to z, digits and signs only.`];
  if (!needsKey() && (await answered('')).status === 200) return ['valid', 'This service asks for no key: it answers without one.'];
  const { status, code } = await answered(key);
  // The service says this code after it has checked the key; persons can be listed and deleted without the model.
  if (PASSED.includes(status) || code === 'MODEL_UNAVAILABLE') return ['valid', 'The key is valid. It is used from now on, until the page is closed.'];
  switch (status) {
    case 401: return ['wrong', 'The service does not know this key: it is mistyped, revoked or expired.'];
    case 403: return ['valid', 'The key is valid, with few rights: it may not look at photographs.'];
    case 0: return ['unknown', code === 'REDIRECTED' ? 'Another address answers instead of the service, so the key is not checked.' : 'The service does not answer, so the key is not checked.'];
    case 429: return ['unknown', 'The key is not checked: the service got too many requests. Wait a minute, then press the button again.'];
    default: return ['unknown', `The key is not checked: the service answered ${status}. Press the button again later.`];
  }
}

/** A form that asks for a key; `accepted` is called once a valid one is entered. */
export function keyForm(accepted = () => {}) {
  const field = el('input', { type: 'password', name: 'key', autocomplete: 'off', spellcheck: 'false', required: true });
  const state = el('p', { class: 'hint', role: 'status' });
  const form = el('form', { class: 'key-form', autocomplete: 'off' }, el('label', {}, 'API key', field), el('button', { class: 'primary' }, 'Use the key'), state);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const key = field.value.trim();
    if (!key) return;
    state.textContent = 'Checking …';
    const [found, words] = await checked(key);
    state.textContent = words;
    field.setAttribute('aria-invalid', String(found === 'wrong'));
    if (found === 'wrong') field.select();
    if (found !== 'valid') return;
    field.value = '';
    if (needsKey()) useKey(key);
    for (const listener of LISTENERS) listener();
    accepted();
  });
  return form;
}

/** The key's own section at the page's end, with a way to forget it. */
export function keySection() {
  const forget = el('button', { type: 'button', onclick: () => { useKey(''); for (const listener of LISTENERS) listener(); forget.hidden = true; } }, 'Forget the key');
  forget.hidden = true;
  onKey(() => { forget.hidden = !hasKey(); });
  byId('key').replaceChildren(keyForm(), forget);
}
