/** What the models did on the test rows: ROC, precision and recall, calibration, residuals, confusion, importance. */

import { colours, figure, GRID, named } from './chart.js';
import { h } from './dom.js';
import { count, number, percent } from './format.js';

const SHARE = { type: 'value', min: 0, max: 1, interval: 0.2 };

/** All plots that the run's scores allow, as elements. */
export function rowPlots(found) {
  return [...curves(found), ...regression(found), ...classes(found)];
}

function curves({ curves: all }) {
  if (!all) return [];
  const roles = Object.keys(all.models);
  const line = (shade, role, points, more) => ({
    type: 'line',
    name: role,
    showSymbol: false,
    lineStyle: { color: shade[role], width: 2 },
    itemStyle: { color: shade[role] },
    data: points.x.map((x, index) => [x, points.y[index]]),
    ...more,
  });
  const one = (title, key, x, y, extra, more = {}) =>
    figure({
      title,
      height: 300,
      option: (shade) => ({
        legend: { show: roles.length > 1, right: 8 },
        grid: GRID,
        tooltip: { trigger: 'axis', formatter: (items) => items.filter((item) => item.seriesName !== 'aid').map((item) => `${item.seriesName}: ${number(item.value[1])}`).join('\n') },
        xAxis: { ...SHARE, ...named(x) },
        yAxis: { ...SHARE, ...named(y, 34) },
        series: [
          ...roles.map((role) => line(shade, role, all.models[role][key], more)),
          { type: 'line', name: 'aid', silent: true, showSymbol: false, lineStyle: { color: shade.muted, type: 'dashed', width: 1 }, itemStyle: { color: shade.muted }, data: extra },
        ],
        ...(roles.length > 1 && { legend: { data: roles } }),
      }),
      data: () => ({
        columns: [
          { title: 'Model', value: (row) => row.role, cell: (row) => row.role },
          { title: x, numeric: true, value: (row) => row.x, cell: (row) => number(row.x) },
          { title: y, numeric: true, value: (row) => row.y, cell: (row) => number(row.y) },
        ],
        rows: roles.flatMap((role) => all.models[role][key].x.map((at, index) => ({ role, x: at, y: all.models[role][key].y[index] }))),
      }),
      note: key === 'roc' ? roles.map((role) => `${role}: AUC ${number(all.models[role].auc)}`).join(' · ') : null,
    });
  return [
    one('ROC', 'roc', 'false positive rate', 'true positive rate', [[0, 0], [1, 1]]),
    one('Precision and recall', 'precision_recall', 'recall', 'precision', [[0, all.prevalence], [1, all.prevalence]]),
    one('Calibration', 'calibration', `predicted probability of ${all.positive}`, 'observed share', [[0, 0], [1, 1]], { showSymbol: true, symbol: 'circle', symbolSize: 6 }),
  ];
}

function regression({ errors: all }) {
  if (!all) return [];
  const roles = Object.keys(all.models);
  const drawn = [...roles].reverse(); // the challenger on top
  const ends = roles.flatMap((role) => [...all.models[role].truth, ...all.models[role].prediction]);
  const [low, high] = [ends.reduce((a, b) => Math.min(a, b)), ends.reduce((a, b) => Math.max(a, b))];
  const { edges, counts } = all.histogram;
  const middles = edges.slice(1).map((edge, index) => (edge + edges[index]) / 2);
  const formatter = (value) => number(value);
  const legend = { show: roles.length > 1, data: roles };
  return [
    figure({
      title: 'Actual and predicted',
      height: 300,
      option: (shade) => ({
        legend,
        grid: GRID,
        tooltip: { trigger: 'item', formatter: ({ seriesName, value }) => `${seriesName}\nactual ${number(value[0])}\npredicted ${number(value[1])}` },
        xAxis: { type: 'value', scale: true, ...named(`actual ${all.target}`), axisLabel: { formatter } },
        yAxis: { type: 'value', scale: true, ...named('predicted', 42), axisLabel: { formatter } },
        series: [
          ...drawn.map((role) => ({ type: 'scatter', name: role, symbolSize: 5, itemStyle: { color: shade[role], opacity: 0.5 }, data: all.models[role].truth.map((x, index) => [x, all.models[role].prediction[index]]) })),
          { type: 'line', silent: true, showSymbol: false, lineStyle: { color: shade.muted, type: 'dashed', width: 1 }, data: [[low, low], [high, high]] },
        ],
      }),
      data: () => ({
        columns: [
          { title: 'Model', value: (row) => row.role, cell: (row) => row.role },
          { title: 'Actual', numeric: true, value: (row) => row.truth, cell: (row) => number(row.truth) },
          { title: 'Predicted', numeric: true, value: (row) => row.prediction, cell: (row) => number(row.prediction) },
        ],
        rows: roles.flatMap((role) => all.models[role].truth.map((truth, index) => ({ role, truth, prediction: all.models[role].prediction[index] }))),
      }),
    }),
    figure({
      title: 'Errors',
      height: 300,
      option: (shade) => ({
        legend,
        grid: GRID,
        tooltip: { trigger: 'axis', formatter: (items) => [`about ${number(middles[items[0].dataIndex])}`, ...items.map((item) => `${item.seriesName}: ${count(item.value)} rows`)].join('\n') },
        xAxis: { type: 'category', data: middles.map(formatter), ...named('predicted − actual'), splitLine: { show: false } },
        yAxis: { type: 'value', ...named('rows', 42) },
        series: roles.map((role) => ({ type: 'bar', name: role, barGap: '-100%', barCategoryGap: '4%', itemStyle: { color: shade[role], opacity: 0.5 }, data: counts[role] })),
      }),
      data: () => ({
        columns: [
          { title: 'Predicted − actual', numeric: true, value: (row) => row.low, cell: (row) => `${number(row.low)} to ${number(row.high)}` },
          ...roles.map((role) => ({ title: role, numeric: true, value: (row) => row[role], cell: (row) => count(row[role]) })),
        ],
        rows: middles.map((_, index) => ({ low: edges[index], high: edges[index + 1], ...Object.fromEntries(roles.map((role) => [role, counts[role][index]])) })),
      }),
    }),
    figure({
      title: 'How far off',
      height: 300,
      option: (shade) => ({
        legend,
        grid: GRID,
        tooltip: { trigger: 'axis', formatter: (items) => items.map((item) => `${item.seriesName}: ${percent(item.value[1])} within ${number(item.value[0])}`).join('\n') },
        xAxis: { type: 'value', min: 0, ...named('absolute error'), axisLabel: { formatter } },
        yAxis: { ...SHARE, ...named('share of rows', 34) },
        series: roles.map((role) => ({ type: 'line', name: role, showSymbol: false, lineStyle: { color: shade[role], width: 2 }, itemStyle: { color: shade[role] }, data: all.models[role].absolute.x.map((x, index) => [x, all.models[role].absolute.y[index]]) })),
      }),
      data: () => ({
        columns: [
          { title: 'Model', value: (row) => row.role, cell: (row) => row.role },
          { title: 'Absolute error', numeric: true, value: (row) => row.x, cell: (row) => number(row.x) },
          { title: 'Rows within', numeric: true, value: (row) => row.y, cell: (row) => percent(row.y) },
        ],
        rows: roles.flatMap((role) => all.models[role].absolute.x.map((x, index) => ({ role, x, y: all.models[role].absolute.y[index] }))),
      }),
    }),
  ];
}

function classes({ classes: all }) {
  if (!all) return [];
  return Object.entries(all.models).map(([role, { confusion, f1 }]) => {
    const shares = confusion.map((row) => row.map((value) => value / Math.max(1, row.reduce((a, b) => a + b, 0))));
    const cells = () => confusion.flatMap((row, truth) => row.map((value, predicted) => ({ value: [predicted, truth, shares[truth][predicted]], rows: value, label: { color: colours()[shares[truth][predicted] > 0.5 ? 'card' : 'ink'] } })));
    return figure({
      title: `Confusion: ${role}`,
      height: Math.min(460, 130 + all.labels.length * 42),
      option: (shade) => ({
        grid: { ...GRID, top: 10 },
        tooltip: { trigger: 'item', formatter: ({ data }) => `${count(data.rows)} rows\nactual ${all.labels[data.value[1]]}\npredicted ${all.labels[data.value[0]]}` },
        xAxis: { type: 'category', data: all.labels, ...named('predicted'), axisLabel: { width: 80, overflow: 'truncate' }, splitLine: { show: false } },
        yAxis: { type: 'category', data: all.labels, inverse: true, ...named('actual', 58), axisLabel: { width: 80, overflow: 'truncate' }, splitLine: { show: false } },
        visualMap: { show: false, min: 0, max: 1, inRange: { color: [shade.soft, shade[role]] } },
        series: [{ type: 'heatmap', data: cells(), label: { show: all.labels.length <= 8, formatter: ({ data }) => count(data.rows) } }],
      }),
      data: () => ({
        columns: [
          { title: 'Actual', value: (row) => row.label, cell: (row) => row.label },
          { title: 'F1', numeric: true, value: (row) => row.f1, cell: (row) => number(row.f1) },
          ...all.labels.map((label, index) => ({ title: `as ${label}`, numeric: true, value: (row) => row.counts[index], cell: (row) => count(row.counts[index]) })),
        ],
        rows: all.labels.map((label, index) => ({ label, f1: f1[index], counts: confusion[index] })),
      }),
      note: 'Shades are shares of the actual class.',
    });
  });
}

/** How much each feature counts, the largest above. */
export function importancePlot(list) {
  if (!list?.length) return null;
  const shown = list.slice(0, 20).reverse();
  return h('div', {}, figure({
    title: list.length > 20 ? `What counts: the first 20 of ${count(list.length)} features` : 'What counts',
    label: 'Importance of the features',
    height: Math.max(110, 60 + shown.length * 21),
    option: (shade) => ({
      grid: { ...GRID, top: 6 },
      tooltip: { trigger: 'item', formatter: ({ dataIndex }) => `${shown[dataIndex].feature}\n${number(shown[dataIndex].value)}` },
      xAxis: { type: 'value', ...named('mean absolute SHAP value'), axisLabel: { formatter: (value) => number(value) } },
      yAxis: { type: 'category', data: shown.map((one) => one.feature), splitLine: { show: false }, axisLabel: { color: shade.ink, width: 220, overflow: 'truncate', interval: 0, hideOverlap: false } },
      series: [{ type: 'bar', barWidth: '62%', itemStyle: { color: shade.challenger }, data: shown.map((one) => one.value) }],
    }),
    data: () => ({
      columns: [
        { title: 'Feature', value: (one) => one.feature, cell: (one) => one.feature },
        { title: 'Importance', numeric: true, value: (one) => one.value, cell: (one) => number(one.value) },
      ],
      rows: list,
    }),
  }));
}
