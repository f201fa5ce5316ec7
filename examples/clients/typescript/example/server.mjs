// A server of one's own between a page and Likeness: it serves the page, forwards a capture's requests, and judges. The
// key stays here. It forwards nothing else, and believes only an answer that names the capture.
//
//     LIKENESS_URL=http://127.0.0.1:8001 LIKENESS_KEY=… node example/server.mjs

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { Client, Problem } from '../dist/index.js';

const LIKENESS = (process.env.LIKENESS_URL ?? 'http://127.0.0.1:8001').replace(/\/+$/, '');
/** A key with the scopes `capture` and `verify`. */
const KEY = process.env.LIKENESS_KEY;
const MOST = 4 << 20;
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const KINDS = { html: 'text/html', css: 'text/css', js: 'text/javascript' };
const PAGE = /^\/(example\/(index\.html|capture\.(css|js))|dist\/\w+\.js)$/;
const CAPTURE = /^\/api\/v1\/captures(\/[0-9a-f]{32}\/frames)?$/;

const likeness = new Client(LIKENESS, { key: KEY });

/** The body of a request, at most `MOST` bytes. */
async function body(request) {
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    if (length > MOST) throw Object.assign(new Error('too large'), { status: 413 });
    parts.push(part);
  }
  return Buffer.concat(parts);
}

const json = (status, value) => ({ status, kind: 'application/json', text: JSON.stringify(value) });

/** Sends a request of a capture on. */
async function forward(request, path) {
  const headers = { 'content-type': request.headers['content-type'] ?? '', ...(KEY && { authorization: `Bearer ${KEY}` }) };
  const answer = await fetch(`${LIKENESS}${path}`, { method: 'POST', headers, body: await body(request) });
  return { status: answer.status, kind: 'application/json', text: await answer.text(), after: answer.headers.get('retry-after') };
}

/** Judges the best frame of a capture. A real server also compares the person with its own session. */
async function judge(request) {
  const form = await new Response(await body(request), { headers: { 'content-type': request.headers['content-type'] ?? '' } }).formData();
  const [file, capture_id] = [form.get('file'), form.get('capture_id')];
  if (!(file instanceof Blob) || !capture_id) return json(400, { message: 'expected `file` and `capture_id`' });
  const answer = await likeness.liveness({ file, capture_id });
  // An answer without the capture judges a photograph alone.
  return json(200, { live: answer.verdict === 'live' && answer.capture_id === capture_id, message: answer.message });
}

async function answered(request) {
  const { pathname: path } = new URL(request.url, 'http://own');
  if (request.method === 'GET' && PAGE.test(path)) return { status: 200, kind: KINDS[path.split('.').pop()], text: await readFile(new URL(`..${path}`, import.meta.url)) };
  if (request.method === 'POST' && CAPTURE.test(path)) return forward(request, path);
  if (request.method === 'POST' && path === '/judge') return judge(request);
  return json(404, { message: 'no such route' });
}

const server = createServer(async (request, response) => {
  const refused = (error) => (error instanceof Problem ? json(error.status, { message: error.body.message }) : json(error.status ?? 502, { message: 'no answer' }));
  const { status, kind, text, after } = await answered(request).catch(refused);
  response.writeHead(status, { 'content-type': kind, 'content-security-policy': POLICY, 'cache-control': 'no-store', ...(after && { 'retry-after': after }) });
  response.end(text);
});
server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/example/index.html`));
