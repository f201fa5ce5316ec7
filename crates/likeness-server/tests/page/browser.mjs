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

/** What the long form looks at beside the width and the theme of each flow. */
const LOOKS = process.env.PAGE_LOOKS
  ? [1280, 360].flatMap((width) => ['light', 'dark'].map((theme) => ({ width, height: 900, theme, motion: 'reduce' })))
  : [];

/** A drawn photograph. */
export const image = (name) => path.join(process.env.PAGE_IMAGES, name);

/** The generated networks do not find the faces of the samples, so drawn photographs take their places. */
const SAMPLES = { 'sample.jpg': 'anna.jpg', 'same.jpg': 'anna_again.jpg', 'other.jpg': 'bert.jpg', 'spoof.jpg': 'anna_fake.jpg' };
export const SAMPLE = image(SAMPLES['sample.jpg']);

function launch(...more) {
  return chromium.launch({ executablePath: process.env.PAGE_BROWSER, args: ['--no-sandbox', '--disable-gpu', ...more] });
}

/** For files of this run alone. */
export const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'page-'));

export const browser = await launch();
const filming = new Map();

after(async () => {
  await Promise.all([browser, ...filming.values()].map((one) => one.close()));
  fs.rmSync(folder, { recursive: true });
});

/** A part of a drawn photograph as a JPEG, turned clockwise by so many quarters. */
export async function cut(name, [x, y, width, height], quarters = 0) {
  const page = await browser.newPage();
  const source = `data:image/jpeg;base64,${fs.readFileSync(image(name)).toString('base64')}`;
  const found = await page.evaluate(async ([from, left, top, wide, high, turns]) => {
    const picture = new Image();
    picture.src = from;
    await picture.decode();
    const [across, down] = turns % 2 ? [high, wide] : [wide, high];
    const canvas = Object.assign(document.createElement('canvas'), { width: across, height: down });
    const context = canvas.getContext('2d');
    context.translate(across / 2, down / 2);
    context.rotate((turns * Math.PI) / 2);
    context.drawImage(picture, -left - wide / 2, -top - high / 2);
    return canvas.toDataURL('image/jpeg', 0.95).split(',')[1];
  }, [source, x, y, width, height, quarters]);
  await page.close();
  return Buffer.from(found, 'base64');
}

/** A browser whose camera films a part of one drawn photograph, JPEG after JPEG: by default anna's face, near. */
export async function camera(name = 'anna.jpg', area = [87, 111, 300, 360]) {
  const key = `${name} ${area}`;
  if (!filming.has(key)) {
    const file = path.join(folder, `film-${filming.size}.mjpeg`);
    fs.writeFileSync(file, Buffer.concat(Array(30).fill(await cut(name, area))));
    filming.set(key, await launch('--use-fake-device-for-media-stream', `--use-file-for-fake-video-capture=${file}`));
  }
  return filming.get(key);
}

/** Runs every row, and reports all that fail. */
export async function table(rows, run) {
  const failed = [];
  for (const row of rows) {
    try {
      await run(...row);
    } catch (error) {
      failed.push(`${row[0]}: ${error.message}`);
    }
  }
  assert.deepEqual(failed, [], 'rows that fail');
}

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
  await page.route('**/page/*.jpg', (route) => {
    const drawn = image(SAMPLES[route.request().url().split('/').pop()]);
    return fs.existsSync(drawn) ? route.fulfill({ path: drawn, contentType: 'image/jpeg' }) : route.fallback();
  });
  await page.goto(url);
  await page.waitForFunction(() => !document.getElementById('status-text').textContent.startsWith('Asking'));

  const own = { ...page.viewportSize(), theme: options.colorScheme ?? 'light', motion: options.reducedMotion ?? 'no-preference' };
  // With less motion, no colour is halfway between two themes.
  async function wear({ width, height, theme, motion }) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: theme, reducedMotion: motion });
  }

  /** Checks what must always hold, takes a picture, and runs axe; in the long form at each width in each theme. */
  async function whole(name) {
    await fits(name);
    for (const look of LOOKS) {
      await wear(look);
      await fits(`${name}-${look.width}-${look.theme}`);
    }
    if (LOOKS.length) await wear(own);
    assert.deepEqual(await page.evaluate(() => window.violations), [], `${name}: violations of the policy`);
    assert.deepEqual(foreign, [], `${name}: requests to elsewhere`);
    assert.deepEqual(errors.filter((line) => !expected.some((pattern) => pattern.test(line))), [], `${name}: errors`);
  }

  async function fits(name) {
    await sound(page, name);
    const [inside, wide] = await page.evaluate(() => [document.documentElement.clientWidth, document.documentElement.scrollWidth]);
    assert.ok(wide <= inside, `${name}: ${wide} pixels in a window of ${inside}`);
  }

  return { page, context, sound: whole, close: () => context.close() };
}

/** The title and the reasons of the answer's verdict. */
export async function verdict(page) {
  await page.locator('#result:not([aria-busy]) #answer > .verdict').waitFor();
  return page.locator('#answer > .verdict').innerText();
}

export const slot = (page, name) => page.locator(`[data-slot=${name}]`);

/** Chooses a file, and waits for the answer about it. */
export async function choose(page, name, file) {
  const answered = page.waitForResponse((response) => response.url().endsWith('/inspect'));
  await slot(page, name).locator('input[type=file]').setInputFiles(file);
  await answered;
  return verdict(page);
}

/** Clicks a sample: the portrait alone, unless another is named. */
export async function sample(page, name = 'One portrait') {
  const answered = page.waitForResponse((response) => response.url().endsWith('/inspect'));
  await page.getByRole('button', { name: new RegExp(`^${name}`) }).click();
  await answered;
  return verdict(page);
}

/** The element that has the focus: its id, or its text. */
export const focused = (page) => page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim() || document.activeElement.name);
