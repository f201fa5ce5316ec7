// Capture sessions through the real service and the published networks of detection and liveness. The camera is a canvas
// that reacts to the prompts of the page, as a person in front of it would. A capture has windows in real time, so a film
// that is to count needs a machine that keeps up: `just films` plays all twelve kinds. `./test` plays those whose end is the
// same on a slow machine, one of a picture and one of a head that is too far away.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { PICTURES, browser, open, table } from './browser.mjs';

const GOLDEN = process.env.PAGE_GOLDEN;
/** Degrees to the person's right, and the rendered picture (`just samples`). */
const ANGLES = { '-30': 'left30', '-20': 'left20', '-10': 'left10', 0: 'front', 10: 'right10', 20: 'right20', 30: 'right30' };
const HEAD = Object.fromEntries(Object.entries(ANGLES).map(([angle, name]) => [angle, fs.readFileSync(path.join('head', `${name}.jpg`)).toString('base64')]));
const ALL = process.env.PAGE_FILMS === 'all';
/** Milliseconds for a whole film. */
const PATIENCE = 180_000;

/** Replaces the camera: runs in the page, before its own code. */
async function film({ head, kind }) {
  const images = {};
  for (const [angle, source] of Object.entries(head)) {
    // From bytes, since a strict policy forbids pictures by address.
    const bytes = Uint8Array.from(atob(source), (letter) => letter.charCodeAt(0));
    images[angle] = await createImageBitmap(new Blob([bytes], { type: 'image/jpeg' }));
  }
  const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 480 });
  const context = canvas.getContext('2d');
  const state = { yaw: 0, near: 1.02, prompt: '', since: performance.now(), number: 0 };

  function step(prompt, since) {
    const side = { turn_left: -1, turn_right: 1 }[prompt] ?? 0;
    const acts = since > 600;
    const still = ['still', 'moved', 'scaled', 'tilted', 'frozen'].includes(kind);
    const other = kind === 'recorded' ? Math.sign(Math.sin(performance.now() / 900)) : kind === 'wrong side' ? -side : side;
    const to = still || !(acts || kind === 'recorded') ? 0 : 30 * other;
    state.yaw += Math.sign(to - state.yaw) * Math.min(6, Math.abs(to - state.yaw));
    const goal = { come_closer: 1.15, move_back: 0.98 }[prompt];
    if (goal && acts) state.near += Math.sign(goal - state.near) * Math.min(0.02, Math.abs(goal - state.near));
    return { side, acts };
  }

  function draw() {
    const now = performance.now();
    const prompt = document.querySelector('.camera .step, #step')?.dataset.prompt ?? '';
    if (prompt !== state.prompt) Object.assign(state, { prompt, since: now });
    const { side, acts } = step(prompt, now - state.since);
    if (kind === 'frozen' && state.number > 20) return;
    state.number += 1;
    const angle = Math.round(state.yaw / 10) * 10;
    const wave = kind === 'frozen' ? 0 : Math.sin(now / 400);
    const aside = kind === 'moved' && acts ? side * 60 : 0;
    const scale = (kind === 'far' ? 0.5 : state.near) * (kind === 'scaled' && acts && side ? 1.3 : 1);
    const across = kind === 'tilted' && acts && side ? Math.SQRT1_2 : 1;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = '#a8aeae';
    context.fillRect(0, 0, 640, 480);
    const gone = kind === 'gone' && side && now - state.since < 4000;
    if (!gone) {
      context.setTransform(scale * across, 0, 0, scale, 320 + aside + 2 * wave, 250 + wave);
      context.filter = kind === 'grey' ? 'grayscale(1)' : 'none';
      context.drawImage(images[angle], -320, -235);
      context.filter = 'none';
    }
    if (kind === 'second' && side) {
      context.setTransform(0.7, 0, 0, 0.7, 90, 250);
      context.drawImage(images[0], 180, 60, 280, 360, -140, -180, 280, 360);
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
    // The noise of a camera: no two frames are alike.
    context.fillStyle = `rgb(${state.number % 256} ${(state.number >> 8) % 256} 99)`;
    if (kind !== 'frozen') context.fillRect(0, 0, 8, 8);
  }
  setInterval(draw, 66);
  draw();
  navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(15);
}

/** Opens the page with a camera that films `kind`, and begins a capture by this button. */
async function filmed(kind, name, options = {}) {
  const opened = await open(browser, GOLDEN, options, [/403.*(verify|liveness|enroll)/, /409.*frames/]);
  await opened.page.evaluate(film, { head: HEAD, kind });
  await opened.page.getByLabel('User id').fill('rendered');
  await opened.page.getByRole('button', { name, exact: true }).click();
  await opened.page.locator('#capture .camera').waitFor();
  return opened;
}

const answer = async (page) => {
  await page.locator('#people-answer .verdict').waitFor({ timeout: PATIENCE });
  return page.locator('#people-answer').innerText();
};

/** The answer; a person whose capture ended begins again, as on a machine that is too slow for the windows. */
async function answerAtLast(page) {
  for (let left = 5; ; left -= 1) {
    const found = await answer(page);
    if (left === 0 || !/The capture has ended/.test(found)) return found;
    await page.locator('#people-answer').getByRole('button', { name: 'Begin again' }).click();
  }
}

if (ALL) test('a head that follows is captured, enrolled, verified, and judged live', { timeout: 3 * PATIENCE }, async () => {
  const rows = [
    ['Capture and enrol', /rendered is enrolled[^]*Capture [0-9a-f]{32} counted/, {}],
    ['Capture and verify', /Verified[^]*Cosine distance[^]*Capture [0-9a-f]{32} counted/, { viewport: { width: 360, height: 740 }, colorScheme: 'dark' }],
    ['Capture and judge liveness', /Live[^]*Capture [0-9a-f]{32} counted/, { colorScheme: 'dark' }],
  ];
  await table(rows, async (name, expected, options) => {
    const { page, sound, close } = await filmed('head', name, options);
    const under = { now: 0, most: 0 };
    const counts = (request) => /\/api\/v1\/(captures|verify|enroll|liveness)/.test(request.url());
    page.on('request', (request) => { if (counts(request)) under.most = Math.max(under.most, under.now += 1); });
    for (const end of ['requestfinished', 'requestfailed']) page.on(end, (request) => { if (counts(request)) under.now -= 1; });
    await page.getByText(/^Turn your head to your (left|right)$/).waitFor({ timeout: PATIENCE });
    if (PICTURES) await page.screenshot({ path: path.join(PICTURES, `capture-${name.split(' ').at(-1)}.png`) });
    assert.match(await answerAtLast(page), expected);
    assert.equal(await page.locator('video').count(), 0);
    assert.ok(under.most <= 1, `${under.most} requests at once`);
    await sound(`captured-${name.split(' ').at(-1)}`);
    await close();
  });
});

test('films that must not count do not, and the page says what to do', { timeout: 12 * PATIENCE }, async () => {
  const ended = /The capture has ended[^]*Begin again/;
  const kinds = ['still', 'moved', 'scaled', 'tilted', 'recorded', 'wrong side', 'second', 'gone'];
  const all = [...kinds.map((kind) => [kind, ended]), ['frozen', /The camera’s picture does not change[^]*Begin again/], ['grey', /The capture does not count/]];
  const rows = ALL ? all : all.slice(0, 1);
  await table(rows, async (kind, expected) => {
    const { page, sound, close } = await filmed(kind, 'Capture and judge liveness');
    try {
      assert.match(await (expected === ended ? answer(page) : answerAtLast(page)), expected);
      if (kind === 'still') await sound('capture-ended');
    } finally {
      await close();
    }
  });
});

if (ALL) test('the client’s example guides a capture under its own strict policy', { timeout: PATIENCE }, async () => {
  const server = spawn('node', [path.join(process.env.PAGE_CLIENT, 'example/server.mjs')], { env: { ...process.env, PORT: '0', LIKENESS_URL: GOLDEN } });
  const own = await new Promise((done) => server.stdout.once('data', (text) => done(String(text).trim())));
  const { page, close } = await open(browser, GOLDEN);
  await page.goto(own);
  await page.evaluate(film, { head: HEAD, kind: 'head' });
  const words = page.locator('#step');
  for (let left = 5; left > 0; left -= 1) {
    await page.getByRole('button', { name: 'Begin' }).click();
    await words.getByText(/^Turn your head to your (left|right)$/).waitFor({ timeout: PATIENCE });
    await words.getByText(/^(Live: a live face|The capture has ended\..*)$/).waitFor({ timeout: PATIENCE });
    if (/^Live/.test(await words.innerText())) break;
  }
  assert.equal(await words.innerText(), 'Live: a live face');
  assert.deepEqual(await page.evaluate(() => window.violations), []);
  await close();
  server.kill();
});

test('a head that is far away is asked to come closer, and the session does not begin', async () => {
  for (const [name, options] of [['capture', {}], ['capture-narrow', { viewport: { width: 360, height: 740 }, colorScheme: 'dark' }]]) {
    const { page, sound, close } = await filmed('far', 'Capture and judge liveness', options);
    await page.locator('#capture .step').getByText('Come closer').waitFor();
    assert.match(await page.locator('.progress').innerText(), /The first step begins/);
    // No step is under way, so that axe may take its time.
    await sound(name);
    await page.getByRole('button', { name: 'Close the camera' }).click();
    assert.equal(await page.locator('video').count(), 0);
    await close();
  }
});
