/** A run's jobs as they are: steps with durations, candidates as they arrive, the best so far, the log's last lines. */

import { ask, keepAsking } from './api.js';
import { h, outward, put } from './dom.js';
import { between, clock, count, duration, number } from './format.js';
import { candidateTable } from './leaderboard.js';
import { empty, failure, section, status, warning, waits } from './parts.js';
import { progress } from './plots_candidates.js';
import { step } from './steps.js';

/** The panel of a run. `changed(live)` is called with each answer. */
export function livePanel(dagId, runId, changed, only) {
  const asked = h('span', { class: 'small', role: 'status' });
  const body = h('div', {}, waits('Asking SageMaker …'));
  const shown = new Map();
  let latest = null;

  function show(live) {
    const jobs = only ? live.jobs.filter((job) => job.task_id.split('.').pop() === only) : live.jobs;
    const list = jobs.length || !only ? jobs : live.jobs;
    put(asked, live.state === 'running' ? `as of ${clock(live.asked)}` : '');
    const old = new Set(shown.keys());
    for (const job of list) {
      old.delete(job.name);
      if (!shown.has(job.name)) shown.set(job.name, jobView());
      shown.get(job.name).show(job);
    }
    for (const name of old) shown.delete(name);
    const views = list.map((job) => shown.get(job.name));
    const nothing = live.state === 'running' ? 'No job of this run was submitted to SageMaker yet: the data are being split and checked.' : 'No job of this run is known any more.';
    // Elements that stand already are left where they are, so that a table being read keeps its place and focus.
    const wanted = [...live.problems.map((one) => warning(one)), ...(views.length ? views : [empty(nothing)])];
    if (wanted.length !== body.childNodes.length || wanted.some((one, index) => one !== body.childNodes[index])) put(body, wanted);
    for (const view of views) view.drawn();
  }

  keepAsking(async () => {
    latest = await ask(['runs', dagId, runId, 'live']);
    show(latest);
    changed(latest);
    return latest.state === 'running' ? 2 : null;
  }, (error) => {
    if (!latest) put(body, failure(error));
    else put(asked, `${error.message} Trying again.`);
  });
  return section('Jobs', asked, body);
}

function jobView() {
  const head = h('div', { class: 'over' });
  const steps = h('ol', { class: 'stepper', 'aria-label': 'Steps' });
  const candidates = h('div');
  const log = h('pre', { tabindex: '0', 'aria-label': 'Last lines of the log' });
  const details = h('details', {}, h('summary', {}, 'Log, the last lines'), log);
  const whole = h('div', { class: 'job' }, head, steps, candidates, details);
  let plot = null;
  let rows = null;
  let now = [];
  let greater = false;
  let columns = null;
  let leader = null;
  let opened = false;

  whole.show = (job) => {
    put(head, h('strong', {}, job.title), h('span', {}, job.name), status(job.status), h('span', {}, duration(between(job.created, job.ended))), Object.entries(job.links).map(([name, href]) => outward(name === 'log' ? 'CloudWatch log' : 'SageMaker console', href)));
    if (job.reason) head.append(warning(job.reason));
    put(steps, job.steps.map(step));
    put(log, job.log.join('\n') || 'Nothing was written yet.');
    log.scrollTop = log.scrollHeight;
    // Open while it runs; whoever closes it finds it closed.
    if (job.phase === 'waiting' && job.log.length && !opened) details.open = opened = true;
    now = job.candidates;
    if (now.length) showCandidates(job);
  };

  function showCandidates(job) {
    const { name, greater_is_better: better } = job.objective ?? { name: null, greater_is_better: false };
    greater = better;
    const best = now.find((one) => one.name === job.best);
    const counts = Object.entries(job.counts).map(([word, times]) => `${count(times)} ${word}`).join(', ');
    const said = h('p', { role: 'status' }, h('strong', {}, best ? `Best so far: ${name} ${number(best.value)}` : 'No candidate has a value yet'), best && ` (${best.algorithm ?? best.name}, after ${duration(between(job.created, best.ended))})`, h('span', { class: 'small' }, ` · ${counts}`));
    leader = job.best;
    const measured = [...new Set(now.flatMap((one) => Object.keys(one.metrics)))].join();
    if (!rows || measured !== columns) {
      columns = measured;
      rows = candidateTable(now, name, better, (one) => one.name === leader);
      plot ??= name && progress(() => ({ candidates: now, greater }), name, 220);
      put(candidates, said, plot, rows);
    } else {
      candidates.firstChild.replaceWith(said);
      rows.show(now);
    }
  }
  whole.drawn = () => plot?.draw();
  return whole;
}
