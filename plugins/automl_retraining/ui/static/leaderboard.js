/** The candidates of a finished search: a table that sorts by each of their numbers, and their plots. */

import { h } from './dom.js';
import { count, duration, measure, time } from './format.js';
import { empty, facts, section, sentences, status } from './parts.js';
import { step } from './steps.js';
import { histogram, progress, scatter } from './plots_candidates.js';
import { table } from './table.js';

const MOST_METRICS = 5;

/** Candidates of leaderboard.json in the form that a live job's have. */
export function fromRecord(board) {
  return board.candidates.map((one) => ({ ...one, value: one.objective_value, seconds: one.duration }));
}

/** The table of candidates; `marked(candidate)` says which stand out. */
export function candidateTable(candidates, objective, greater, marked) {
  const metrics = [...new Set(candidates.flatMap((one) => Object.keys(one.metrics)))].filter((name) => name !== objective).slice(0, MOST_METRICS);
  const settings = (one) => Object.entries(one.hyperparameters).map(([name, value]) => `${name}=${value}`);
  const columns = [
    { title: 'Candidate', value: (one) => one.name, cell: (one) => [one.name, one.failure_reason && h('div', { class: 'small' }, one.failure_reason)] },
    { title: 'Algorithm', value: (one) => one.algorithm, cell: (one) => one.algorithm ?? '–' },
    { title: objective ?? 'Objective', numeric: true, value: (one) => one.value, cell: (one) => measure(one.value) },
    ...metrics.map((name) => ({ title: name, numeric: true, value: (one) => one.metrics[name] ?? null, cell: (one) => measure(one.metrics[name]) })),
    { title: 'Took', numeric: true, value: (one) => one.seconds, cell: (one) => duration(one.seconds) },
    { title: 'Status', value: (one) => one.status, cell: (one) => status(one.status) },
    { title: 'Hyperparameters', cell: (one) => h('div', { class: 'clamp small', title: settings(one).join('\n') }, settings(one).join(', ') || '–') },
  ];
  return table(columns, { rows: candidates, caption: 'Candidates', sort: [2, greater ? 'descending' : 'ascending'], marked, empty: 'No candidate yet.' });
}

/** The panel of a run. */
export function leaderboardPanel(board) {
  if (!board) return section('Candidates', empty('The leaderboard is written when the search ends. Until then, the tab Jobs shows the candidates as they arrive.'));
  performance.mark('data');
  const candidates = fromRecord(board);
  const objective = board.objective_metric;
  const charts = [scatter(candidates, objective, board.best), histogram(candidates, objective), candidates.length > 1 && progress(() => ({ candidates, greater: board.greater_is_better }), objective)].filter(Boolean);
  const made = [
    section(
      'Search',
      facts([
        ['Job', board.job_name],
        ['Kind', [board.kind, board.mode].filter(Boolean).join(', ')],
        ['Status', status(board.status)],
        ['Candidates', count(candidates.length)],
        ['Began', time(board.created)],
        ['Took', duration(board.duration)],
        ['Billable', board.billable_seconds === null ? null : duration(board.billable_seconds)],
        ['Objective', `${objective}, ${board.greater_is_better ? 'the higher the better' : 'the lower the better'}, on the validation rows`],
      ]),
      sentences(board.partial_failures),
      way(board),
    ),
    section('Candidates', candidateTable(candidates, objective, board.greater_is_better, (one) => one.name === board.best)),
    charts.length ? section(null, charts[0], h('div', { class: 'grid' }, charts.slice(1))) : null,
  ];
  requestAnimationFrame(() => performance.measure('leaderboard', 'data'));
  return made;
}

/** The statuses that the task saw its job in, with how long each was. */
function way({ transitions, ended }) {
  if (!transitions.length) return null;
  const steps = transitions.map(([status, since], index) => {
    const last = index === transitions.length - 1;
    return step({ status, state: 'done', since, until: last ? ended ?? since : transitions[index + 1][1], certain: true });
  });
  return h('ol', { class: 'stepper', 'aria-label': 'Steps' }, steps);
}
