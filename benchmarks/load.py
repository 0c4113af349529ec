"""Many pipelines at the same minute: ``python -m benchmarks.load [--pipelines 50]``.

A stack of its own is started: Airflow with LocalExecutor and the embedded AWS. So many pipelines are written, each with
a small table of its own and a cron line that names the same minute, every second one searched by Autopilot and the
others trained once. When all runs have ended, what became of them is printed: runs by state and outcome, tasks that
failed and tasks that were tried again, seconds from the minute to the first and to the last end, and the largest memory
(proportional set size, looked at every few seconds) of Airflow and of the embedded AWS with all its jobs and endpoints.

Exits with 0 only if every run succeeded and no task failed. A task that waits for a job holds no slot of the executor,
so ``--parallelism`` need not grow with the number of pipelines: it is how many tasks may work at one time.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from include.local_aws.jobs.memory import proportional_bytes
from scripts.airflow_api import FINISHED, AirflowApi
from scripts.stack import AIRFLOW_COMPONENTS, Stack, StackError
from tests.support.local_aws import descendants

LOOK_EVERY = 5.0
"""Seconds between two looks at runs and memory."""
LEAST_LEAD = 90.0
"""Seconds for the dag-processor to find the new files before the minute."""
PAGE = 100
ROWS = {"autopilot": 900, "tuned": 300}
"""Of a table: Autopilot takes no fewer than 500 training rows."""
PIPELINE = """\
trainers: [{trainer}]
schedule: {{cron: "{at.minute} {at.hour} * * *"}}
source: {table}
target: y
problem_type: Regression
search: {{mode: ENSEMBLING, metric: RMSE, max_candidates: 1, max_run_time: 15m}}
tuning: {{search: false, max_run_time: 15m}}
gate: {{metric: rmse}}
"""


@dataclass
class Memory:
    """The largest memory of each group of processes, in bytes, and of all at one time."""

    stack: Stack
    peaks: dict[str, int] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        """Take one sample."""
        now = Counter[str]()
        for name in ("aws", *AIRFLOW_COMPONENTS):
            pid = self.stack.process(name).pid
            group = "embedded AWS" if name == "aws" else "Airflow"
            now[group] += sum(map(proportional_bytes, (pid, *descendants(pid))))
        now["altogether"] = sum(now.values())
        for group, found in now.items():
            self.peaks[group] = max(found, self.peaks.get(group, 0))

    def watch(self) -> None:
        """Sample until ``end``."""
        while not self._stop.wait(LOOK_EVERY):
            self.look()

    def end(self) -> None:
        """No more samples."""
        self._stop.set()


def table(rows: int, seed: int) -> str:
    """A regression that a small model can learn, with a name per row."""
    rng = random.Random(seed)
    lines = ["a,b,colour,y"]
    for _ in range(rows):
        a, b, colour = rng.gauss(0, 1), rng.uniform(0, 10), rng.choice(["red", "green", "blue"])
        y = 3 * a + b + (5 if colour == "red" else 0) + rng.gauss(0, 1)
        lines.append(f"{a:.6f},{b:.6f},{colour},{y:.4f}")
    return "\n".join(lines) + "\n"


def write(pipelines: Path, data: Path, number: int, at: datetime) -> dict[str, str]:
    """The pipelines' files; DAG ids by pipeline."""
    dags = {}
    for each in range(number):
        trainer = ("autopilot", "tuned")[each % 2]
        name = f"load_{each:03}"
        path = data / f"{name}.csv"
        path.write_text(table(ROWS[trainer], each), encoding="utf-8")
        dags[name] = f"{trainer}_{name}"
        # Renamed into place, for the dag-processor must not read half a file.
        half = pipelines / f"{name}.half"
        half.write_text(PIPELINE.format(trainer=trainer, at=at, table=path), encoding="utf-8")
        half.rename(pipelines / f"{name}.yaml")
    return dags


def paged(api: AirflowApi, path: str, member: str, **params: Any) -> Iterator[dict[str, Any]]:
    """All entries of a list of Airflow's API."""
    offset = 0
    while True:
        found = api.get(path, limit=PAGE, offset=offset, **params)[member]
        yield from found
        if len(found) < PAGE:
            return
        offset += PAGE


def runs_of(api: AirflowApi, dags: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The run of each DAG that has begun."""
    wanted = set(dags)
    return {run["dag_id"]: run for run in paged(api, "dags/~/dagRuns", "dag_runs") if run["dag_id"] in wanted}


def wait_for_dags(api: AirflowApi, dags: Sequence[str], at: datetime) -> None:
    """Wait until every DAG is there; StackError where the minute comes first."""
    missing = set(dags)
    while missing := missing - {dag["dag_id"] for dag in paged(api, "dags", "dags")}:
        if datetime.now(UTC) > at:
            errors = [error["stack_trace"][-300:] for error in api.get("importErrors")["import_errors"]]
            raise StackError(f"expected all DAGs before {at:%H:%M}, found {len(missing)} missing: {errors or ''}")
        time.sleep(1)


def follow(stack: Stack, api: AirflowApi, dags: Sequence[str], at: datetime, limit: float) -> dict[str, dict[str, Any]]:
    """Wait until every run has ended, or until the limit is over."""
    said = ""
    while True:
        stack.check()
        runs = runs_of(api, dags)
        since = (datetime.now(UTC) - at).total_seconds()
        counts = Counter(run["state"] for run in runs.values())
        now = ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))
        if now != said:
            print(f"{since:6.0f} s  {now or 'no run yet'}", flush=True)
            said = now
        if len(runs) == len(dags) and all(state in FINISHED for state in counts):
            return runs
        if since > limit:
            print(f"{since:6.0f} s  given up: {len(dags) - sum(counts[state] for state in FINISHED)} runs go on")
            return runs
        time.sleep(LOOK_EVERY)


def report(api: AirflowApi, runs: dict[str, dict[str, Any]], dags: Sequence[str], at: datetime) -> bool:
    """Print what became of the runs; whether all is well."""
    outcomes, failed, again = Counter[str](), 0, Counter[str]()
    for dag_id, run in sorted(runs.items()):
        tasks = api.tasks(dag_id, run["dag_run_id"])
        for name, task in tasks.items():
            again[name] += max(0, (task["try_number"] or 1) - 1)
            if task["state"] == "failed":
                failed += 1
                print(f"failed: {dag_id} {name} (try {task['try_number']})")
                log = api.task_log(dag_id, run["dag_run_id"], name, task["try_number"])
                print("\n".join(f"    {line}" for line in log.splitlines()[-8:]))
        recorded = api.xcom(dag_id, run["dag_run_id"], "record") or {}
        outcomes[str(recorded.get("outcome", "no outcome"))] += 1
    states = Counter(run["state"] for run in runs.values())
    states["never begun"] = len(dags) - len(runs)
    ended = [(datetime.fromisoformat(run["end_date"]) - at).total_seconds() for run in runs.values() if run["end_date"]]
    print(f"runs: {', '.join(f'{number} {state}' for state, number in states.items() if number)}")
    print(f"outcomes: {', '.join(f'{number} {word}' for word, number in outcomes.items())}")
    print(f"tasks failed: {failed}; tried again: {sum(again.values())} {dict(+again) or ''}")
    if ended:
        print(
            f"seconds after the minute: first end {min(ended):.0f}, median {statistics.median(ended):.0f}, "
            f"last {max(ended):.0f}"
        )
    return states["success"] == len(dags) and not failed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the load and print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pipelines", type=int, default=50)
    parser.add_argument("--parallelism", type=int, default=4, help="tasks that may work at one time")
    parser.add_argument("--limit", type=float, default=3600, help="seconds after which to give up")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="load-") as name:
        try:
            return _load(Path(name), chosen)
        except StackError as error:
            print(f"load: {error}", file=sys.stderr)
            return 1


def _load(state: Path, chosen: argparse.Namespace) -> int:
    pipelines, data = state / "pipelines", state / "data"
    pipelines.mkdir()
    data.mkdir()
    environment = {
        "AUTOML_RETRAINING_PIPELINES": str(pipelines),
        "AUTOML_RETRAINING_DATA_DIRS": str(data),
        "AIRFLOW__CORE__PARALLELISM": str(chosen.parallelism),
        # A DAG file of many DAGs on a busy machine takes longer than the 30 s that its parse may.
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",
    }
    stack = Stack(state, environment=environment, pause_dags=False)
    with stack, AirflowApi(stack.airflow_url, "admin", stack.passwords["admin"]) as api:
        lead = LEAST_LEAD + 2 * chosen.pipelines
        at = (datetime.now(UTC) + timedelta(seconds=lead + 60)).replace(second=0, microsecond=0)
        dags = list(write(pipelines, data, chosen.pipelines, at).values())
        for pipeline in (path.stem for path in pipelines.glob("*.yaml")):
            stack.fix_split(pipeline)
        wait_for_dags(api, dags, at)
        print(f"{len(dags)} DAGs are there; all are due at {at:%H:%M} UTC", flush=True)
        memory = Memory(stack)
        watching = threading.Thread(target=memory.watch, name="memory", daemon=True)
        watching.start()
        try:
            runs = follow(stack, api, dags, at, chosen.limit)
        finally:
            memory.end()
            watching.join()
        good = report(api, runs, dags, at)
        for group, peak in memory.peaks.items():
            print(f"largest memory of {group}: {peak / 2**20:,.0f} MiB")
        print(_complaints(stack))
    return 0 if good else 1


def _complaints(stack: Stack) -> str:
    """How often Airflow's parts met a locked database, which is what SQLite does under load."""
    pattern = re.compile(r"OperationalError\) database is locked")
    counts = {name: len(pattern.findall(stack.log(name).read_text(errors="replace"))) for name in AIRFLOW_COMPONENTS}
    return f"database is locked: {sum(counts.values())} times {dict(+Counter(counts)) or ''}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
