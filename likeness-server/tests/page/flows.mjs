// Every flow of the page, against running services that `tests/page.rs` started.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { IMAGES, PICTURES, closeAll, launch, open, sample, slot, verdict } from './browser.mjs';

const WHOLE = process.env.PAGE_WHOLE;
const LACKING = process.env.PAGE_LACKING;
const KEYED = process.env.PAGE_KEYED;
const SAMPLE = new URL('../../page/sample.jpg', import.meta.url).pathname;

const image = (name) => path.join(IMAGES, name);
let browser;
let filming;

before(async () => {
  // A film of one photograph: JPEG after JPEG.
  const film = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'page-')), 'film.mjpeg');
  fs.writeFileSync(film, Buffer.concat(Array(30).fill(fs.readFileSync(SAMPLE))));
  browser = await launch();
  filming = await launch(film);
});

after(closeAll);

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
  const { page, sound, close } = await open(browser, WHOLE);
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
  assert.equal(await page.locator('#weights .chip.good').count(), 4);
  const kept = await page.evaluate(async () => [localStorage.length, sessionStorage.length, (await indexedDB.databases()).length, (await caches.keys()).length, document.cookie]);
  assert.deepEqual(kept, [0, 0, 0, 0, '']);
  await sound('sample');
  if (PICTURES) {
    await page.setViewportSize({ width: 1120, height: 900 });
    await page.screenshot({ path: path.join(PICTURES, 'page.png') });
  }
  await close();
});

test('uploads: spoof, doubt, two faces, none, and no photograph are told in words', async () => {
  const expected = [/400.*api\/v1\/inspect/, /415.*api\/v1\/inspect/];
  const { page, sound, close } = await open(browser, WHOLE, {}, expected);
  const wrong = path.join(os.tmpdir(), 'cut.jpg');
  fs.writeFileSync(wrong, fs.readFileSync(image('image_T1.jpg')).subarray(0, 3000));
  const table = [
    [image('image_F1.jpg'), /^\S+\s+Spoof\s/],
    [image('img5.jpg'), /It can’t be told\s+One of the two networks alone/],
    [image('img51.jpg'), /It can’t be told\s+The photograph shows too little around the face/],
    [image('couple.jpg'), /No verdict\s+Expected one face, found 2/],
    [wrong, /No answer[^]*INVALID_IMAGE/],
    [image('image_T1.jpg'), /Live\s/],
  ];
  for (const [file, told] of table) {
    const answered = page.waitForResponse((response) => response.url().endsWith('/inspect'));
    await slot(page, 'file').locator('input[type=file]').setInputFiles(file);
    await answered;
    assert.match(await verdict(page), told, file);
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
  assert.match(await page.locator('.scale').first().innerText(), /Cosine distance\s+-?0\.0000[^]*threshold 0\.45/);
  assert.match(await page.locator('#result .warning').innerText(), /untrained/);
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
  assert.match(await verdict(page), /Live|It can’t be told/);
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
  for (const [state, with_, script, options, told] of table) {
    const { page, sound, close } = await open(with_, WHOLE, options);
    if (script) await page.evaluate(script);
    if (state === 'denied') await deny(page);
    await slot(page, 'file').getByRole('button', { name: 'Use the camera' }).click();
    await page.locator('.note strong').waitFor();
    assert.match(await slot(page, 'file').getByRole('alert').innerText(), told, state);
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

test('enrol, verify, search, delete', async () => {
  const expected = [/400.*enroll/, /403.*verify/, /404.*(verify|enroll)/];
  const { page, sound, close } = await open(browser, WHOLE, {}, expected);
  const answer = page.locator('#people-answer');
  const act = async (name, told) => {
    await page.getByRole('button', { name, exact: true }).click();
    await answer.getByText(told).first().waitFor();
  };
  await act('Enrol', 'A user id is needed');
  assert.equal(await page.getByLabel('User id').getAttribute('aria-invalid'), 'true');
  await page.getByLabel('User id').fill('eileen');
  await act('Enrol', 'No photograph');
  await sample(page);
  await act('Verify', 'Nobody is enrolled under this id');
  await act('Enrol', 'eileen is enrolled');
  await sound('enrolled');
  await act('Verify', /^Verified$/);
  assert.match(await answer.innerText(), /Cosine distance[^]*threshold/);
  await sound('verified');
  await act('Search', '1 person within the threshold');
  assert.match(await answer.locator('tbody').innerText(), /eileen\s+-?0\.0000/);
  await sound('found');
  await slot(page, 'file').getByRole('button', { name: 'Remove' }).click();
  await slot(page, 'file').locator('input[type=file]').setInputFiles(image('image_F1.jpg'));
  assert.match(await verdict(page), /Spoof/);
  await act('Verify', 'Blocked');
  await act('Enrol', 'Not enrolled');
  await sound('blocked');
  await page.getByRole('button', { name: 'Delete …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Keep' }).click();
  await page.getByRole('button', { name: 'Delete …' }).click();
  await sound('delete');
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await answer.getByText('eileen is deleted').waitFor();
  assert.equal(await page.locator('#curl').innerText(), `curl -X DELETE '${WHOLE}/api/v1/enroll/eileen'`);
  await act('Verify', 'Nobody is enrolled under this id');
  await close();
});

test('by keyboard alone: sample, enrolment, deletion', async () => {
  const { page, sound, close } = await open(browser, WHOLE);
  const reach = async (name) => {
    for (let step = 0; step < 60; step += 1) {
      await page.keyboard.press('Tab');
      const found = await page.evaluate(() => (document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim());
      if (found === name) {
        const outline = await page.evaluate(() => [document.activeElement, document.activeElement.nextElementSibling].some((part) => part && getComputedStyle(part).outlineStyle !== 'none'));
        assert.ok(outline, `${name}: the focus can be seen`);
        return;
      }
    }
    assert.fail(`${name} can't be reached`);
  };
  await reach('Skip to the photographs');
  await page.keyboard.press('Enter');
  await reach('Choose a file');
  await reach('Try a sample');
  await page.keyboard.press('Enter');
  assert.match(await verdict(page), /Live/);
  await reach('User id');
  await page.keyboard.type('by-keys');
  await reach('Enrol');
  await page.keyboard.press('Space');
  await page.getByText('by-keys is enrolled').waitFor();
  await reach('Delete …');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await reach('Delete');
  await page.keyboard.press('Enter');
  await page.getByText('by-keys is deleted').waitFor();
  await sound('keyboard');
  await close();
});

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
  assert.match(await sample(page), /No verdict/);
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

test('with a key: it goes in its header, and nowhere else', async () => {
  const { page, sound, close } = await open(browser, KEYED, {}, [/401.*inspect/]);
  await page.getByRole('button', { name: 'Try a sample' }).click();
  await page.getByText('This service asks for a key').waitFor();
  await sound('no-key');
  const secret = process.env.PAGE_KEY;
  const asked = page.waitForRequest((request) => request.url().endsWith('/inspect'));
  await page.getByLabel('Key', { exact: true }).fill(secret);
  await page.getByRole('button', { name: 'Use', exact: true }).click();
  const request = await asked;
  assert.equal(request.headers()['x-api-key'], secret);
  assert.match(await verdict(page), /Live/);
  assert.match(await page.locator('#curl').innerText(), /-H "X-API-Key: \$LIKENESS_KEY"/);
  assert.ok(!(await page.content()).includes(secret) && !page.url().includes(secret), 'the key is not in the page');
  assert.equal(await page.getByLabel('Key', { exact: true }).inputValue(), '');
  await sound('key');
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
