/** One run: live while it runs, then its evidence, its candidates, its test rows and its data. */

import { airflow, ask, download, keepAsking, page } from './api.js';
import { dataPanel } from './data.js';
import { h, link, outward, put } from './dom.js';
import { local, time } from './format.js';
import { evidencePanel } from './evidence.js';
import { leaderboardPanel } from './leaderboard.js';
import { livePanel } from './live.js';
import { empty, failure, later, outcome, section, sentences, warning } from './parts.js';
import { importancePlot, rowPlots } from './plots_rows.js';
import { tabs } from './tabs.js';
import './theme.js';

const root = document.getElementById('page');
const parameters = new URLSearchParams(location.search);
const dagId = parameters.get('dag_id') ?? '';
const runId = parameters.get('run_id') ?? '';
const taskId = parameters.get('task_id')?.split('.').pop() ?? null;
/** Which panel a task's own tab opens. */
const PANELS = { split: 'data', check_data: 'data', evaluate: 'evidence', gate: 'evidence', approve: 'evidence', record: 'evidence' };
const TONES = { promoted: 'good', kept: 'calm', waiting: 'doubt', rolled_back: 'bad', failed: 'bad', void: 'calm' };

const head = h('div');
let before = '';
let panels = null;
let latest = null;
/** What runs, in words. */
let now = 'This run goes on.';

function heading(run) {
  const { outcome: end, decision, manifest } = run.records;
  const running = run.state === 'running';
  const sentence = local(end?.sentence ?? decision?.sentence) ?? (running ? now : 'This run left no outcome: it ended before its record was written.');
  return [
    h(
      'nav',
      { class: 'crumbs', 'aria-label': 'Where this is' },
      link('Models', page([''])),
      h('span', {}, '/'),
      link(run.pipeline, page(['models', run.pipeline])),
      h('span', {}, '/'),
      h('span', {}, run.run_id),
    ),
    h(
      'header',
      { class: `page ${TONES[end?.outcome] ?? (running ? 'running' : 'calm')}` },
      h('div', { class: 'over' }, outcome(end?.outcome ?? (running ? null : 'no outcome')), h('span', {}, 'model ', h('strong', {}, run.pipeline)), h('span', {}, run.dag_id), time(end?.finished ?? manifest?.created)),
      h('h1', {}, sentence),
      end?.outcome === 'waiting' && h('p', {}, outward('Answer it under Required Actions', airflow(['dags', dagId, 'runs', runId, 'tasks', 'approve', 'required_actions']), { class: 'primary' })),
      end && sentences(end.reasons.filter((one) => one !== end.sentence && !decision?.reasons.includes(one))),
      run.problems.map((one) => warning(one)),
      links(run),
    ),
  ];
}

function links(run) {
  const here = { dag_id: dagId, run_id: runId };
  const { records } = run;
  return h(
    'p',
    { class: 'over' },
    run.has_scores && link('What another policy would say', page(['gate'], here)),
    run.previous_run && link('Compare with the run before', page(['compare'], { ...here, with_run_id: run.previous_run })),
    h('span', {}, 'Download:'),
    link('JSON', download(dagId, runId, 'json'), { download: '' }),
    records.leaderboard && link('CSV', download(dagId, runId, 'csv'), { download: '' }),
    run.has_report && link('report', download(dagId, runId, 'report', { save: 1 }), { download: '' }),
    outward('This run in Airflow', airflow(['dags', dagId, 'runs', runId])),
  );
}

function testRows() {
  return later(
    () => ask(['runs', dagId, runId, 'plots']),
    (found) => {
      const plots = rowPlots(found);
      const importance = importancePlot(found.importance);
      return [
        plots.length ? section('On the test rows', h('div', { class: 'grid three' }, plots)) : section('On the test rows', empty(found.reason ?? 'There is nothing to draw.')),
        importance && section(null, importance),
      ];
    },
  );
}

function report() {
  if (!latest.has_report) return section('Report', empty('The report is written when the run is over. Its parts are on the other tabs as they come.'));
  return h('iframe', { class: 'report', sandbox: '', title: 'The stand-alone report', src: download(dagId, runId, 'report') });
}

function make() {
  const list = [
    { key: 'evidence', title: 'Why', make: () => evidencePanel(latest) },
    { key: 'jobs', title: 'Jobs', make: () => livePanel(dagId, runId, moved, taskId && !PANELS[taskId] ? taskId : null) },
    { key: 'candidates', title: 'Candidates', make: () => leaderboardPanel(latest.records.leaderboard) },
    { key: 'rows', title: 'Test rows', make: testRows },
    { key: 'data', title: 'Data', make: () => later(() => ask(['runs', dagId, runId, 'profile']), (found) => dataPanel(found, latest.records)) },
    { key: 'report', title: 'Report', make: report },
  ];
  const first = latest.records.decision || latest.records.outcome ? 'evidence' : 'jobs';
  const asked = taskId ? PANELS[taskId] ?? 'jobs' : null;
  return tabs('Views of this run', list, asked ?? first);
}

/** The heading says which jobs run; where the run is over, what its records say is asked again at once. */
function moved(live) {
  const busy = live.jobs.filter((job) => job.phase === 'waiting').map((job) => [job.title, job.secondary].filter(Boolean).join(': '));
  now = busy.length ? `Running: ${busy.join('; ')}` : 'This run goes on.';
  const said = latest?.records;
  if (live.state === 'running' && said && !said.outcome && !said.decision) put(head.querySelector('h1'), now);
  if (live.state !== 'running' && latest?.state === 'running') refresh().catch(() => undefined); // the turn below says what failed
}

async function refresh() {
  latest = await ask(['runs', dagId, runId]);
  const found = JSON.stringify([latest.state, latest.records, latest.problems, latest.has_report]);
  if (found === before) return;
  before = found;
  document.title = `${latest.pipeline}: ${latest.run_id}`;
  put(head, heading(latest));
  if (!panels) put(root, head, (panels = make()));
  else panels.renew(['jobs']);
}

if (!dagId || !runId) {
  put(root, empty('This page shows one DAG run: open it as the tab Retraining of a run, or from the table of models.', link('Models', page(['']))));
} else {
  keepAsking(async () => {
    await refresh();
    return latest.state === 'running' || latest.records.outcome?.outcome === 'waiting' ? 4 : null;
  }, (error) => {
    if (!panels) put(root, failure(error));
  });
}
