// Puts the page together: two photographs in, one inspection out. Photographs live in memory only.

import { announce, byId, el } from './dom.js';
import { ask, hasKey, Problem } from './api.js';
import { distance, foreign } from './gauge.js';
import { history, keep } from './history.js';
import { incident } from './incident.js';
import { keyForm, keySection, onKey } from './key.js';
import { people } from './people.js';
import { persons } from './persons.js';
import { column } from './report.js';
import { samples } from './samples.js';
import { asJson, asPicture } from './save.js';
import { slot } from './slot.js';
import { snippets } from './snippets.js';
import { banner, refused, verdict } from './verdict.js';
import { watch } from './weights.js';

const files = { file: null, file2: null };
const series = {};
const slots = {};
let turn = 0;

const WORDS = {
  file: { name: 'photograph A', title: 'Drop photograph A here', hint: 'JPEG, PNG or WebP. It goes to this service only.', alt: 'Photograph A', first: true },
  file2: { name: 'photograph B', title: 'Compare with photograph B', hint: 'Optional: how far apart are the two faces?', alt: 'Photograph B' },
};
const SIDES = { file: 'A', file2: 'B' };

for (const root of document.querySelectorAll('.slot')) {
  const name = root.dataset.slot;
  slots[name] = slot(root, WORDS[name], (file, frames) => { files[name] = file; series[name] = frames; inspect(); });
}

const result = byId('result');
const answered = byId('answer');

/** Shows the request in each language. */
function requested(method, path, id, fields) {
  const place = (name, value) => (value instanceof Blob ? 'file' : path.includes(`{${name}}`) ? 'path' : method === 'POST' ? 'form' : 'query');
  const given = Object.entries(fields).filter(([, value]) => value).map(([name, value]) => ({ name, place: place(name, value), value: value instanceof Blob ? value.name : value }));
  const found = snippets({ method, path, id, given, base: new URL('.', document.baseURI).href, keyed: hasKey() });
  for (const [language, text] of found) byId(`snippet-${language}`).textContent = text;
}

const inspected = () => requested('POST', '/api/v1/inspect', 'inspect', files.file ? files : { file: new File([], 'photo.jpg') });

/** Moves the focus to the answer, which is then on the screen. */
function look(at = result) {
  at.focus({ preventScroll: true });
  result.scrollIntoView({ block: 'start' });
}

function show(...children) {
  result.hidden = children.length === 0;
  answered.replaceChildren(...children.flat().filter(Boolean));
  byId('tools').hidden = true;
}

function columns(...found) {
  byId('columns').replaceChildren(...found);
  byId('photographs').dataset.count = String(found.length);
}

/** Asks about whatever photographs are there; an older answer that comes late is left aside. */
async function inspect({ moved = true } = {}) {
  const mine = ++turn;
  for (const part of Object.values(slots)) part.draw(null);
  inspected();
  if (!files.file) {
    show();
    columns();
    announce(files.file2 ? 'Choose photograph A as well.' : '');
    return;
  }
  if (result.hidden) show(el('p', { class: 'hint' }, 'Asking the networks …'));
  result.setAttribute('aria-busy', 'true');
  announce('Asking the networks.');
  if (moved) look();
  try {
    const answer = await ask('POST', 'api/v1/inspect', { ...files });
    if (mine === turn) told(answer, { ...files });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (mine === turn) fail(error);
  } finally {
    if (mine === turn) result.removeAttribute('aria-busy');
  }
}

/** The frames of the camera may say something else than the frame that was examined. */
function together(found) {
  const frames = series.file?.median;
  if (!frames || files.file2 || found[1] === 'Inconclusive') return found;
  const titles = { live: 'Live', spoof: 'Spoof', indeterminate: 'Inconclusive' };
  if (titles[frames.verdict] === found[1] || !Object.values(titles).includes(found[1])) return found;
  return ['doubt', 'Inconclusive', [`The sharpest frame alone says ${found[1].toLowerCase()}, the middle one of several says ${frames.verdict}. Take them again.`]];
}

function render(answer, shown) {
  for (const seen of answer.photographs) slots[seen.field].draw(seen);
  const several = answer.photographs.length > 1;
  const found = together(verdict(answer));
  show(banner(found), ...(answer.comparison ? [distance(answer.comparison), foreign(answer.model)] : []));
  columns(...answer.photographs.map((seen) => column(seen, SIDES[seen.field], several, answer.missing)));
  byId('tools').hidden = false;
  byId('save-json').onclick = () => asJson(answer);
  byId('save-picture').onclick = () => asPicture(answer, [shown.file, shown.file2]);
  announce(`${found[1]}. ${found[2].join(' ')}`);
}

function told(answer, shown) {
  render(answer, shown);
  const frames = { ...series };
  keep(answer, [shown.file, shown.file2], () => again(answer, shown, frames));
}

/** Shows an answer of this session again, without asking the service. */
function again(answer, shown, frames) {
  turn += 1;
  put([shown.file, shown.file2], true);
  Object.assign(series, frames);
  render(answer, shown);
  look();
}

function put([first, second = null], quiet = false) {
  [files.file, files.file2] = [first, second];
  [series.file, series.file2] = [null, null];
  for (const name of Object.keys(files)) {
    if (files[name]) slots[name].take(files[name], { quiet: true });
    else slots[name].clear();
  }
  inspected();
  if (!quiet) inspect();
}

function fail(problem) {
  columns();
  const asks = [401, 403].includes(problem.status);
  const form = asks && keyForm(() => inspect());
  show(refused(problem, form || []));
  announce(`No answer. ${answered.querySelector('.verdict-title').textContent}.`);
  form?.elements?.key.focus();
}

function demonstrate() {
  turn += 1;
  result.removeAttribute('aria-busy');
  put([null], true);
  columns();
  show(incident(look));
  look();
  announce('A demonstration of the incident, on answers made for this page.');
}

byId('save-print').addEventListener('click', () => window.print());

for (const button of document.querySelectorAll('[data-copy]')) {
  button.addEventListener('click', async () => {
    const done = await navigator.clipboard?.writeText(byId(button.dataset.copy).textContent).then(() => true, () => false);
    button.firstChild.textContent = done ? 'Copied' : 'Select and copy';
    announce(done ? 'The lines are copied.' : 'Copying is not allowed here: select the text.');
  });
}

// A photograph dropped beside a slot does not replace the page.
for (const kind of ['dragover', 'drop']) window.addEventListener(kind, (event) => event.preventDefault());

samples((chosen) => put(chosen), demonstrate);
history();
keySection();
onKey(inspected);
inspected();
const list = persons(requested);
people(() => files.file, requested, list.refresh);
watch(() => files.file && inspect({ moved: false }));
