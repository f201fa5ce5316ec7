// What was found, drawn over a photograph, and the choice of one face of several: the photograph is cut to that face,
// and only the cut is sent.

import { el, svg } from './dom.js';

/** From the turned photograph, of this width and height, to the photograph as it was sent. */
const asSent = (rotated, width, height) => ({
  90: `matrix(0 -1 1 0 0 ${width})`,
  180: `matrix(-1 0 0 -1 ${width} ${height})`,
  270: `matrix(0 1 -1 0 ${height} 0)`,
})[rotated] ?? '';

const frame = ({ x, y, width, height }, kind) => svg('rect', { x, y, width, height, class: kind, rx: Math.min(width, height) / 40 });

/** A face's box and landmarks. */
export function marks(face, counts, side) {
  const points = Object.values(face.landmarks).filter(Boolean);
  const dots = points.map(([cx, cy]) => svg('circle', { cx, cy, r: side / 190, class: 'landmark' }));
  return [frame(face.bounding_box, counts ? 'face' : 'face other'), ...dots];
}

/** Draws an answer over its photograph. */
export function draw(overlay, seen) {
  const { width, height } = seen.image_dimensions;
  const [wide, high] = seen.rotated % 180 ? [height, width] : [width, height];
  overlay.setAttribute('viewBox', `0 0 ${wide} ${high}`);
  const drawn = svg('g', { transform: asSent(seen.rotated, width, height) });
  drawn.append(...seen.liveness?.networks.map((network) => frame(network.area, 'area')) ?? []);
  for (const face of seen.faces) drawn.append(...marks(face, face.face_id === seen.subject, Math.max(width, height)));
  overlay.replaceChildren(drawn);
}

/** Where a box lies in the photograph as it was sent, in parts of its sides. */
export function place({ x, y, width, height }, { image_dimensions: size, rotated }) {
  const [left, top, right, bottom] = [x / size.width, y / size.height, (x + width) / size.width, (y + height) / size.height];
  const [a, b] = { 0: [[left, top], [right, bottom]], 90: [[top, 1 - right], [bottom, 1 - left]], 180: [[1 - right, 1 - bottom], [1 - left, 1 - top]], 270: [[1 - bottom, left], [1 - top, right]] }[rotated ?? 0];
  return { left: a[0], top: a[1], width: b[0] - a[0], height: b[1] - a[1] };
}

/** Buttons over the faces of a photograph with several; `chosen` is called with the face's number. */
export function choices(seen, chosen) {
  if (seen.faces.length < 2) return [];
  return seen.faces.map((face, at) => {
    const counts = face.face_id === seen.subject;
    const button = el('button', { type: 'button', class: 'choose', 'aria-pressed': String(counts), 'aria-label': `Face ${at + 1} of ${seen.faces.length}${counts ? ', which counts' : ': let this one count'}`, onclick: () => chosen(at) });
    for (const [property, part] of Object.entries(place(face.bounding_box, seen))) button.style.setProperty(property, `${part * 100}%`);
    return button;
  });
}

/** The part of a photograph around one face that shows no other face: at most five boxes wide and high. */
export function part(face, others, { width, height }) {
  const { x, y, width: w, height: h } = face;
  const cut = { left: Math.max(0, x - 2 * w), top: Math.max(0, y - 2 * h), right: Math.min(width, x + 3 * w), bottom: Math.min(height, y + 3 * h) };
  for (const other of others) {
    const box = { left: other.x, top: other.y, right: other.x + other.width, bottom: other.y + other.height };
    if (box.left >= cut.right || box.right <= cut.left || box.top >= cut.bottom || box.bottom <= cut.top) continue;
    // Of the four ways to leave it out, the one that leaves most, and all of the chosen face as far as both are apart.
    const ways = [['left', Math.min(box.right, x)], ['right', Math.max(box.left, x + w)], ['top', Math.min(box.bottom, y)], ['bottom', Math.max(box.top, y + h)]];
    const left = ways.map(([side, at]) => ({ ...cut, [side]: side === 'left' || side === 'top' ? Math.max(cut[side], at) : Math.min(cut[side], at) }))
      .map((one) => [one, (one.right - one.left) * (one.bottom - one.top)])
      .filter(([one]) => box.left >= one.right || box.right <= one.left || box.top >= one.bottom || box.bottom <= one.top);
    if (left.length) Object.assign(cut, left.reduce((best, one) => (one[1] > best[1] ? one : best))[0]);
  }
  return cut;
}

/** Cuts a photograph to one of its faces. */
export async function cutTo(image, seen, at) {
  const { width, height } = seen.image_dimensions;
  const boxes = seen.faces.map((face) => face.bounding_box);
  const { left, top, right, bottom } = part(boxes[at], boxes.filter((_, other) => other !== at), { width, height });
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(right - left);
  canvas.height = Math.round(bottom - top);
  const context = canvas.getContext('2d');
  context.translate(-left, -top);
  const scale = image.naturalWidth / (seen.rotated % 180 ? height : width);
  // The photograph turned as the service turned it.
  context.translate(width / 2, height / 2);
  context.rotate((seen.rotated * Math.PI) / 180);
  context.scale(1 / scale, 1 / scale);
  context.drawImage(image, -image.naturalWidth / 2, -image.naturalHeight / 2);
  const blob = await new Promise((done) => { canvas.toBlob(done, 'image/png'); });
  return new File([blob], `face-${at + 1}.png`, { type: 'image/png' });
}

/** How many faces, and where the one that counts is. */
export function counted(seen) {
  const { width, height } = seen.image_dimensions;
  const faces = seen.faces.length === 1 ? '1 face' : `${seen.faces.length} faces`;
  const box = seen.subject == null ? null : seen.faces[seen.subject].bounding_box;
  const where = box ? `, ${box.width} × ${box.height} at ${box.x}, ${box.y}` : '';
  const turned = seen.rotated ? ` · turned by ${seen.rotated} degrees` : '';
  const choose = seen.faces.length > 1 ? ' · click a face to choose it' : '';
  return `${faces}${where} · ${width} × ${height} pixels${turned}${choose}`;
}
