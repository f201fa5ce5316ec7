// Persons, the keyboard, and the key, against running services that `tests/page.rs` started.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { browser, choose, focused, image, open, sample, slot, table, verdict } from './browser.mjs';

const WHOLE = process.env.PAGE_WHOLE;
const KEYED = process.env.PAGE_KEYED;

test('enrol, verify, search, list, look, save, delete', async () => {
  const expected = [/400.*enroll/, /403.*verify/, /404.*(verify|persons)/];
  const { page, sound, close } = await open(browser, WHOLE, {}, expected);
  const answer = page.locator('#people-answer');
  const act = async (name, text) => {
    await page.getByRole('button', { name, exact: true }).click();
    await answer.getByText(text).first().waitFor();
  };
  await act('Enrol', 'A user id is needed');
  assert.equal(await page.getByLabel('User id').getAttribute('aria-invalid'), 'true');
  await page.getByLabel('User id').fill('eileen');
  await act('Enrol', 'No photograph');
  await sample(page);
  await act('Verify', 'Nobody is enrolled under this id');
  await act('Enrol', 'eileen is enrolled');
  assert.equal(await focused(page), 'people-answer');
  await sound('enrolled');
  await act('Verify', /^Verified$/);
  assert.match(await answer.innerText(), /Cosine distance[^]*threshold[^]*0: the same embedding/);
  await sound('verified');
  await act('Search', '1 person within the threshold');
  assert.match(await answer.locator('tbody').innerText(), /eileen\s+-?0\.0000/);
  await sound('found');
  await slot(page, 'file').getByRole('button', { name: 'Remove' }).click();
  assert.match(await choose(page, 'file', image('anna_fake.jpg')), /Spoof/);
  await act('Verify', 'Blocked');
  await act('Enrol', 'Not enrolled');
  assert.match(await answer.innerText(), /Take another photograph of the person\.\s+Code LIVENESS_FAILED/);
  await sound('blocked');
  await page.getByRole('button', { name: 'List the enrolled persons' }).click();
  const row = page.locator('#persons tbody tr', { hasText: 'eileen' });
  await row.waitFor();
  assert.match(await row.innerText(), /eileen\s+1\s+20\d\d-\d\d-\d\d\s+never\s+none/);
  await row.getByRole('button', { name: 'Details' }).click();
  await answer.getByText(/^Template of 20.*quality \d/).waitFor();
  assert.match(await answer.innerText(), /Tenant default\. Expires: never\. Consent: none\./);
  const [download] = await Promise.all([page.waitForEvent('download'), row.getByRole('button', { name: 'Save data' }).click()]);
  assert.equal(download.suggestedFilename(), 'eileen.json');
  assert.equal(JSON.parse(fs.readFileSync(await download.path())).templates[0].embedding.length, 512);
  await page.getByLabel('User id').fill('');
  await row.getByRole('button', { name: 'Choose' }).click();
  assert.equal(await page.getByLabel('User id').inputValue(), 'eileen');
  await sound('persons');
  await page.setViewportSize({ width: 360, height: 740 });
  await sound('persons-narrow');
  await row.getByRole('button', { name: 'Delete …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Keep' }).click();
  await row.getByRole('button', { name: 'Delete …' }).click();
  await sound('delete');
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await answer.getByText('eileen is deleted').waitFor();
  const [receipt] = await Promise.all([page.waitForEvent('download'), answer.getByRole('button', { name: 'Save the receipt' }).click()]);
  assert.ok(JSON.parse(fs.readFileSync(await receipt.path())).receipt.jws);
  assert.equal(await row.count(), 0);
  await act('Verify', 'Nobody is enrolled under this id');
  await close();
});

test('more persons than a page come page by page', async () => {
  const { page, close } = await open(browser, WHOLE);
  const person = (at) => ({ user_id: `p${at}`, tenant_id: 'default', template_count: 1, newest_template_at: '2026-01-02T00:00:00Z', consent: null, expires_at: null });
  const asked = [];
  await page.route('**/api/v1/persons?*', (route) => {
    const query = new URL(route.request().url()).searchParams;
    asked.push(query.get('cursor'));
    const [from, next] = query.get('cursor') ? [50, null] : [0, 'next'];
    route.fulfill({ json: { persons: Array.from({ length: next ? 50 : 10 }, (_, at) => person(from + at)), next_cursor: next, total: 60 } });
  });
  await page.getByRole('button', { name: 'List the enrolled persons' }).click();
  await page.getByText('50 of 60').waitFor();
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByText('60 of 60').waitFor();
  assert.deepEqual(asked, [null, 'next']);
  assert.ok(!(await page.getByRole('button', { name: 'More' }).isVisible()));
  await close();
});

test('a key is valid only if the answer shows it; otherwise the field keeps it', async () => {
  const valid = /The key is valid/;
  const unchecked = /not checked/;
  const rows = [
    [200, {}, valid],
    [400, { error_code: 'INVALID_IMAGE' }, valid],
    [413, {}, valid],
    [415, {}, valid],
    [422, { error_code: 'NO_FACE_DETECTED' }, valid],
    [503, { error_code: 'MODEL_UNAVAILABLE' }, valid],
    [403, {}, valid],
    [401, {}, /does not know this key/],
    [404, {}, unchecked],
    [408, {}, unchecked],
    [429, { error_code: 'RATE_LIMIT_EXCEEDED' }, unchecked],
    [500, {}, unchecked],
    [502, {}, unchecked],
    [503, { error_code: 'OVERLOADED' }, unchecked],
    [503, { error_code: 'STORE_UNAVAILABLE' }, unchecked],
  ];
  await table(rows, async (status, body, expected) => {
    const { page, close } = await open(browser, KEYED, {}, [/status of \d+/]);
    try {
      await page.route('**/api/v1/faces/detect-all', (route) => {
        const keyless = !route.request().headers().authorization;
        return route.fulfill({ status: keyless ? 401 : status, contentType: 'application/json', body: JSON.stringify(keyless ? {} : body) });
      });
      const form = page.locator('#key form');
      const field = form.getByLabel('API key');
      await field.fill('a-key');
      await field.press('Enter');
      const words = form.getByRole('status').filter({ hasText: expected });
      await words.waitFor({ state: 'attached', timeout: 5000 });
      const kept = await field.inputValue();
      assert.equal(kept, expected === valid ? '' : 'a-key', await words.innerText());
      assert.equal(await field.getAttribute('aria-invalid'), String(status === 401));
    } finally {
      await close();
    }
  });
});

test('a key that no header can carry is called so, and is not sent', async () => {
  const rows = [['ключ', 'к'], ['a-key-\u00e9', '\u00e9'], ['a\u202ekey', '‹U+202E›'], ['“a-key”', '“']];
  await table(rows, async (key, sign) => {
    const { page, sound, close } = await open(browser, KEYED, {}, [/401/]);
    try {
      const checks = [];
      page.on('request', (request) => request.url().endsWith('detect-all') && checks.push(request.url()));
      const form = page.locator('#key form');
      await form.getByLabel('API key').fill(key);
      await form.getByLabel('API key').press('Enter');
      await form.getByRole('status').getByText(`it contains “${sign}”`).waitFor({ timeout: 5000 });
      assert.equal(await form.getByLabel('API key').getAttribute('aria-invalid'), 'true');
      assert.deepEqual(checks, []);
      if (key === 'ключ') await sound('key-strange');
    } finally {
      await close();
    }
  });
});

test('another address that answers instead of the service is not called silence', async () => {
  const { page, close } = await open(browser, WHOLE, {}, [/status of 30\d/]);
  await page.route('**/api/v1/persons?*', (route) => route.fulfill({ status: 302, headers: { location: 'https://login.example/' } }));
  await page.getByRole('button', { name: 'List the enrolled persons' }).click();
  await page.getByText('Another address answers instead of the service').waitFor();
  await close();
});

test('a text that is no id is told before anything is asked', async () => {
  const { page, sound, close } = await open(browser, WHOLE);
  const asked = [];
  page.on('request', (request) => /api\/v1\/(?!health)/.test(request.url()) && asked.push(request.url()));
  const answer = page.locator('#people-answer');
  const rows = ['Delete …', 'Verify', 'Enrol', 'Capture and verify'].flatMap((name) => [[name, 'a b', '', /This is no user id/], [name, '', '', /A user id is needed/], [name, 'ann', 'a b', /no id of a tenant/]]);
  rows.push(...['Search', 'Capture and judge liveness', 'List the enrolled persons'].map((name) => [name, '', 'a b', /no id of a tenant/]));
  await table(rows, async (name, user, tenant, expected) => {
    await page.getByLabel('User id').fill(user);
    await page.getByLabel('Tenant, optional').fill(tenant);
    await answer.evaluate((found) => found.replaceChildren());
    await page.getByRole('button', { name, exact: true }).click();
    assert.match(await answer.innerText(), expected, `${user}, ${tenant}`);
    assert.ok(!(await page.getByRole('dialog').isVisible()), 'nothing is asked');
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-invalid')), 'true');
  });
  assert.deepEqual(asked, []);
  await sound('no-id');
  await close();
});

test('texts of others do not turn the page’s own words, and hidden characters are seen', async () => {
  const evil = '\u202egpj.exe\u2069\u202e<b>';
  const person = { user_id: evil, tenant_id: evil, template_count: 1, newest_template_at: '2026-01-02T00:00:00Z', consent: { reference: evil, version: evil, given_at: '2026-01-02T00:00:00Z' }, expires_at: null };
  const { page, sound, close } = await open(browser, WHOLE, {}, [/400/]);
  await page.route('**/api/v1/persons?*', (route) => route.fulfill({ json: { persons: [person], next_cursor: null, total: 1 } }));
  await page.route('**/api/v1/persons/*', (route) => (route.request().method() === 'DELETE'
    ? route.fulfill({ status: 400, json: { error_code: 'INVALID_INPUT', message: `found ${evil}`, field: 'file' } })
    : route.fulfill({ json: { ...person, templates: [] } })));
  await page.route('**/api/v1/search', (route) => route.fulfill({ json: { found: true, matches: [{ user_id: evil, distance: 0.1, confidence: 0.9 }], total_searched: 1, threshold: 0.3 } }));
  await page.getByRole('button', { name: 'List the enrolled persons' }).click();
  const row = page.locator('#persons tbody tr');
  const answer = page.locator('#people-answer');
  await row.getByRole('button', { name: /^Details/ }).click();
  await answer.getByText(/Consent: .*version/).waitFor();
  assert.match(await answer.innerText(), /Consent: ‹U\+202E›gpj\.exe‹U\+2069›‹U\+202E›<b>, version ‹U\+202E›/);
  await sound('others-details');
  await row.getByRole('button', { name: /^Delete/ }).click();
  assert.match(await page.getByRole('dialog').innerText(), /“‹U\+202E›gpj\.exe[^”]*” goes, and does not come back/);
  await sound('others-delete');
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await answer.getByText(/found ‹U\+202E›/).waitFor();
  await sample(page);
  await page.getByRole('button', { name: 'Search', exact: true }).click();
  await answer.getByText('1 person within the threshold').waitFor();
  const shown = await page.evaluate(() => [document.body.textContent, [...document.querySelectorAll('#people-answer, #persons')].map((part) => [...part.querySelectorAll('bdi')].length)]);
  assert.ok(!/[\u202a-\u202e\u2066-\u2069]/.test(shown[0]), 'no hidden character is in the page');
  assert.deepEqual(shown[1].map((count) => count > 0), [true, true]);
  await close();
});

test('by keyboard alone: sample, enrolment, Enter in the id, deletion', async () => {
  const { page, sound, close } = await open(browser, WHOLE, {}, [/404.*verify/]);
  const reach = async (name) => {
    for (let step = 0; step < 90; step += 1) {
      await page.keyboard.press('Tab');
      const found = await page.evaluate(() => (document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim());
      if (found.startsWith(name)) {
        const outline = await page.evaluate(() => [document.activeElement, document.activeElement.nextElementSibling].some((part) => part && getComputedStyle(part).outlineStyle !== 'none'));
        assert.ok(outline, `${name}: the focus can be seen`);
        return;
      }
    }
    assert.fail(`${name} can't be reached`);
  };
  await reach('Skip to the photographs');
  await reach('One portrait');
  await page.keyboard.press('Enter');
  assert.match(await verdict(page), /Live/);
  await reach('Save as JSON');
  await reach('Remove photograph A');
  await reach('Choose a file for photograph B');
  await reach('User id');
  await page.keyboard.type('by-keys');
  await page.keyboard.press('Enter');
  await page.locator('#people-answer').getByText('Nobody is enrolled under this id').waitFor();
  assert.equal(await focused(page), 'people-answer');
  // Over the three buttons of captures, Delete and Search.
  for (const name of ['Capture and judge liveness', 'Capture and enrol', 'Capture and verify', 'Delete …', 'Search', 'Enrol']) {
    await page.keyboard.press('Shift+Tab');
    assert.equal(await focused(page), name);
  }
  await page.keyboard.press('Space');
  await page.getByText('by-keys is enrolled').waitFor();
  await page.getByLabel('User id').focus();
  await page.keyboard.press('Enter');
  await page.getByText('Verified', { exact: true }).waitFor();
  await page.getByLabel('User id').focus();
  await reach('Delete …');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await reach('Delete');
  await page.keyboard.press('Enter');
  await page.getByText('by-keys is deleted').waitFor();
  await sound('keyboard');
  await close();
});

test('a key is asked for where it is missing, checked when it is entered, and goes nowhere but its header', async () => {
  const secret = process.env.PAGE_KEY;
  for (const [name, options] of [['key', {}], ['key-narrow', { viewport: { width: 360, height: 740 }, colorScheme: 'dark' }]]) {
    const { page, sound, close } = await open(browser, KEYED, options, [/401.*(inspect|detect-all)/]);
    await page.getByRole('button', { name: /^One portrait/ }).click();
    const answer = page.locator('#answer');
    await answer.getByText('This service asks for a key').waitFor();
    const field = answer.getByLabel('API key');
    assert.ok(await field.evaluate((found) => found === document.activeElement), 'the next step has the focus');
    const box = await field.boundingBox();
    assert.ok(box.y > 0 && box.y < 500, `the field is at ${box.y}`);
    await sound(`${name}-missing`);
    await field.fill('a-wrong-key');
    await field.press('Enter');
    await answer.getByText('The service does not know this key').waitFor();
    assert.equal(await field.getAttribute('aria-invalid'), 'true');
    await sound(`${name}-wrong`);
    const sent = page.waitForRequest((request) => request.url().endsWith('/inspect'));
    await field.fill(secret);
    await field.press('Enter');
    const request = await sent;
    assert.equal(request.headers().authorization, `Bearer ${secret}`);
    assert.match(await verdict(page), /Live/);
    assert.match(await page.locator('#snippet-curl').innerText(), /-H "Authorization: Bearer \$LIKENESS_KEY"/);
    assert.match(await page.locator('#snippet-Python').textContent(), /key=os\.environ\["LIKENESS_KEY"\]/);
    assert.ok(!(await page.content()).includes(secret) && !page.url().includes(secret), 'the key is not in the page');
    await sound(name);
    await page.locator('#key').getByRole('button', { name: 'Forget the key' }).click();
    await page.getByRole('button', { name: /^One portrait/ }).click();
    await answer.getByText('This service asks for a key').waitFor();
    await close();
  }
});

test('a service that asks for no key says so, and gets none', async () => {
  const { page, close } = await open(browser, WHOLE);
  await page.locator('#key').getByLabel('API key').fill('a-key');
  await page.locator('#key').getByRole('button', { name: 'Use the key' }).click();
  await page.getByText('This service asks for no key: it answers without one.').waitFor();
  const sent = page.waitForRequest((request) => request.url().endsWith('/inspect'));
  await sample(page);
  assert.equal((await sent).headers().authorization, undefined);
  await close();
});

test('a key without the right is called so, and the right one is asked for', async () => {
  const { page, sound, close } = await open(browser, KEYED, {}, [/403/]);
  await page.route('**/api/v1/inspect', (route) => route.fulfill({ status: 403, json: { error_code: 'FORBIDDEN', message: 'this key lacks the scope `inspect`', scope: 'inspect' } }));
  await page.getByRole('button', { name: /^One portrait/ }).click();
  const answer = page.locator('#answer');
  await answer.getByText('It lacks the scope “inspect”.').waitFor();
  assert.ok(await answer.getByLabel('API key').isVisible());
  await sound('key-forbidden');
  await close();
});
