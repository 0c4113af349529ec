"""What parsing the DAG files costs: ``python -m benchmarks.bench_dags [--pipelines 200] [--only autopilot,tuned]``.

The YAML of so many pipelines is written, all trainers and an A/B test in each, and each file of dags/ is parsed as the
dag-processor does it: in a process forked from one that has imported Airflow, so that what is printed is the CPU time
(user and system) beyond Airflow's import. The first column is the file with one pipeline, the others with all of them.
Beside it, in the same run, a file that builds as many DAGs of as many tasks from Airflow's EmptyOperator, and one of
the Amazon provider's SageMaker operators. Exits with 1 where 200 DAGs of one kind cost more than 30 s of CPU, or a
file with one pipeline more than half a second.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ONE_FILE = 0.5
"""Seconds of CPU that a DAG file may cost with one pipeline."""
ALL_FILES = 30.0
"""Seconds of CPU that 200 DAGs may cost."""
PIPELINE = """\
description: pipeline {number} of a benchmark
trainers: [autopilot, candidates, tuned, refit]
schedule: {{cron: "{minute} 5 * * 1"}}
source: s3://bucket/tables/{number}.csv
target: churn
problem_type: BinaryClassification
positive_class: "yes"
split: {{key: [customer]}}
search: {{mode: ENSEMBLING, metric: F1, max_candidates: 10, max_run_time: 15m}}
tuning: {{algorithms: [xgboost, linear-learner], max_jobs: 12, max_run_time: 15m}}
gate:
  metric: f1
  floors: {{roc_auc: 0.75}}
  guardrails: {{roc_auc: 0.01}}
  approval: on_doubt
  slices: [area_code]
endpoint: {{instance_count: 4, rollout: {{strategy: canary, step: 25, wait: 5m}}, alarms: {{errors_5xx: 0}}}}
ab: {{}}
"""
STOCK_EMPTY = """\
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
for number in range({dags}):
    with DAG(dag_id=f"empty_{{number}}", schedule=None) as dag:
        before = None
        for task in range({tasks}):
            operator = EmptyOperator(task_id=f"task_{{task}}")
            if before is not None:
                before >> operator
            before = operator
    globals()[f"dag_{{number}}"] = dag
"""
STOCK_SAGEMAKER = """\
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator
from airflow.sdk import DAG
for number in range({dags}):
    with DAG(dag_id=f"stock_{{number}}", schedule=None) as dag:
        before = None
        for task in range({tasks}):
            operator = SageMakerTrainingOperator(
                task_id=f"task_{{task}}", config={{"TrainingJobName": "a", "StoppingCondition": {{}}}}, deferrable=True
            )
            if before is not None:
                before >> operator
            before = operator
    globals()[f"dag_{{number}}"] = dag
"""


@dataclass(frozen=True)
class Parsed:
    """One parse of one file: seconds of CPU, DAGs and tasks in it, its import error, the process's peak in MiB."""

    cpu: float
    dags: int
    tasks: int
    error: str
    peak: float


def parse(path: Path, pipelines: Path) -> Parsed:
    """Parse the file in a process of its own, forked from this one, which has imported Airflow."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_parse, args=(path, pipelines, theirs))
    process.start()
    theirs.close()
    try:
        found = ours.recv()
    except EOFError:
        process.join()
        raise SystemExit(f"{path.name}: the process that parsed it ended with status {process.exitcode}") from None
    process.join()
    assert isinstance(found, Parsed)
    return found


def _parse(path: Path, pipelines: Path, answer: Connection) -> None:
    from airflow.dag_processing.dagbag import DagBag

    os.environ["AUTOML_RETRAINING_PIPELINES"] = str(pipelines)
    before = time.process_time()
    bag = DagBag(dag_folder=str(path), load_op_links=False)
    cpu = time.process_time() - before
    answer.send(
        Parsed(
            cpu,
            len(bag.dags),
            sum(len(dag.tasks) for dag in bag.dags.values()),
            "; ".join(bag.import_errors.values()),
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        )
    )
    answer.close()


def measure(path: Path, pipelines: Path, rounds: int) -> Parsed:
    """The parse of median CPU time."""
    found = sorted((parse(path, pipelines) for _ in range(rounds)), key=lambda each: each.cpu)
    if broken := next((each.error for each in found if each.error), ""):
        raise SystemExit(f"{path.name}: expected it to be parsed, found {broken}")
    return found[len(found) // 2]


def write_pipelines(folder: Path, number: int) -> Path:
    """So many YAML files."""
    folder.mkdir()
    for each in range(number):
        text = PIPELINE.format(number=each, minute=each % 60)
        (folder / f"bench_{each:03}.yaml").write_text(text, encoding="utf-8")
    return folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pipelines", type=int, default=200)
    parser.add_argument("--only", default="", help="names of DAG files without .py, with commas between")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-dags-") as name:
        _prepare(Path(name))
        one = write_pipelines(Path(name) / "one", 1)
        many = write_pipelines(Path(name) / "many", chosen.pipelines)
        return _table(Path(name), one, many, chosen)


def _prepare(folder: Path) -> None:
    """Airflow, imported once, without anything of the caller's."""
    for variable in [each for each in os.environ if each.startswith(("AIRFLOW", "AWS_", "AUTOML_RETRAINING_"))]:
        del os.environ[variable]
    os.environ |= {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(folder / "no-plugins"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL",
        # On a busy machine; what is measured is CPU time, whatever the clock says.
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600",
        "AUTOML_RETRAINING_BUCKET": "bucket",
    }
    sys.path.insert(0, str(ROOT / "plugins"))
    import airflow.dag_processing.dagbag
    import airflow.sdk  # as every dag-processor has before it forks

    # Airflow's lazy parts, so that no file pays for them by being the first.
    (folder / "warm.py").write_text(STOCK_EMPTY.format(dags=1, tasks=2))
    airflow.dag_processing.dagbag.DagBag(dag_folder=str(folder / "warm.py"), load_op_links=False)


def _table(folder: Path, one: Path, many: Path, chosen: argparse.Namespace) -> int:
    files = sorted((ROOT / "dags").glob("*.py"))
    if chosen.only:
        files = [path for path in files if path.stem in chosen.only.split(",")]
    print(f"CPU beyond Airflow's import, median of {chosen.rounds}; {chosen.pipelines} pipelines")
    print(f"{'file':<22}{'one pipeline':>13}{'all':>9}{'DAGs':>7}{'tasks':>7}{'ms a DAG':>10}{'peak':>10}")
    missed, total, dags, tasks, widths = [], 0.0, 0, 0, []
    for path in files:
        single, whole = measure(path, one, chosen.rounds), measure(path, many, chosen.rounds)
        _line(path.name, single, whole)
        total, dags, tasks = total + whole.cpu, dags + whole.dags, tasks + whole.tasks
        if whole.dags >= chosen.pipelines:
            widths.append(whole.tasks / whole.dags)
        if single.cpu > ONE_FILE:
            missed.append(f"{path.name} with one pipeline: {single.cpu:.2f} s, at most {ONE_FILE} s wanted")
        if whole.dags and whole.cpu * 200 / max(200, whole.dags) > ALL_FILES:
            missed.append(f"{path.name}: {whole.cpu:.1f} s for {whole.dags} DAGs, at most {ALL_FILES:.0f} s wanted")
    print(f"{'altogether':<22}{'':>13}{total:>7.2f} s{dags:>7}{tasks:>7}{1000 * total / max(1, dags):>10.1f}")
    print(f"200 DAGs cost {200 * total / max(1, dags):.2f} s on average, {total:.2f} s all {dags}")
    width = round(statistics.mean(widths)) if widths else 10
    for label, text in (("EmptyOperator", STOCK_EMPTY), ("SageMakerTraining", STOCK_SAGEMAKER)):
        results = []
        for number in (1, chosen.pipelines):
            path = folder / f"stock_{label.lower()}_{number}.py"
            path.write_text(text.format(dags=number, tasks=width))
            results.append(measure(path, one, chosen.rounds))
        _line(f"stock {label}", *results)
    for sentence in missed:
        print(f"missed: {sentence}")
    return 1 if missed else 0


def _line(name: str, single: Parsed, whole: Parsed) -> None:
    each = 1000 * whole.cpu / max(1, whole.dags)
    print(
        f"{name:<22}{single.cpu:>11.3f} s{whole.cpu:>7.2f} s{whole.dags:>7}{whole.tasks:>7}{each:>10.1f}"
        f"{whole.peak:>6.0f} MiB",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
