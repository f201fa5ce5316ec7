// The samples themselves, in a browser, by the published networks of detection and liveness; and the picture of the
// documents. The embedder of the test data is untrained, so no row expects a distance.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { PICTURES, browser, table, verdict } from './browser.mjs';

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
