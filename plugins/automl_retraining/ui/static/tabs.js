/** Tabs as the ARIA authoring practices have them: arrows move, the panel of a tab is made when it is first shown. */

import { h, put } from './dom.js';

/**
 * tabs: `[{key, title, make() → nodes}]`; `chosen` is a key. The address keeps the choice behind its `#`.
 * Answers the element, with `renew(keep)`: panels are made anew from new data, but for those of the keys in `keep`.
 */
export function tabs(label, list, chosen) {
  const asked = location.hash.slice(1);
  const buttons = new Map();
  const panels = new Map();
  for (const one of list) {
    const attributes = { type: 'button', role: 'tab', id: `tab-${one.key}`, 'aria-controls': `panel-${one.key}` };
    buttons.set(one.key, h('button', { ...attributes, onclick: () => choose(one.key, true) }, one.title));
    const panel = { role: 'tabpanel', id: `panel-${one.key}`, 'aria-labelledby': `tab-${one.key}`, hidden: true };
    panels.set(one.key, h('div', panel));
  }
  const strip = h('div', { class: 'tabs', role: 'tablist', 'aria-label': label, onkeydown: move }, [...buttons.values()]);
  const whole = h('div', {}, strip, [...panels.values()]);
  const made = new Set();

  function choose(key, keep = false) {
    for (const one of list) {
      const now = one.key === key;
      buttons.get(one.key).setAttribute('aria-selected', String(now));
      buttons.get(one.key).setAttribute('tabindex', now ? '0' : '-1');
      panels.get(one.key).hidden = !now;
      if (now && !made.has(key)) {
        made.add(key);
        put(panels.get(key), one.make());
      }
    }
    if (keep) history.replaceState(null, '', `#${key}`);
  }

  function move(event) {
    const keys = [...buttons.keys()];
    const at = keys.findIndex((key) => buttons.get(key) === document.activeElement);
    const steps = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: keys.length - 1 };
    if (!(event.key in steps) || at < 0) return;
    event.preventDefault();
    const next = keys[(steps[event.key] + keys.length) % keys.length];
    choose(next, true);
    buttons.get(next).focus();
  }

  choose(buttons.has(asked) ? asked : chosen);
  window.addEventListener('hashchange', () => {
    const key = location.hash.slice(1);
    if (buttons.has(key)) choose(key);
  });
  whole.renew = (keep) => {
    for (const one of list) if (!keep.includes(one.key)) made.delete(one.key);
    choose(list.find((one) => !panels.get(one.key).hidden).key);
  };
  return whole;
}
