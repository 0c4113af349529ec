/** Asking the server: this project's API and Airflow's. Addresses are relative to this file's: Airflow may live below a path. */

/** Where the pages live: `…/automl/`. */
export const ROOT = new URL('../', import.meta.url);
const API = new URL('api/', ROOT);
const AIRFLOW = new URL('../', ROOT);

/** An answer that is not what was asked for; the message says what to do. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const WORDS = {
  401: 'You are logged out. Log in to Airflow again, then reload this page.',
  403: 'You may not read this. Ask who runs this Airflow for the right to read the DAG.',
  404: 'There is nothing at this address.',
};

/** The JSON at `path`, as segments and parameters; null and undefined parameters are left out. */
export async function ask(segments, parameters = {}) {
  return json(address(API, segments, parameters));
}

/** A DAG as Airflow's own API describes it: its next run, and whether it is paused. */
export async function dag(dagId) {
  return json(address(AIRFLOW, ['api', 'v2', 'dags', dagId]));
}

/** Address of a page. */
export function page(segments, parameters) {
  return address(ROOT, segments, parameters).href;
}

/** Address of something to download. */
export function download(dagId, runId, kind, parameters) {
  return address(API, ['runs', dagId, runId, 'download', kind], parameters).href;
}

/** Address of a page of Airflow's own. */
export function airflow(segments) {
  return address(AIRFLOW, segments).href;
}

function address(base, segments, parameters = {}) {
  const found = new URL(segments.map(encodeURIComponent).join('/'), base);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined) found.searchParams.set(name, value);
  }
  return found;
}

async function json(where) {
  let answer;
  try {
    answer = await fetch(where, { credentials: 'same-origin', headers: { accept: 'application/json' } });
  } catch {
    throw new Refused(0, 'Airflow does not answer. Check that its api-server runs and that you are connected.');
  }
  const text = await answer.text();
  const found = parsed(text);
  if (answer.ok && found !== undefined) return found;
  const detail = typeof found?.detail === 'string' ? found.detail : null;
  throw new Refused(answer.status, saying(answer.status, detail));
}

function saying(status, detail) {
  if (status === 401) return WORDS[401];
  if (status === 403 && (detail === null || detail === 'Forbidden')) return WORDS[403];
  if (status === 422 && detail === null) return 'A value was refused: check what is in the form or in the address.';
  return detail ?? WORDS[status] ?? `The server answered with status ${status}. Its log says why; try again.`;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Call `look` now and again until it answers null, else the seconds until the next time. Nothing is asked while the
 * page is hidden; a failure is handed to `failed` and tried again more and more slowly.
 */
export function keepAsking(look, failed) {
  let wait = 0;
  let stopped = false;
  let failures = 0;
  const turn = async () => {
    if (stopped) return;
    if (document.hidden) {
      document.addEventListener('visibilitychange', turn, { once: true });
      return;
    }
    try {
      wait = await look();
      failures = 0;
    } catch (error) {
      failures += 1;
      failed(error);
      wait = error instanceof Refused && [401, 403, 404].includes(error.status) ? null : Math.min(60, 2 ** failures);
    }
    if (wait !== null && !stopped) setTimeout(turn, wait * 1000);
  };
  turn();
  return () => {
    stopped = true;
  };
}
