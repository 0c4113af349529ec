/** How values read: numbers with as many digits as their interval bears out, times in the viewer's zone. */

import { h } from './dom.js';

const MINUS = '\u2212';
const NONE = '\u2013';
const WHEN = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });
const AGO = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const COUNT = new Intl.NumberFormat('en');

/** Nothing known. */
export const UNKNOWN = NONE;

/** A whole number with separators. */
export function count(value) {
  return value === null || value === undefined ? NONE : COUNT.format(value);
}

/** A number with about three figures. */
export function number(value, decimals = null) {
  if (value === null || value === undefined || !Number.isFinite(Number(value))) return NONE;
  const found = Number(value);
  if (decimals !== null) {
    return signed(found.toLocaleString('en', { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));
  }
  const size = Math.abs(found);
  if (size !== 0 && (size < 0.0005 || size >= 1e7)) return signed(found.toExponential(2));
  if (Number.isInteger(found)) return signed(COUNT.format(found));
  return signed(found.toLocaleString('en', { maximumFractionDigits: size >= 100 ? 0 : size >= 10 ? 2 : 3 }));
}

/** A measured number: the same decimals for all of a size, so that a column of them lines up. */
export function measure(value) {
  const size = Math.abs(value ?? 0);
  return number(value, size !== 0 && size < 0.0005 ? null : size < 10 ? 3 : size < 100 ? 2 : size < 1000 ? 1 : 0);
}

/** Decimals that an interval bears out: two figures of its half width, at most six. */
export function decimals(interval) {
  const width = Math.abs(interval.high - interval.low) / 2;
  if (!(width > 0) || !Number.isFinite(width)) return 3;
  return Math.max(0, Math.min(6, 1 - Math.floor(Math.log10(width))));
}

/** A value and its range, as two texts. */
export function interval(found) {
  if (!found || found.value === null) return { value: NONE, range: '' };
  const places = decimals(found);
  const end = (value) => (value === null || !Number.isFinite(value) ? '∞' : number(value, places));
  const negative = (found.low ?? 0) < 0;
  return {
    value: number(found.value, places),
    range: `${end(found.low)}${negative ? ' to ' : NONE}${end(found.high)}`,
  };
}

/** A value with its range behind it, smaller. */
export function withRange(found) {
  const { value, range } = interval(found);
  return h('span', { class: 'interval' }, h('span', {}, value), range && [' ', h('span', { class: 'range' }, range)]);
}

/** A share as a percentage. */
export function percent(share) {
  if (share === null || share === undefined) return NONE;
  const found = share * 100;
  return `${found !== 0 && Math.abs(found) < 10 ? found.toFixed(1) : found.toFixed(0)} %`;
}

/** `1 h 2 min`, `3 min 4 s`, `5.6 s`. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NONE;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours ? `${hours} h ${minutes} min` : `${minutes} min ${whole % 60} s`;
}

/** Seconds from one time to another, or until now. */
export function between(since, until) {
  return since ? Math.max(0, ((until ? Date.parse(until) : Date.now()) - Date.parse(since)) / 1000) : null;
}

/** A time in the viewer's zone; hovering says it to the second, with the zone. */
export function time(iso, { relative = false } = {}) {
  if (!iso) return h('span', {}, NONE);
  const at = new Date(iso);
  return h('time', { datetime: iso, title: EXACT.format(at) }, relative ? ago(at) : WHEN.format(at));
}

/** A time as text. */
export function when(iso) {
  return iso ? WHEN.format(new Date(iso)) : NONE;
}

/** A sentence of the server's, with the moments that it names in the viewer's zone. */
export function local(sentence) {
  return sentence?.replace(/(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2}) UTC/g, (_, date, hour) => WHEN.format(new Date(`${date}T${hour}Z`)));
}

/** A day as text. */
export function day(value) {
  return DAY.format(new Date(value));
}

/** A time of day as text. */
export function clock(iso) {
  return iso ? CLOCK.format(new Date(iso)) : NONE;
}

const UNITS = [
  ['year', 31557600],
  ['month', 2629800],
  ['week', 604800],
  ['day', 86400],
  ['hour', 3600],
  ['minute', 60],
];

function ago(at) {
  const seconds = (at.getTime() - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ['second', 1];
  return AGO.format(Math.round(seconds / size), unit);
}

function signed(text) {
  return text.replace(/^-/, MINUS).replace(/e-/, `e${MINUS}`);
}
