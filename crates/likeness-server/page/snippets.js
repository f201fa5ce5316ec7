// A request in three languages, in the form of the clients' own examples. A key is a variable there: its value is
// never written. Whatever a file is called, the lines stay one request.

/** Characters that end a line or are not seen: as escapes of the language. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const escaped = (text) => text.replace(HIDDEN, (found) => (found.length > 1 ? found : `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`));

/** A word of a shell; one with hidden characters is in bash's form. */
function quoted(text) {
  if (text.search(HIDDEN) < 0) return `'${text.replaceAll("'", "'\\''")}'`;
  return `$'${escaped(text.replaceAll('\\', '\\\\').replaceAll("'", "\\'"))}'`;
}

/** A string of Python and of JavaScript. */
const written = (text) => escaped(JSON.stringify(String(text)));
const single = (text) => `'${written(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;

/** A file for curl, which reads `;` and `,` as options, and `-` as its own input. */
function at(name) {
  const path = name.startsWith('-') ? `./${name}` : name;
  return /[",;\\\s]/.test(path) ? `"${path.replace(/["\\]/g, '\\$&')}"` : path;
}

const list = (value) => (Array.isArray(value) ? value : [value]);

/** `given` are the inputs: name, place (`path`, `query`, `header`, `form`, `file`) and value, or values. `keyed` adds a key. */
function curl({ method, path, given, base, keyed }) {
  const filled = given.filter(({ place }) => place === 'path').reduce((text, { name, value }) => text.replace(`{${name}}`, encodeURIComponent(value)), path);
  const url = new URL(filled.replace(/^\//, ''), base);
  const parts = ['curl'];
  if (!['GET', 'POST'].includes(method) || (method === 'POST' && !given.some(({ place }) => ['form', 'file'].includes(place)))) parts.push(`-X ${method}`);
  if (keyed) parts.push('-H "Authorization: Bearer $LIKENESS_KEY"');
  for (const { name, place, value } of given) {
    if (place === 'query') url.searchParams.set(name, value);
    if (place === 'header') parts.push(`-H ${quoted(`${name}: ${value}`)}`);
    if (place === 'form') parts.push(`--form-string ${quoted(`${name}=${value}`)}`);
    if (place === 'file') parts.push(...list(value).map((one) => `-F ${quoted(`${name}=@${at(one)}`)}`));
  }
  return [...parts, quoted(url.href)].join(' ');
}

const argument = (name) => name.toLowerCase().replaceAll('-', '_');

/** A value or a list of them, each written by `write`. */
const all = (value, write) => (Array.isArray(value) ? `[${value.map(write).join(', ')}]` : write(value));

function python({ id, given, base, keyed }) {
  const values = given.map(({ name, value }) => `${argument(name)}=${all(value, written)}`).join(', ');
  const key = keyed ? ', key=os.environ["LIKENESS_KEY"]' : '';
  return `${keyed ? 'import os\n\n' : ''}from likeness_client import Client\n\nwith Client(${written(base)}${key}) as likeness:\n    answer = likeness.${id}(${values})\n    print(answer)`;
}

function typescript({ id, given, base, keyed }) {
  const reads = given.some(({ place }) => place === 'file');
  const write = (place) => (value) => (place === 'file' ? `await readFile(${single(value)})` : single(value));
  const values = given.map(({ name, place, value }) => `${argument(name)}: ${all(value, write(place))}`).join(', ');
  const key = keyed ? ', { key: process.env.LIKENESS_KEY }' : '';
  return `${reads ? "import { readFile } from 'node:fs/promises';\n" : ''}import { Client } from 'likeness-client';\n\nconst likeness = new Client(${single(base)}${key});\nconst answer = await likeness.${id}(${values ? `{ ${values} }` : ''});\nconsole.log(answer);`;
}

/** The languages' names, and the request in each. */
export const snippets = (request) => [['curl', curl(request)], ['Python', python(request)], ['TypeScript', typescript(request)]];
