// A place for a photograph: chosen, dropped, taken by the camera, or the sample.

import { el, svg, announce } from './dom.js';
import { NoCamera, picture, start } from './camera.js';

const KINDS = ['image/jpeg', 'image/png', 'image/webp'];

/** Builds a slot; `changed(file or null)` is called on each change. `words` has its title, its hint and whether it offers the sample. */
export function slot(root, words, changed) {
  let stop = null;
  let address = null;

  const input = el('input', { type: 'file', accept: KINDS.join(','), class: 'visually-hidden', id: `${root.dataset.slot}-input`, onchange: () => input.files[0] && take(input.files[0]) });
  const choose = el('label', { class: words.sample ? 'button primary' : 'button', for: input.id }, 'Choose a file');
  const camera = el('button', { type: 'button', onclick: open }, 'Use the camera');
  const sample = words.sample && el('button', { type: 'button', onclick: trySample }, 'Try a sample');
  const buttons = el('div', { class: 'buttons' }, input, choose, camera, sample);
  const note = el('div', { class: 'note', role: 'alert' });
  const empty = el('div', { class: 'empty' }, el('p', { class: 'slot-title' }, words.title), el('p', { class: 'hint' }, words.hint), buttons);
  const stage = el('div', { class: 'stage' });
  root.append(empty, stage, note);

  for (const kind of ['dragenter', 'dragover']) root.addEventListener(kind, (event) => { event.preventDefault(); root.classList.add('over'); });
  for (const kind of ['dragleave', 'drop']) root.addEventListener(kind, () => root.classList.remove('over'));
  root.addEventListener('drop', (event) => {
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) take(file);
  });

  function tell(title, advice) {
    note.replaceChildren(...(title ? [el('strong', {}, title), el('span', {}, advice)] : []));
  }

  function close() {
    stop?.();
    stop = null;
  }

  function show(...children) {
    empty.hidden = children.length > 0;
    stage.replaceChildren(...children);
  }

  function clear() {
    close();
    if (address) URL.revokeObjectURL(address);
    address = null;
    input.value = '';
    tell();
    show();
  }

  function take(file) {
    if (!KINDS.includes(file.type)) {
      tell('This is no photograph that can be read', 'JPEG, PNG and WebP can.');
      return;
    }
    clear();
    address = URL.createObjectURL(file);
    const image = el('img', { src: address, alt: words.alt });
    const overlay = svg('svg', { class: 'overlay', 'aria-hidden': 'true' });
    const faces = el('p', { class: 'hint faces' }, 'Looking …');
    const remove = el('button', { type: 'button', class: 'small', onclick: () => { clear(); changed(null); choose.control.focus(); } }, 'Remove');
    show(el('figure', {}, el('div', { class: 'picture' }, image, overlay), el('figcaption', {}, faces, remove)));
    changed(file);
  }

  async function open() {
    tell();
    camera.disabled = true;
    announce('The browser asks whether this page may use the camera.');
    const video = el('video', { playsinline: true, muted: true, 'aria-label': 'What the camera sees' });
    video.muted = true;
    try {
      stop = await start(video);
    } catch (error) {
      refused(error);
      return;
    } finally {
      camera.disabled = false;
    }
    const snap = el('button', { type: 'button', class: 'primary', onclick: () => picture(video).then(take, refused) }, 'Take the picture');
    const leave = el('button', { type: 'button', onclick: () => { clear(); camera.focus(); } }, 'Close the camera');
    show(el('div', { class: 'camera' }, video, el('div', { class: 'buttons' }, snap, leave)));
    snap.focus();
    announce('The camera is on.');
  }

  function refused(error) {
    clear();
    const reason = error instanceof NoCamera ? error : new NoCamera('failed');
    note.dataset.state = reason.state;
    tell(reason.message, reason.advice);
  }

  async function trySample() {
    const response = await fetch('page/sample.jpg').catch(() => null);
    if (!response?.ok) {
      tell('The sample did not arrive', 'Is the service still running?');
      return;
    }
    take(new File([await response.blob()], 'sample.jpg', { type: 'image/jpeg' }));
  }

  /** Draws what was found, or clears what was drawn. */
  function draw(seen) {
    const overlay = stage.querySelector('svg.overlay');
    const faces = stage.querySelector('.faces');
    if (!overlay) return;
    overlay.replaceChildren();
    if (!seen) {
      faces.textContent = '';
      return;
    }
    const { width, height } = seen.image_dimensions;
    const [wide, high] = seen.rotated % 180 ? [height, width] : [width, height];
    overlay.setAttribute('viewBox', `0 0 ${wide} ${high}`);
    const drawn = svg('g', { transform: asSent(seen.rotated, width, height) });
    drawn.append(...seen.liveness?.networks.map((network) => frame(network.area, 'area')) ?? []);
    for (const face of seen.faces) drawn.append(...marks(face, face.face_id === seen.subject, Math.max(width, height)));
    overlay.append(drawn);
    faces.textContent = counted(seen);
  }

  return { take, draw };
}

/** From the turned photograph, of this width and height, to the photograph as it was sent. */
const asSent = (rotated, width, height) => ({
  90: `matrix(0 -1 1 0 0 ${width})`,
  180: `matrix(-1 0 0 -1 ${width} ${height})`,
  270: `matrix(0 1 -1 0 ${height} 0)`,
})[rotated] ?? '';

const frame = ({ x, y, width, height }, kind) => svg('rect', { x, y, width, height, class: kind, rx: Math.min(width, height) / 40 });

function marks(face, counts, side) {
  const points = Object.values(face.landmarks).filter(Boolean);
  const dots = points.map(([cx, cy]) => svg('circle', { cx, cy, r: side / 190, class: 'landmark' }));
  return [frame(face.bounding_box, counts ? 'face' : 'face other'), ...dots];
}

function counted(seen) {
  const { width, height } = seen.image_dimensions;
  const faces = seen.faces.length === 1 ? '1 face' : `${seen.faces.length} faces`;
  const box = seen.subject == null ? null : seen.faces[seen.subject].bounding_box;
  const where = box ? `, ${box.width} × ${box.height} at ${box.x}, ${box.y}` : '';
  const turned = seen.rotated ? ` · turned by ${seen.rotated} degrees` : '';
  return `${faces}${where} · ${width} × ${height} pixels${turned}`;
}
