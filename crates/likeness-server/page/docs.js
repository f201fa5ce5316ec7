// The API's page: every operation of the description, with a form that sends it and the lines that send it elsewhere.
// The key lives in this module's memory. Every address is relative, so that all of it may lie below a prefix.

import { unsendable } from './api.js';
import { calls, example } from './description.js';
import { byId, el, visible } from './dom.js';
import { snippets } from './snippets.js';

const BASE = new URL('../', location.href);
let key = '';

/** The lines of each language for the required inputs. */
const lines = (method, path, id, given) => snippets({ method, path, id, base: BASE.href, keyed: true, given: given.filter((one) => one.required).map((one) => ({ name: one.name, place: one.place, value: example(one) })) });

function field(one) {
  const { required } = one;
  const label = `${one.name}${required ? '' : ' (optional)'}`;
  let input;
  if (one.place === 'file') input = el('input', { type: 'file', name: one.name, accept: 'image/*', multiple: Boolean(one.schema.items), required });
  else if (one.values) input = el('select', { name: one.name }, ...[...(required ? [] : ['']), ...one.values].map((word) => el('option', { value: word }, word)));
  else if (one.place === 'header') input = el('input', { type: 'text', name: one.name, required, autocomplete: 'off', pattern: '[ -~]*', title: 'Letters a to z, digits and signs' });
  else input = el('input', { type: 'text', name: one.name, required, autocomplete: 'off' });
  return el('label', {}, label, input, one.description && el('span', { class: 'hint' }, one.description));
}

/** Sends what the form says; the answer as text. */
async function send(method, path, given, form) {
  const [query, body, headers] = [new URLSearchParams(), new FormData(), key ? { Authorization: `Bearer ${key}` } : {}];
  let [to, any] = [path, false];
  for (const { name, place } of given) {
    const input = form.elements.namedItem(name);
    const values = place === 'file' ? [...input.files] : [input.value].filter(Boolean);
    for (const value of values) {
      if (place === 'path') to = to.replace(`{${name}}`, encodeURIComponent(value));
      else if (place === 'query') query.append(name, value);
      else if (place === 'header') headers[name] = value;
      else { body.append(name, value); any = true; }
    }
  }
  const url = new URL(to.slice(1), BASE);
  url.search = query;
  const answer = await fetch(url, { method, headers, body: any ? body : undefined, cache: 'no-store', credentials: 'omit' });
  const text = await answer.text();
  let shown = text;
  try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* words */ }
  return `${answer.status} ${answer.statusText}\n\n${shown}`;
}

/** A text that scrolls; hidden characters of its lines are seen. */
const scroll = (label, text) => el('pre', { tabindex: '0', role: 'region', 'aria-label': label }, text.split('\n').map(visible).join('\n'));

/** A name of its own for each way to call an operation. */
const called = (name, title, several) => (several ? `${name}: ${title.replace(/\.$/, '')}` : name);

/** The form of one way to call an operation. */
const filled = (method, path, name, { title, given }, several) => [several && el('h4', {}, title), ...trial(method, path, given, called(name, title, several))];

/** The lines of one way to call an operation. */
const written = (method, path, id, name, { title, given }, several) => lines(method, path, id, given)
  .flatMap(([language, text]) => [el('h4', {}, called(language, title, several)), scroll(`${language} for ${called(name, title, several)}`, text)]);

function trial(method, path, given, name) {
  const output = el('div', { 'aria-live': 'polite' });
  const form = el('form', { 'aria-label': `Send ${name}` }, ...given.map(field), el('div', { class: 'buttons' }, el('button', { class: 'primary' }, 'Send')));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    output.replaceChildren('Sending …');
    const text = await send(method, path, given, form).catch(() => 'The service does not answer.');
    output.replaceChildren(scroll(`The answer to ${name}`, text));
  });
  return [form, output];
}

function opened(method, path, operation, schemas) {
  const found = calls(operation, schemas);
  const several = found.length > 1;
  const name = `${method} ${path}`;
  const scope = operation.security?.find((one) => one.bearer)?.bearer[0];
  const example = Object.values(operation.responses['200']?.content ?? {})[0]?.example;
  return el('div', {},
    operation.description && el('p', {}, operation.description),
    el('p', { class: 'hint' }, scope ? `Where the service has keys: a key with the scope ${scope}.` : 'Needs no key.'),
    ...found.flatMap((way) => filled(method, path, name, way, several)),
    el('h4', {}, 'Answers'),
    el('ul', {}, ...Object.entries(operation.responses).map(([status, { description }]) => el('li', {}, el('code', {}, status), ` ${description}`))),
    example != null && scroll(`An answer of ${name}`, typeof example === 'string' ? example : JSON.stringify(example, null, 2)),
    ...found.flatMap((way) => written(method, path, operation.operationId, name, way, several)));
}

function operation(method, path, described, schemas) {
  const details = el('details', { class: 'operation' }, el('summary', {}, el('h3', {}, `${method} ${path}`), el('p', {}, described.summary ?? '')));
  details.addEventListener('toggle', () => details.append(opened(method, path, described, schemas)), { once: true });
  return details;
}

function show(document) {
  byId('about').textContent = `${document.info.description} Version ${document.info.version}.`;
  const tags = new Map();
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, described] of Object.entries(item)) {
      const tag = described.tags?.[0] ?? 'other';
      if (!tags.has(tag)) tags.set(tag, []);
      tags.get(tag).push(operation(method.toUpperCase(), path, described, document.components.schemas));
    }
  }
  const section = ([tag, found]) => el('section', { 'aria-labelledby': `tag-${tag}` }, el('h2', { id: `tag-${tag}` }, tag), ...found);
  byId('operations').replaceChildren(...[...tags].map(section));
}

byId('authorize').addEventListener('click', () => byId('key-dialog').showModal());
byId('key-dialog').addEventListener('close', (event) => {
  const entered = event.target.returnValue === 'drop' ? '' : byId('key').value.trim();
  const strange = unsendable(entered);
  key = strange ? '' : entered;
  if (!key) byId('key').value = '';
  if (strange) byId('key-state').textContent = `No key is set: a key does not contain “${visible(strange)}”, but letters a to z, digits and signs only.`;
  else byId('key-state').textContent = key ? 'Requests bring the key.' : 'No key is set. A service without keys needs none.';
});

try {
  show(await (await fetch(new URL('openapi.json', BASE), { credentials: 'omit' })).json());
} catch {
  byId('about').textContent = 'The description can’t be read. Is the service running?';
}
