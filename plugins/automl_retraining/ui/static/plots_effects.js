/** How much better the challenger is, with its interval: overall and per slice, beside zero and the policy's margin. */

import { figure, GRID, named, whiskers } from './chart.js';
import { count, interval, number, withRange } from './format.js';

/** The comparison plot of a run or a replay; null where nothing was compared. */
export function effectsPlot(effects, metric) {
  if (!effects?.lines.length) return null;
  const lines = [...effects.lines].reverse(); // the axis counts from below
  const rows = lines.map((line) => `${line.name}  (${count(line.rows)})`);
  const ends = lines.flatMap(({ gain }) => [gain.low, gain.high, gain.value]).filter(Number.isFinite);
  const margin = effects.margin ?? 0;
  const low = Math.min(0, margin, ...ends);
  const high = Math.max(0, margin, ...ends);
  const room = (high - low || 1) * 0.06;
  const finite = (value, end) => (Number.isFinite(value) ? value : end);
  const tone = (gain) => (gain.low > 0 ? 0 : gain.high < 0 ? 1 : 2);

  return figure({
    title: `How much better than the ${effects.against}: ${effects.metric ?? metric ?? ''}`,
    label: `Gain in ${effects.metric} over the ${effects.against} with its interval, for ${lines.length} groups of test rows.`,
    height: Math.max(110, 74 + lines.length * 26),
    option: (shade) => ({
      grid: { ...GRID, top: 22 },
      xAxis: { type: 'value', min: low - room, max: high + room, ...named('← worse · challenger compared · better →'), splitLine: { showMinLine: false, showMaxLine: false }, axisLabel: { formatter: (value) => number(value), showMinLabel: false, showMaxLabel: false } },
      yAxis: { type: 'category', data: rows, splitLine: { show: false }, axisLabel: { color: shade.ink, width: 240, overflow: 'truncate', interval: 0, hideOverlap: false } },
      tooltip: {
        trigger: 'item',
        formatter: ({ dataIndex }) => {
          const { value, range } = interval(lines[dataIndex].gain);
          return `${lines[dataIndex].name}\n${value}  (${range})\n${count(lines[dataIndex].rows)} rows`;
        },
      },
      series: [
        {
          ...whiskers(true, (index) => [shade.good, shade.bad, shade.muted][index], { paper: shade.card }),
          data: lines.map(({ gain }, index) => [index, gain.value, finite(gain.low, low - room), finite(gain.high, high + room), tone(gain)]),
          markLine: {
            silent: true,
            symbol: 'none',
            data: [
              { xAxis: 0, lineStyle: { color: shade.ink, type: 'solid', width: 1.4 }, label: { show: false } },
              ...(margin === 0 ? [] : [{ xAxis: margin, lineStyle: { color: shade.doubt, type: 'dashed', width: 1.4 }, label: { formatter: `margin ${number(margin)}`, color: shade.doubt, position: 'end', distance: 4 } }]),
            ],
          },
        },
      ],
    }),
    data: () => ({
      columns: [
        { title: 'Rows', value: (line) => line.name, cell: (line) => line.name },
        { title: 'Count', numeric: true, value: (line) => line.rows, cell: (line) => count(line.rows) },
        { title: 'Gain', numeric: true, value: (line) => line.gain.value, cell: (line) => withRange(line.gain) },
      ],
      rows: effects.lines,
    }),
    note: 'The dot is what the test rows say, the bar its interval. The gate reads the bar’s low end: it must lie right of the line that the policy asks for.',
  });
}
