// The key: asked for where it is missing, and checked when it is entered. It is never written anywhere.

import { byId, el } from './dom.js';
import { ask, hasKey, needsKey, Problem, useKey } from './api.js';

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

/** The status that the service answers with this key: 0 if it does not answer. */
async function status(key) {
  try {
    await ask('POST', 'api/v1/faces/detect-all', { file: await blank() }, key);
    return 200;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return error.status;
  }
}

/** Whether this key counts, and what to say about it. */
async function checked(key) {
  if (!needsKey() && (await status('')) === 200) return [true, 'This service asks for no key: it answers without one.'];
  switch (await status(key)) {
    case 401: return [false, 'The service does not know this key: it is mistyped, revoked or expired.'];
    case 403: return [true, 'The key is valid, with few rights: it may not look at photographs.'];
    case 0: return [false, 'The service does not answer, so the key is not checked.'];
    default: return [true, 'The key is valid. It is used from now on, until the page is closed.'];
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
    const [good, words] = await checked(key);
    state.textContent = words;
    if (!good) {
      field.setAttribute('aria-invalid', 'true');
      field.select();
      return;
    }
    field.removeAttribute('aria-invalid');
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
