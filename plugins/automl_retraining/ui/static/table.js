/** Tables that sort by a click on a heading and turn pages, so that a thousand rows cost no more than fifty. */

import { h, put } from './dom.js';

const PAGE = 50;

/**
 * A table.
 *
 * columns: `{title, cell(row), value(row)?, numeric?, hint?}`; one without `value` does not sort. `value` answers a
 * number, a text, or null, which comes last either way.
 * options: `rows`, `caption` (for screen readers), `sort: [index, 'ascending' | 'descending']`, `marked(row)`,
 * `empty` (a sentence), `page` (rows of a page).
 * Answers the element, with `show(rows)` for new rows.
 */
export function table(columns, options) {
  const size = options.page ?? PAGE;
  let rows = options.rows ?? [];
  let sort = options.sort ?? null;
  let first = 0;

  const headings = columns.map((column, index) => heading(column, () => turn(index)));
  const body = h('tbody');
  const pages = h('nav', { class: 'pages', 'aria-label': `Pages of ${options.caption}` });
  const whole = h(
    'div',
    { class: 'table' },
    h(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': options.caption },
      h(
        'table',
        {},
        h('caption', { class: 'aside' }, options.caption),
        h('thead', {}, h('tr', {}, headings)),
        body,
      ),
    ),
    pages,
  );

  function turn(index) {
    const start = columns[index].numeric ? 'descending' : 'ascending';
    const other = start === 'descending' ? 'ascending' : 'descending';
    sort = [index, sort?.[0] === index && sort[1] === start ? other : start];
    first = 0;
    draw();
  }

  function draw() {
    headings.forEach((cell, index) => {
      if (columns[index].value) cell.setAttribute('aria-sort', sort?.[0] === index ? sort[1] : 'none');
    });
    const found = sorted(rows, sort && columns[sort[0]].value, sort?.[1]);
    first = Math.min(first, Math.max(0, Math.floor((found.length - 1) / size) * size));
    put(body, found.slice(first, first + size).map(line));
    if (!found.length) {
      put(body, h('tr', {}, h('td', { colspan: columns.length, class: 'nothing' }, options.empty ?? 'None.')));
    }
    put(pages, found.length > size ? pager(found.length) : []);
  }

  function line(row) {
    const cells = columns.map((column) => h('td', { class: column.numeric && 'n' }, column.cell(row)));
    return h('tr', { class: options.marked?.(row) && 'marked' }, cells);
  }

  function pager(total) {
    const go = (to) => () => {
      first = to;
      draw();
    };
    return [
      h('button', { type: 'button', disabled: first === 0, onclick: go(Math.max(0, first - size)) }, 'Previous'),
      h('span', { role: 'status' }, `${first + 1}–${Math.min(total, first + size)} of ${total.toLocaleString('en')}`),
      h('button', { type: 'button', disabled: first + size >= total, onclick: go(first + size) }, 'Next'),
    ];
  }

  draw();
  whole.show = (next) => {
    rows = next;
    draw();
  };
  return whole;
}

function heading(column, click) {
  const attributes = { scope: 'col', class: column.numeric && 'n', title: column.hint };
  if (!column.value) return h('th', attributes, column.title);
  return h('th', attributes, h('button', { type: 'button', class: 'sort', onclick: click }, column.title));
}

/** Sorted by a value, stable; what has none comes last. */
export function sorted(rows, value, direction) {
  if (!value) return rows;
  const sign = direction === 'descending' ? -1 : 1;
  return rows
    .map((row) => [value(row), row])
    .sort(([one], [other]) => {
      const nothing = (found) => found === null || found === undefined || Number.isNaN(found);
      if (nothing(one) || nothing(other)) return Number(nothing(one)) - Number(nothing(other));
      if (typeof one === 'string' || typeof other === 'string') {
        return sign * String(one).localeCompare(String(other), 'en', { numeric: true });
      }
      return sign * (one - other);
    })
    .map(([, row]) => row);
}
