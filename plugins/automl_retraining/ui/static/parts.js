/** Pieces that several pages share: chips, rules, sections, states. */

import { h, put, svg } from './dom.js';
import { decimals, measure, number, withRange } from './format.js';

const OUTCOMES = {
  promoted: ['good', 'promoted'],
  kept: ['calm', 'kept'],
  waiting: ['doubt', 'waits for a person'],
  rolled_back: ['bad', 'rolled back'],
  void: ['calm', 'void'],
  failed: ['bad', 'failed'],
};
const VERDICTS = { promote: ['good', 'promote'], keep: ['calm', 'keep'], doubt: ['doubt', 'doubt'] };
const RESULTS = { pass: 'good', fail: 'bad', doubt: 'doubt', info: 'plain' };

/** What came of a run. */
export function outcome(word) {
  if (!word) return chip('running', 'running');
  const [tone, said] = OUTCOMES[word] ?? ['calm', word];
  return chip(tone, said);
}

/** What the gate said. */
export function verdict(word) {
  if (!word) return h('span', {}, '–');
  const [tone, said] = VERDICTS[word] ?? ['calm', word];
  return chip(tone, said);
}

/** A word in its tone. */
export function chip(tone, word) {
  return h('span', { class: `chip ${tone}` }, word);
}

/** A state of an endpoint, a job or a candidate, as AWS calls it. */
export function status(word) {
  const tones = { InService: 'good', Completed: 'good', Failed: 'bad', RollingBack: 'bad', OutOfService: 'bad', UpdateRollbackFailed: 'bad', Stopped: 'calm', none: 'plain' };
  return chip(tones[word] ?? 'running', word === 'none' ? 'no endpoint yet' : word);
}

/** The gate's rules with what each found. */
export function rules(list) {
  return h(
    'ul',
    { class: 'rules' },
    list.map((rule) =>
      h('li', {}, h('span', { class: `chip ${RESULTS[rule.result]}` }, rule.result === 'info' ? 'note' : rule.result), h('span', { title: rule.name }, rule.sentence)),
    ),
  );
}

/** A part of a page under its heading. */
export function section(title, ...children) {
  return h('section', {}, title && h('h2', {}, title), ...children);
}

/** Named facts; those without a value are left out. */
export function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== '');
  return h('dl', {}, known.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))));
}

/** A list of sentences; nothing where there are none. */
export function sentences(list, style = 'plain-list') {
  return list?.length ? h('ul', { class: style }, list.map((one) => h('li', {}, one))) : null;
}

/** Nothing to show, and what to do about it. */
export function empty(sentence, ...more) {
  return h('div', { class: 'empty', role: 'status' }, h('p', {}, sentence), ...more);
}

/** Something is on its way. */
export function waits(sentence = 'Loading …') {
  return h('p', { class: 'waits', role: 'status' }, sentence);
}

/** What went wrong, and a button to try again. */
export function failure(error, again = () => location.reload()) {
  return h(
    'div',
    { class: 'failure', role: 'alert' },
    h('p', {}, error.message),
    h('button', { type: 'button', onclick: again }, 'Try again'),
  );
}

/** A warning above what is shown all the same. */
export function warning(...sentence) {
  return sentence.some(Boolean) ? h('p', { class: 'warning', role: 'status' }, ...sentence) : null;
}

/** Fill an element when its data arrive; their absence is said in its place. */
export async function fill(element, load, make) {
  put(element, waits());
  try {
    put(element, make(await load()));
  } catch (error) {
    put(element, failure(error, () => fill(element, load, make)));
    if (!(error instanceof Error) || error.name !== 'Error') console.error(error);
  }
  return element;
}

/** An element that is filled when its data arrive. */
export function later(load, make) {
  const element = h('div');
  fill(element, load, make);
  return element;
}

/** A metric's name with an arrow to where it is better. */
export function direction(metric) {
  return `${metric.name} ${metric.greater_is_better ? '↑' : '↓'}`;
}

/** A gain in words' colours: green where the whole interval is above zero, red where it is below. */
export function gain(found) {
  if (!found) return '–';
  const tone = found.low > 0 ? 'good' : found.high < 0 ? 'bad' : 'plain';
  const places = decimals(found);
  return h('span', { class: `gain ${tone}` }, found.value > 0 ? `+${number(found.value, places)}` : number(found.value, places));
}

/** A small line of values with their intervals as a band; the last one marked. */
export function sparkline(points, label) {
  const known = points.filter((point) => point && Number.isFinite(point.value));
  if (known.length < 2) return null;
  const [width, height, pad] = [112, 26, 3];
  const low = Math.min(...known.map((point) => point.low ?? point.value));
  const high = Math.max(...known.map((point) => point.high ?? point.value));
  const x = (index) => pad + (index * (width - 2 * pad)) / (known.length - 1);
  const y = (value) => (high === low ? height / 2 : height - pad - ((value - low) * (height - 2 * pad)) / (high - low));
  const at = (value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`;
  const top = known.map((point, index) => at(point.high ?? point.value, index));
  const bottom = known.map((point, index) => at(point.low ?? point.value, index)).reverse();
  const last = known.length - 1;
  return svg(
    'svg',
    { class: 'spark', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': label },
    svg('polygon', { class: 'band', points: [...top, ...bottom].join(' ') }),
    svg('polyline', { class: 'trend', points: known.map((point, index) => at(point.value, index)).join(' ') }),
    svg('circle', { class: 'last', cx: x(last).toFixed(1), cy: y(known[last].value).toFixed(1), r: 2.6 }),
  );
}

/** The table of metrics of a run or a replay. */
export const METRIC_COLUMNS = [
  { title: 'Metric', value: (row) => row.name, cell: (row) => h('span', { title: row.undefined }, direction(row)) },
  { title: 'Challenger', numeric: true, cell: (row) => (row.undefined ? row.undefined : withRange(row.challenger)) },
  { title: 'Champion', numeric: true, cell: (row) => withRange(row.champion) },
  { title: 'Baseline', numeric: true, cell: (row) => measure(row.baseline) },
  {
    title: 'Gain',
    numeric: true,
    hint: 'How much better the challenger is: positive is better, whichever way the metric points',
    cell: (row) => [row.gain ? withRange(row.gain) : '–', row.gain && ' ', row.gain && h('span', { class: 'range' }, `vs ${row.against}`)],
  },
];

