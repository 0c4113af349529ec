/** One model: its champions, its metric over time, the drift of its data, what its runs cost. */

import { ask, dag, keepAsking, page, ROOT } from './api.js';
import { h, link, put } from './dom.js';
import { count, duration, local, time, withRange } from './format.js';
import { columnTable } from './data.js';
import { direction, empty, facts, failure, gain, outcome, section, status, warning } from './parts.js';
import { championsPlot, costPlot, trendPlot } from './plots_history.js';
import { table } from './table.js';
import './theme.js';

const root = document.getElementById('page');
const parameters = new URLSearchParams(location.search);
const asked = decodeURIComponent(location.pathname.slice(ROOT.pathname.length).split('/')[1]);
const chosen = new Set();

function open(run) {
  if (run.dag_id) location.assign(page(['run'], { dag_id: run.dag_id, run_id: run.run_id }));
}

function heading(found, next) {
  const { model } = found;
  const { cron, asset } = model.schedule;
  return h(
    'header',
    { class: `page ${model.endpoint?.status === 'InService' ? 'good' : 'calm'}` },
    h('div', { class: 'over' }, model.endpoint?.status && status(model.endpoint.status), model.running.map((run) => link(outcome(run.outcome), page(['run'], { dag_id: run.dag_id, run_id: run.run_id }))), model.problem_type && h('span', {}, model.problem_type)),
    h('h1', {}, model.pipeline),
    h('p', {}, model.description),
    warning(model.error ?? found.error),
    warning(model.endpoint?.error ?? model.endpoint?.failure_reason),
    facts([
      ['Champion', model.champion && link(model.champion.model, model.champion.run_id && model.champion.dag_id && page(['run'], { dag_id: model.champion.dag_id, run_id: model.champion.run_id }))],
      ['Serves since', model.champion?.since && time(model.champion.since)],
      ['Metric', direction(model.metric)],
      ['Endpoint', model.endpoint_name],
      ...(model.endpoint?.variants ?? []).map((variant) => [`Variant ${variant.name}`, `${variant.model} · weight ${variant.weight ?? '–'} · ${variant.instances ?? '–'} × ${variant.instance_type ?? 'serverless'}`]),
      ['Schedule', cron ?? (asset ? `when ${asset} is updated` : 'when somebody triggers it')],
      ['Next run', next ? (next.is_paused ? 'the DAG is paused' : time(next.next_dagrun_run_after)) : null],
      ['Data', model.freshness && `${count(model.freshness.rows)} rows${model.freshness.unchanged ? ', unchanged since the run before' : ''}`],
      ['Data seen', model.freshness && time(model.freshness.created)],
      ['Owner', model.owner],
    ]),
  );
}

function runsTable(runs) {
  const compare = h('button', { type: 'button', class: 'primary', disabled: true, onclick: go }, 'Compare the two chosen');
  const key = (run) => JSON.stringify([run.dag_id, run.run_id]);
  function go() {
    const [one, other] = [...chosen].map((text) => JSON.parse(text));
    location.assign(page(['compare'], { dag_id: one[0], run_id: one[1], with_dag_id: other[0], with_run_id: other[1] }));
  }
  const pick = (run) => {
    const change = (event) => {
      if (event.target.checked) chosen.add(key(run));
      else chosen.delete(key(run));
      compare.disabled = chosen.size !== 2;
    };
    return run.dag_id ? h('input', { type: 'checkbox', checked: chosen.has(key(run)), 'aria-label': `compare ${run.run_id}`, onchange: change }) : null;
  };
  compare.disabled = chosen.size !== 2;
  const columns = [
    { title: '', cell: pick },
    { title: 'Run', value: (run) => run.created, cell: (run) => [link(time(run.created), run.dag_id && page(['run'], { dag_id: run.dag_id, run_id: run.run_id })), h('div', { class: 'small' }, run.run_id)] },
    { title: 'Outcome', value: (run) => run.outcome, cell: (run) => [outcome(run.outcome), run.answered_by && h('div', { class: 'small' }, `${run.answer} by ${run.answered_by}`)] },
    { title: 'Why', cell: (run) => h('div', { class: 'clamp', title: run.sentence ?? run.error }, local(run.sentence ?? run.error)) },
    { title: 'Challenger', numeric: true, value: (run) => run.challenger?.value ?? null, cell: (run) => withRange(run.challenger) },
    { title: 'Gain', numeric: true, value: (run) => run.gain?.value ?? null, cell: (run) => gain(run.gain), hint: 'Over the champion, or the baseline where there was none' },
    { title: 'Kind', value: (run) => run.kind, cell: (run) => run.kind ?? '–' },
    { title: 'Candidates', numeric: true, sparse: true, value: (run) => run.candidates, cell: (run) => count(run.candidates) },
    { title: 'Billable', numeric: true, sparse: true, value: (run) => run.billable_seconds, cell: (run) => duration(run.billable_seconds) },
    { title: 'Rows', numeric: true, value: (run) => run.rows, cell: (run) => count(run.rows) },
  ];
  return section('Runs', h('div', { class: 'tools' }, compare, h('span', { class: 'small' }, 'Choose two to see them side by side.')), table(columns.filter(({ sparse, value }) => !sparse || runs.some((run) => value(run) !== null)), { rows: runs, caption: 'Runs', sort: [1, 'descending'], page: 25 }));
}

function drift(found) {
  if (found.drift.reason) return section('Data against the champion’s training data', empty(found.drift.reason));
  return section('Data against the champion’s training data', columnTable(found.drift.columns), h('p', { class: 'note' }, `The newest data (run ${found.drift.run_id}) beside the data that the champion was trained on (run ${found.drift.against_run_id}).`));
}

function show(found, next) {
  const { model, runs, champions, progress } = found;
  document.title = model.pipeline;
  performance.mark('data');
  const reading = progress.ready ? null : warning(`Reading the run folders: ${count(progress.done)} of ${count(progress.total)}.`);
  put(
    root,
    h('nav', { class: 'crumbs', 'aria-label': 'Where this is' }, link('Models', page([''])), h('span', {}, '/'), h('span', {}, model.pipeline)),
    heading(found, next),
    reading,
    runs.length === 0
      ? section('Runs', empty(progress.ready ? `No run yet. Trigger ${model.dags.map((one) => one.dag_id).join(' or ') || 'its DAG'}, and watch it on the run’s tab Retraining.` : 'Reading …'))
      : [
          section(null, h('div', { class: 'grid' }, trendPlot(model.trend, model.metric, open) ?? empty('No run has been evaluated yet.'), championsPlot(champions, open) ?? empty('No model has been promoted yet.')), costPlot(runs, open)),
          runsTable(runs),
          drift(found),
        ],
  );
  performance.measure('render', 'data');
}

let before = '';
let next = null;
let looks = 0;
keepAsking(async () => {
  const found = await ask(['models', asked], { dag_id: parameters.get('dag_id') });
  const scheduled = found.model.dags.find((one) => one.scheduled);
  if (scheduled && next === null) next = await dag(scheduled.dag_id).catch(() => null); // shown as unknown
  const now = JSON.stringify([found, next], (key, value) => (key === 'asked' ? undefined : value));
  // Drawn again only where something changed: a table that is being read does not jump.
  if (now !== before) show(found, next);
  before = now;
  if (!found.progress.ready || !found.model.endpoint) return 1;
  looks += 1;
  // What is kept on the server is shown at once and read anew meanwhile: the second look has it.
  if (looks === 1) return 2;
  return found.model.running.length ? 10 : 60;
}, (error) => {
  if (!before) put(root, failure(error));
});
