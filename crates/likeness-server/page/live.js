// The live camera: frames as fast as the service answers, never more than one request under way. The service finds the
// face and advises; once a second both liveness networks judge; a hold is several judged frames, of which the sharpest
// is kept. Frames lie in memory only.

import { el, announce, fixed } from './dom.js';
import { ask, Problem } from './api.js';
import { SENT, copy, file, grab, guide, viewfinder } from './film.js';
import { guidance, sharpness, together } from './guidance.js';

/** Milliseconds between judgements. */
const BETWEEN = 1000;
/** Frames in place before a hold, and the frames of a hold. */
const [STEADY, FRAMES] = [3, 5];

const wait = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });

/** How sharp the part of a picture is that has the face, given in parts of its sides. */
function sharp(canvas, { left, top, width, height }) {
  const [x, y] = [left * canvas.width, top * canvas.height].map((at) => Math.max(0, Math.floor(at)));
  const [w, h] = [Math.min(width * canvas.width, canvas.width - x), Math.min(height * canvas.height, canvas.height - y)].map((side) => Math.max(3, Math.floor(side)));
  const { data } = canvas.getContext('2d').getImageData(x, y, w, h);
  const grey = new Float32Array(w * h);
  for (let at = 0; at < grey.length; at += 1) grey[at] = 0.299 * data[4 * at] + 0.587 * data[4 * at + 1] + 0.114 * data[4 * at + 2];
  return sharpness(grey, w);
}

/** What several frames say, in words. */
function said(frames, { median, least, most }) {
  if (frames.length === 1) return 'One frame of the camera.';
  if (!median) return `${frames.length} frames. Liveness was not judged. The sharpest frame is shown and examined.`;
  const live = frames.filter(({ verdict }) => verdict === 'live').length;
  return `${frames.length} frames: live in ${live}. Live probability: middle ${fixed(median.probability)} (${median.verdict}), from ${fixed(least.probability)} to ${fixed(most.probability)}. The sharpest frame is shown and examined.`;
}

/** The camera's panel; `done(file, series)` gets the frame that is kept, `failed` a lost camera, `leave` the closed one. */
export async function live({ done, failed, leave }) {
  let running = true;
  const { video, stop, overlay, step, say, film } = await viewfinder({ lost: (error) => running && failed(error), replaced: () => running && leave() });
  const state = el('p', { class: 'hint live-state' }, 'Liveness: not judged yet');
  const speed = el('p', { class: 'hint speed' });
  const take = el('button', { type: 'button', class: 'primary', onclick: () => keep([{ canvas: grab(video), sharp: 0, probability: null }]) }, 'Take the picture');
  const element = el('div', { class: 'camera' }, film, el('div', { class: 'guide' }, step, state, speed), el('div', { class: 'buttons' }, take, el('button', { type: 'button', onclick: leave }, 'Close the camera')));
  const looks = [];
  let [box, judgedAt, steady, judge, asked] = [null, 0, 0, true, null];

  function close() {
    running = false;
    stop();
  }

  /** One answer from these frames. */
  async function keep(frames) {
    const { sharpest, median } = together(frames);
    close();
    const words = said(frames, together(frames));
    const kept = await file(sharpest.canvas, 0.95);
    // A request may still be under way where a person took the picture.
    await asked?.catch(() => {});
    done(kept, { words, median });
  }

  function measured(begun) {
    const now = performance.now();
    looks.push([now, now - begun]);
    while (looks[0][0] < now - 2000) looks.shift();
    const delays = looks.map(([, delay]) => delay).sort((a, b) => a - b);
    speed.textContent = `${fixed(looks.length / Math.min(2, Math.max(0.5, (now - looks[0][0]) / 1000 || 0.5)), 1)} frames a second, delay ${fixed(delays[delays.length >> 1], 0)} ms`;
  }

  /** Asks about the frame that the video shows now; both liveness networks judge it if `judged`. */
  async function look(judged) {
    const begun = performance.now();
    const canvas = grab(video);
    const sent = await file(copy(canvas, [canvas.width, canvas.height], SENT), 0.92);
    if (judged) judgedAt = begun;
    asked = ask('POST', 'api/v1/frames', { file: sent, liveness: judged && 'true' });
    const answer = await asked;
    if (!running) return null;
    measured(begun);
    const next = guidance(answer, box);
    box = answer.face?.bounding_box ?? null;
    guide(overlay, answer, next.code === 'ready');
    const { verdict, live_probability: probability = null } = answer.liveness ?? {};
    if (verdict) state.textContent = `Liveness now: ${verdict}, live probability ${fixed(probability)}`;
    const { width, height } = answer.image_dimensions;
    const part = box && { left: box.x / width, top: box.y / height, width: box.width / width, height: box.height / height };
    return { next, frame: part && { canvas, sharp: sharp(canvas, part), probability, verdict } };
  }

  /** Several frames of a face that stays in place; null if it does not. */
  async function hold() {
    const frames = [];
    while (running && frames.length < FRAMES) {
      say(`Hold still: ${frames.length + 1} of ${FRAMES}`);
      const seen = await look(judge);
      if (!seen || !['ready', 'hold_still'].includes(seen.next.code) || (judge && !seen.frame.verdict)) return null;
      frames.push(seen.frame);
    }
    return running ? frames : null;
  }

  async function turn() {
    const seen = await look(judge && box !== null && performance.now() - judgedAt > BETWEEN);
    if (!seen) return;
    say(seen.next.text);
    steady = seen.next.code === 'ready' ? steady + 1 : 0;
    if (steady < STEADY || (judge && !judgedAt)) return;
    steady = 0;
    const frames = await hold();
    if (frames) await keep(frames);
  }

  async function loop() {
    while (running) {
      try {
        await turn();
      } catch (error) {
        if (!running) return;
        if (!(error instanceof Problem) || [401, 403].includes(error.status)) return failed(error);
        if (judge && error.code === 'MODEL_UNAVAILABLE') {
          judge = false;
          state.textContent = 'Liveness can’t be judged: a network is missing';
          continue;
        }
        const { retry_after_seconds: seconds } = error.body;
        state.textContent = error.code === 'OVERLOADED' ? 'The service is busy: fewer frames for now.' : 'The service does not answer as it should. Trying again …';
        await wait(1000 * (seconds ?? 1));
      }
    }
    return undefined;
  }

  return {
    element,
    close,
    begin() {
      video.play().catch(() => {});
      take.focus();
      announce('The camera is on.');
      loop();
    },
  };
}
