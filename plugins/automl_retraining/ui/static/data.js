/** The data of a run: its parts, its columns beside the last run's, what changed, and the checks. */

import { h } from './dom.js';
import { count, number, percent, time } from './format.js';
import { empty, facts, rules, section, sentences } from './parts.js';
import { table } from './table.js';

const STATES = { new: 'good', gone: 'bad', changed: 'doubt', same: 'plain' };

/** Columns as they are and as they were. */
export function columnTable(columns) {
  const beside = (now, before, shown) => [shown(now), before !== null && before !== undefined && before !== now && h('div', { class: 'small' }, `was ${shown(before)}`)];
  const top = (list) => (list ?? []).slice(0, 3).map(([text, times]) => `${text} (${count(times)})`).join(', ');
  return table(
    [
      { title: 'Column', value: (row) => row.name, cell: (row) => [h('span', {}, row.name), row.role !== 'feature' && h('div', { class: 'small' }, row.role)] },
      { title: 'Type', value: (row) => row.type, cell: (row) => beside(row.type, row.type_before, String) },
      { title: 'Missing', numeric: true, value: (row) => row.missing, cell: (row) => beside(row.missing, row.missing_before, percent) },
      { title: 'Distinct', numeric: true, value: (row) => row.distinct, cell: (row) => beside(row.distinct, row.distinct_before, count) },
      { title: 'Mean', numeric: true, value: (row) => row.mean, cell: (row) => beside(row.mean, row.mean_before, number) },
      { title: 'Std', numeric: true, value: (row) => row.std, cell: (row) => beside(row.std, row.std_before, number) },
      { title: 'Range or most frequent', cell: (row) => h('div', { class: 'clamp' }, row.minimum !== null && row.minimum !== undefined ? `${number(row.minimum)} to ${number(row.maximum)}` : top(row.top)) },
      { title: 'Shift', numeric: true, hint: 'Standard deviations that the mean moved', value: (row) => (row.shift === null ? null : Math.abs(row.shift)), cell: (row) => number(row.shift) },
      { title: 'State', value: (row) => row.state, cell: (row) => h('span', { class: `chip ${STATES[row.state]}` }, row.state) },
    ],
    { rows: columns, caption: 'Columns', page: 50, marked: (row) => row.role === 'target' },
  );
}

/** The panel of a run: `profile` is the API's, `records` the run's. */
export function dataPanel(profile, records) {
  if (profile.reason) return [checks(records.checks), section('Data', empty(profile.reason))];
  const { manifest } = records;
  return [
    section(
      'Data',
      facts([
        ['Source', manifest.source.uri],
        ['Rows', count(manifest.source.rows)],
        ['Without a target, left out', manifest.source.dropped_missing_target ? count(manifest.source.dropped_missing_target) : null],
        ['Target', `${manifest.target} (${manifest.problem_type})`],
        ['Positive class', manifest.positive_class],
        ['Profiled', time(manifest.created)],
        ['sha256', h('span', { title: manifest.source.sha256 }, `${manifest.source.sha256.slice(0, 16)}…`)],
      ]),
      sentences(manifest.warnings),
    ),
    section('What changed', manifest.previous_run ? sentences(manifest.changes) ?? h('p', {}, manifest.unchanged ? 'Nothing: the same bytes as the last run’s.' : 'Nothing that is worth a sentence.') : h('p', {}, 'There is no run before this one to compare with.')),
    section('Split', split(manifest, profile.parts)),
    checks(records.checks),
    section('Columns', columnTable(profile.columns), profile.against_run_id && h('p', { class: 'note' }, `“was” is run ${profile.against_run_id}.`)),
  ];
}

function split(manifest, parts) {
  const rows = Object.entries(parts).map(([name, part]) => ({ name, ...part }));
  const total = rows.reduce((sum, row) => sum + row.rows, 0);
  const labels = Object.keys(parts.train.class_counts ?? {}).slice(0, 8);
  const columns = [
    { title: 'Part', cell: (row) => row.name },
    { title: 'Rows', numeric: true, cell: (row) => count(row.rows) },
    { title: 'Share', numeric: true, cell: (row) => percent(row.rows / total) },
    ...labels.map((label) => ({ title: label, numeric: true, cell: (row) => count(row.class_counts[label] ?? 0) })),
    ...(labels.length ? [] : [{ title: 'Mean of the target', numeric: true, cell: (row) => number(row.target_mean) }]),
  ];
  const by = { key: 'the key', group: 'the group', features: 'the feature values', time: 'time' }[manifest.split.by];
  const said = `Split by ${by}${manifest.split.columns.length ? ` (${manifest.split.columns.join(', ')})` : ''}${manifest.split.cutoff ? `; the test part begins at ${manifest.split.cutoff}` : ''}.`;
  return [table(columns, { rows, caption: 'Parts of the split' }), h('p', { class: 'note' }, said)];
}

function checks(found) {
  if (!found) return null;
  const list = found.results.map((one) => ({ name: one.name, result: one.found ? 'doubt' : 'pass', sentence: one.sentence }));
  return section('Checks before training', list.length ? rules(list) : empty('The policy switches all checks off.'), h('p', { class: 'note' }, `Looked at ${count(found.train_rows)} train and ${count(found.test_rows)} test rows.`));
}
