// Puts the page together: two photographs in, one inspection out. Photographs live in memory only.

import { announce, byId, el } from './dom.js';
import { ask, curl, Problem, useKey } from './api.js';
import { slot } from './slot.js';
import { report, verdict } from './report.js';
import { people, refused } from './people.js';
import { watch } from './weights.js';

const files = { file: null, file2: null };
const slots = {};
let turn = 0;

const WORDS = {
  file: { title: 'Drop a photograph here', hint: 'JPEG, PNG or WebP. It goes to this service only.', alt: 'The first photograph', sample: true },
  file2: { title: 'Compare with a second one', hint: 'Optional: how far apart are the two faces?', alt: 'The second photograph', sample: false },
};

for (const root of document.querySelectorAll('.slot')) {
  const name = root.dataset.slot;
  slots[name] = slot(root, WORDS[name], (file) => { files[name] = file; inspect(); });
}

const result = byId('result');

function waiting() {
  result.replaceChildren(el('div', { class: 'waiting' }, el('p', {}, 'Choose a photograph, or try the sample.'), el('p', { class: 'hint' }, 'The verdict appears here with its reasons: what each network saw, what it said, and how long it took.')));
}

/** The request that the command line shows. */
function requested(method, path, fields) {
  byId('curl').textContent = curl(method, path, fields);
}

const sample = () => requested('POST', 'api/v1/inspect', files.file ? files : { file: new File([], 'photo.jpg') });

/** Asks about whatever photographs are there; an older answer that comes late is left aside. */
async function inspect() {
  const mine = ++turn;
  for (const part of Object.values(slots)) part.draw(null);
  sample();
  if (!files.file) {
    waiting();
    announce(files.file2 ? 'Choose the first photograph as well.' : '');
    return;
  }
  result.setAttribute('aria-busy', 'true');
  announce('Asking the networks.');
  try {
    const answer = await ask('POST', 'api/v1/inspect', files);
    if (mine === turn) show(answer);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (mine === turn) fail(error);
  } finally {
    if (mine === turn) result.removeAttribute('aria-busy');
  }
}

function show(answer) {
  for (const seen of answer.photographs) slots[seen.field].draw(seen);
  result.replaceChildren(...report(answer));
  const [, title, reasons] = verdict(answer);
  announce(`${title}. ${reasons.join(' ')}`);
}

function fail(problem) {
  result.replaceChildren(refused(problem));
  announce(`No answer. ${problem.message}`);
}

byId('key').addEventListener('submit', (event) => {
  event.preventDefault();
  const field = event.target.elements.key;
  const used = useKey(field.value);
  field.value = '';
  byId('key-state').textContent = used ? 'The key is used from now on, until the page is closed.' : 'No key is used.';
  inspect();
});

byId('copy').addEventListener('click', async (event) => {
  const done = await navigator.clipboard?.writeText(byId('curl').textContent).then(() => true, () => false);
  event.target.textContent = done ? 'Copied' : 'Select and copy';
  announce(done ? 'The command is copied.' : 'Copying is not allowed here: select the text.');
});

// A photograph dropped beside a slot does not replace the page.
for (const kind of ['dragover', 'drop']) window.addEventListener(kind, (event) => event.preventDefault());

waiting();
sample();
people(() => files.file, requested);
watch(() => files.file && inspect());
