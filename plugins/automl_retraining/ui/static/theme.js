/**
 * Light or dark as Airflow is. Airflow writes the class `dark` or `light` on its root element, which a page in its
 * frame may read as it is of the same origin; outside of it, what Airflow stored counts, then what the system asks for.
 */

const root = document.documentElement;
const asked = window.matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set();

/** Call when the page turned light or dark. */
export function onTheme(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** A colour of the style sheet, by name: `--ink`. */
export function colour(name) {
  return getComputedStyle(root).getPropertyValue(name).trim();
}

function outside() {
  try {
    return window.parent === window ? null : window.parent.document.documentElement;
  } catch {
    return null; // the page around is of another origin
  }
}

function stored() {
  try {
    return localStorage.getItem('theme');
  } catch {
    return null; // storage is switched off
  }
}

function wanted() {
  const around = outside();
  if (around?.classList.contains('dark')) return 'dark';
  if (around?.classList.contains('light')) return 'light';
  const kept = stored();
  if (kept === 'dark' || kept === 'light') return kept;
  return asked.matches ? 'dark' : 'light';
}

function follow() {
  const now = wanted();
  if (root.dataset.theme === now) return;
  root.dataset.theme = now;
  for (const listener of listeners) listener(now);
}

follow();
asked.addEventListener('change', follow);
window.addEventListener('storage', follow);
const around = outside();
if (around) new MutationObserver(follow).observe(around, { attributes: true, attributeFilter: ['class', 'style'] });
