/** A model over time: its metric with intervals, who was champion when, and what each run cost. */

import { figure, GRID, named, whiskers } from './chart.js';
import { day, duration, interval, number, time, when, withRange } from './format.js';

const TONES = { promoted: 'good', failed: 'bad', rolled_back: 'bad', waiting: 'doubt' };

/** Challenger and champion of each run, with intervals; a click opens the run. */
export function trendPlot(trend, metric, open) {
  const known = trend.filter((point) => point.finished && (point.challenger || point.champion));
  if (!known.length) return null;
  const few = known.length <= 60;
  const position = (role, point) => [Date.parse(point.finished), point[role].value, point[role].low, point[role].high];
  return figure({
    title: `${metric.name} on the test rows ${metric.greater_is_better ? '(higher is better)' : '(lower is better)'}`,
    label: `${metric.name} of challenger and champion with intervals, by run`,
    height: 300,
    click: ({ seriesName, dataIndex }) => {
      const role = seriesName;
      const found = known.filter((point) => point[role])[dataIndex];
      if (found) open(found);
    },
    option: (shade) => ({
      legend: { data: ['challenger', 'champion'] },
      grid: GRID,
      tooltip: {
        trigger: 'item',
        formatter: ({ seriesName, dataIndex }) => {
          const point = known.filter((one) => one[seriesName])[dataIndex];
          const { value, range } = interval(point[seriesName]);
          return `${when(point.finished)}\n${seriesName} ${value}  (${range})\n${point.outcome ?? ''}`;
        },
      },
      xAxis: { type: 'time', splitLine: { show: false } },
      yAxis: { type: 'value', scale: true, ...named(metric.name, 46), axisLabel: { formatter: (value) => number(value) } },
      series: ['champion', 'challenger'].map((role) => {
        const data = known.filter((point) => point[role]).map((point) => position(role, point));
        return few
          ? { name: role, itemStyle: { color: shade[role] }, ...whiskers(false, shade[role], { paper: shade.card, shift: role === 'champion' ? -4 : 4 }), data }
          : { name: role, type: 'line', showSymbol: false, itemStyle: { color: shade[role] }, lineStyle: { color: shade[role], width: 1.6 }, data: data.map(([x, y]) => [x, y]) };
      }),
    }),
    data: () => ({
      columns: [
        { title: 'Run', value: (point) => point.finished, cell: (point) => time(point.finished) },
        { title: 'Challenger', numeric: true, value: (point) => point.challenger?.value, cell: (point) => withRange(point.challenger) },
        { title: 'Champion', numeric: true, value: (point) => point.champion?.value, cell: (point) => withRange(point.champion) },
        { title: 'Outcome', value: (point) => point.outcome, cell: (point) => point.outcome ?? '–' },
      ],
      rows: [...known].reverse(),
    }),
    note: 'The runs’ test rows differ as the data grow: compare the two models of a run with one another first.',
  });
}

/** Who was champion from when until when. */
export function championsPlot(champions, open) {
  const known = champions.filter((one) => one.since);
  if (!known.length) return null;
  const now = Date.now();
  const shown = known.slice(0, 40);
  // Names of one model's champions begin alike: their ends tell them apart.
  const names = shown.map(({ model }) => (model.length > 36 ? `…${model.slice(-35)}` : model)).reverse();
  return figure({
    title: 'Champions',
    label: 'Which model served from when until when',
    height: Math.max(96, 48 + shown.length * 24),
    click: ({ dataIndex }) => shown[dataIndex].run_id && open(shown[dataIndex]),
    option: (shade) => ({
      grid: { ...GRID, top: 6 },
      tooltip: {
        trigger: 'item',
        formatter: ({ dataIndex }) => {
          const one = shown[dataIndex];
          return `${one.model}\nsince ${when(one.since)}\n${one.until ? `until ${when(one.until)}` : 'serves now'}`;
        },
      },
      xAxis: { type: 'time', min: Math.min(...shown.map((one) => Date.parse(one.since))), max: now },
      yAxis: { type: 'category', data: names, splitLine: { show: false }, axisLabel: { color: shade.ink, width: 270, overflow: 'truncate', interval: 0, hideOverlap: false } },
      series: [
        {
          type: 'custom',
          encode: { x: [1, 2], y: 0 },
          data: shown.map((one, index) => [shown.length - 1 - index, Date.parse(one.since), one.until ? Date.parse(one.until) : now, one.until ? 0 : 1]),
          renderItem: (_, api) => {
            const [from, to] = [api.coord([api.value(1), api.value(0)]), api.coord([api.value(2), api.value(0)])];
            const shape = { x: from[0], y: from[1] - 7, width: Math.max(3, to[0] - from[0]), height: 14, r: 3 };
            return { type: 'rect', shape, style: { fill: api.value(3) ? shade.good : shade.champion, opacity: api.value(3) ? 1 : 0.55 } };
          },
        },
      ],
    }),
    data: () => ({
      columns: [
        { title: 'Model', value: (one) => one.model, cell: (one) => one.model },
        { title: 'Since', value: (one) => one.since, cell: (one) => time(one.since) },
        { title: 'Until', value: (one) => one.until ?? '~', cell: (one) => (one.until ? time(one.until) : 'serves now') },
        { title: 'When promoted', numeric: true, value: (one) => one.metric?.value, cell: (one) => withRange(one.metric) },
      ],
      rows: known,
    }),
    note: 'Green serves now. A click opens the run that made it.',
  });
}

/** Billable seconds of each run. */
export function costPlot(runs, open) {
  const known = runs.filter((run) => run.created && run.billable_seconds !== null).slice(0, 100).reverse();
  if (!known.length) return null;
  return figure({
    title: 'Billable time per run',
    height: 220,
    click: ({ dataIndex }) => open(known[dataIndex]),
    option: (shade) => ({
      grid: { ...GRID, top: 12 },
      tooltip: { trigger: 'item', formatter: ({ dataIndex }) => `${when(known[dataIndex].created)}\n${duration(known[dataIndex].billable_seconds)}\n${known[dataIndex].outcome ?? 'running'}` },
      xAxis: { type: 'category', data: known.map((run) => day(run.created)), splitLine: { show: false } },
      yAxis: { type: 'value', ...named('billable seconds', 46) },
      series: [{ type: 'bar', barMaxWidth: 34, data: known.map((run) => ({ value: run.billable_seconds, itemStyle: { color: shade[TONES[run.outcome]] ?? shade.muted, opacity: 0.8 } })) }],
    }),
    data: () => ({
      columns: [
        { title: 'Run', value: (run) => run.created, cell: (run) => time(run.created) },
        { title: 'Billable', numeric: true, value: (run) => run.billable_seconds, cell: (run) => duration(run.billable_seconds) },
        { title: 'Outcome', value: (run) => run.outcome, cell: (run) => run.outcome ?? 'running' },
      ],
      rows: [...known].reverse(),
    }),
    note: 'As SageMaker bills the search and the training. Green was promoted, red failed.',
  });
}
