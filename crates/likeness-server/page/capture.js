// A capture session: the service prompts, the person follows, and the best frame counts once. Never more than one
// request is under way. The frames of holds lie in memory until the session ends.

import { announce, el, fixed } from './dom.js';
import { ask, Problem } from './api.js';
import { SENT, copy, file, grab, guide, viewfinder } from './film.js';
import { prompted } from './guidance.js';

const wait = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });

/** The next picture of the camera: no picture is sent twice. */
const fresh = (video) => Promise.race([new Promise((done) => { video.requestVideoFrameCallback?.(done) ?? setTimeout(done, 50); }), wait(500)]);

/**
 * The panel of a capture for a purpose and perhaps a person. `done(capture, file)` gets the complete capture and its best
 * frame, `ended` is called if the session ended, `failed` gets a problem or a lost camera, `leave` closes the panel.
 */
export async function capture(bound, { done, ended, failed, leave }) {
  let running = true;
  const { video, stop, overlay, step, say, film } = await viewfinder({ lost: (error) => running && failed(error), replaced: () => running && leave() });
  const progress = el('p', { class: 'hint progress' }, 'The session begins …');
  const speed = el('p', { class: 'hint speed' });
  const leaving = el('button', { type: 'button', onclick: () => leave() }, 'Close the camera');
  const element = el('div', { class: 'camera' }, film, el('div', { class: 'guide' }, step, progress, speed), el('div', { class: 'buttons' }, leaving));
  const frames = new Map();

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

  /** Sends the next frame; returns the answer, or the one before if no core was free. */
  async function follow(before) {
    await fresh(video);
    if (!running) return before;
    const canvas = grab(video);
    const sent = await file(copy(canvas, [canvas.width, canvas.height], SENT), 0.92);
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
    try {
      let answer = await ask('POST', 'api/v1/captures', bound);
      show(answer);
      while (running && answer.state === 'open') answer = await follow(answer);
      if (!running) return;
      close();
      if (answer.state === 'complete') done(answer, frames.get(answer.best_frame));
      else ended();
    } catch (error) {
      if (!running) return;
      close();
      if (error.code === 'CAPTURE_ENDED') ended();
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
