// A browser, and what must hold in it whatever is done: nothing from elsewhere, no violation of the
// policy, no error that was not announced, nothing that axe finds.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';
import { after } from 'node:test';
import { chromium } from 'playwright-core';

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Where pictures go; the suite's own folder is in `target`. */
export const PICTURES = process.env.PAGE_PICTURES;
/** The drawn photograph that takes the sample's place. */
export const SAMPLE = process.env.PAGE_SAMPLE;

/** A drawn photograph. */
export const image = (name) => path.join(process.env.PAGE_IMAGES, name);

function launch(...more) {
  return chromium.launch({ executablePath: process.env.PAGE_BROWSER, args: ['--no-sandbox', '--disable-gpu', ...more] });
}

/** For files of this run alone. */
export const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'page-'));

/** A film of one photograph: JPEG after JPEG. */
function film() {
  const file = path.join(folder, 'film.mjpeg');
  fs.writeFileSync(file, Buffer.concat(Array(30).fill(fs.readFileSync(SAMPLE))));
  return file;
}

/** A browser without a camera, and one whose camera films the sample. */
export const browser = await launch();
export const filming = await launch('--use-fake-device-for-media-stream', `--use-file-for-fake-video-capture=${film()}`);

after(async () => {
  await Promise.all([browser.close(), filming.close()]);
  fs.rmSync(folder, { recursive: true });
});

/** Nothing that axe finds; a picture of it. */
export async function sound(page, name) {
  if (PICTURES) await page.screenshot({ path: path.join(PICTURES, `${name}.png`), fullPage: true });
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const lines = found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join('; ')}`);
  assert.deepEqual(lines, [], `${name}: axe`);
}

/** The page, opened; `expected` are patterns of error lines that the flow means to cause. */
export async function open(browser, url, options = {}, expected = []) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const errors = [];
  const foreign = [];
  page.on('console', (line) => ['error', 'warning'].includes(line.type()) && errors.push(`${line.text()} ${line.location().url}`));
  page.on('pageerror', (error) => errors.push(String(error.stack)));
  page.on('request', (request) => {
    const to = new URL(request.url());
    if (!['data:', 'blob:'].includes(to.protocol) && to.origin !== new URL(url).origin) foreign.push(request.url());
  });
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  await page.route('**/sample.jpg', (route) => route.fulfill({ path: SAMPLE, contentType: 'image/jpeg' }));
  await page.goto(url);
  await page.waitForFunction(() => !document.getElementById('status-text').textContent.startsWith('Asking'));

  /** Checks what must always hold, takes a picture, and runs axe. */
  async function whole(name) {
    await sound(page, name);
    assert.deepEqual(await page.evaluate(() => window.violations), [], `${name}: violations of the policy`);
    assert.deepEqual(foreign, [], `${name}: requests to elsewhere`);
    assert.deepEqual(errors.filter((line) => !expected.some((pattern) => pattern.test(line))), [], `${name}: errors`);
    const [inside, wide] = await page.evaluate(() => [document.documentElement.clientWidth, document.documentElement.scrollWidth]);
    assert.ok(wide <= inside, `${name}: ${wide} pixels in a window of ${inside}`);
  }

  return { page, context, sound: whole, close: () => context.close() };
}

/** The title and the reasons of the verdict on top. */
export async function verdict(page) {
  await page.locator('#result:not([aria-busy]) .verdict').first().waitFor();
  return page.locator('#result > .verdict').first().innerText();
}

export const slot = (page, name) => page.locator(`[data-slot=${name}]`);

export async function sample(page) {
  await page.getByRole('button', { name: 'Try a sample' }).click();
  return verdict(page);
}
