// Which weights answer, how they are held, and what is lost without those that are missing.

import { announce, byId, el } from './dom.js';
import { health } from './api.js';

const ROLES = {
  detector: ['Detector', 'Faces can’t be found, so nothing can be answered.'],
  liveness_2_7: ['Liveness, scale 2.7', 'Liveness can’t be judged, so nobody can be verified or enrolled.'],
  liveness_4_0: ['Liveness, scale 4.0', 'Liveness can’t be judged, so nobody can be verified or enrolled.'],
  embedder: ['Embedder', 'Faces can’t be compared, so nobody can be verified, enrolled or searched.'],
};

const DISK = { right: 'file unchanged', changed: 'the file has changed since; memory goes on answering', missing: 'the file is gone; memory goes on answering' };

const WARNINGS = {
  accepted: 'The embedder is not a published one; the operator accepted it by its digest.',
  unknown: 'The embedder is not a published one: nobody can be verified, enrolled, searched or compared until the operator accepts it by its digest.',
};

const REASONS = {
  loading: 'Loading …',
  missing: 'The file is missing',
  wrong_digest: 'The file has other bytes than its pin',
  wrong_size: 'The file has another length than its pin',
  unreadable: 'The file is there and can’t be read',
  refused_format: 'The file matches its pin and is not the model of its role',
};

const STORES = {
  none: 'This service was started without a store: it holds no templates, and nobody can be enrolled.',
  index_loading: 'Templates are still being read; searching begins when they are.',
};

let before = null;

/** Looks now, and again for ever: soon while something is missing. */
export async function watch(changed) {
  let told = null;
  try {
    told = await health();
  } catch {
    gone();
  }
  if (told?.models) show(told, changed);
  const soon = !told?.models?.every((model) => model.held);
  setTimeout(() => watch(changed), soon ? 1500 : 8000);
}

function gone() {
  if (byId('status').dataset.state === 'bad') return;
  status('bad', 'The service does not answer');
  announce('The service does not answer.');
}

function status(state, text) {
  if (byId('status-text').textContent === text) return;
  byId('status').dataset.state = state;
  byId('status-text').textContent = text;
}

function show(told, changed) {
  const held = told.models.filter((model) => model.held);
  const now = JSON.stringify([told.models, told.unmet, told.store]);
  status(...summary(held.length, told.models));
  if (now === before) return;
  const arrived = before && told.models.filter((model, at) => model.held && !JSON.parse(before)[0][at].held);
  before = now;
  byId('version').textContent = `likeness ${told.version}`;
  byId('weights-told').textContent = summary(held.length, told.models)[1];
  byId('weights').replaceChildren(...told.models.map(row));
  if (WARNINGS[told.model.embedder]) byId('weights').append(el('li', { class: 'warning' }, WARNINGS[told.model.embedder]));
  cards(told);
  store(told.store);
  if (arrived?.length) {
    announce(`${arrived.map((model) => model.file).join(', ')} arrived and is held.`);
    changed();
  }
}

function summary(count, models) {
  if (models.some((model) => model.reason === 'loading')) return ['wait', `Loading: ${count} of ${models.length} networks held`];
  return count === models.length ? ['good', 'All four networks held'] : ['doubt', `${count} of ${models.length} networks held`];
}

function row(model) {
  const how = model.held
    ? ['In memory, verified; self-test ', model.self_test, '; ', DISK[model.on_disk] ?? model.on_disk]
    : [REASONS[model.reason] ?? model.reason];
  return el('li', {},
    el('div', {}, el('strong', {}, ROLES[model.role][0]), el('span', { class: model.held ? 'chip good' : 'chip doubt' }, model.held ? 'held' : 'not held')),
    el('p', { class: 'file' }, model.file), el('p', { class: 'hint' }, ...how), el('p', { class: 'digest' }, el('span', {}, 'sha256 '), model.sha256));
}

function store(state) {
  byId('people').hidden = state === 'none';
  byId('store').textContent = state === 'ready' ? '' : STORES[state] ?? 'The store does not answer now.';
}

function cards({ models, unmet }) {
  const missing = models.filter((model) => !model.held && model.reason !== 'loading');
  const section = byId('missing');
  section.hidden = missing.length === 0;
  section.replaceChildren(...missing.map((model) => card(model, unmet.filter((route) => route.files.includes(model.file)), goingOn(models))));
  if (missing.length) announce(`Missing: ${missing.map((model) => model.file).join(', ')}.`);
}

/** What is answered all the same. */
function goingOn(models) {
  const held = (...roles) => roles.every((role) => models.find((model) => model.role === role)?.held);
  const still = [
    held('detector') && 'finding faces',
    held('detector', 'liveness_2_7', 'liveness_4_0') && 'judging liveness',
    held('detector', 'embedder') && 'comparing faces',
  ].filter(Boolean);
  return still.length ? `Still answered: ${still.join(', ')}.` : 'Nothing is answered meanwhile.';
}

function card(model, routes, still) {
  const [title, lost] = ROLES[model.role];
  return el('article', { class: 'card', 'data-file': model.file },
    el('p', { class: 'eyebrow' }, `${title} is missing`),
    el('h2', { class: 'file' }, model.file),
    el('p', {}, lost),
    el('p', { class: 'hint' }, `Unavailable: ${routes.map((route) => route.route).join(', ')}. ${still}`),
    el('div', { class: 'code' }, el('pre', { tabindex: 0, role: 'region', 'aria-label': `Command for ${model.file}` },
      el('code', {}, 'ballast fetch && ballast heal --baked mirror'))),
    el('p', { class: 'hint' }, 'Run it where weights.lock is. A service that was started with --weights reads that folder: copy the file from mirror into it.'),
    el('p', { class: 'notice' }, 'This page will notice.'));
}
