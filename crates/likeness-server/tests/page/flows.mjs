// Photographs, the camera and the weights, against running services that `tests/page.rs` started.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { PICTURES, SAMPLE, browser, filming, folder, image, open, sample, slot, verdict } from './browser.mjs';

const WHOLE = process.env.PAGE_WHOLE;
const LACKING = process.env.PAGE_LACKING;

test('the headers let nothing in from elsewhere', async () => {
  const { headers } = await fetch(WHOLE);
  const policy = headers.get('content-security-policy');
  for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data: blob:", 'media-src blob:', "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]) {
    assert.ok(policy.split(';').map((found) => found.trim()).includes(part), `${part} in ${policy}`);
  }
  assert.ok(!policy.includes('unsafe'), policy);
  assert.equal(headers.get('permissions-policy'), 'camera=(self)');
  assert.equal((await fetch(new URL('page/SAMPLE.md', WHOLE))).status, 404);
  assert.equal((await fetch(new URL('page/..%2f..%2fCargo.toml', WHOLE))).status, 404);
});

test('an empty page says what it is for and that nothing is stored', async () => {
  const { page, sound, close } = await open(browser, WHOLE);
  assert.match(await page.locator('.private').innerText(), /No photograph is stored, neither by the service nor by this browser/);
  assert.match(await page.locator('footer').innerText(), /Eileen Collins, NASA, public domain.*skimage\/data\/astronaut\.png/);
  await sound('empty');
  await close();
});

test('the sample: verdict, box, crops, bars, times, weights, and the curl line', async () => {
  const { page, sound, close } = await open(browser, WHOLE, { permissions: ['clipboard-read', 'clipboard-write'] });
  assert.match(await sample(page), /Live\s+Both networks see a real face\./);
  assert.equal(await slot(page, 'file').locator('svg .face').count(), 1);
  assert.equal(await slot(page, 'file').locator('svg .landmark').count(), 5);
  assert.equal(await slot(page, 'file').locator('svg .area').count(), 2);
  const crops = await page.locator('#result .crop').evaluateAll((images) => images.map((shown) => [shown.complete, shown.naturalWidth]));
  assert.deepEqual(crops, [[true, 80], [true, 80], [true, 160]]);
  const [near, far] = await page.locator('.network tbody').evaluateAll((bodies) => bodies.map((body) => [...body.querySelectorAll('.number')].map((cell) => Number(cell.textContent))));
  const shown = Number(await page.locator('.scale .figure strong').first().innerText());
  assert.ok(Math.abs((near[1] + far[1]) / 2 - shown) < 2e-4, `${near} ${far} ${shown}`);
  const widths = await page.locator('.network .bar span').evaluateAll((bars) => bars.map((bar) => bar.getBoundingClientRect().width / bar.parentElement.getBoundingClientRect().width));
  [...near, ...far].forEach((part, at) => assert.ok(Math.abs(widths[at] - part) < 0.02, `bar ${at}: ${widths[at]} for ${part}`));
  assert.deepEqual(await page.locator('.times tbody .number').evaluateAll((cells) => cells.every((cell) => / ms$/.test(cell.textContent))), true);
  assert.match(await page.locator('#live').innerText(), /^Live\. Both networks/);
  assert.equal(await page.locator('#curl').innerText(), `curl -F 'file=@sample.jpg' '${WHOLE}/api/v1/inspect'`);
  await page.getByRole('button', { name: 'Copy' }).click();
  await page.getByRole('button', { name: 'Copied' }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await page.locator('#curl').innerText());
  assert.equal(await page.locator('#weights .chip.good').count(), 4);
  const kept = await page.evaluate(async () => [localStorage.length, sessionStorage.length, (await indexedDB.databases()).length, (await caches.keys()).length, document.cookie]);
  assert.deepEqual(kept, [0, 0, 0, 0, '']);
  await sound('sample');
  if (PICTURES) {
    await page.setViewportSize({ width: 1120, height: 900 });
    await page.evaluate(() => scrollTo(0, 0));
    await page.screenshot({ path: path.join(PICTURES, 'page.png') });
  }
  await close();
});

test('uploads: spoof, doubt, two faces, none, and no photograph are explained in words', async () => {
  const expected = [/400.*api\/v1\/inspect/, /415.*api\/v1\/inspect/];
  const { page, sound, close } = await open(browser, WHOLE, {}, expected);
  const wrong = path.join(folder, 'cut.jpg');
  fs.writeFileSync(wrong, fs.readFileSync(image('anna.jpg')).subarray(0, 3000));
  const table = [
    [image('anna_fake.jpg'), /^\S+\s+Spoof\s/],
    [image('disagree.jpg'), /Inconclusive\s+One of the two networks alone/],
    [image('close.jpg'), /Inconclusive\s+The photograph shows too little around the face/],
    [image('two.jpg'), /No verdict\s+Expected one face, found 2/],
    [wrong, /No answer[^]*INVALID_IMAGE/],
    [image('anna.jpg'), /Live\s/],
  ];
  for (const [file, expected] of table) {
    const answered = page.waitForResponse((response) => response.url().endsWith('/inspect'));
    await slot(page, 'file').locator('input[type=file]').setInputFiles(file);
    await answered;
    assert.match(await verdict(page), expected, file);
    await slot(page, 'file').getByRole('button', { name: 'Remove' }).click();
  }
  await slot(page, 'file').locator('input[type=file]').setInputFiles({ name: 'note.txt', mimeType: 'text/plain', buffer: Buffer.from('x') });
  assert.match(await slot(page, 'file').getByRole('alert').innerText(), /no photograph that can be read/);
  await sound('not-a-photograph');
  await close();
});

test('two photographs: the distance stands on a scale with its threshold', async () => {
  const { page, sound, close } = await open(browser, WHOLE);
  await sample(page);
  await slot(page, 'file2').locator('input[type=file]').setInputFiles(SAMPLE);
  await page.getByRole('heading', { name: 'Distance' }).waitFor();
  assert.match(await verdict(page), /The same person/);
  assert.match(await page.locator('.scale').first().innerText(), /Cosine distance\s+-?0\.0000[^]*threshold 0\.30/);
  assert.match(await page.locator('#result .warning').innerText(), /not a published one/);
  await sound('two');
  const answered = page.waitForResponse((response) => response.url().endsWith('/inspect'));
  await slot(page, 'file2').getByRole('button', { name: 'Remove' }).click();
  await answered;
  assert.match(await verdict(page), /^\S+\s+Live/);
  await close();
});

test('a photograph is dropped', async () => {
  const { page, sound, close } = await open(browser, WHOLE);
  const bytes = fs.readFileSync(SAMPLE).toString('base64');
  const data = await page.evaluateHandle((text) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], 'dropped.jpg', { type: 'image/jpeg' }));
    return transfer;
  }, bytes);
  await slot(page, 'file').dispatchEvent('dragenter', { dataTransfer: data });
  assert.match(await slot(page, 'file').getAttribute('class'), /over/);
  await slot(page, 'file').dispatchEvent('drop', { dataTransfer: data });
  assert.match(await verdict(page), /Live/);
  assert.match(await page.locator('#curl').innerText(), /file=@dropped\.jpg/);
  await sound('dropped');
  await close();
});

test('the camera: on, a picture, and off again', async () => {
  const { page, sound, close } = await open(filming, WHOLE, { permissions: ['camera'] });
  await slot(page, 'file').getByRole('button', { name: 'Use the camera' }).click();
  const take = page.getByRole('button', { name: 'Take the picture' });
  await take.waitFor();
  assert.ok(await take.evaluate((button) => button === document.activeElement), 'the next step has the focus');
  await page.waitForFunction(() => document.querySelector('video').videoWidth > 0);
  await sound('camera');
  const track = await page.evaluateHandle(() => document.querySelector('video').srcObject.getTracks()[0]);
  await take.click();
  assert.match(await verdict(page), /Live|Inconclusive/);
  assert.equal(await track.evaluate((found) => found.readyState), 'ended');
  assert.equal(await slot(page, 'file').locator('svg .face').count(), 1);
  await sound('camera-taken');
  await close();
});

test('a camera that is absent, refused, busy, or out of reach has a name', async () => {
  const failing = (name) => `navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', '${name}'))`;
  const insecure = "Object.defineProperty(window, 'isSecureContext', { get: () => false })";
  const table = [
    // What the browser itself says: no camera, and no permission.
    ['absent', browser, null, { permissions: ['camera'] }, /There is no camera/],
    ['denied', filming, null, { permissions: [] }, /The camera was refused/],
    ['busy', filming, failing('NotReadableError'), {}, /The camera is busy/],
    ['insecure', filming, insecure, {}, /This address may not use the camera/],
    ['failed', filming, failing('TypeError'), {}, /The camera did not start/],
  ];
  for (const [state, with_, script, options, expected] of table) {
    const { page, sound, close } = await open(with_, WHOLE, options);
    if (script) await page.evaluate(script);
    if (state === 'denied') await deny(page);
    await slot(page, 'file').getByRole('button', { name: 'Use the camera' }).click();
    await page.locator('.note strong').waitFor();
    assert.match(await slot(page, 'file').getByRole('alert').innerText(), expected, state);
    assert.equal(await page.locator('.note').first().getAttribute('data-state'), state);
    assert.ok(await slot(page, 'file').getByText('Choose a file', { exact: true }).isVisible(), 'the other ways stay');
    await sound(`camera-${state}`);
    await close();
  }
});

/** As a person refuses in the browser's own question. */
async function deny(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Browser.setPermission', { permission: { name: 'camera' }, setting: 'denied', origin: new URL(page.url()).origin });
}

test('without a spoof network: one card, no verdict, detection goes on; the file arrives and the card goes', async () => {
  const file = '2.7_80x80_MiniFASNetV2.pth';
  // Health itself is a 503 then, which the browser notes each time that the page asks.
  const { page, sound, close } = await open(browser, LACKING, {}, [/503.*\/api\/v1\/health$/]);
  const card = page.locator(`.card[data-file="${file}"]`);
  await card.waitFor();
  assert.match(await page.locator('#store').innerText(), /without a store/);
  assert.ok(!(await page.locator('#people').isVisible()), 'no form that can do nothing');
  assert.equal(await page.locator('.card').count(), 1);
  assert.match(await card.innerText(), /Liveness can’t be judged[^]*Unavailable: [^.]*liveness[^]*ballast fetch && ballast heal --baked mirror[^]*This page will notice\./);
  assert.match(await sample(page), /No verdict\s+Liveness was not judged: 2\.7_80x80_MiniFASNetV2\.pth is not loaded\./);
  await slot(page, 'file2').locator('input[type=file]').setInputFiles(SAMPLE);
  await page.getByText('The faces are alike', { exact: true }).waitFor();
  assert.match(await verdict(page), /No verdict\. Liveness was not judged/);
  const again = page.waitForResponse((response) => response.url().endsWith('/inspect'));
  await slot(page, 'file2').getByRole('button', { name: 'Remove' }).click();
  await again;
  assert.match(await verdict(page), /No verdict/);
  assert.equal(await slot(page, 'file').locator('svg .face').count(), 1);
  assert.doesNotMatch(await page.locator('main').innerText(), /spoof/i);
  await sound('missing');
  await page.setViewportSize({ width: 320, height: 700 });
  await sound('missing-narrow');
  const part = path.join(process.env.PAGE_WEIGHTS, 'part');
  fs.copyFileSync(path.join(process.env.PAGE_SOURCE, file), part);
  fs.renameSync(part, path.join(process.env.PAGE_WEIGHTS, file));
  await card.waitFor({ state: 'detached' });
  await page.getByText('Both networks see a real face.').first().waitFor();
  await sound('arrived');
  await close();
});

test('320 pixels, dark, and reduced motion', async () => {
  const table = [
    ['narrow', { viewport: { width: 320, height: 700 } }],
    ['dark', { colorScheme: 'dark' }],
    ['narrow-dark', { viewport: { width: 320, height: 700 }, colorScheme: 'dark' }],
    ['still', { reducedMotion: 'reduce' }],
  ];
  for (const [name, options] of table) {
    const { page, sound, close } = await open(browser, WHOLE, options);
    await sample(page);
    await sound(name);
    const moving = await page.evaluate(() => [...document.querySelectorAll('*')].filter((part) => parseFloat(getComputedStyle(part).transitionDuration) > 0).length);
    assert.equal(moving === 0, name === 'still', `${name}: ${moving} parts move`);
    await close();
  }
});

test('the page shows that a service goes away, and that it returns', async () => {
  const { page, context, sound, close } = await open(browser, WHOLE, {}, [/ERR_INTERNET_DISCONNECTED/]);
  await page.getByText('All four networks loaded').first().waitFor();
  await context.setOffline(true);
  await slot(page, 'file').locator('input[type=file]').setInputFiles(SAMPLE);
  assert.match(await verdict(page), /No answer\s+The service does not answer\. Is it running\?/);
  await page.locator('#status').getByText('The service does not answer').waitFor();
  assert.equal(await page.locator('#live').innerText(), 'The service does not answer.');
  await sound('away');
  await context.setOffline(false);
  await page.locator('#status').getByText('All four networks loaded').waitFor();
  await close();
});
