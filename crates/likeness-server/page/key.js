// The key: asked for where it is missing, and checked when it is entered. It is never written anywhere.

import { byId, el } from './dom.js';
import { ask, hasKey, Problem, useKey } from './api.js';

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

/** Whether the service knows this key, as a text: null if not. */
async function checked(key) {
  try {
    await ask('POST', 'api/v1/faces/detect-all', { file: await blank() }, key);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.status === 401) return null;
    if (error.status === 403) return 'The key is valid, with few rights: it may not look at photographs.';
    if (error.status === 0) return 'The service does not answer, so the key is not checked.';
  }
  return 'The key is valid. It is used from now on, until the page is closed.';
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
    const found = await checked(key);
    field.toggleAttribute('aria-invalid', found === null);
    if (found === null) {
      field.setAttribute('aria-invalid', 'true');
      state.textContent = 'The service does not know this key: it is mistyped, revoked or expired.';
      field.select();
      return;
    }
    field.value = '';
    useKey(key);
    state.textContent = found;
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
