// The live camera, filmed from drawn photographs, against running services that `tests/page.rs` started.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { browser, camera, focused, open, slot, table, verdict } from './browser.mjs';

const WHOLE = process.env.PAGE_WHOLE;
const ON = { permissions: ['camera'] };

/** Opens the camera of photograph A. */
async function begin(page) {
  await slot(page, 'file').getByRole('button', { name: 'Use the camera' }).click();
  await page.getByRole('button', { name: 'Take the picture' }).waitFor();
}

/** Counts the requests that are under way at once, at most. */
function counting(page) {
  const found = { now: 0, most: 0, frames: 0, embedded: 0 };
  const counts = (request) => /\/api\/v1\/(?!health)/.test(request.url());
  page.on('request', (request) => {
    if (!counts(request)) return;
    found.now += 1;
    found.most = Math.max(found.most, found.now);
    if (request.url().endsWith('/frames')) found.frames += 1;
    if (request.url().endsWith('/inspect')) found.embedded += 1;
  });
  for (const end of ['requestfinished', 'requestfailed']) page.on(end, (request) => { if (counts(request)) found.now -= 1; });
  return found;
}

test('a live face is guided, held and taken: several frames, one answer, and again', async () => {
  for (const [name, options] of [['live', {}], ['live-narrow', { viewport: { width: 360, height: 740 }, colorScheme: 'dark' }]]) {
    const { page, sound, close } = await open(await camera(), WHOLE, { ...ON, ...options });
    const found = counting(page);
    await begin(page);
    assert.equal(await focused(page), 'Take the picture');
    const track = await page.evaluateHandle(() => document.querySelector('video').srcObject.getTracks()[0]);
    await page.locator('.camera svg .face').waitFor();
    assert.equal(await page.locator('.camera svg .oval').count(), 1);
    assert.equal(await page.locator('.camera svg .landmark').count(), 5);
    await page.getByText(/^Liveness now: live, live probability 0\.\d{4}/).waitFor();
    assert.match(await page.locator('.speed').innerText(), /frames a second, delay \d+ ms/);
    await sound(name);
    assert.match(await verdict(page), /^\S+\s+Live/);
    assert.match(await page.locator('.frames').innerText(), /^5 frames: live in 5\. Live probability: middle 0\.\d{4} \(live\), from 0\.\d{4} to 0\.\d{4}\. The sharpest frame/);
    assert.equal(await track.evaluate((ended) => ended.readyState), 'ended');
    assert.equal(found.most, 1, 'requests under way at once');
    assert.ok(found.frames >= 8 && found.embedded === 1, JSON.stringify(found));
    await sound(`${name}-taken`);
    await slot(page, 'file').getByRole('button', { name: 'Again' }).click();
    await page.getByRole('button', { name: 'Take the picture' }).waitFor();
    await page.getByRole('button', { name: 'Close the camera' }).click();
    assert.match(await focused(page), /^Use the camera/);
    assert.equal(await page.locator('video').count(), 0);
    await close();
  }
});

test('films of a spoof, of a far face, of two faces and of nobody', async () => {
  const rows = [
    ['spoof', await camera('anna_fake.jpg'), async (page) => {
      assert.match(await verdict(page), /^\S+\s+Spoof/);
      assert.match(await page.locator('.frames').innerText(), /live in 0\.[^]*\(spoof\)/);
    }],
    ['far', await camera('anna.jpg', [0, 0, 480, 640]), (page) => page.locator('.step').getByText('Come closer').waitFor()],
    ['two', await camera('two.jpg', [100, 120, 600, 360]), (page) => page.locator('.step').getByText('One face only').waitFor()],
    ['nobody', await camera('empty.jpg', [0, 0, 480, 640]), (page) => page.locator('.step').getByText('Come into the oval').waitFor()],
  ];
  await table(rows, async (name, filming, check) => {
    const { page, sound, close } = await open(filming, WHOLE, ON);
    await begin(page);
    await page.waitForFunction(() => !document.querySelector('.speed') || document.querySelector('.speed').textContent);
    await check(page);
    await sound(`camera-${name}`);
    await close();
  });
});

test('a picture is taken by hand whenever a person wants, by a key too', async () => {
  const { page, sound, close } = await open(await camera('anna.jpg', [0, 0, 480, 640]), WHOLE, ON);
  await begin(page);
  await page.waitForFunction(() => document.querySelector('video').videoWidth > 0);
  const found = counting(page);
  await page.keyboard.press('Enter');
  assert.match(await verdict(page), /Live|Inconclusive/);
  assert.ok(found.most <= 1, `${found.most} requests under way at once`);
  assert.match(await page.locator('.frames').innerText(), /^One frame of the camera\.$/);
  await sound('camera-by-hand');
  await close();
});

test('frames that disagree with the one that is examined give no verdict', async () => {
  const { page, sound, close } = await open(await camera(), WHOLE, ON);
  await page.route('**/frames', async (route) => {
    const answer = await (await route.fetch()).json();
    if (answer.liveness) answer.liveness = { verdict: 'spoof', live_probability: 0.1 };
    await route.fulfill({ json: answer });
  });
  await begin(page);
  assert.match(await verdict(page), /Inconclusive\s+The sharpest frame alone says live, the middle one of several says spoof\. Take them again\./);
  await sound('camera-disagree');
  await close();
});

test('without a liveness network the camera still guides, and claims nothing', async () => {
  const { page, close } = await open(await camera(), WHOLE, ON, [/503/]);
  let asked = 0;
  await page.route('**/frames', async (route) => {
    asked += 1;
    if (asked === 2) return route.fulfill({ status: 503, json: { error_code: 'MODEL_UNAVAILABLE', message: 'not loaded', models: [] } });
    return route.fallback();
  });
  await begin(page);
  await page.getByText('Liveness can’t be judged: a network is missing').waitFor();
  await verdict(page);
  assert.equal(await page.locator('.frames').innerText(), '5 frames. Liveness was not judged. The sharpest frame is shown and examined.');
  await close();
});

test('a second camera closes the first', async () => {
  const { page, close } = await open(await camera('anna.jpg', [0, 0, 480, 640]), WHOLE, ON);
  const found = counting(page);
  for (const name of ['file', 'file2']) {
    await slot(page, name).getByRole('button', { name: 'Use the camera' }).click();
    await slot(page, name).locator('svg .face').waitFor();
  }
  assert.equal(await page.locator('video').count(), 1);
  assert.ok(await slot(page, 'file').getByRole('button', { name: 'Use the camera' }).isVisible());
  assert.ok(found.most <= 2, 'only the first one’s last frame may overlap');
  await close();
});

test('a busy service slows the looks down, and the camera goes on', async () => {
  const { page, close } = await open(await camera(), WHOLE, ON, [/503/]);
  let refused = 0;
  await page.route('**/frames', (route) => {
    refused += 1;
    return refused > 2 ? route.fallback() : route.fulfill({ status: 503, contentType: 'application/json', body: JSON.stringify({ error_code: 'OVERLOADED', message: 'busy', retry_after_seconds: 0.2 }) });
  });
  await begin(page);
  assert.match(await verdict(page), /Live/);
  assert.ok(refused > 2, `${refused}`);
  await close();
});

test('a key is asked for where the frames lack one, and the camera goes on', async () => {
  const { page, sound, close } = await open(await camera(), process.env.PAGE_KEYED, ON, [/401/]);
  await slot(page, 'file').getByRole('button', { name: 'Use the camera' }).click();
  const field = slot(page, 'file').getByLabel('API key');
  await field.waitFor();
  await sound('camera-key');
  await field.fill(process.env.PAGE_KEY);
  await field.press('Enter');
  assert.match(await verdict(page), /Live/);
  await close();
});

test('a camera that is absent, refused, busy, or out of reach has a name', async () => {
  const failing = (name) => `navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', '${name}'))`;
  const insecure = "Object.defineProperty(window, 'isSecureContext', { get: () => false })";
  const rows = [
    // What the browser itself says: no camera, and no permission.
    ['absent', browser, null, { permissions: ['camera'] }, /There is no camera/],
    ['denied', await camera(), null, { permissions: [] }, /The camera was refused/],
    ['busy', await camera(), failing('NotReadableError'), {}, /The camera is busy/],
    ['insecure', await camera(), insecure, {}, /This address may not use the camera/],
    ['failed', await camera(), failing('TypeError'), {}, /The camera did not start/],
  ];
  await table(rows, async (state, with_, script, options, expected) => {
    const { page, sound, close } = await open(with_, WHOLE, options);
    if (script) await page.evaluate(script);
    if (state === 'denied') await deny(page);
    await slot(page, 'file').getByRole('button', { name: 'Use the camera' }).click();
    await page.locator('.note strong').waitFor();
    assert.match(await slot(page, 'file').getByRole('alert').innerText(), expected, state);
    assert.equal(await page.locator('.note').first().getAttribute('data-state'), state);
    assert.ok(await slot(page, 'file').locator('label.button').isVisible(), 'the other ways stay');
    await sound(`camera-${state}`);
    assert.match(await focused(page), /^Use the camera/);
    await close();
  });
});

/** As a person refuses in the browser's own question. */
async function deny(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Browser.setPermission', { permission: { name: 'camera' }, setting: 'denied', origin: new URL(page.url()).origin });
}

