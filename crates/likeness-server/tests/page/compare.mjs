// Two photographs side by side, the session's history, and a result to keep, against a service that `tests/page.rs` started.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { PICTURES, SAMPLE, browser, choose, folder, open, sample, slot, table, verdict } from './browser.mjs';

const WHOLE = process.env.PAGE_WHOLE;

test('the samples: each verdict, and both photographs row by row beside each other', async () => {
  const rows = [
    ['Same person', /The same person/, 1280, 'light'],
    ['Another person', /Not accepted[^]*too far apart/, 1280, 'light'],
    ['A spoof', /Not accepted[^]*spoof/, 1280, 'light'],
    ['Same person', /The same person/, 360, 'light'],
    ['Another person', /Not accepted[^]*too far apart/, 360, 'dark'],
    ['A spoof', /Not accepted[^]*spoof/, 360, 'dark'],
  ];
  await table(rows, async (name, expected, width, colorScheme) => {
    const { page, sound, close } = await open(browser, WHOLE, { viewport: { width, height: 740 }, colorScheme });
    assert.match(await sample(page, name), expected);
    const tops = await page.locator('.column').evaluateAll((columns) => columns.map((column) => [...column.children].map((row) => Math.round(row.getBoundingClientRect().top))));
    assert.equal(tops[0].length, 6);
    assert.deepEqual(tops[0], tops[1], 'rows that stand beside each other');
    const [a, b] = await page.locator('.column').evaluateAll((columns) => columns.map((column) => column.getBoundingClientRect()));
    assert.ok(a.right <= b.left && a.left >= 0 && b.right <= width, 'two columns');
    await sound(`${name.toLowerCase().replaceAll(' ', '-')}-${width}-${colorScheme}`);
    await close();
  });
});

test('one gauge from 0 to 2: the pin is where the distance is, the ends are named, the threshold has its source', async () => {
  const { page, sound, close } = await open(browser, WHOLE);
  await table([['Same person', /within the threshold of 0\.30/], ['Another person', /beyond the threshold of 0\.30/]], async (name, side) => {
    await sample(page, name);
    const gauge = page.locator('#answer > .scale');
    const text = await gauge.innerText();
    assert.match(text, side);
    assert.match(text, /0: the same embedding\s+2: opposite embeddings/);
    assert.match(text, /DeepFace’s own for Facenet512 and cosine distance\. Nobody calibrated it/);
    const distance = Number(await gauge.locator('strong').innerText());
    const [pin, tick, zone] = await gauge.evaluate((found) => {
      const line = found.querySelector('.line').getBoundingClientRect();
      const part = (at) => (at - line.left) / line.width;
      const middle = (name) => { const box = found.querySelector(name).getBoundingClientRect(); return part((box.left + box.right) / 2); };
      return [middle('.pin'), middle('.tick'), part(found.querySelector('.zone').getBoundingClientRect().right)];
    });
    for (const [what, found, expected] of [['pin', pin, distance / 2], ['threshold', tick, 0.15], ['zone', zone, 0.15]]) assert.ok(Math.abs(found - expected) < 0.01, `${what} at ${found}, expected ${expected}`);
  });
  assert.match(await page.locator('#answer .warning').innerText(), /not a published one/);
  await slot(page, 'file2').getByRole('button', { name: 'Remove' }).click();
  await page.locator('#result:not([aria-busy]) #answer > .verdict').getByText('Live', { exact: true }).waitFor();
  await sound('one-again');
  await close();
});

test('distances beyond 1 stay on the line', async () => {
  const { page, close } = await open(browser, WHOLE);
  await page.route('**/inspect', async (route) => {
    const answer = await (await route.fetch()).json();
    Object.assign(answer.comparison, { distance: 1.3, threshold: 0.4, threshold_source: 'set' });
    await route.fulfill({ json: answer });
  });
  await sample(page, 'Another person');
  const pin = await page.locator('#answer > .scale').evaluate((found) => found.querySelector('.pin').getBoundingClientRect().left / found.getBoundingClientRect().width);
  assert.ok(pin > 0.6 && pin < 0.72, `${pin}`);
  assert.match(await page.locator('#answer > .scale').innerText(), /a setting of this installation \(VERIFICATION_THRESHOLD\)/);
  await close();
});

test('the session’s answers are shown again without a request, and forgotten', async () => {
  const { page, sound, close } = await open(browser, WHOLE);
  await sample(page);
  await sample(page, 'A spoof');
  assert.match(await verdict(page), /Not accepted/);
  const list = page.locator('#history-list li');
  assert.deepEqual(await list.locator('.history-title').allInnerTexts(), ['✕ Not accepted', '✓ Live']);
  const asked = [];
  page.on('request', (request) => /inspect$/.test(request.url()) && asked.push(request.url()));
  await list.nth(1).getByRole('button').press('Enter');
  assert.match(await verdict(page), /^\S+\s+Live/);
  assert.equal(await page.locator('.column').count(), 1);
  assert.equal(await slot(page, 'file').locator('svg .face').count(), 1);
  assert.deepEqual(asked, []);
  await sound('history');
  await page.getByRole('button', { name: 'Forget them' }).click();
  assert.ok(!(await page.locator('#history').isVisible()));
  await close();
});

test('a result is saved as JSON and as a picture, and printed without what is around it', async () => {
  const { page, sound, close } = await open(browser, WHOLE);
  const answered = page.waitForResponse((response) => response.url().endsWith('/inspect'));
  await page.getByRole('button', { name: /^Another person/ }).click();
  const answer = await (await answered).json();
  await verdict(page);
  const saved = async (name) => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name }).click()]);
    return [download.suggestedFilename(), fs.readFileSync(await download.path())];
  };
  const [json, text] = await saved('Save as JSON');
  assert.deepEqual([json, JSON.parse(text)], ['likeness.json', answer]);
  const [png, picture] = await saved('Save as picture');
  assert.deepEqual([png, picture.subarray(1, 4).toString(), picture.readUInt32BE(16)], ['likeness.png', 'PNG', 1200]);
  if (PICTURES) fs.writeFileSync(path.join(PICTURES, 'saved.png'), picture);
  await page.evaluate(() => { window.print = () => { window.printed = true; }; });
  await page.getByRole('button', { name: 'Print' }).click();
  assert.ok(await page.evaluate(() => window.printed));
  await page.emulateMedia({ media: 'print' });
  for (const part of ['.people', '.request', '.samples', '#tools']) assert.ok(!(await page.locator(part).isVisible()), part);
  assert.ok(await page.locator('#answer > .verdict').isVisible());
  await sound('print');
  await close();
});

test('the request in three languages, copied; a key is a variable there', async () => {
  const { page, close } = await open(browser, WHOLE, { permissions: ['clipboard-read', 'clipboard-write'] });
  await sample(page, 'Same person');
  const curl = await page.locator('#snippet-curl').innerText();
  assert.equal(curl, `curl -F 'file=@sample.jpg' -F 'file2=@same.jpg' '${WHOLE}/api/v1/inspect'`);
  for (const [language, line] of [['Python', 'answer = likeness.inspect(file="sample.jpg", file2="same.jpg")'], ['TypeScript', "await likeness.inspect({ file: await readFile('sample.jpg'), file2: await readFile('same.jpg') });"]]) {
    await page.getByText(language, { exact: true }).click();
    assert.ok((await page.locator(`#snippet-${language}`).innerText()).includes(line), language);
    await page.getByRole('button', { name: `Copy the ${language} lines` }).click();
    await page.getByText('Copied').first().waitFor();
    assert.equal((await page.evaluate(() => navigator.clipboard.readText())).trim(), (await page.locator(`#snippet-${language}`).innerText()).trim());
  }
  await close();
});

test('the curl line sends a file of any name as it is', async () => {
  const { page, close } = await open(browser, WHOLE);
  await table([['x;type=text.jpg'], ['a,b "c".jpg'], ["it's \\ new\nline.jpg"], ['-']], async (name) => {
    fs.copyFileSync(SAMPLE, path.join(folder, name));
    await page.locator('[data-slot=file] input[type=file]').setInputFiles({ name, mimeType: 'image/jpeg', buffer: fs.readFileSync(SAMPLE) });
    await verdict(page);
    const line = await page.locator('#snippet-curl').textContent();
    const answer = JSON.parse(execFileSync('bash', ['-c', `${line} --silent --noproxy '*'`], { cwd: folder, encoding: 'utf8' }));
    assert.equal(answer.photographs?.length, 1, JSON.stringify(answer).slice(0, 200));
    await slot(page, 'file').getByRole('button', { name: 'Remove' }).click();
  });
  await close();
});

test('a photograph that is dropped on B waits for A', async () => {
  const { page, close } = await open(browser, WHOLE);
  await slot(page, 'file2').locator('input[type=file]').setInputFiles(SAMPLE);
  await page.waitForFunction(() => document.getElementById('live').textContent === 'Choose photograph A as well.');
  assert.match(await choose(page, 'file', SAMPLE), /The same person/);
  await close();
});
