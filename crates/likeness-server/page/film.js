// The camera's picture on the page: the video with what is drawn over it, and its frames as smaller copies and files.

import { el, svg } from './dom.js';
import { NoCamera, only, start } from './camera.js';
import { marks } from './faces.js';
import { oval } from './guidance.js';

/** Longer sides of a frame that is sent, and of the one that is kept, in pixels. */
export const [SENT, KEPT] = [640, 1280];

/** The widest shape of a frame: in a wider one, a face that is large enough has too little around it. */
const WIDEST = 4 / 3;

/**
 * Starts the camera, and closes the one that was open before. `step` shows what to do. `lost` is called if the camera ends,
 * and `replaced` if another one starts.
 */
export async function viewfinder({ lost, replaced }) {
  only();
  const video = el('video', { playsinline: true, 'aria-label': 'What the camera sees' });
  video.muted = true;
  const stop = await start(video);
  const overlay = svg('svg', { class: 'overlay', 'aria-hidden': 'true' });
  const step = el('p', { class: 'step', role: 'status' }, 'Come into the oval');
  const say = (text) => { if (step.textContent !== text) step.textContent = text; };
  for (const track of video.srcObject.getTracks()) track.addEventListener('ended', () => lost(new NoCamera('busy')));
  only(replaced);
  return { video, stop, overlay, step, say, film: el('div', { class: 'film' }, video, overlay) };
}

/** A copy of the middle of what a video or a canvas shows, with this longer side at most. */
export function copy(source, [whole, height], most) {
  if (!whole || !height) throw new NoCamera('failed');
  const width = Math.min(whole, Math.round(height * WIDEST));
  const scale = Math.min(1, most / Math.max(width, height));
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
  canvas.getContext('2d', { willReadFrequently: true }).drawImage(source, (whole - width) / 2, 0, width, height, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** The frame that a video shows now. */
export const grab = (video) => copy(video, [video.videoWidth, video.videoHeight], KEPT);

/** A picture as a JPEG file. */
export async function file(canvas, quality) {
  const blob = await new Promise((done) => { canvas.toBlob(done, 'image/jpeg', quality); });
  if (!blob) throw new NoCamera('failed');
  return new File([blob], 'camera.jpg', { type: 'image/jpeg' });
}

/** Draws the oval, and the face of the last answer. */
export function guide(overlay, { image_dimensions: size, face }, ready) {
  const { x, y, across, down } = oval(size.width, size.height);
  overlay.setAttribute('viewBox', `0 0 ${size.width} ${size.height}`);
  const faces = face ? marks(face, true, Math.max(size.width, size.height)) : [];
  overlay.replaceChildren(svg('ellipse', { cx: x, cy: y, rx: across, ry: down, class: ready ? 'oval ready' : 'oval' }), ...faces);
}
