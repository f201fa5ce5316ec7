// Photographs, the samples and the weights, against running services that `tests/page.rs` started.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { SAMPLE, browser, choose, focused, folder, image, open, sample, slot, table, verdict } from './browser.mjs';

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
  for (const [name, options] of [['empty', {}], ['empty-narrow', { viewport: { width: 360, height: 740 }, colorScheme: 'dark' }]]) {
    const { page, sound, close } = await open(browser, WHOLE, options);
    assert.match(await page.locator('.private').innerText(), /No photograph is stored, neither by the service nor by this browser/);
    assert.match(await page.locator('footer').innerText(), /Eileen Collins, NASA, public domain.*skimage\/data\/astronaut\.png/);
    assert.ok(!(await page.locator('#result').isVisible()), 'no answer before a question');
    await sound(name);
    await close();
  }
});

test('the portrait: verdict, box, crops, bars, times, weights; nothing is kept', async () => {
  const { page, sound, close } = await open(browser, WHOLE);
  assert.match(await sample(page), /Live\s+Both networks see a real face\./);
  assert.equal(await slot(page, 'file').locator('svg .face').count(), 1);
  assert.equal(await slot(page, 'file').locator('svg .landmark').count(), 5);
  assert.equal(await slot(page, 'file').locator('svg .area').count(), 2);
  const crops = await page.locator('.column .crop').evaluateAll((images) => images.map((shown) => [shown.complete, shown.naturalWidth]));
  assert.deepEqual(crops, [[true, 160], [true, 80], [true, 80]]);
  const [near, far] = await page.locator('.network tbody').evaluateAll((bodies) => bodies.map((body) => [...body.querySelectorAll('.number')].map((cell) => Number(cell.textContent))));
  const shown = Number(await page.locator('.column .figure strong').first().innerText());
  assert.ok(Math.abs((near[1] + far[1]) / 2 - shown) < 2e-4, `${near} ${far} ${shown}`);
  const widths = await page.locator('.network .bar span').evaluateAll((bars) => bars.map((bar) => bar.getBoundingClientRect().width / bar.parentElement.getBoundingClientRect().width));
  [...near, ...far].forEach((part, at) => assert.ok(Math.abs(widths[at] - part) < 0.02, `bar ${at}: ${widths[at]} for ${part}`));
  assert.deepEqual(await page.locator('.times tbody .number').evaluateAll((cells) => cells.every((cell) => / m?s$/.test(cell.textContent))), true);
  assert.match(await page.locator('#live').innerText(), /^Live\. Both networks/);
  assert.equal(await page.locator('#weights .chip.good').count(), 4);
  const kept = await page.evaluate(async () => [localStorage.length, sessionStorage.length, (await indexedDB.databases()).length, (await caches.keys()).length, document.cookie]);
  assert.deepEqual(kept, [0, 0, 0, 0, '']);
  await sound('sample');
  await close();
});

test('uploads: spoof, doubt, two faces, none, and no photograph are explained in words', async () => {
  const expected = [/400.*api\/v1\/inspect/, /415.*api\/v1\/inspect/];
  const { page, sound, close } = await open(browser, WHOLE, {}, expected);
  const wrong = path.join(folder, 'cut.jpg');
  fs.writeFileSync(wrong, fs.readFileSync(image('anna.jpg')).subarray(0, 3000));
  const rows = [
    [image('anna_fake.jpg'), /^\S+\s+Spoof\s/],
    [image('disagree.jpg'), /Inconclusive\s+One of the two networks alone/],
    [image('close.jpg'), /Inconclusive\s+The photograph shows too little around the face/],
    [image('two.jpg'), /No verdict: 2 faces[^]*Click the face that counts\./],
    [image('empty.jpg'), /No verdict: no face was found[^]*Choose one in which the face is seen from the front/],
    [image('small.jpg'), /No verdict: the face is too small[^]*Come closer/],
    [wrong, /This photograph can’t be read[^]*Open it and save it again[^]*INVALID_IMAGE/],
    [image('anna.jpg'), /Live\s/],
  ];
  await table(rows, async (file, pattern) => {
    assert.match(await choose(page, 'file', file), pattern);
    await slot(page, 'file').getByRole('button', { name: 'Remove' }).click();
  });
  await slot(page, 'file').locator('input[type=file]').setInputFiles({ name: 'note.txt', mimeType: 'text/plain', buffer: Buffer.from('x') });
  assert.match(await slot(page, 'file').getByRole('alert').innerText(), /no photograph that can be read/);
  await sound('not-a-photograph');
  await close();
});

test('a probability in the live zone beside an open verdict is explained', async () => {
  const { page, close } = await open(browser, WHOLE);
  assert.match(await choose(page, 'file', image('close.jpg')), /Inconclusive/);
  const probability = Number(await page.locator('.column .figure strong').innerText());
  assert.equal(/The probability alone would be/.test(await page.locator('.column').innerText()), probability >= 0.7 || probability <= 0.3);
  await close();
});

test('a face of several is chosen by a click or a key, and the choice is taken back', async () => {
  for (const [name, act] of [['click', (button) => button.click()], ['key', async (button) => { await button.focus(); await button.press('Enter'); }]]) {
    const { page, sound, close } = await open(browser, WHOLE);
    await choose(page, 'file', image('two.jpg'));
    const faces = slot(page, 'file').getByRole('button', { name: /^Face \d of 2/ });
    assert.equal(await faces.count(), 2);
    const places = await faces.evaluateAll((buttons) => buttons.map((button) => button.getBoundingClientRect()));
    assert.ok(Math.abs(places[0].x - places[1].x) > 50, 'each lies over its face');
    if (name === 'click') await sound('several-faces');
    const answered = page.waitForResponse((response) => response.url().endsWith('/inspect'));
    await act(faces.first());
    await answered;
    assert.match(await verdict(page), /^\S+\s+(Live|Inconclusive)/, name);
    assert.equal(await slot(page, 'file').locator('svg .face').count(), 1);
    if (name === 'click') await sound('face-chosen');
    const again = page.waitForResponse((response) => response.url().endsWith('/inspect'));
    await slot(page, 'file').getByRole('button', { name: 'Whole photograph' }).click();
    await again;
    assert.match(await verdict(page), /2 faces/);
    await close();
  }
});

test('the focus moves to the answer, which is then at the top of the screen', async () => {
  await table([[360, 740], [1280, 900]], async (width, height) => {
    const { page, close } = await open(browser, WHOLE, { viewport: { width, height } });
    await choose(page, 'file', SAMPLE);
    assert.equal(await focused(page), 'result');
    const top = await page.locator('#answer > .verdict').evaluate((found) => found.getBoundingClientRect().top);
    assert.ok(top >= 0 && top < 120, `the verdict begins at ${top}`);
    await slot(page, 'file').getByRole('button', { name: 'Remove' }).click();
    assert.equal(await focused(page), 'file-input');
    await close();
  });
});

test('the demonstration asks the service for nothing, and ends with the file back', async () => {
  for (const [name, options] of [['incident', {}], ['incident-narrow', { viewport: { width: 360, height: 740 } }]]) {
    const { page, sound, close } = await open(browser, WHOLE, options);
    await sample(page);
    const asked = [];
    page.on('request', (request) => !/health$/.test(request.url()) && asked.push(request.url()));
    await page.getByRole('button', { name: /^Without a model/ }).click();
    const answer = page.locator('#answer');
    assert.match(await answer.innerText(), /A demonstration\.[^]*was not asked[^]*No verdict\s+Liveness was not judged: 2\.7_80x80_MiniFASNetV2\.pth is not loaded/);
    assert.equal(await focused(page), 'result');
    assert.equal(await page.locator('#columns *').count(), 0);
    assert.ok(!(await page.locator('#tools').isVisible()), 'nothing to save');
    await sound(name);
    await answer.getByRole('button', { name: 'Heal the file' }).press('Enter');
    assert.match(await answer.innerText(), /missing -> copied[^]*Live\s+Both networks see a real face/);
    assert.equal(await focused(page), '3. The end: the file is back');
    assert.deepEqual(asked, []);
    await sound(`${name}-end`);
    assert.match(await sample(page), /Live/);
    await close();
  }
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
  assert.match(await page.locator('#snippet-curl').innerText(), /file=@dropped\.jpg/);
  await sound('dropped');
  await close();
});

test('without a spoof network: one card, no verdict, detection goes on; the file arrives and the card goes', async () => {
  const file = '2.7_80x80_MiniFASNetV2.pth';
  // Health itself is a 503 then, which the browser notes each time that the page asks.
  const { page, sound, close } = await open(browser, LACKING, {}, [/503.*\/api\/v1\/health$/]);
  const card = page.locator(`.card[data-file="${file}"]`);
  await card.waitFor();
  assert.match(await page.locator('#store').innerText(), /without a store/);
  assert.ok(!(await page.locator('#people-parts').isVisible()), 'no form that can do nothing');
  assert.equal(await page.locator('.card').count(), 1);
  assert.match(await card.innerText(), /Liveness can’t be judged[^]*Unavailable: [^.]*liveness[^]*ballast fetch &&\s+ballast heal --baked mirror[^]*This page will notice\./);
  assert.match(await sample(page), /No verdict\s+Liveness was not judged: 2\.7_80x80_MiniFASNetV2\.pth is not loaded\./);
  assert.match(await choose(page, 'file2', SAMPLE), /The faces are alike/);
  assert.match(await verdict(page), /No verdict\. Liveness was not judged/);
  const again = page.waitForResponse((response) => response.url().endsWith('/inspect'));
  await slot(page, 'file2').getByRole('button', { name: 'Remove' }).click();
  await again;
  assert.match(await verdict(page), /No verdict/);
  assert.equal(await slot(page, 'file').locator('svg .face').count(), 1);
  assert.doesNotMatch(await page.locator('#answer').innerText() + await page.locator('#columns').innerText(), /spoof/i);
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
  const rows = [
    ['narrow', { viewport: { width: 320, height: 700 } }],
    ['dark', { colorScheme: 'dark' }],
    ['narrow-dark', { viewport: { width: 320, height: 700 }, colorScheme: 'dark' }],
    ['still', { reducedMotion: 'reduce' }],
  ];
  await table(rows, async (name, options) => {
    const { page, sound, close } = await open(browser, WHOLE, options);
    await sample(page, 'Another person');
    await sound(name);
    const moving = await page.evaluate(() => [...document.querySelectorAll('*')].filter((part) => parseFloat(getComputedStyle(part).transitionDuration) > 0).length);
    assert.equal(moving === 0, name === 'still', `${moving} parts move`);
    await close();
  });
});

test('the page shows that a service goes away, and that it returns', async () => {
  const { page, context, sound, close } = await open(browser, WHOLE, {}, [/ERR_INTERNET_DISCONNECTED/]);
  await page.getByText('All four networks loaded').first().waitFor();
  await context.setOffline(true);
  await slot(page, 'file').locator('input[type=file]').setInputFiles(SAMPLE);
  assert.match(await verdict(page), /The service does not answer[^]*Start it, and try again\./);
  await page.locator('#status').getByText('The service does not answer').waitFor();
  assert.equal(await page.locator('#live').innerText(), 'The service does not answer.');
  await sound('away');
  await context.setOffline(false);
  await page.locator('#status').getByText('All four networks loaded').waitFor();
  await close();
});
