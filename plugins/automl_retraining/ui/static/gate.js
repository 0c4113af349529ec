/** What another policy would have decided about a run. It reads only: nothing is written, nothing is deployed. */

import { ask, page } from './api.js';
import { h, link, put } from './dom.js';
import { policyWords } from './evidence.js';
import { duration } from './format.js';
import { empty, failure, METRIC_COLUMNS, rules, section, sentences, verdict, waits } from './parts.js';
import { effectsPlot } from './plots_effects.js';
import { table } from './table.js';
import './theme.js';

const root = document.getElementById('page');
const parameters = new URLSearchParams(location.search);
const run = { dag_id: parameters.get('dag_id'), run_id: parameters.get('run_id') };
const CONFIDENCES = ['0.8', '0.9', '0.95', '0.99'];

const mode = h('select', { name: 'mode' }, h('option', { value: 'superiority' }, 'superiority: better, with confidence'), h('option', { value: 'non_inferiority' }, 'non-inferiority: not worse by more than the margin'));
const margin = h('input', { type: 'number', name: 'margin', min: '0', step: 'any', required: true });
const confidence = h('input', { type: 'number', name: 'confidence', min: '0.51', max: '0.999', step: 'any', required: true });
const presets = h('span', { class: 'presets' }, CONFIDENCES.map((value) => h('button', { type: 'button', class: 'quiet', onclick: () => { confidence.value = value; decide(); } }, value)));
const button = h('button', { type: 'submit', class: 'primary' }, 'Decide');
const back = h('button', { type: 'button', onclick: () => { recorded(); decide(); } }, 'As it was');
const result = h('div', { 'aria-live': 'polite' });
let policy = null;
let turn = 0;

function form() {
  const label = (text, ...inputs) => h('label', {}, text, ...inputs);
  const submit = (event) => {
    event.preventDefault();
    if (event.target.reportValidity()) decide();
  };
  return h('form', { class: 'controls', onsubmit: submit }, label('Mode', mode), label('Margin, in the metric’s unit', margin), label('Confidence, two-sided', confidence), presets, button, back);
}

function recorded() {
  mode.value = policy.mode;
  margin.value = policy.margin ?? 0;
  confidence.value = policy.confidence;
}

async function decide() {
  const mine = (turn += 1);
  button.disabled = true;
  put(result, waits('Evaluating the run’s scores again …'));
  try {
    const found = await ask(['runs', run.dag_id, run.run_id, 'replay'], { mode: mode.value, margin: margin.value, confidence: confidence.value });
    if (mine === turn) put(result, shown(found));
  } catch (error) {
    if (mine === turn) put(result, failure(error, decide));
  } finally {
    button.disabled = false;
  }
}

function shown(found) {
  const changed = found.recorded && found.recorded.verdict !== found.verdict;
  return [
    section(
      null,
      h('div', { class: 'sides' },
        h('div', {}, h('h3', {}, 'As it was decided'), found.recorded ? [h('p', {}, verdict(found.recorded.verdict)), h('p', {}, found.recorded.sentence), h('p', { class: 'note' }, policyWords(found.recorded.policy))] : h('p', {}, 'There is no decision yet.')),
        h('div', {}, h('h3', {}, 'With this policy'), h('p', { class: 'over' }, verdict(found.verdict), h('strong', {}, changed ? 'another verdict' : 'the same verdict')), h('p', {}, found.sentence), h('p', { class: 'note' }, policyWords(found.policy))),
      ),
      sentences(found.differences),
      h('p', { class: 'note' }, found.equal ? 'With the recorded policy the decision comes out the same to the last digit.' : '', ` Computed in ${duration(found.seconds)} from the scores in the run folder.`),
    ),
    section('Why', rules(found.rules)),
    section('Challenger compared', effectsPlot(found.effects), table(METRIC_COLUMNS, { rows: found.metrics, caption: 'Metrics', marked: (row) => row.primary })),
  ];
}

async function begin() {
  const first = await ask(['runs', run.dag_id, run.run_id, 'replay']);
  policy = first.recorded?.policy ?? first.policy;
  recorded();
  put(
    root,
    h('nav', { class: 'crumbs', 'aria-label': 'Where this is' }, link('Models', page([''])), h('span', {}, '/'), link(run.run_id, page(['run'], run)), h('span', {}, '/'), h('span', {}, 'gate')),
    h('h1', {}, 'What would another policy have decided?'),
    h('p', { class: 'note' }, 'The same scores, judged again. This changes nothing: the policy that counts is the pipeline’s YAML.'),
    section(null, form()),
    result,
  );
  put(result, shown(first));
}

if (!run.dag_id || !run.run_id) {
  put(root, empty('This page judges one run again: open it from the run’s tab Retraining.', link('Models', page(['']))));
} else {
  put(root, waits('Evaluating the run’s scores again …'));
  begin().catch((error) => put(root, failure(error)));
}
