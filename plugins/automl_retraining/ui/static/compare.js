/** Two runs side by side: what came of them, their metrics, searches and policies. */

import { ask, page } from './api.js';
import { figure, GRID, named, whiskers } from './chart.js';
import { h, link, put } from './dom.js';
import { policyWords } from './evidence.js';
import { count, duration, interval, number, time, withRange } from './format.js';
import { direction, empty, failure, gain, outcome, section, sentences, verdict, waits } from './parts.js';
import { table } from './table.js';
import './theme.js';

const root = document.getElementById('page');
const parameters = new URLSearchParams(location.search);
const one = { dag_id: parameters.get('dag_id'), run_id: parameters.get('run_id') };
const other = { dag_id: parameters.get('with_dag_id') ?? one.dag_id, run_id: parameters.get('with_run_id') };

function side(run, title) {
  const { outcome: end, decision } = run.records;
  return h(
    'section',
    {},
    h('div', { class: 'over' }, h('strong', {}, title), outcome(end?.outcome ?? null), decision && verdict(decision.verdict), time(end?.finished ?? run.records.manifest?.created)),
    h('p', {}, link(run.run_id, page(['run'], { dag_id: run.dag_id, run_id: run.run_id }))),
    h('p', {}, end?.sentence ?? decision?.sentence ?? 'It is not over yet.'),
    sentences(decision?.rules.filter((rule) => rule.result !== 'pass' && rule.result !== 'info').map((rule) => rule.sentence)),
  );
}

function lines(pair) {
  const get = (take) => pair.map((run) => take(run.records, run) ?? null);
  const best = ({ leaderboard }) => leaderboard?.candidates.find((candidate) => candidate.name === leaderboard.best);
  const made = [
    ['Rows of the source', get(({ manifest }) => manifest && count(manifest.source.rows))],
    ['Source', get(({ manifest }) => manifest?.source.uri)],
    ['Features', get(({ manifest }) => manifest && count(manifest.features.length))],
    ['Test rows', get(({ evaluation }) => evaluation && count(evaluation.rows))],
    ['Search', get(({ leaderboard }) => leaderboard && [leaderboard.kind, leaderboard.mode].filter(Boolean).join(', '))],
    ['Candidates', get(({ leaderboard }) => leaderboard && count(leaderboard.candidates.length))],
    ['Took', get(({ leaderboard }) => leaderboard && duration(leaderboard.duration))],
    ['Billable', get(({ leaderboard }) => leaderboard && leaderboard.billable_seconds !== null && duration(leaderboard.billable_seconds))],
    ['Best algorithm', get((records) => best(records)?.algorithm)],
    ['Its value in the search', get((records) => best(records) && `${records.leaderboard.objective_metric} ${number(best(records).objective_value)}`)],
    ['Policy', get(({ decision }) => decision && policyWords(decision.policy))],
    ['Challenger', get(({ evaluation }) => evaluation?.challenger.model_name)],
    ['Champion then', get(({ evaluation }) => evaluation?.champion?.model_name)],
    ['Answered', get(({ outcome: end }) => end?.answer && `${end.answer}${end.answered_by ? ` by ${end.answered_by}` : ''}`)],
  ];
  const names = [...new Set(pair.flatMap(({ records }) => Object.keys(best(records)?.hyperparameters ?? {})))];
  for (const name of names) made.push([`Best: ${name}`, get((records) => best(records)?.hyperparameters[name])]);
  return made.filter(([, values]) => values.some((value) => value !== null && value !== false)).map(([name, values]) => ({ name, values }));
}

function facts(pair) {
  return table(
    [
      { title: 'What', value: (row) => row.name, cell: (row) => row.name },
      { title: 'First', cell: (row) => row.values[0] ?? '–' },
      { title: 'Second', cell: (row) => row.values[1] ?? '–' },
      { title: 'Same', value: (row) => Number(row.values[0] === row.values[1]), cell: (row) => (row.values[0] === row.values[1] ? 'same' : h('strong', {}, 'differs')) },
    ],
    { rows: lines(pair), caption: 'Facts of both runs', page: 100 },
  );
}

function metrics(pair) {
  const names = [...new Set(pair.flatMap((run) => run.metrics.map((metric) => metric.name)))];
  const rows = names.map((name) => {
    const found = pair.map((run) => run.metrics.find((metric) => metric.name === name) ?? null);
    return { name, found, some: found.find(Boolean) };
  });
  const columns = [
    { title: 'Metric', value: (row) => row.name, cell: (row) => direction(row.some) },
    ...['First', 'Second'].flatMap((title, index) => [
      { title: `${title}: challenger`, numeric: true, value: (row) => row.found[index]?.challenger?.value ?? null, cell: (row) => withRange(row.found[index]?.challenger) },
      { title: `${title}: gain`, numeric: true, value: (row) => row.found[index]?.gain?.value ?? null, cell: (row) => gain(row.found[index]?.gain) },
    ]),
  ];
  return table(columns, { rows, caption: 'Metrics of both runs', marked: (row) => row.some.primary });
}

function plot(pair) {
  const primary = pair.map((run) => run.metrics.find((metric) => metric.primary) ?? null);
  const shown = primary.flatMap((metric, index) => (metric ? [['champion', metric.champion], ['challenger', metric.challenger]] : []).filter(([, found]) => found).map(([role, found]) => ({ role, found, name: `${['first', 'second'][index]}: ${role}` })));
  if (shown.length < 2) return null;
  shown.reverse();
  return figure({
    title: `${direction(primary.find(Boolean))} on each run’s test rows`,
    height: 70 + shown.length * 30,
    option: (shade) => ({
      grid: { ...GRID, top: 8 },
      tooltip: { trigger: 'item', formatter: ({ dataIndex }) => `${shown[dataIndex].name}\n${interval(shown[dataIndex].found).value}  (${interval(shown[dataIndex].found).range})` },
      xAxis: { type: 'value', scale: true, ...named(primary.find(Boolean).name), axisLabel: { formatter: (value) => number(value) } },
      yAxis: { type: 'category', data: shown.map(({ name }) => name), splitLine: { show: false }, axisLabel: { color: shade.ink, interval: 0 } },
      series: [{ ...whiskers(true, (index) => [shade.champion, shade.challenger][index], { paper: shade.card }), data: shown.map(({ role, found }, index) => [index, found.value, found.low, found.high, role === 'challenger' ? 1 : 0]) }],
    }),
    data: () => ({
      columns: [
        { title: 'Model', value: (row) => row.name, cell: (row) => row.name },
        { title: 'Value', numeric: true, value: (row) => row.found.value, cell: (row) => withRange(row.found) },
      ],
      rows: shown,
    }),
    note: 'Where the two runs judged on different rows, only the models of one run compare exactly.',
  });
}

async function show() {
  put(root, waits());
  const pair = await Promise.all([one, other].map((run) => ask(['runs', run.dag_id, run.run_id])));
  put(
    root,
    h('nav', { class: 'crumbs', 'aria-label': 'Where this is' }, link('Models', page([''])), h('span', {}, '/'), link(pair[0].pipeline, page(['models', pair[0].pipeline])), h('span', {}, '/'), h('span', {}, 'two runs')),
    h('h1', {}, 'Two runs side by side'),
    h('div', { class: 'sides' }, side(pair[0], 'First'), side(pair[1], 'Second')),
    section('Metrics', plot(pair), metrics(pair)),
    section('Facts', facts(pair)),
  );
}

async function choose() {
  const { runs } = await ask(['models', '~'], { dag_id: one.dag_id });
  const others = runs.filter((run) => run.dag_id && run.run_id !== one.run_id);
  const pick = (run) => link('compare', page(['compare'], { ...one, with_dag_id: run.dag_id, with_run_id: run.run_id }));
  put(root, h('h1', {}, `Compare ${one.run_id} with …`), section(null, table([
    { title: 'Run', value: (run) => run.created, cell: (run) => [time(run.created), h('div', { class: 'small' }, run.run_id)] },
    { title: 'Outcome', value: (run) => run.outcome, cell: (run) => outcome(run.outcome) },
    { title: 'Challenger', numeric: true, value: (run) => run.challenger?.value ?? null, cell: (run) => withRange(run.challenger) },
    { title: '', cell: pick },
  ], { rows: others, caption: 'Runs to compare with', sort: [0, 'descending'], empty: 'There is no other run of this model.' })));
}

if (!one.dag_id || !one.run_id) {
  put(root, empty('This page shows two runs: choose them on a model’s page.', link('Models', page(['']))));
} else {
  (other.run_id ? show : choose)().catch((error) => put(root, failure(error)));
}
