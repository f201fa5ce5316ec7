// Which weights are loaded, and what does not work without the missing ones.

import { announce, byId, el } from './dom.js';
import { health } from './api.js';

const ROLES = {
  detector: ['Detector', 'Faces can’t be found, so nothing can be answered.'],
  liveness_2_7: ['Liveness, scale 2.7', 'Liveness can’t be judged, so no person can be verified or enrolled.'],
  liveness_4_0: ['Liveness, scale 4.0', 'Liveness can’t be judged, so no person can be verified or enrolled.'],
  embedder: ['Embedder', 'Faces can’t be compared, so no person can be verified, enrolled or searched.'],
};

const DISK = { right: 'file unchanged', changed: 'the file has changed since; the service continues from memory', missing: 'the file is gone; the service continues from memory' };

const WARNINGS = {
  accepted: 'The embedder is not a published one; the operator accepted it by its digest.',
  unknown: 'The embedder is not a published one: no person can be verified, enrolled, searched or compared until the operator accepts its digest.',
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
  none: 'This service was started without a store: it has no templates, and no person can be enrolled.',
  index_loading: 'Templates are being loaded; search works afterwards.',
};

let before = null;

/** Requests health now and again: sooner while a model is missing. */
export async function watch(changed) {
  let report = null;
  try {
    report = await health();
  } catch {
    gone();
  }
  if (report?.models) show(report, changed);
  const soon = !report?.models?.every((model) => model.held);
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

function show(report, changed) {
  const loaded = report.models.filter((model) => model.held);
  const now = JSON.stringify([report.models, report.unmet, report.store]);
  status(...summary(loaded.length, report.models));
  if (now === before) return;
  const arrived = before && report.models.filter((model, at) => model.held && !JSON.parse(before)[0][at].held);
  before = now;
  byId('version').textContent = `likeness ${report.version}`;
  byId('weights-summary').textContent = summary(loaded.length, report.models)[1];
  byId('weights').replaceChildren(...report.models.map(row));
  if (WARNINGS[report.model.embedder]) byId('weights').append(el('li', { class: 'warning' }, WARNINGS[report.model.embedder]));
  cards(report);
  store(report.store);
  if (arrived?.length) {
    announce(`${arrived.map((model) => model.file).join(', ')} arrived and is loaded.`);
    changed();
  }
}

function summary(count, models) {
  if (models.some((model) => model.reason === 'loading')) return ['wait', `Loading: ${count} of ${models.length} networks loaded`];
  return count === models.length ? ['good', 'All four networks loaded'] : ['doubt', `${count} of ${models.length} networks loaded`];
}

function row(model) {
  const how = model.held
    ? ['In memory, verified; self-test ', model.self_test, '; ', DISK[model.on_disk] ?? model.on_disk]
    : [REASONS[model.reason] ?? model.reason];
  return el('li', {},
    el('div', {}, el('strong', {}, ROLES[model.role][0]), el('span', { class: model.held ? 'chip good' : 'chip doubt' }, model.held ? 'loaded' : 'not loaded')),
    el('p', { class: 'file' }, model.file), el('p', { class: 'hint' }, ...how), el('p', { class: 'digest' }, el('span', {}, 'sha256 '), model.sha256));
}

function store(state) {
  byId('people-parts').hidden = state === 'none';
  byId('store').textContent = state === 'ready' ? '' : STORES[state] ?? 'The store does not answer now.';
}

function cards({ models, unmet }) {
  const missing = models.filter((model) => !model.held && model.reason !== 'loading');
  const section = byId('missing');
  section.hidden = missing.length === 0;
  section.replaceChildren(...missing.map((model) => card(model, unmet.filter((route) => route.files.includes(model.file)), goingOn(models))));
  if (missing.length) announce(`Missing: ${missing.map((model) => model.file).join(', ')}.`);
}

/** What still works. */
function goingOn(models) {
  const loaded = (...roles) => roles.every((role) => models.find((model) => model.role === role)?.held);
  const still = [
    loaded('detector') && 'finding faces',
    loaded('detector', 'liveness_2_7', 'liveness_4_0') && 'judging liveness',
    loaded('detector', 'embedder') && 'comparing faces',
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
      el('code', {}, 'ballast fetch &&\n  ballast heal --baked mirror'))),
    el('p', { class: 'hint' }, 'Run it where weights.lock is. A service that was started with --weights reads that folder: copy the file from mirror into it.'),
    el('p', { class: 'notice' }, 'This page will notice.'));
}
