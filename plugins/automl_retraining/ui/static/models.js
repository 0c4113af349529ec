/** The table of models: every pipeline with its champion, its metric over time, the last verdict and what comes next. */

import { ask, dag, keepAsking, page } from './api.js';
import { h, link, put } from './dom.js';
import { count, local, time, withRange } from './format.js';
import { direction, empty, failure, outcome, section, sparkline, status, verdict, warning } from './parts.js';
import { table } from './table.js';
import './theme.js';

const root = document.getElementById('page');
const FILTERS = {
  all: ['All', () => true],
  running: ['Running', (model) => model.running.length > 0],
  waiting: ['Waits for a person', (model) => model.running.some((run) => run.outcome === 'waiting')],
  trouble: ['In trouble', (model) => Boolean(model.error || model.endpoint?.error || model.endpoint?.failure_reason || ['failed', 'rolled_back'].includes(model.last?.outcome))],
  serving: ['Serving', (model) => model.endpoint?.status === 'InService'],
};
const next = new Map();
let models = [];
let text = '';
let filter = 'all';

const counted = h('span', { class: 'small', role: 'status' });
const list = table(
  [
    { title: 'Model', value: (model) => model.pipeline, cell: name },
    { title: 'Champion since', value: (model) => since(model), cell: champion },
    { title: 'Metric', value: (model) => newest(model)?.value ?? null, cell: metric, hint: 'Of the model that serves, on the test rows of the newest run' },
    { title: 'Last verdict', value: (model) => model.last?.finished ?? model.last?.created ?? null, cell: last },
    { title: 'Endpoint', value: (model) => model.endpoint?.status ?? null, cell: endpoint },
    { title: 'Data', value: (model) => model.freshness?.created ?? null, cell: data },
    { title: 'Next run', value: (model) => following(model)?.at ?? null, cell: upcoming },
  ],
  { caption: 'Models', sort: [0, 'ascending'], page: 100, empty: 'No model fits the filter. Clear it to see all.' },
);

function name(model) {
  return [
    h('strong', {}, link(model.pipeline, page(['models', model.pipeline]))),
    h('div', { class: 'small' }, [model.problem_type, model.owner].filter(Boolean).join(' · ')),
    model.running.map((run) => h('div', {}, link(outcome(run.outcome), runPage(run), { 'aria-label': `run ${run.run_id}` }))),
    warning(model.error),
  ];
}

function since(model) {
  return model.champion?.since ?? null;
}

function champion(model) {
  if (!model.champion) return h('span', { class: 'small' }, 'none yet');
  return [
    link(time(model.champion.since, { relative: true }), model.champion.run_id && runPage(model.champion)),
    h('div', { class: 'small' }, time(model.champion.since)),
  ];
}

/** Of the model that serves after the newest run that measured one. */
function newest(model) {
  const point = [...model.trend].reverse().find((one) => one.challenger || one.champion);
  if (!point) return null;
  return point.outcome === 'promoted' ? point.challenger : point.champion ?? point.challenger;
}

function metric(model) {
  const served = model.trend.map((point) => (point.outcome === 'promoted' ? point.challenger : point.champion ?? point.challenger));
  const found = newest(model);
  return [
    h('div', { class: 'tight' }, h('span', { class: 'small' }, `${direction(model.metric)} `), withRange(found)),
    sparkline(served, `${model.metric.name} of the last ${served.length} runs`),
  ];
}

function last(model) {
  const run = model.last;
  if (!run) return h('span', { class: 'small' }, 'no run is over yet');
  return [
    h('div', { class: 'over' }, link(outcome(run.outcome), runPage(run)), run.verdict === 'doubt' && verdict(run.verdict), h('span', { class: 'small' }, time(run.finished ?? run.created, { relative: true }))),
    h('div', { class: 'clamp', title: run.sentence ?? run.error }, local(run.sentence ?? run.error)),
  ];
}

function endpoint(model) {
  const found = model.endpoint;
  if (!found) return h('span', { class: 'small' }, 'asking …');
  const variants = found.variants ?? [];
  const total = variants.reduce((sum, variant) => sum + (variant.weight ?? 0), 0);
  return [
    found.status && status(found.status),
    variants.map((variant) =>
      h('div', { class: 'small', title: variant.model }, `${variant.name}${variants.length > 1 && total ? ` ${Math.round((100 * variant.weight) / total)} %` : ''} · ${variant.instances ?? '–'} × ${variant.instance_type ?? 'serverless'}`),
    ),
    warning(found.error ?? found.failure_reason),
  ];
}

function data(model) {
  if (!model.freshness) return h('span', { class: 'small' }, 'not seen yet');
  const { created, rows, unchanged } = model.freshness;
  return [time(created, { relative: true }), h('div', { class: 'small' }, `${count(rows)} rows${unchanged ? ', unchanged' : ''}`)];
}

function following(model) {
  const scheduled = model.dags.find((one) => one.scheduled);
  return scheduled ? next.get(scheduled.dag_id) ?? null : null;
}

function upcoming(model) {
  const { cron, asset } = model.schedule;
  const found = following(model);
  const how = cron ?? (asset ? `when ${asset} is updated` : 'when somebody triggers it');
  if (found?.paused) return [h('span', {}, 'paused'), h('div', { class: 'small' }, how)];
  return [found?.at ? time(found.at, { relative: true }) : '–', h('div', { class: 'small' }, how)];
}

function runPage(run) {
  return run.dag_id ? page(['run'], { dag_id: run.dag_id, run_id: run.run_id }) : null;
}

function show() {
  const needle = text.trim().toLowerCase();
  const [, fits] = FILTERS[filter];
  const words = (model) => [model.pipeline, model.description, model.owner, model.problem_type, model.metric.name, model.endpoint_name, ...model.dags.map((one) => one.dag_id)].join(' ').toLowerCase();
  const found = models.filter((model) => fits(model) && (!needle || words(model).includes(needle)));
  list.show(found);
  put(counted, found.length === models.length ? `${models.length} models` : `${found.length} of ${models.length} models`);
}

function frame() {
  const search = h('input', { type: 'search', placeholder: 'name, owner, metric, DAG …', 'aria-label': 'Filter the models', oninput: (event) => { text = event.target.value; show(); } });
  const choose = h('select', { onchange: (event) => { filter = event.target.value; show(); } }, Object.entries(FILTERS).map(([key, [title]]) => h('option', { value: key }, title)));
  put(root, h('h1', {}, 'Models'), h('div', { class: 'tools' }, h('label', {}, 'Find', search), h('label', {}, 'Show', choose), counted), section(null, list));
}

async function schedules() {
  const asked = models.flatMap((model) => model.dags.filter((one) => one.scheduled));
  const stale = asked.filter((one) => Date.now() - (next.get(one.dag_id)?.asked ?? 0) > 60000);
  for (const one of stale) {
    try {
      const found = await dag(one.dag_id);
      next.set(one.dag_id, { at: found.next_dagrun_run_after, paused: found.is_paused, asked: Date.now() });
    } catch {
      next.set(one.dag_id, { at: null, paused: false, asked: Date.now() }); // shown as unknown, asked again in a minute
    }
  }
  if (stale.length) show();
}

let framed = false;
let looks = 0;
keepAsking(async () => {
  const found = await ask(['models']);
  models = found.models;
  if (!models.length) {
    put(root, h('h1', {}, 'Models'), empty('There is no pipeline yet. Add a YAML file to include/pipelines; its DAG and its line here appear by themselves.'));
    framed = false;
    return 30;
  }
  performance.mark('data');
  if (!framed) frame();
  framed = true;
  show();
  performance.measure('render', 'data');
  await schedules();
  if (models.some((model) => !model.progress.ready || !model.endpoint)) return 1;
  looks += 1;
  // What is kept on the server is shown at once and read anew meanwhile: the second look has it.
  if (looks === 1) return 2;
  return models.some((model) => model.running.length) ? 10 : 30;
}, (error) => {
  if (!framed) put(root, h('h1', {}, 'Models'), failure(error));
});
