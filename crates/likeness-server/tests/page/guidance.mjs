// The page's pure parts: guidance before the camera, one answer from several frames, the cut to one face, words for errors.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { guidance, oval, prompted, sharpness, together } from './page/guidance.js';
import { milliseconds } from './page/dom.js';
import { part, place } from './page/faces.js';
import { SOURCES } from './page/gauge.js';
import { told } from './page/words.js';
import { snippets } from './page/snippets.js';
import { table } from './browser.mjs';

/** The service's answer about a frame of 640 x 480 pixels with a face there. */
const frame = ([x, y], advice = null) => ({ advice, image_dimensions: { width: 640, height: 480 }, face: { bounding_box: { x: x - 100, y: y - 130, width: 200, height: 260 } } });

/** The values of a field in the API's description; the field may stand in a part of the schema. */
function valuesOf(schemaName, field) {
  const { schemas } = JSON.parse(fs.readFileSync(path.join(process.env.PAGE_REPOSITORY, 'docs/openapi.json'), 'utf8')).components;
  const find = (schema) => (schema.$ref ? find(schemas[schema.$ref.split('/').pop()])
    : schema.properties?.[field] ?? (schema.allOf ?? []).map(find).find(Boolean));
  return find(schemas[schemaName]).enum;
}

test('guidance: the service’s advice first, then the place in the oval, then movement', async () => {
  const advice = valuesOf('FrameResponse', 'advice').filter(Boolean);
  assert.ok(advice.length > 7, `${advice}`);
  const box = (x, y) => frame([x, y]).face.bounding_box;
  const rows = [
    ...advice.map((code) => [code, frame([320, 240], code), null]),
    ['show_face', { ...frame([320, 240], 'show_face'), face: null }, null],
    ['ready', frame([320, 240]), null],
    ['ready', frame([320, 240]), box(325, 240)],
    ['move_to_middle', frame([460, 240]), null],
    ['move_to_middle', frame([320, 60]), null],
    ['hold_still', frame([320, 240]), box(280, 240)],
  ];
  const texts = new Set();
  await table(rows, (code, answer, before) => {
    const found = guidance(answer, before);
    assert.equal(found.code, code);
    texts.add(found.text);
  });
  assert.equal(texts.size, advice.length, 'each advice has words of its own');
});

test('a time has at most eight characters, whatever it is', async () => {
  const rows = [[0.004, '0.00 ms'], [9.99, '9.99 ms'], [999.9, '999.9 ms'], [1000, '1.00 s'], [61234.5, '61.23 s']];
  await table(rows, (time, expected) => assert.equal(milliseconds(time), expected));
});

test('the oval lies inside a picture of any shape', async () => {
  await table([[320, 240], [240, 320], [320, 180], [100, 320], [320, 60]], (width, height) => {
    const { x, y, across, down } = oval(width, height);
    assert.ok(across > 0 && x - across >= 0 && y - down >= 0 && x + across <= width && y + down <= height);
  });
});

test('a capture: every prompt has words of its own, and advice comes first', async () => {
  const prompts = valuesOf('CaptureResponse', 'prompt').filter(Boolean);
  const words = prompts.map((prompt) => prompted({ prompt, advice: null }));
  assert.ok(prompts.length === 5 && words.every(Boolean) && new Set(words).size === 5, `${words}`);
  assert.equal(prompted({ prompt: 'turn_left', advice: 'one_face_only' }), 'One face only');
  assert.equal(prompted({ prompt: null, advice: null }), '');
});

test('several frames: the sharpest is kept, the middle probability counts', async () => {
  const frames = (...found) => found.map(([sharp, probability]) => ({ sharp, probability }));
  const rows = [
    ['odd', frames([1, 0.9], [3, 0.1], [2, 0.5]), 3, 0.5],
    ['even: the lower of both', frames([1, 0.9], [2, 0.4]), 2, 0.4],
    ['one', frames([1, 0.7]), 1, 0.7],
    ['unjudged', frames([1, null], [5, null]), 5, undefined],
    ['a zero is a probability', frames([1, 0], [2, 0], [3, 1]), 3, 0],
  ];
  await table(rows, (_, given, sharp, middle) => {
    const { sharpest, median } = together(given);
    assert.deepEqual([sharpest.sharp, median?.probability], [sharp, middle]);
  });
  const flat = new Float32Array(100).fill(7);
  const edge = flat.map((value, at) => (at % 10 < 5 ? 0 : 200));
  assert.equal(sharpness(flat, 10), 0);
  assert.ok(sharpness(edge, 10) > sharpness(edge.map((value) => value / 4), 10));
});

test('the cut to one face shows no other, and as much around it as it can', async () => {
  const box = (x, y, width, height) => ({ x, y, width, height });
  const size = { width: 800, height: 600 };
  const rows = [
    ['alone', box(300, 200, 100, 130), [], { left: 100, top: 0, right: 600, bottom: 590 }],
    ['beside', box(300, 200, 100, 130), [box(500, 200, 100, 130)], { left: 100, top: 0, right: 500, bottom: 590 }],
    ['between', box(300, 200, 100, 130), [box(500, 200, 100, 130), box(150, 210, 90, 120)], { left: 240, top: 0, right: 500, bottom: 590 }],
    ['above', box(300, 300, 100, 130), [box(310, 100, 90, 100)], { left: 100, top: 200, right: 600, bottom: 600 }],
    ['far', box(50, 50, 40, 50), [box(700, 500, 40, 50)], { left: 0, top: 0, right: 170, bottom: 200 }],
  ];
  await table(rows, (_, face_, others, expected) => assert.deepEqual(part(face_, others, size), expected));
});

test('a box of a turned photograph lies where it is in the photograph as it was sent', async () => {
  const box = { x: 10, y: 40, width: 20, height: 50 };
  const image_dimensions = { width: 100, height: 200 };
  const rows = [
    [0, { left: 0.1, top: 0.2, width: 0.2, height: 0.25 }],
    [90, { left: 0.2, top: 0.7, width: 0.25, height: 0.2 }],
    [180, { left: 0.7, top: 0.55, width: 0.2, height: 0.25 }],
    [270, { left: 0.55, top: 0.1, width: 0.25, height: 0.2 }],
  ];
  await table(rows, (rotated, expected) => {
    const found = place(box, { image_dimensions, rotated });
    for (const [side, part] of Object.entries(expected)) assert.ok(Math.abs(found[side] - part) < 1e-9, `${side}: ${found[side]}, expected ${part}`);
  });
});

test('every code of the API has a title and a next step in words', async () => {
  const codes = valuesOf('ProblemBody', 'error_code');
  assert.ok(codes.length > 20);
  await table([...codes, 'UNREACHABLE', 'REDIRECTED'].map((code) => [code]), (code) => {
    const { title, lines } = told({ code, message: 'expected at most 10485760 bytes', body: {} });
    assert.notEqual(title, 'No answer');
    const words = lines.flat().map((part) => part.quoted ?? part);
    const own = lines.flat().every((part) => part.quoted || !/bytes/.test(part));
    assert.ok(own && words.every((part) => typeof part === 'string' && !/undefined|null/.test(part)), words.join(' | '));
  });
  const large = told({ code: 'FILE_TOO_LARGE', message: '', body: { max_size_bytes: 10485760, field: 'file2' } });
  assert.match(large.lines[0].join(''), /^Photograph B: .*10 MB/);
});

test('every source of a threshold has words', () => {
  const sources = valuesOf('SimilarityResponse', 'threshold_source');
  assert.deepEqual(sources.filter((source) => !SOURCES[source]), []);
});

test('the snippets are of the clients’ own form, and name what the API has', async () => {
  const read = (name) => fs.readFileSync(path.join(process.env.PAGE_REPOSITORY, name), 'utf8');
  const document = JSON.parse(read('docs/openapi.json'));
  const operations = Object.values(document.paths).flatMap((item) => Object.values(item));
  const [python, typescript] = ['python', 'typescript'].map((name) => read(`examples/clients/${name}/README.md`));
  const file = { name: 'file', place: 'file', value: "it's.jpg" };
  const user = { name: 'user_id', place: 'form', value: 'ann' };
  const requests = [
    ['inspect', 'POST', '/api/v1/inspect', [file, { ...file, name: 'file2' }]],
    ['enroll', 'POST', '/api/v1/enroll', [user, file]],
    ['verify', 'POST', '/api/v1/verify', [user, file]],
    ['search', 'POST', '/api/v1/search', [file]],
    ['list_persons', 'GET', '/api/v1/persons', [{ name: 'limit', place: 'query', value: 50 }]],
    ['get_person', 'GET', '/api/v1/persons/{user_id}', [{ ...user, place: 'path' }]],
    ['erase_person', 'DELETE', '/api/v1/persons/{user_id}', [{ ...user, place: 'path' }]],
  ];
  await table(requests, (id, method, to, given) => {
    const found = Object.fromEntries(snippets({ method, path: to, id, given, base: 'http://127.0.0.1:8001/', keyed: true }));
    assert.ok(operations.some(({ operationId }) => operationId === id), 'an operation');
    assert.ok(Object.entries(document.paths[to]).some(([name, { operationId }]) => name.toUpperCase() === method && operationId === id), 'its path');
    for (const line of ['from likeness_client import Client', 'as likeness:', `likeness.${id}(`]) assert.ok(found.Python.includes(line), line);
    for (const line of ["import { Client } from 'likeness-client'", 'new Client(', `await likeness.${id}(`]) assert.ok(found.TypeScript.includes(line), line);
    assert.match(found.curl, /^curl .*-H "Authorization: Bearer \$LIKENESS_KEY"/);
    assert.ok(!found.curl.includes('{'), found.curl);
    if (given.includes(file)) assert.ok(found.curl.includes("'file=@it'\\''s.jpg'"), found.curl);
  });
  assert.match(python, /from likeness_client import Client[^]*with Client\("http:\/\/127\.0\.0\.1:8001", key=None\) as likeness:[^]*likeness\.verify\(user_id="ann", file="anna_again\.jpg"\)/);
  assert.match(typescript, /import \{ readFile \} from 'node:fs\/promises';\nimport \{ Client, Problem \} from 'likeness-client';[^]*new Client\('[^]*await likeness\.verify\(\{ user_id: 'ann', file: await readFile\('anna_again\.jpg'\) \}\)/);
});
