// Who is enrolled: a list, page by page, with what is stored about each person, and their erasure.

import { byId, el, fixed, quote } from './dom.js';
import { ask } from './api.js';
import { banner } from './verdict.js';
import { asJson } from './save.js';
import { ask_for_id, named, say, tried } from './people.js';

const day = (text) => (text ? text.slice(0, 10) : 'never');

/** Wires the list; `requested` gets each request. */
export function persons(requested) {
  const body = el('tbody');
  const count = el('p', { class: 'hint', role: 'status' });
  const more = el('button', { type: 'button', class: 'small', hidden: true }, 'More');
  const heads = ['User id', 'Templates', 'Newest', 'Expires', 'Consent', 'What to do'];
  const table = el('div', { class: 'wide-table', hidden: true, tabindex: '0', role: 'region', 'aria-label': 'Enrolled persons' }, el('table', {}, el('thead', {}, el('tr', {}, heads.map((head) => el('th', { scope: 'col' }, head)))), body));
  const list = el('button', { type: 'button', onclick: () => load(null) }, 'List the enrolled persons');
  byId('persons').append(el('div', { class: 'buttons' }, list, count), table, more);
  byId('people').querySelector('[data-erase]').addEventListener('click', () => {
    if (!ask_for_id()) erase(named().user);
  });

  async function load(cursor) {
    if (ask_for_id(false)) return;
    const fields = { tenant_id: named().tenant, cursor, limit: 50 };
    requested('GET', '/api/v1/persons', 'list_persons', fields);
    await tried(async () => {
      const page = await ask('GET', 'api/v1/persons', fields);
      const rows = page.persons.map(row);
      if (cursor) body.append(...rows);
      else body.replaceChildren(...rows);
      table.hidden = body.children.length === 0;
      count.textContent = page.total === 0 ? 'Nobody is enrolled.' : `${body.children.length} of ${page.total}`;
      more.hidden = !page.next_cursor;
      more.onclick = () => load(page.next_cursor);
      byId('people-answer').replaceChildren();
    });
  }

  function row(person) {
    const button = (text, act, kind = '') => el('button', { type: 'button', class: `small ${kind}`, onclick: () => act(person.user_id) }, text, el('span', { class: 'visually-hidden' }, ' ', quote(person.user_id)));
    return el('tr', {}, el('th', { scope: 'row' }, quote(person.user_id)), el('td', {}, String(person.template_count)), el('td', {}, day(person.newest_template_at)), el('td', {}, day(person.expires_at)), el('td', {}, person.consent ? quote(person.consent.reference) : 'none'),
      el('td', {}, el('div', { class: 'buttons' }, button('Choose', choose), button('Details', details), button('Save data', save), button('Delete …', erase, 'danger'))));
  }

  function choose(user) {
    const field = byId('people').elements.user_id;
    field.value = user;
    field.focus();
  }

  const one = (user) => `/api/v1/persons/${encodeURIComponent(user)}`;

  function details(user) {
    const fields = { user_id: user, tenant_id: named().tenant };
    requested('GET', '/api/v1/persons/{user_id}', 'get_person', fields);
    return tried(async () => {
      const found = await ask('GET', one(user).slice(1), { tenant_id: fields.tenant_id });
      const lines = found.templates.map((template) => `Template of ${template.made_at}, quality ${fixed(template.quality_score, 1)} of 100`);
      const consent = found.consent ? [quote(found.consent.reference), ', version ', quote(found.consent.version), `, of ${day(found.consent.given_at)}`] : ['none'];
      say(banner(['none', [quote(found.user_id)], [['Tenant ', quote(found.tenant_id), `. Expires: ${day(found.expires_at)}. Consent: `, ...consent, '.'], ...lines]]));
    });
  }

  function save(user) {
    const fields = { user_id: user, tenant_id: named().tenant };
    requested('GET', '/api/v1/persons/{user_id}/export', 'export_person', fields);
    return tried(async () => {
      asJson(await ask('GET', `${one(user).slice(1)}/export`, { tenant_id: fields.tenant_id }), `${user}.json`);
      say(banner(['good', ['Everything about ', quote(user), ' is saved'], ['The file contains the embedding: keep it as you would keep a password']]));
    });
  }

  async function erase(user) {
    if (!(await confirmed(user))) return;
    const fields = { user_id: user, tenant_id: named().tenant };
    requested('DELETE', '/api/v1/persons/{user_id}', 'erase_person', fields);
    await tried(async () => {
      const erased = await ask('DELETE', one(user).slice(1), { tenant_id: fields.tenant_id });
      if (!table.hidden) await load(null);
      const how = erased.receipt ? 'A search of the store found nothing of it; the receipt is signed' : 'The erasure is being finished in the background';
      say(banner(['good', [quote(user), ' is deleted'], [how]]), erased.receipt && el('div', { class: 'buttons' }, el('button', { type: 'button', onclick: () => asJson(erased, 'receipt.json') }, 'Save the receipt')));
    });
  }

  return { refresh: () => (table.hidden ? undefined : load(null)) };
}

function confirmed(user) {
  const dialog = byId('confirm');
  byId('confirm-text').replaceChildren(el('span', {}, 'Everything that is stored about “', quote(user), '” goes, and does not come back.'));
  dialog.returnValue = 'cancel';
  dialog.showModal();
  return new Promise((done) => { dialog.addEventListener('close', () => done(dialog.returnValue === 'delete'), { once: true }); });
}
