// Enrol, verify, search, with photograph A or with a capture session. The service judges; this only asks and tells.

import { byId, el, fixed, quote } from './dom.js';
import { ask, Problem } from './api.js';
import { NoCamera } from './camera.js';
import { capture } from './capture.js';
import { keyForm } from './key.js';
import { distance, foreign } from './gauge.js';
import { banner, refused, sentence } from './verdict.js';

const ACTS = {
  enroll: { path: '/api/v1/enroll', id: true, tell: enrolled },
  verify: { path: '/api/v1/verify', id: true, tell: verified },
  search: { path: '/api/v1/search', id: false, tell: searched },
  liveness: { path: '/api/v1/liveness', id: false, tell: judged },
};

/** What the people's forms name: the id and the tenant, as they are. */
export function named() {
  const { user_id: user, tenant_id: tenant } = byId('people').elements;
  return { user: user.value.trim(), tenant: tenant.value.trim() };
}

/** Shows an answer, or why there is none, and moves the focus to it. */
export function say(...children) {
  const place = byId('people-answer');
  place.replaceChildren(...children.filter(Boolean));
  place.focus({ preventScroll: true });
  place.scrollIntoView({ block: 'nearest' });
}

/** Does something with the service, and tells why if that fails; a missing key is asked for, and `retry` follows. */
export async function tried(act, retry = () => tried(act), ...more) {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const form = [401, 403].includes(error.status) && ['UNAUTHORIZED', 'FORBIDDEN'].includes(error.code) && keyForm(retry);
    say(refused(error, form || []), ...more);
    form?.elements?.key.focus();
  }
}

/** Wires the form; `photo()` is photograph A, `requested` gets each request, `changed` is called when a person is new. */
export function people(photo, requested, changed) {
  const form = byId('people');
  form.addEventListener('submit', (event) => { event.preventDefault(); act('verify'); });
  for (const button of form.querySelectorAll('[data-act]')) button.addEventListener('click', () => act(button.dataset.act));

  for (const button of form.querySelectorAll('[data-capture]')) button.addEventListener('click', () => begin(button.dataset.capture, button));
  let panel = null;

  function leave(button) {
    panel?.close();
    panel = null;
    byId('capture').replaceChildren();
    button?.focus();
  }

  /** A capture session for a purpose, whose best frame the route gets with the capture's number. */
  async function begin(name, button) {
    const { path, id, tell } = ACTS[name];
    const { user, tenant } = named();
    leave();
    if (ask_for_id(id)) return undefined;
    byId('people-answer').replaceChildren();
    const bound = { ...(id ? { user_id: user } : {}), tenant_id: tenant };
    const begun = () => begin(name, button);
    const again = () => el('div', { class: 'buttons' }, el('button', { type: 'button', class: 'small', onclick: begun }, 'Begin again'));
    const stopped = (...children) => { leave(); say(...children, again()); };
    const refusal = (error) => tried(() => { throw error; }, begun, again());
    const done = async (found, file) => {
      leave();
      const fields = { ...bound, file, capture_id: found.capture_id };
      requested('POST', path, name, fields);
      await tried(async () => {
        const answer = await ask('POST', path.slice(1), fields);
        say(...tell(answer), el('p', { class: 'hint' }, `Capture ${answer.capture_id} counted, after ${found.frame_count} frames. It can’t be used again. It does not prove that a person was there: the documents say what it proves.`));
        if (name === 'enroll') changed();
      }, undefined, again());
    };
    const ended = (end) => stopped(banner(['none', ...end]));
    const failed = (error) => (error instanceof NoCamera ? stopped(banner(['none', error.message, [error.advice]])) : (leave(), refusal(error)));
    try {
      panel = await capture({ purpose: name, ...bound }, { done, ended, failed, leave: () => leave(button) });
    } catch (error) {
      return failed(error instanceof NoCamera ? error : new NoCamera('failed'));
    }
    byId('capture').replaceChildren(panel.element);
    panel.element.scrollIntoView({ block: 'nearest' });
    return panel.begin();
  }

  async function act(name) {
    const { path, id, tell } = ACTS[name];
    const { user, tenant } = named();
    if (ask_for_id(id)) return undefined;
    if (!photo()) return say(banner(['none', 'No photograph', ['Choose photograph A above, or try a sample.']]));
    const fields = { ...(id ? { user_id: user } : {}), tenant_id: tenant, file: photo() };
    requested('POST', path, name, fields);
    busy(true);
    await tried(async () => {
      say(...tell(await ask('POST', path.slice(1), fields)));
      if (name === 'enroll') changed();
    });
    return busy(false);
  }

  function busy(on) {
    for (const button of form.querySelectorAll('button')) button.toggleAttribute('aria-disabled', on);
    for (const button of form.querySelectorAll('button[aria-disabled]')) button.setAttribute('aria-disabled', 'true');
  }
}

/** Asks for the user id, if it is `needed` and missing, or for a correction of a field that has no id; returns whether one is wrong. */
export function ask_for_id(needed = true) {
  const { user_id: user, tenant_id: tenant } = byId('people').elements;
  const lacks = needed && !user.value.trim();
  const field = lacks ? user : [user, tenant].find((one) => (one === tenant || needed) && !one.validity.valid);
  if (!field) return false;
  const title = lacks ? 'A user id is needed' : field === user ? 'This is no user id' : 'This is no id of a tenant';
  byId('people-answer').replaceChildren(banner(['none', title, ['1 to 255 of a-z, A-Z, 0-9, _ and -.']]));
  field.setAttribute('aria-invalid', 'true');
  field.addEventListener('input', () => field.removeAttribute('aria-invalid'), { once: true });
  field.focus();
  return true;
}

function enrolled(answer) {
  return [banner(['good', [quote(answer.user_id), ' is enrolled'], [`${sentence(answer.message)} Quality ${fixed(answer.quality_score, 1)} of 100, live probability ${fixed(answer.liveness_score)}`]])];
}

const LIVENESS = { live: 'Live', spoof: 'A spoof', indeterminate: 'Liveness is open' };

function verified(answer) {
  const review = answer.recommended_action === 'review';
  const kind = answer.verified ? 'good' : review ? 'doubt' : 'bad';
  const title = answer.verified ? 'Verified' : review ? 'A person should look' : 'Not verified';
  const facts = `${answer.matched ? 'The faces are alike' : 'The faces are not alike'}. ${LIVENESS[answer.liveness.verdict]}, live probability ${fixed(answer.liveness.live_probability)}`;
  return [banner([kind, title, [answer.message, facts]]), distance(answer), foreign(answer.model)];
}

function judged(answer) {
  const kinds = { live: ['good', 'Live'], spoof: ['bad', 'Spoof'] };
  return [banner([...(kinds[answer.verdict] ?? ['doubt', 'Inconclusive']), [sentence(answer.message), `Live probability ${fixed(answer.live_probability)}`]])];
}

function searched(answer) {
  const head = answer.found ? ['good', `${answer.matches.length === 1 ? '1 person' : `${answer.matches.length} persons`} within the threshold`] : ['none', 'Nobody within the threshold'];
  const rows = answer.matches.map((match) => el('tr', {}, el('th', { scope: 'row' }, quote(match.user_id)), el('td', { class: 'number' }, fixed(match.distance)), el('td', { class: 'number' }, fixed(match.confidence))));
  const table = rows.length && el('table', { class: 'matches' }, el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'User id'), el('th', { scope: 'col' }, 'Distance'), el('th', { scope: 'col' }, 'Confidence'))), el('tbody', {}, rows));
  return [banner([...head, [`${answer.total_searched} searched, threshold ${fixed(answer.threshold, 2)}`]]), table || null];
}
