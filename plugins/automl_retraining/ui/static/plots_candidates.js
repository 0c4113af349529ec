/** A search's candidates as plots: any two of their numbers, the objective's spread, and how the search came along. */

import { figure, GRID, named } from './chart.js';
import { h } from './dom.js';
import { count, number } from './format.js';

/** A candidate's numbers by name: objective, duration, metrics, and hyperparameters that are numbers. */
export function dimensions(candidates, objective) {
  const found = new Map();
  if (objective) found.set(`objective: ${objective}`, (one) => one.value);
  found.set('seconds', (one) => one.seconds);
  for (const one of candidates) {
    for (const name of Object.keys(one.metrics)) found.set(`metric: ${name}`, (each) => each.metrics[name] ?? null);
  }
  const values = new Map();
  for (const one of candidates) {
    for (const [name, value] of Object.entries(one.hyperparameters)) {
      if (!values.has(name)) values.set(name, []);
      values.get(name).push(value);
    }
  }
  for (const [name, all] of values) {
    const numeric = all.every((value) => value !== '' && Number.isFinite(Number(value)));
    if (!numeric || new Set(all).size < 2) continue;
    found.set(`hyperparameter: ${name}`, (each) => {
      const value = each.hyperparameters[name];
      return value === undefined ? null : Number(value);
    });
  }
  return found;
}

/** A scatter plot of two numbers of the reader's choice. */
export function scatter(candidates, objective, best) {
  const numbers = dimensions(candidates, objective);
  const names = [...numbers.keys()];
  if (candidates.length < 2 || names.length < 2) return null;
  const first = names.find((name) => name.startsWith('hyperparameter')) ?? names[1];
  const choice = { x: first, y: names[0], by: 'algorithm' };
  const pick = (label, axis, options) => {
    const change = (event) => {
      choice[axis] = event.target.value;
      drawn.draw();
    };
    return h('label', {}, label, h('select', { onchange: change }, options.map((name) => h('option', { value: name, selected: name === choice[axis] }, name))));
  };
  const points = () =>
    candidates
      .map((one) => ({ one, x: numbers.get(choice.x)(one), y: numbers.get(choice.y)(one) }))
      .filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y) && x !== null && y !== null);
  const logarithmic = (values) => values.length > 2 && Math.min(...values) > 0 && Math.max(...values) / Math.min(...values) > 200;

  const drawn = figure({
    title: 'Candidates by any two of their numbers',
    height: 340,
    option: (shade) => {
      const all = points();
      const groups = grouped(all, ({ one }) => (choice.by === 'algorithm' ? one.algorithm : one.status) ?? 'unknown');
      const axis = (name, key, gap) => ({
        type: logarithmic(all.map((point) => point[key])) ? 'log' : 'value',
        scale: true,
        ...named(name, gap),
        axisLabel: { formatter: (value) => number(value) },
      });
      return {
        legend: { show: groups.size > 1 },
        grid: GRID,
        tooltip: {
          trigger: 'item',
          formatter: ({ data }) => `${data.name}\n${choice.x}: ${number(data.value[0])}\n${choice.y}: ${number(data.value[1])}`,
        },
        xAxis: axis(choice.x, 'x', 28),
        yAxis: axis(choice.y, 'y', 50),
        series: [...groups].map(([name, members], index) => ({
          type: 'scatter',
          name,
          symbolSize: 9,
          itemStyle: { color: shade.palette[index % 8], opacity: 0.75 },
          data: members.map(({ one, x, y }) => ({
            name: one.name,
            value: [x, y],
            ...(one.name === best && { symbol: 'diamond', symbolSize: 18, itemStyle: { borderColor: shade.ink, borderWidth: 2, opacity: 1 } }),
          })),
        })),
      };
    },
    data: () => ({
      columns: [
        { title: 'Candidate', value: ({ one }) => one.name, cell: ({ one }) => one.name },
        { title: 'Algorithm', value: ({ one }) => one.algorithm, cell: ({ one }) => one.algorithm ?? '–' },
        { title: choice.x, numeric: true, value: ({ x }) => x, cell: ({ x }) => number(x) },
        { title: choice.y, numeric: true, value: ({ y }) => y, cell: ({ y }) => number(y) },
      ],
      rows: points(),
    }),
    note: best && 'The diamond is the best candidate.',
  });
  const tools = h('div', { class: 'tools' }, pick('Across', 'x', names), pick('Up', 'y', names), pick('Colour', 'by', ['algorithm', 'status']));
  return h('div', {}, tools, drawn);
}

function grouped(list, key) {
  const found = new Map();
  for (const one of list) {
    if (!found.has(key(one))) found.set(key(one), []);
    found.get(key(one)).push(one);
  }
  return found;
}

/** How the objective's values spread. */
export function histogram(candidates, objective) {
  const values = candidates.map((one) => one.value).filter((value) => value !== null && Number.isFinite(value));
  if (values.length < 5) return null;
  const bins = binned(values);
  return figure({
    title: `How ${objective} spreads`,
    height: 250,
    option: (shade) => ({
      grid: { ...GRID, top: 14 },
      tooltip: { trigger: 'item', formatter: ({ dataIndex }) => `${bins[dataIndex].label}\n${count(bins[dataIndex].count)} candidates` },
      xAxis: { type: 'category', data: bins.map((bin) => number((bin.low + bin.high) / 2)), ...named(objective), splitLine: { show: false } },
      yAxis: { type: 'value', minInterval: 1, ...named('candidates', 36) },
      series: [{ type: 'bar', barCategoryGap: '6%', itemStyle: { color: shade.challenger }, data: bins.map((bin) => bin.count) }],
    }),
    data: () => ({
      columns: [
        { title: objective, value: (bin) => bin.low, cell: (bin) => bin.label },
        { title: 'Candidates', numeric: true, value: (bin) => bin.count, cell: (bin) => count(bin.count) },
      ],
      rows: bins,
    }),
  });
}

/** Equal bins: as many as the square root of the count, at most 30. */
export function binned(values) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const many = high === low ? 1 : Math.min(30, Math.max(5, Math.round(Math.sqrt(values.length))));
  const width = (high - low) / many || 1;
  const bins = Array.from({ length: many }, (_, index) => ({ low: low + index * width, high: low + (index + 1) * width, count: 0 }));
  for (const value of values) bins[Math.min(many - 1, Math.floor((value - low) / width))].count += 1;
  for (const bin of bins) bin.label = `${number(bin.low)} to ${number(bin.high)}`;
  return bins;
}

/** The candidates in the order in which they ended, with the best so far. `current()` answers them as they are now. */
export function progress(current, objective, height = 250) {
  const ended = () => {
    const { candidates, greater } = current();
    const known = candidates.filter((one) => one.value !== null && (one.ended ?? one.created));
    known.sort((one, other) => Date.parse(one.ended ?? one.created) - Date.parse(other.ended ?? other.created));
    let best = null;
    return known.map((one) => {
      best = best === null ? one.value : greater ? Math.max(best, one.value) : Math.min(best, one.value);
      return { one, at: Date.parse(one.ended ?? one.created), best };
    });
  };
  return figure({
    title: 'The search over time',
    label: `${objective} of each candidate when it ended, and the best so far`,
    height,
    option: (shade) => {
      const all = ended();
      return {
        legend: { show: true },
        grid: GRID,
        tooltip: { trigger: 'item', formatter: ({ data }) => `${data.name}\n${number(data.value[1])}` },
        xAxis: { type: 'time' },
        yAxis: { type: 'value', scale: true, ...named(objective, 50), axisLabel: { formatter: (value) => number(value) } },
        series: [
          { type: 'scatter', name: 'candidate', symbolSize: 7, itemStyle: { color: shade.muted, opacity: 0.7 }, data: all.map(({ one, at }) => ({ name: one.name, value: [at, one.value] })) },
          { type: 'line', name: 'best so far', step: 'end', symbol: all.length === 1 ? 'circle' : 'none', lineStyle: { color: shade.good, width: 2 }, itemStyle: { color: shade.good }, data: all.map(({ one, at, best }) => ({ name: one.name, value: [at, best] })) },
        ],
      };
    },
    data: () => ({
      columns: [
        { title: 'Ended', value: ({ at }) => at, cell: ({ at }) => new Date(at).toLocaleTimeString() },
        { title: 'Candidate', value: ({ one }) => one.name, cell: ({ one }) => one.name },
        { title: objective, numeric: true, value: ({ one }) => one.value, cell: ({ one }) => number(one.value) },
        { title: 'Best so far', numeric: true, value: ({ best }) => best, cell: ({ best }) => number(best) },
      ],
      rows: ended(),
    }),
  });
}
