// The live camera: looks as fast as the service answers, never more than one request under way. A look at 320 pixels
// finds the face; once a second both liveness networks judge; a hold is several judged frames, of which the sharpest
// is kept. Frames lie in memory only.

import { el, svg, announce, fixed } from './dom.js';
import { ask, Problem } from './api.js';
import { NoCamera, start } from './camera.js';
import { marks } from './faces.js';
import { guidance, oval, reasonOf, sharpness, together } from './guidance.js';

/** Longer sides of a look and of a judged frame, in pixels. */
const [LOOK, JUDGED] = [320, 960];
/** Milliseconds between judgements, and how long a reason counts. */
const [BETWEEN, FRESH] = [1000, 2500];
/** Looks in place before a hold, and the frames of a hold. */
const [STEADY, FRAMES] = [3, 5];

const wait = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });

/** The picture that the video shows now, with this longer side at most. */
function grab(video, most) {
  const { videoWidth: width, videoHeight: height } = video;
  if (!width || !height) throw new NoCamera('failed');
  const scale = Math.min(1, most / Math.max(width, height));
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
  canvas.getContext('2d', { willReadFrequently: true }).drawImage(video, 0, 0, canvas.width, canvas.height);
  return canvas;
}

async function file(canvas, quality) {
  const blob = await new Promise((done) => { canvas.toBlob(done, 'image/jpeg', quality); });
  if (!blob) throw new NoCamera('failed');
  return new File([blob], 'camera.jpg', { type: 'image/jpeg' });
}

/** How sharp the part of a picture is that has the face, given in parts of its sides. */
function sharp(canvas, { left, top, width, height }) {
  const [x, y] = [left * canvas.width, top * canvas.height].map((at) => Math.max(0, Math.floor(at)));
  const [w, h] = [Math.min(width * canvas.width, canvas.width - x), Math.min(height * canvas.height, canvas.height - y)].map((side) => Math.max(3, Math.floor(side)));
  const { data } = canvas.getContext('2d').getImageData(x, y, w, h);
  const grey = new Float32Array(w * h);
  for (let at = 0; at < grey.length; at += 1) grey[at] = 0.299 * data[4 * at] + 0.587 * data[4 * at + 1] + 0.114 * data[4 * at + 2];
  return sharpness(grey, w);
}

/** The camera's panel; `done(file, series)` gets the frame that is kept, `failed` a lost camera, `leave` the closed one. */
export async function live({ done, failed, leave }) {
  const video = el('video', { playsinline: true, 'aria-label': 'What the camera sees' });
  video.muted = true;
  const stop = await start(video);
  let running = true;
  const overlay = svg('svg', { class: 'overlay', 'aria-hidden': 'true' });
  const step = el('p', { class: 'step', role: 'status' }, 'Come into the oval');
  const state = el('p', { class: 'hint live-state' }, 'Liveness: not judged yet');
  const speed = el('p', { class: 'hint speed' });
  const take = el('button', { type: 'button', class: 'primary', onclick: () => keep([{ canvas: grab(video, 1280), sharp: 0, probability: null }]) }, 'Take the picture');
  const element = el('div', { class: 'camera' }, el('div', { class: 'film' }, video, overlay), el('div', { class: 'guide' }, step, state, speed), el('div', { class: 'buttons' }, take, el('button', { type: 'button', onclick: leave }, 'Close the camera')));
  const looks = [];
  let [box, reason, judgedAt, steady, judge] = [null, null, 0, 0, true];

  function close() {
    running = false;
    stop();
  }

  /** One answer from these frames. */
  async function keep(frames) {
    const { sharpest, median, least, most } = together(frames);
    close();
    const live = frames.filter(({ verdict }) => verdict === 'live').length;
    const words = median ? `${frames.length} frames: live in ${live}. Live probability: middle ${fixed(median.probability)} (${median.verdict}), from ${fixed(least.probability)} to ${fixed(most.probability)}. The sharpest frame is shown and examined.` : 'One frame of the camera.';
    done(await file(sharpest.canvas, 0.95), { words, median });
  }

  function say(text) {
    if (step.textContent !== text) step.textContent = text;
  }

  /** Draws the oval, and the faces of the last look. */
  function draw(size, faces, ready) {
    const { x, y, across, down } = oval(size.width, size.height);
    overlay.setAttribute('viewBox', `0 0 ${size.width} ${size.height}`);
    overlay.replaceChildren(svg('ellipse', { cx: x, cy: y, rx: across, ry: down, class: ready ? 'oval ready' : 'oval' }), ...faces.flatMap((face, at) => marks(face, at === 0, Math.max(size.width, size.height))));
  }

  function measured(begun) {
    const now = performance.now();
    looks.push([now, now - begun]);
    while (looks[0][0] < now - 2000) looks.shift();
    const delays = looks.map(([, delay]) => delay).sort((a, b) => a - b);
    speed.textContent = `${fixed(looks.length / Math.min(2, Math.max(0.5, (now - looks[0][0]) / 1000 || 0.5)), 1)} looks a second, delay ${fixed(delays[delays.length >> 1], 0)} ms`;
  }

  /** A small picture is searched for faces. */
  async function look() {
    const begun = performance.now();
    const canvas = grab(video, LOOK);
    const answer = await ask('POST', 'api/v1/faces/detect-all', { file: await file(canvas, 0.85), max_faces: 5 });
    if (!running) return null;
    measured(begun);
    const fresh = performance.now() - judgedAt < FRESH ? reason : null;
    const next = guidance(answer.faces, answer.image_dimensions, box, fresh);
    box = answer.faces[0]?.bounding_box ?? null;
    draw(answer.image_dimensions, answer.faces, next.code === 'ready');
    const { width, height } = answer.image_dimensions;
    return { next, part: box && { left: box.x / width, top: box.y / height, width: box.width / width, height: box.height / height } };
  }

  /** Both liveness networks judge a larger picture. */
  async function judged(part) {
    const canvas = grab(video, JUDGED);
    judgedAt = performance.now();
    try {
      const answer = await ask('POST', 'api/v1/liveness', { file: await file(canvas, 0.92) });
      reason = reasonOf(answer);
      state.textContent = `Liveness now: ${answer.verdict}, live probability ${fixed(answer.live_probability)}`;
      return { canvas, sharp: sharp(canvas, part), probability: answer.live_probability, verdict: answer.verdict };
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.code === 'MODEL_UNAVAILABLE') {
        judge = false;
        state.textContent = 'Liveness can’t be judged: a network is missing';
        return { canvas, sharp: sharp(canvas, part), probability: null };
      }
      reason = reasonOf(error.body);
      if (!reason) throw error;
      return null;
    }
  }

  /** Several frames of a face that stays in place; null if it does not. */
  async function hold() {
    const frames = [];
    while (running && frames.length < FRAMES) {
      say(`Hold still: ${frames.length + 1} of ${FRAMES}`);
      const seen = await look();
      if (!seen || !['ready', 'still'].includes(seen.next.code)) return null;
      const frame = await judged(seen.part);
      if (!frame) return null;
      frames.push(frame);
    }
    return running ? frames : null;
  }

  async function turn() {
    const seen = await look();
    if (!seen) return;
    const { next, part } = seen;
    say(next.text);
    steady = next.code === 'ready' ? steady + 1 : 0;
    if (judge && part && !['nobody', 'several', 'closer'].includes(next.code) && performance.now() - judgedAt > BETWEEN) await judged(part);
    if (!running || steady < STEADY || (judge && !judgedAt)) return;
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
        if (!(error instanceof Problem) || error.status === 401) return failed(error);
        const { retry_after_seconds: seconds } = error.body;
        state.textContent = error.code === 'OVERLOADED' ? 'The service is busy: fewer looks for now.' : 'The service does not answer as it should. Trying again …';
        await wait(1000 * (seconds ?? 1));
      }
    }
    return undefined;
  }

  for (const track of video.srcObject.getTracks()) track.addEventListener('ended', () => running && failed(new NoCamera('busy')));
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
