// The samples themselves, in a browser, by the published networks of detection and liveness; and the picture of the
// documents. The embedder of the test data is untrained, so no row expects a distance. The generated detector does not
// know an upright face from a turned one, so turned photographs are here too.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { PICTURES, browser, choose, cut, folder, slot, table, verdict } from './browser.mjs';

test('the samples: found, judged as the page calls them, side by side', async () => {
  const page = await browser.newPage({ viewport: { width: 1120, height: 900 } });
  await page.goto(process.env.PAGE_GOLDEN);
  const rows = [['Same person', ['Live', 'Live']], ['Another person', ['Live', 'Live']], ['A spoof', ['Live', 'Spoof']]];
  await table(rows, async (name, expected) => {
    const answered = page.waitForResponse((response) => response.url().endsWith('/inspect'));
    await page.getByRole('button', { name: new RegExp(`^${name}`) }).click();
    await answered;
    await verdict(page);
    assert.deepEqual(await page.locator('.column > .verdict .verdict-title').allInnerTexts(), expected);
  });
  if (PICTURES) {
    // From the verdict to the aligned faces.
    const [top, bottom] = await page.evaluate(() => [document.getElementById('answer').getBoundingClientRect().top, document.querySelector('.column').children[1].getBoundingClientRect().bottom].map((y) => y + scrollY));
    await page.screenshot({ path: path.join(PICTURES, 'page.png'), fullPage: true, clip: { x: 0, y: top - 20, width: 1120, height: bottom - top + 40 } });
  }
  await page.close();
});

test('a face is chosen in a photograph that lies on its side', async () => {
  const file = path.join(folder, 'aside.jpg');
  await table([['a quarter', 1, 270], ['upside down', 2, 180], ['three quarters', 3, 90]], async (_, quarters, rotated) => {
    fs.writeFileSync(file, await cut('couple.jpg', [0, 0, 2280, 1588], quarters));
    const page = await browser.newPage();
    await page.goto(process.env.PAGE_GOLDEN);
    assert.match(await choose(page, 'file', file), /2 faces/);
    assert.match(await slot(page, 'file').locator('.faces').innerText(), new RegExp(`turned by ${rotated}`));
    const answered = page.waitForResponse((response) => response.url().endsWith('/inspect'));
    await slot(page, 'file').getByRole('button', { name: /^Face 1 of 2/ }).click();
    const { photographs: [seen] } = await (await answered).json();
    assert.deepEqual([seen.rotated, seen.faces.length, seen.subject], [0, 1, 0]);
    await page.close();
  });
});
