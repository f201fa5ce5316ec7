// A capture session: the service prompts, the person follows, and the best frame counts once. Never more than one
// request is under way. The frames of holds lie in memory until the session ends.

import { announce, el, fixed } from './dom.js';
import { ask, Problem } from './api.js';
import { NoCamera } from './camera.js';
import { SENT, copy, file, grab, guide, viewfinder } from './film.js';
import { over, prompted } from './guidance.js';

const wait = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });

/** Milliseconds of the same picture after which a person is told, and after which the camera counts as frozen. */
const [STILL, FROZEN] = [2_000, 10_000];

/** Waits for the next picture of the camera, at most half a second. */
const next = (video) => Promise.race([new Promise((done) => { video.requestVideoFrameCallback?.(done) ?? setTimeout(done, 50); }), wait(500)]);

const alike = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);

/**
 * The panel of a capture for a purpose and perhaps a person. `done(capture, file)` gets the complete capture and its best
 * frame, `ended` a title and lines if the session ended, `failed` gets a problem or a lost camera, `leave` closes the panel.
 */
export async function capture(bound, { done, ended, failed, leave }) {
  let running = true;
  const { video, stop, overlay, step, say, film } = await viewfinder({ lost: (error) => running && failed(error), replaced: () => running && leave() });
  const progress = el('p', { class: 'hint progress' }, 'The session begins …');
  const speed = el('p', { class: 'hint speed' });
  const leaving = el('button', { type: 'button', onclick: () => leave() }, 'Close the camera');
  const element = el('div', { class: 'camera' }, film, el('div', { class: 'guide' }, step, progress, speed), el('div', { class: 'buttons' }, leaving));
  const frames = new Map();
  let last = [];

  function close() {
    running = false;
    stop();
  }

  function show(answer, delay) {
    const words = prompted(answer);
    if (words) say(words);
    step.dataset.prompt = answer.prompt ?? '';
    progress.textContent = answer.step ? `Step ${answer.step} of ${answer.step_count}` : 'The first step begins when the face is in place.';
    if (delay) speed.textContent = `${answer.frame_count} frames, delay ${fixed(delay, 0)} ms`;
    if (answer.image_dimensions) guide(overlay, answer, !answer.advice);
  }

  /** The next picture as a file, with other bytes than the last one: the service takes no picture twice. */
  async function picture() {
    for (const since = performance.now(); running;) {
      await next(video);
      if (!running) break;
      const canvas = grab(video);
      const found = await file(copy(canvas, [canvas.width, canvas.height], SENT), 0.92);
      const bytes = new Uint8Array(await found.arrayBuffer());
      if (!alike(bytes, last)) {
        last = bytes;
        return found;
      }
      const still = performance.now() - since;
      if (still > FROZEN) throw new NoCamera('frozen');
      if (still > STILL) progress.textContent = 'The camera’s picture does not change. Is it covered?';
    }
    return null;
  }

  /** Sends the next frame; returns the answer, or the one before if no core was free. */
  async function follow(before) {
    const sent = await picture();
    if (!running) return before;
    const begun = performance.now();
    try {
      const answer = await ask('POST', `api/v1/captures/${before.capture_id}/frames`, { file: sent, previous: before.answer_sha256 });
      // Only frames of holds can count.
      if (before.prompt === 'look_straight') frames.set(answer.frame_count, sent);
      if (running) show(answer, performance.now() - begun);
      return answer;
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'OVERLOADED') throw error;
      progress.textContent = 'The service is busy: fewer frames for now.';
      await wait(1000 * (error.body.retry_after_seconds ?? 1));
      return before;
    }
  }

  async function run() {
    let answer = {};
    try {
      answer = await ask('POST', 'api/v1/captures', bound);
      show(answer);
      while (running && answer.state === 'open') answer = await follow(answer);
      if (!running) return;
      close();
      if (answer.state === 'complete') done(answer, frames.get(answer.best_frame));
      else ended(over(answer, false));
    } catch (error) {
      if (!running) return;
      close();
      if (answer.capture_id && ['CAPTURE_ENDED', 'NOT_FOUND'].includes(error.code)) ended(over(answer, error.code === 'NOT_FOUND'));
      else failed(error);
    }
  }

  return {
    element,
    close,
    begin() {
      video.play().catch(() => {});
      leaving.focus();
      announce('The camera is on. Follow the words under the picture.');
      run();
    },
  };
}
