// The page's words for refusals and ends, the inputs of an operation, and the lines for other programs.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { calls, example } from './page/description.js';
import { over } from './page/guidance.js';
import { snippets } from './page/snippets.js';
import { told } from './page/words.js';
import { folder, table } from './browser.mjs';

const DOCUMENT = JSON.parse(fs.readFileSync(path.join(process.env.PAGE_REPOSITORY, 'docs/openapi.json'), 'utf8'));
const SCHEMAS = DOCUMENT.components.schemas;
const OPERATIONS = Object.entries(DOCUMENT.paths).flatMap(([to, item]) => Object.entries(item).map(([method, found]) => [`${method.toUpperCase()} ${to}`, found]));

const refusal = (status, code, route, body = {}) => told({ status, code, route, message: 'm', body });

test('a 404 says what its route lacks, and the next step fits', async () => {
  const store = /has no store[^]*Tell the operator/;
  const route = /does not have this route[^]*Reload the page/;
  const rows = [
    ['api/v1/captures/00ff/frames', 'NOT_FOUND', /The capture is over[^]*Begin again/],
    ['api/v1/captures', 'NOT_FOUND', store],
    ['api/v1/verify', 'NOT_FOUND', store],
    ['api/v1/enroll', 'NOT_FOUND', store],
    ['api/v1/search', 'NOT_FOUND', store],
    ['api/v1/liveness', 'NOT_FOUND', store],
    ['api/v1/persons', 'NOT_FOUND', store],
    ['api/v1/persons/ann/export', 'NOT_FOUND', store],
    ['api/v1/inspect', 'NOT_FOUND', route],
    ['api/v1/frames', 'NOT_FOUND', route],
    ['api/v1/captures/00ff/frames', 'HTTP_404', route],
    ['api/v1/verify', 'HTTP_404', route],
    ['api/v1/verify', 'EMBEDDING_NOT_FOUND', /Nobody is enrolled[^]*nothing to compare with/],
    ['api/v1/persons/ann', 'EMBEDDING_NOT_FOUND', /Nobody is enrolled[^]*Nothing is stored about it/],
  ];
  await table(rows, (to, code, expected) => {
    const { title, lines } = refusal(404, code, to);
    assert.match([title, ...lines].join(' '), expected, code);
  });
});

test('a limit is named as the answer names it', async () => {
  const scopes = ['address', 'key', 'subject', 'subject_key', 'subject_address', 'captures_person', 'captures_key'];
  const words = scopes.map((scope) => refusal(429, 'RATE_LIMIT_EXCEEDED', '', { scope, retry_after_seconds: 7 }).lines);
  assert.equal(new Set(words.map(([what]) => what)).size, scopes.length);
  assert.ok(words.every(([, next]) => next === 'Try again in 7 seconds.'));
  assert.match(refusal(429, 'RATE_LIMIT_EXCEEDED', '').lines[0], /A limit of this service/);
});

test('a capture that is over: its time, or a step, and the advice that was not followed', async () => {
  const rows = [
    [{ step: 2, advice: null }, false, /The capture has ended A step was not seen/],
    [{ step: 0, advice: 'come_closer' }, true, /The time of the capture is over[^]*did not begin[^]*“Come closer”/],
    [{ step: 0, advice: null }, true, /did not begin[^]*look straight/],
    [{ step: 3, advice: 'hold_still' }, true, /The time of the capture is over[^]*Not every step/],
  ];
  await table(rows, (answer, late, expected) => assert.match(over(answer, late).flat().join(' '), expected));
});

/** Every field that a form of the description may have, found without the page's own code. */
function fieldsOf(schema) {
  if (schema.$ref) return fieldsOf(SCHEMAS[schema.$ref.split('/').pop()]);
  return [...Object.keys(schema.properties ?? {}), ...['allOf', 'oneOf', 'anyOf'].flatMap((key) => schema[key] ?? []).flatMap(fieldsOf)];
}

test('every field of every operation is an input, and the lines contain the required ones', async () => {
  const forms = OPERATIONS.filter(([, { requestBody }]) => requestBody);
  assert.ok(forms.length > 10 && forms.some(([, found]) => calls(found, SCHEMAS).length > 1), 'a form of alternatives');
  await table(OPERATIONS, (name, found) => {
    const known = calls(found, SCHEMAS);
    const form = found.requestBody?.content['multipart/form-data'].schema;
    const expected = new Set([...(found.parameters ?? []).map((one) => one.name), ...(form ? fieldsOf(form) : [])]);
    assert.deepEqual([...new Set(known.flatMap(({ given }) => given.map((one) => one.name)))].sort(), [...expected].sort());
    for (const { given } of known) {
      const required = given.filter((one) => one.required);
      const lines = snippets({ method: 'POST', path: '/p', id: 'i', base: 'http://s/', given: required.map((one) => ({ name: one.name, place: one.place, value: example(one) })) });
      for (const one of required.filter(({ place }) => place !== 'path')) assert.ok(lines.every(([, text]) => text.includes(one.name)), one.name);
      for (const one of required) if (one.schema.pattern) assert.match(example(one), new RegExp(one.schema.pattern), one.name);
    }
  });
});

test('parts and alternatives of a form are put together, however deep they lie', () => {
  const text = { type: 'string' };
  const schemas = { A: { properties: { a: text }, required: ['a'] }, B: { allOf: [{ $ref: '#/A' }, { anyOf: [{ properties: { b: text } }, { properties: { c: text }, required: ['c'] }] }] } };
  const operation = { requestBody: { content: { 'multipart/form-data': { schema: { oneOf: [{ $ref: '#/B' }, { $ref: '#/A' }] } } } } };
  const found = calls(operation, schemas).map(({ given }) => given.map(({ name, required }) => `${name}${required ? '*' : ''}`).join(' '));
  assert.deepEqual(found, ['a* b', 'a* c*', 'a*']);
});

test('a file of any name is one word of each language', async () => {
  const names = ['plain.jpg', "it's.jpg", 'x;type=text.jpg', 'a,b.jpg', 'a "b".jpg', 'back\\slash.jpg', '$(id)`id`.jpg', 'new\nline.jpg', 'turned\u202egpj.jpg', 'tab\t.jpg', '-', "both\n'.jpg", 'ключ.jpg'];
  await table(names.map((name) => [name]), (name) => {
    const given = [{ name: 'user_id', place: 'form', value: '@a;b' }, { name: 'file', place: 'file', value: name }];
    const [[, curl], [, python], [, typescript]] = snippets({ method: 'POST', path: '/p', id: 'i', base: 'http://s/', given });
    assert.ok([curl, python, typescript].every((lines) => !/[\u202e\t]/.test(lines)) && !curl.includes('\n'), 'hidden characters are escapes');
    const words = execFileSync('bash', ['-c', `curl() { printf '%s\\0' "$@"; }; ${curl}`], { encoding: 'utf8' }).split('\0');
    assert.deepEqual(words.slice(0, 3), ['--form-string', 'user_id=@a;b', '-F']);
    const sent = words[3].replace(/^file=@/, '').replace(/^"(.*)"$/s, (_, inner) => inner.replace(/\\(.)/gs, '$1'));
    assert.equal(sent, name === '-' ? './-' : name);
    const read = `import ast,json\nfor n in ast.walk(ast.parse(${JSON.stringify(python)})):\n  if isinstance(n, ast.keyword) and n.arg == "file": print(json.dumps(n.value.value))`;
    assert.equal(JSON.parse(execFileSync('python3', ['-c', read], { encoding: 'utf8' })), name);
    const file = path.join(folder, 'lines.mjs');
    fs.writeFileSync(file, typescript);
    execFileSync('node', ['--check', file]);
    assert.equal(new Function(`return ${/readFile\(('.*')\)/.exec(typescript)[1]}`)(), name);
  });
});
