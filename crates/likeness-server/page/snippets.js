// A request in three languages, in the form of the clients' own examples. A key is a variable there: its value is
// never written.

const quoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;
const written = (text) => JSON.stringify(String(text));

/** `given` are the inputs: name, place (`path`, `query`, `header`, `form`, `file`) and value. `keyed` adds a key. */
function curl({ method, path, given, base, keyed }) {
  const filled = given.filter(({ place }) => place === 'path').reduce((text, { name, value }) => text.replace(`{${name}}`, encodeURIComponent(value)), path);
  const url = new URL(filled.replace(/^\//, ''), base);
  const parts = ['curl'];
  if (!['GET', 'POST'].includes(method) || (method === 'POST' && !given.some(({ place }) => ['form', 'file'].includes(place)))) parts.push(`-X ${method}`);
  if (keyed) parts.push('-H "Authorization: Bearer $LIKENESS_KEY"');
  for (const { name, place, value } of given) {
    if (place === 'query') url.searchParams.set(name, value);
    if (place === 'header') parts.push(`-H ${quoted(`${name}: ${value}`)}`);
    if (place === 'form') parts.push(`-F ${quoted(`${name}=${value}`)}`);
    if (place === 'file') parts.push(`-F ${quoted(`${name}=@${value}`)}`);
  }
  return [...parts, quoted(url.href)].join(' ');
}

const argument = (name) => name.toLowerCase().replaceAll('-', '_');

function python({ id, given, base, keyed }) {
  const values = given.map(({ name, value }) => `${argument(name)}=${written(value)}`).join(', ');
  const key = keyed ? ', key=os.environ["LIKENESS_KEY"]' : '';
  return `${keyed ? 'import os\n\n' : ''}from likeness_client import Client\n\nwith Client(${written(base)}${key}) as likeness:\n    answer = likeness.${id}(${values})\n    print(answer)`;
}

function typescript({ id, given, base, keyed }) {
  const reads = given.some(({ place }) => place === 'file');
  const single = (text) => `'${String(text).replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const values = given.map(({ name, place, value }) => `${argument(name)}: ${place === 'file' ? `await readFile(${single(value)})` : single(value)}`).join(', ');
  const key = keyed ? ', { key: process.env.LIKENESS_KEY }' : '';
  return `${reads ? "import { readFile } from 'node:fs/promises';\n" : ''}import { Client } from 'likeness-client';\n\nconst likeness = new Client(${single(base)}${key});\nconst answer = await likeness.${id}(${values ? `{ ${values} }` : ''});\nconsole.log(answer);`;
}

/** The languages' names, and the request in each. */
export const snippets = (request) => [['curl', curl(request)], ['Python', python(request)], ['TypeScript', typescript(request)]];
