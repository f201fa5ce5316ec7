// A place for a photograph: chosen, dropped, taken by the camera, a sample, or one face of another photograph.

import { el, svg, announce } from './dom.js';
import { Problem } from './api.js';
import { NoCamera } from './camera.js';
import { keyForm } from './key.js';
import { live } from './live.js';
import { told } from './words.js';
import { choices, counted, cutTo, draw as drawn } from './faces.js';

const KINDS = ['image/jpeg', 'image/png', 'image/webp'];

/** Builds a slot; `changed(file or null, the camera's frames)` is called on each change. `words` has its title, its hint and what it shows. */
export function slot(root, words, changed) {
  let camera = null;
  let address = null;
  let whole = null;

  const input = el('input', { type: 'file', accept: KINDS.join(','), class: 'visually-hidden', id: `${root.dataset.slot}-input`, onchange: () => input.files[0] && take(input.files[0]) });
  const choose = el('label', { class: words.first ? 'button primary' : 'button', for: input.id }, 'Choose a file', el('span', { class: 'visually-hidden' }, ` for ${words.name}`));
  const film = el('button', { type: 'button', onclick: open }, 'Use the camera', el('span', { class: 'visually-hidden' }, ` for ${words.name}`));
  const note = el('div', { class: 'note', role: 'alert' });
  const empty = el('div', { class: 'empty' }, el('p', { class: 'slot-title' }, words.title), el('p', { class: 'hint' }, words.hint), el('div', { class: 'buttons' }, input, choose, film));
  const stage = el('div', { class: 'stage' });
  root.append(empty, stage, note);

  for (const kind of ['dragenter', 'dragover']) root.addEventListener(kind, (event) => { event.preventDefault(); root.classList.add('over'); });
  for (const kind of ['dragleave', 'drop']) root.addEventListener(kind, () => root.classList.remove('over'));
  root.addEventListener('drop', (event) => {
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) take(file);
  });

  function tell(title, ...advice) {
    note.replaceChildren(...(title ? [el('strong', {}, title), el('span', {}, advice)] : []));
  }

  function show(...children) {
    empty.hidden = children.length > 0;
    stage.replaceChildren(...children);
  }

  function clear() {
    camera?.close();
    camera = null;
    if (address) URL.revokeObjectURL(address);
    address = null;
    input.value = '';
    tell();
    show();
  }

  /** Shows a photograph, and asks about it unless `quiet`; `more` has the file that it was cut from, and the camera's frames. */
  function take(file, { from = null, series = null, quiet = false } = {}) {
    if (!KINDS.includes(file.type)) {
      tell('This is no photograph that can be read', 'JPEG, PNG and WebP can. Save it as one of them, or choose another.');
      return;
    }
    clear();
    whole = from;
    address = URL.createObjectURL(file);
    const image = el('img', { src: address, alt: words.alt });
    const overlay = svg('svg', { class: 'overlay', 'aria-hidden': 'true' });
    const faces = el('p', { class: 'hint faces' }, 'Looking …');
    const buttons = [
      whole && el('button', { type: 'button', class: 'small', onclick: () => take(whole) }, 'Whole photograph'),
      series && el('button', { type: 'button', class: 'small', onclick: open }, 'Again'),
      el('button', { type: 'button', class: 'small', onclick: remove }, 'Remove', el('span', { class: 'visually-hidden' }, ` ${words.name}`)),
    ];
    const frames = series && el('p', { class: 'hint frames' }, series.words);
    show(el('figure', {}, el('div', { class: 'picture' }, el('div', { class: 'shown' }, image, overlay)), el('figcaption', {}, el('div', {}, faces, frames), el('div', { class: 'buttons' }, buttons))));
    root.file = file;
    if (!quiet) changed(file, series);
  }

  function remove() {
    clear();
    changed(null);
    input.focus();
  }

  async function open() {
    clear();
    changed(null);
    film.disabled = true;
    announce('The browser asks whether this page may use the camera.');
    try {
      camera = await live({ done: (file, series) => take(file, { series }), failed: refused, leave: () => { clear(); film.focus(); } });
    } catch (error) {
      film.disabled = false;
      return refused(error);
    }
    film.disabled = false;
    show(camera.element);
    camera.element.scrollIntoView({ block: 'nearest' });
    return camera.begin();
  }

  function refused(error) {
    clear();
    if (error instanceof Problem) {
      const { title, lines } = told(error);
      const form = keyForm(open);
      tell(title, ...lines.flatMap((line) => [line, ' ']).flat());
      note.append(form);
      form.elements.key.focus();
      return;
    }
    const reason = error instanceof NoCamera ? error : new NoCamera('failed');
    note.dataset.state = reason.state;
    tell(reason.message, reason.advice);
    film.focus();
  }

  /** Draws what was found, or clears what was drawn. */
  function draw(seen) {
    const overlay = stage.querySelector('svg.overlay');
    if (!overlay) return;
    stage.querySelectorAll('.choose').forEach((button) => button.remove());
    overlay.replaceChildren();
    stage.querySelector('.faces').textContent = seen ? counted(seen) : '';
    if (!seen) return;
    drawn(overlay, seen);
    const image = stage.querySelector('.shown img');
    const original = root.file;
    overlay.after(...choices(seen, async (at) => take(await cutTo(image, seen, at), { from: original })));
  }

  return { take, draw, clear, focus: () => input.focus() };
}
