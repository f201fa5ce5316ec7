// The API's page below a prefix: it finds its files and the routes, a key is set by its button, and axe finds nothing.

import assert from 'node:assert/strict';
import http from 'node:http';
import test, { after } from 'node:test';
import { browser, image, sound, table } from './browser.mjs';

/** A proxy that serves a service below /faces and nothing else. */
function behind(url) {
  const to = new URL(url);
  const proxy = http.createServer((request, response) => {
    if (!request.url.startsWith('/faces/')) return response.writeHead(404).end();
    const { host: _, origin: __, ...headers } = request.headers;
    const inner = http.request({ host: to.hostname, port: to.port, path: request.url.slice(6), method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    request.pipe(inner);
  });
  return new Promise((done) => proxy.listen(0, '127.0.0.1', () => done(proxy)));
}

const proxies = [];
after(() => proxies.forEach((proxy) => proxy.close()));

async function open(url) {
  const proxy = await behind(url);
  proxies.push(proxy);
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const errors = [];
  page.on('console', (line) => line.type() === 'error' && errors.push(line.text()));
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('response', (answer) => answer.status() === 404 && errors.push(answer.url()));
  await page.goto(`http://127.0.0.1:${proxy.address().port}/faces/docs`);
  await page.locator('.operation').first().waitFor();
  return { page, errors };
}

const operation = (page, name) => page.locator('.operation', { has: page.getByRole('heading', { name, exact: true }) });

async function sent(page, name, fields = {}) {
  const found = operation(page, name);
  await found.locator('summary').click();
  for (const [field, value] of Object.entries(fields)) await found.locator(`[name=${field}]`).setInputFiles(value);
  await found.getByRole('button', { name: 'Send' }).click();
  const answer = found.getByRole('region', { name: `The answer to ${name}` });
  await answer.waitFor();
  return answer.innerText();
}

test('the API’s page sends what a person fills in, below a prefix, in both colours', async () => {
  const { page, errors } = await open(process.env.PAGE_WHOLE);
  assert.match(await sent(page, 'GET /api/v1/health'), /^200 /);
  assert.match(await sent(page, 'POST /api/v1/liveness', { file: image('anna.jpg') }), /"verdict": "live"/);
  const lines = await operation(page, 'POST /api/v1/liveness').getByRole('region', { name: 'curl for POST /api/v1/liveness' }).innerText();
  assert.match(lines, /\/faces\/api\/v1\/liveness'$/);
  await page.evaluate(() => document.querySelectorAll('.operation').forEach((one) => { one.open = true; }));
  await page.waitForFunction(() => [...document.querySelectorAll('.operation')].every((one) => one.children.length > 1));
  await table([['light 1280', 'light', 1280], ['dark 1280', 'dark', 1280], ['light 360', 'light', 360], ['dark 360', 'dark', 360]], async (_, colorScheme, width) => {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 740 });
    await sound(page, `docs-${colorScheme}-${width}`);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), 'nothing beyond the screen');
  });
  assert.deepEqual(errors, []);
  await page.close();
});

test('a form of alternatives has the fields of each, and each is sent', async () => {
  const { page, errors } = await open(process.env.PAGE_WHOLE);
  const name = 'POST /api/v1/captures';
  const found = operation(page, name);
  await found.locator('summary').click();
  const forms = found.locator('form');
  assert.deepEqual(await forms.evaluateAll((all) => all.map((form) => [...form.elements].map((one) => one.name).filter(Boolean).join(' '))), ['purpose user_id tenant_id', 'purpose tenant_id']);
  await forms.nth(0).getByLabel('user_id').fill('ann');
  for (const [at, state] of [[0, /^200 [^]*"purpose": "verify"[^]*"state": "open"/], [1, /^200 [^]*"purpose": "liveness"/]]) {
    await forms.nth(at).getByRole('button', { name: 'Send' }).click();
    const answer = found.getByRole('region', { name: `The answer to ${name}` }).nth(at);
    await answer.waitFor();
    assert.match(await answer.innerText(), state);
  }
  const lines = await found.getByRole('region', { name: /^curl for/ }).allInnerTexts();
  assert.match(lines.join('\n'), /--form-string 'purpose=verify' --form-string 'user_id=ann'[^\n]*\n.*'purpose=liveness'/);
  await page.setViewportSize({ width: 360, height: 740 });
  await sound(page, 'docs-captures');
  assert.deepEqual(errors, []);
  await page.close();
});

test('a key that no header can carry is not set', async () => {
  const { page } = await open(process.env.PAGE_KEYED);
  await page.getByRole('button', { name: 'Authorize' }).click();
  await page.getByLabel('API key').fill('ключ');
  await page.getByRole('button', { name: 'Set' }).click();
  await page.getByText('a key does not contain “к”').waitFor();
  assert.match(await sent(page, 'GET /metrics'), /^401 /);
  await page.close();
});

test('a key that is set by the button is brought, and one that is removed is not', async () => {
  const { page } = await open(process.env.PAGE_KEYED);
  assert.match(await sent(page, 'GET /metrics'), /^401 /);
  await page.getByRole('button', { name: 'Authorize' }).click();
  await page.getByLabel('API key').fill(process.env.PAGE_KEY);
  await sound(page, 'docs-key');
  await page.getByRole('button', { name: 'Set' }).click();
  const again = async () => {
    const found = operation(page, 'GET /metrics');
    await found.getByRole('button', { name: 'Send' }).click();
    const answer = found.getByRole('region', { name: 'The answer to GET /metrics' });
    await answer.waitFor();
    return answer.innerText();
  };
  assert.match(await again(), /^200 /);
  await page.getByRole('button', { name: 'Authorize' }).click();
  await page.getByRole('button', { name: 'Remove' }).click();
  await page.getByText('No key is set.').waitFor();
  assert.match(await again(), /^401 /);
  await page.close();
});
