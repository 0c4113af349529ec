/**
 * Charts: an ECharts canvas in the page's colours with a table of the same numbers behind a button.
 *
 * ECharts is loaded with the first chart. Tooltips are drawn on the canvas (`richText`), never as HTML.
 */

import { h, put } from './dom.js';
import { colour, onTheme } from './theme.js';
import { table } from './table.js';

let loading = null;
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

function library() {
  loading ??= import('./vendor/echarts.esm.min.js');
  return loading;
}

/** The style sheet's colours as they are now. */
export function colours() {
  const named = ['ink', 'muted', 'line', 'card', 'soft', 'challenger', 'champion', 'good', 'bad', 'doubt'];
  const palette = [1, 2, 3, 4, 5, 6, 7, 8].map((number) => colour(`--series-${number}`));
  return { ...Object.fromEntries(named.map((name) => [name, colour(`--${name}`)])), palette };
}

/**
 * A figure.
 *
 * parts: `title`, `label` (what a screen reader says of it), `height` in pixels, `option(colours)` (ECharts' option),
 * `data` (`{columns, rows}` as tables take them: the same numbers), `note`, `click(event)`.
 * Answers the element, with `draw()` for new data.
 */
export function figure(parts) {
  const canvas = h('div', { class: 'canvas', role: 'img', 'aria-label': parts.label ?? parts.title, tabindex: '0' });
  canvas.style.height = `${parts.height ?? 280}px`;
  const numbers = h('div', { hidden: true });
  const button = parts.data && h('button', { type: 'button', class: 'quiet', 'aria-pressed': 'false', onclick: turn }, 'As table');
  const heading = h('div', { class: 'figure-head' }, parts.title && h('h3', {}, parts.title), button);
  const whole = h('figure', {}, heading, canvas, numbers, parts.note && h('figcaption', {}, parts.note));
  let drawn = null;
  let failed = false;

  function turn() {
    const asTable = numbers.hidden;
    numbers.hidden = !asTable;
    canvas.hidden = asTable;
    button.setAttribute('aria-pressed', String(asTable));
    fill();
  }

  function fill() {
    if (numbers.hidden) return;
    const { columns, rows } = parts.data();
    put(numbers, table(columns, { rows, caption: `${parts.title}: the numbers`, page: 20 }));
  }

  async function draw() {
    fill();
    if (!canvas.isConnected || canvas.clientWidth === 0 || failed) return;
    let echarts;
    try {
      echarts = await library();
    } catch {
      failed = true;
      put(canvas, h('p', { class: 'empty' }, 'The charts could not be loaded. Reload the page; the table has the numbers.'));
      return;
    }
    if (!drawn) {
      drawn = echarts.init(canvas, null, { renderer: 'canvas' });
      if (parts.click) drawn.on('click', parts.click);
    }
    drawn.resize();
    drawn.setOption(styled(parts.option(colours(), echarts), colours()), { notMerge: true });
    canvas.dataset.drawn = 'true';
  }

  // The first size it gets draws it: a panel of another tab has none.
  let width = 0;
  new ResizeObserver(() => {
    if (canvas.clientWidth === width) return;
    width = canvas.clientWidth;
    draw();
  }).observe(canvas);
  onTheme(() => {
    if (drawn) draw();
  });
  whole.draw = draw;
  return whole;
}

/** What all charts share. */
function styled(option, shades) {
  const axis = (one) => ({
    ...one,
    nameTextStyle: { color: shades.muted, fontFamily: FONT, fontSize: 12, ...one.nameTextStyle },
    axisLabel: { color: shades.muted, fontFamily: FONT, hideOverlap: true, ...one.axisLabel },
    axisLine: { lineStyle: { color: shades.line }, onZero: false, ...one.axisLine },
    axisTick: { show: false, ...one.axisTick },
    splitLine: { lineStyle: { color: shades.line, width: 0.7 }, ...one.splitLine },
  });
  const axes = (found) => (Array.isArray(found) ? found.map(axis) : found && axis(found));
  return {
    animation: false,
    color: shades.palette,
    textStyle: { fontFamily: FONT, color: shades.ink },
    ...option,
    ...(option.legend && { legend: { textStyle: { color: shades.ink, fontFamily: FONT }, type: 'scroll', top: 0, right: 8, icon: 'circle', itemWidth: 9, pageTextStyle: { color: shades.muted }, ...option.legend } }),
    tooltip: {
      renderMode: 'richText',
      confine: true,
      backgroundColor: shades.card,
      borderColor: shades.line,
      textStyle: { color: shades.ink, fontFamily: FONT, fontSize: 12.5 },
      ...option.tooltip,
    },
    xAxis: axes(option.xAxis),
    yAxis: axes(option.yAxis),
  };
}

/** Room around a plot: labels and names of the axes are kept inside. */
export const GRID = { left: 4, right: 20, top: 32, bottom: 4, outerBoundsMode: 'same', outerBoundsContain: 'all' };

/** An axis title in the middle. */
export function named(name, gap = 26) {
  return { name, nameLocation: 'middle', nameGap: gap };
}

/** A custom series' bar from low to high with a dot at the value. Data: `[position, value, low, high]`. */
export function whiskers(horizontal, shade, options = {}) {
  return {
    type: 'custom',
    encode: horizontal ? { x: [1, 2, 3], y: 0 } : { x: 0, y: [1, 2, 3] },
    z: 3,
    ...options,
    renderItem: (_, api) => {
      const at = (value) => api.coord(horizontal ? [value, api.value(0)] : [api.value(0), value]);
      const [value, low, high] = [at(api.value(1)), at(api.value(2)), at(api.value(3))];
      const fill = typeof shade === 'function' ? shade(api.value(4)) : shade;
      const shift = options.shift ?? 0;
      const moved = ([x, y]) => (horizontal ? [x, y + shift] : [x + shift, y]);
      const [dot, from, to] = [moved(value), moved(low), moved(high)];
      const line = { x1: from[0], y1: from[1], x2: to[0], y2: to[1] };
      return {
        type: 'group',
        children: [
          { type: 'line', shape: line, style: { stroke: fill, lineWidth: horizontal ? 3 : 2, opacity: horizontal ? 1 : 0.65 } },
          { type: 'circle', shape: { cx: dot[0], cy: dot[1], r: horizontal ? 5 : 3.5 }, style: { fill, stroke: options.paper, lineWidth: 1.2 } },
        ],
      };
    },
  };
}
