/** A job's way: one step for each of its statuses, with how long it was in it. */

import { h } from './dom.js';
import { between, clock, duration, time } from './format.js';

/** A status with its times as a step. */
export function step({ status: word, state, since, until, certain }) {
  // Of a step that came, there is nothing uncertain any more.
  const said = { done: 'done', now: 'now', ahead: certain ? 'to come' : 'may come', skipped: 'not seen' }[state];
  const took = lasted(state, since, until) ?? said;
  return h('li', { class: state, title: since && `since ${clock(since)}`, 'aria-current': state === 'now' && 'step' }, h('b', {}, parts(word)), h('span', {}, took), h('span', { class: 'aside' }, said), since && h('span', { class: 'aside' }, time(since)));
}

/** How long a step took; when, for the one that a job ended with; null where only its state is known. */
function lasted(state, since, until) {
  if (state === 'now' && since) return duration(between(since));
  if (state !== 'done') return null;
  if (!since) return 'before anybody looked';
  return until && until !== since ? duration(between(since, until)) : `at ${clock(since)}`;
}

/** `GeneratingExplainabilityReport` may break between its words. */
function parts(word) {
  return word.split(/(?=[A-Z])/).flatMap((part) => [h('wbr'), part]);
}
