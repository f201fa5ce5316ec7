// How captures end on the page, with a drawn camera, against a service whose answers are replaced.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { browser, focused, open, table } from './browser.mjs';

const WHOLE = process.env.PAGE_WHOLE;
const OPEN = {
  capture_id: '00'.repeat(16), purpose: 'liveness', tenant_id: 'default', user_id: null, expires_at: '2030-01-01T00:00:00Z', state: 'open',
  prompt: 'look_straight', step: 0, step_count: 0, frame_count: 0, best_frame: null, answer_sha256: 'ab', advice: null, face_count: 0, face: null, image_dimensions: null, rotated: 0,
};

/** Replaces the camera by a black one, whose picture `changes` or not: runs in the page. */
function film(changes) {
  const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 480 });
  const context = canvas.getContext('2d');
  let number = 0;
  const draw = () => {
    context.fillStyle = changes ? `rgb(${(number += 8) % 256} 90 90)` : '#000';
    context.fillRect(0, 0, 640, 480);
  };
  draw();
  setInterval(draw, 66);
  navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(15);
}

/** Opens the page with replaced answers: `frames` gets the number of a frame, from 1. */
async function replaced(changes, options, frames, begun = { json: OPEN }) {
  const opened = await open(browser, WHOLE, options, [/status of 4\d\d|status of 503/]);
  const seen = { sent: 0 };
  await opened.page.route('**/api/v1/captures', (route) => route.fulfill(begun));
  await opened.page.route('**/api/v1/captures/*/frames', (route) => {
    seen.sent += 1;
    return route.fulfill(frames(seen.sent));
  });
  await opened.page.evaluate(film, changes);
  return { ...opened, seen, answer: opened.page.locator('#people-answer') };
}

const begin = (page) => page.getByRole('button', { name: 'Capture and judge liveness', exact: true }).click();
const problem = (status, error_code, more = {}) => ({ status, json: { error_code, message: 'm', request_id: 'r', ...more } });

test('a capture that can’t go on says why in words of its own, and begins again by a button', async () => {
  const far = { json: { ...OPEN, frame_count: 1, advice: 'come_closer' } };
  const rows = [
    ['expired', (at) => (at === 1 ? far : problem(404, 'NOT_FOUND')), undefined, /The time of the capture is over[^]*did not begin[^]*“Come closer”/],
    ['expired in a step', (at) => (at === 1 ? { json: { ...OPEN, step: 2, step_count: 7 } } : problem(404, 'NOT_FOUND')), undefined, /The time of the capture is over[^]*Not every step/],
    ['ended', () => problem(409, 'CAPTURE_ENDED'), undefined, /The capture has ended/],
    ['a state', () => ({ json: { ...OPEN, state: 'ended', prompt: null } }), undefined, /The capture has ended/],
    ['no store', () => far, problem(404, 'NOT_FOUND'), /has no store/],
    ['a limit', () => far, problem(429, 'RATE_LIMIT_EXCEEDED', { scope: 'captures_person', retry_after_seconds: 80 }), /too many captures[^]*80 seconds/],
    ['a proxy', () => ({ status: 404, body: '<html>' }), undefined, /does not have this route/],
    ['a fault', () => problem(500, 'INTERNAL_SERVER_ERROR'), undefined, /A fault of the service/],
  ];
  await table(rows, async (name, frames, begun, expected) => {
    const { page, sound, close, answer } = await replaced(true, {}, frames, begun);
    try {
      await begin(page);
      await answer.locator('.verdict').waitFor();
      assert.match(await answer.innerText(), expected);
      assert.doesNotMatch(await answer.innerText(), /undefined|another version than this page\. Reload[^]*NOT_FOUND/);
      assert.equal(await focused(page), 'people-answer');
      assert.equal(await page.locator('video').count(), 0);
      if (name === 'expired') await sound('capture-expired');
      await page.unrouteAll({ behavior: 'ignoreErrors' });
      await answer.getByRole('button', { name: 'Begin again' }).click();
      await page.locator('#capture .camera').waitFor();
      await page.getByRole('button', { name: 'Close the camera' }).click();
    } finally {
      await close();
    }
  });
});

test('a picture that does not change is sent once, and the person hears that the camera is covered', async () => {
  const { page, sound, close, answer, seen } = await replaced(false, { viewport: { width: 360, height: 740 } }, () => ({ json: { ...OPEN, advice: 'show_face' } }));
  await begin(page);
  await page.locator('#capture .step').getByText('Come into the oval').waitFor();
  await page.locator('.progress').getByText('The camera’s picture does not change. Is it covered?').waitFor();
  await answer.getByText('The camera’s picture does not change').waitFor();
  assert.equal(seen.sent, 1, 'frames that were sent');
  assert.ok(await answer.getByRole('button', { name: 'Begin again' }).isVisible());
  await sound('camera-covered');
  await close();
});

test('a photograph of a complete capture that is refused offers another capture', async () => {
  const complete = { json: { ...OPEN, state: 'complete', prompt: null, best_frame: 1, frame_count: 1, answer_sha256: null } };
  const { page, sound, close, answer } = await replaced(true, {}, () => complete);
  await page.route('**/api/v1/liveness', (route) => route.fulfill(problem(403, 'CAPTURE_REFUSED')));
  await begin(page);
  await answer.getByText('The capture does not count').waitFor();
  assert.equal(await answer.getByLabel('API key').count(), 0);
  await sound('capture-refused');
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await answer.getByRole('button', { name: 'Begin again' }).click();
  await page.locator('#capture .camera').waitFor();
  await close();
});
