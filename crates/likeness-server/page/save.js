// A result to keep or to pass on: as JSON, as a picture, or on paper. Made here, from what the page shows.

import { fixed } from './dom.js';
import { place } from './faces.js';
import { sentence, verdict } from './verdict.js';

function download(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/** The answer, whole, as JSON. */
export const asJson = (answer, name = 'likeness.json') => download(new Blob([JSON.stringify(answer, null, 2)], { type: 'application/json' }), name);

async function loaded(source) {
  const image = new Image();
  image.src = source;
  await image.decode();
  return image;
}

const [WIDE, SIDE, EDGE] = [1200, 520, 40];

/** The text in lines of at most this width. */
function lines(context, text, most) {
  const found = [''];
  for (const word of text.split(' ')) {
    const longer = `${found.at(-1)} ${word}`.trim();
    if (context.measureText(longer).width > most) found.push(word);
    else found[found.length - 1] = longer;
  }
  return found;
}

/** A photograph with its box, and its crops below. */
async function draw(context, seen, file, left, top) {
  const image = await createImageBitmap(file);
  const scale = Math.min(SIDE / image.width, SIDE / image.height);
  const [width, height] = [image.width * scale, image.height * scale];
  context.drawImage(image, left, top, width, height);
  if (seen.subject != null) {
    const box = place(seen.faces[seen.subject].bounding_box, seen);
    context.strokeStyle = '#fff';
    context.lineWidth = 3;
    context.strokeRect(left + box.left * width, top + box.top * height, box.width * width, box.height * height);
  }
  const crops = [seen.embedder?.face, ...seen.liveness?.networks.map(({ crop }) => crop) ?? []].filter(Boolean);
  for (const [at, crop] of (await Promise.all(crops.map(loaded))).entries()) context.drawImage(crop, left + at * 172, top + SIDE + 16, 160, 160);
  if (seen.liveness) context.fillText(`${sentence(seen.liveness.verdict).slice(0, -1)}, live probability ${fixed(seen.liveness.live_probability)}`, left, top + SIDE + 208);
}

function gauge(context, { distance, threshold }, top) {
  const wide = WIDE - 2 * EDGE;
  context.fillStyle = '#dcdcd6';
  context.fillRect(EDGE, top, wide, 10);
  context.fillStyle = '#9fb4b2';
  context.fillRect(EDGE, top, (wide * threshold) / 2, 10);
  context.fillStyle = '#191c1f';
  context.beginPath();
  context.arc(EDGE + (wide * Math.min(2, Math.max(0, distance))) / 2, top + 5, 10, 0, 7);
  context.fill();
  context.fillText(`Cosine distance ${fixed(distance)} on a line from 0 to 2, threshold ${fixed(threshold, 2)}`, EDGE, top + 40);
}

/** The result as a picture. */
export async function asPicture(answer, files) {
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d');
  const [, title, reasons] = verdict(answer);
  context.font = '20px sans-serif';
  const foreign = answer.comparison && answer.model.embedder !== 'published' ? ['The embedder is not a published one.'] : [];
  const text = lines(context, [...reasons, ...foreign].join(' '), WIDE - 2 * EDGE);
  const first = 104 + text.length * 28;
  const below = answer.comparison ? 84 : 10;
  [canvas.width, canvas.height] = [WIDE, first + below + SIDE + 250];
  context.fillStyle = '#ffffff';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = '#191c1f';
  context.font = '600 34px sans-serif';
  context.fillText(title, EDGE, 64);
  context.font = '20px sans-serif';
  text.forEach((line, at) => context.fillText(line, EDGE, 100 + at * 28));
  if (answer.comparison) gauge(context, answer.comparison, first);
  for (const [at, seen] of answer.photographs.entries()) await draw(context, seen, files[at], EDGE + at * (SIDE + 80), first + below);
  const blob = await new Promise((done) => { canvas.toBlob(done, 'image/png'); });
  download(blob, 'likeness.png');
}
