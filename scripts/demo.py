"""``make demo``: one way to retrain on real Airflow and the embedded AWS, twice, from nothing.

The first run trains on the first part of the table and creates the endpoint. Then more rows arrive, the second run
searches longer, and its challenger is compared with the champion and promoted or kept. ``TRAINER=refit`` has its
champion made by the pipeline's first other way, and refits that.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scripts.airflow_api import AirflowApi
from scripts.follow import Follower
from scripts.stack import ROOT, Stack, StackError

STATE = ROOT / ".local" / "demo"
FIRST_SHARE = 0.3
"""Of the table's rows, for a table of thousands; a table of hundreds needs more of them to say anything."""
FIRST_SHARE_OF_A_SMALL_TABLE = 0.6
FORMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "autopilot": ({"max_candidates": 3, "max_run_time": 300}, {"max_candidates": 8, "max_run_time": 300}),
    "tuned": ({"max_jobs": 2, "max_run_time": 300}, {"max_jobs": 12, "max_run_time": 300}),
    "candidates": ({"max_jobs": 2, "max_run_time": 300}, {"max_jobs": 8, "max_run_time": 300}),
    "refit": ({}, {}),
}
"""By trainer, what the trigger form says in the first run and in the second."""
RUN_LIMIT = 600.0
PARSED_ONCE = {"AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600"}
"""No pipeline changes meanwhile, and parsing the DAG files again and again would take a core from the training."""


def main() -> int:
    """Run the demo. 0 only if both runs succeeded."""
    STATE.parent.mkdir(exist_ok=True)
    with (STATE.parent / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"expected no other demo in {ROOT}, found one running: wait for it or stop it", file=sys.stderr)
            return 1
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            demo = choose(os.environ.get("PIPELINE") or "churn", os.environ.get("TRAINER") or "autopilot")
            shutil.rmtree(STATE, ignore_errors=True)
            return _demo(demo)
        except (StackError, TimeoutError, Misuse) as error:
            print(f"demo: {error}", file=sys.stderr)
        except KeyboardInterrupt:
            print("demo: interrupted; everything it started is stopped", file=sys.stderr)
        return 1


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


class Misuse(ValueError):
    """What was asked for is not there."""


@dataclass(frozen=True)
class Demo:
    """What to show: the DAG of each run, and the table that they read."""

    pipeline: str
    trainers: tuple[str, str]
    table: Path

    @property
    def dag_ids(self) -> tuple[str, str]:
        """The DAGs of the two runs."""
        first, second = self.trainers
        return f"{first}_{self.pipeline}", f"{second}_{self.pipeline}"

    def first_rows(self, rows: int) -> int:
        """How many of the table's rows there are at first."""
        return int(rows * (FIRST_SHARE if rows >= 1500 else FIRST_SHARE_OF_A_SMALL_TABLE))


def choose(pipeline: str, trainer: str) -> Demo:
    """The demo of that pipeline and way to retrain; Misuse says which there are."""
    import yaml

    folder = ROOT / "include" / "pipelines"
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if pipeline not in known:
        raise Misuse(f"expected PIPELINE to be one of {', '.join(known)} (include/pipelines), found {pipeline!r}")
    document = yaml.safe_load((folder / f"{pipeline}.yaml").read_text(encoding="utf-8"))
    trainers = list(document.get("trainers") or ["autopilot"])
    if trainer not in trainers:
        raise Misuse(f"expected TRAINER to be one of {pipeline}'s, {', '.join(trainers)}, found {trainer!r}")
    first = trainer
    if trainer == "refit":
        others = [name for name in trainers if name != "refit"]
        if not others:
            raise Misuse(f"{pipeline} has no other way to retrain that could make the champion that refit needs")
        first = others[0]
    return Demo(pipeline, (first, trainer), ROOT / str(document["source"]))


def _demo(demo: Demo) -> int:
    table = STATE / "data" / demo.table.name
    table.parent.mkdir(parents=True)
    lines = demo.table.read_bytes().splitlines(keepends=True)
    rows_of_run = (demo.first_rows(len(lines) - 1), len(lines) - 1)
    started = time.monotonic()
    print("starting Airflow (api-server, scheduler, dag-processor, triggerer) and the embedded AWS ...", flush=True)
    with (
        Stack(STATE, environment={"AUTOML_RETRAINING_DATA_DIRS": str(table.parent), **PARSED_ONCE}) as stack,
        AirflowApi(stack.airflow_url, "admin", stack.passwords["admin"]) as api,
    ):
        stack.fix_split(demo.pipeline)
        for dag_id in dict.fromkeys(demo.dag_ids):
            api.wait_for_dag(dag_id)
            api.unpause(dag_id)
        print(f"up after {time.monotonic() - started:.0f} s: {stack.airflow_url}, embedded AWS {stack.aws_url}")
        outcomes = []
        for number, (dag_id, trainer, rows) in enumerate(
            zip(demo.dag_ids, demo.trainers, rows_of_run, strict=True), start=1
        ):
            table.write_bytes(b"".join(lines[: rows + 1]))
            form = FORMS[trainer][number - 1]
            said = "".join(f", {name} {value}" for name, value in form.items())
            print(f"\nrun {number} of {len(rows_of_run)}: {dag_id} on {rows:,} rows{said}")
            outcomes.append(_run(stack, api, dag_id, {**form, "source": str(table)}, f"demo-{number}"))
            if outcomes[-1]["state"] != "success":
                break
        else:
            _summary(stack, outcomes[-1], lines)
    words = [str(outcome.get("outcome", "no outcome")) for outcome in outcomes]
    print(f"demo: {', '.join(words)}", flush=True)
    return 0 if all(outcome.get("state") == "success" for outcome in outcomes) else 1


def _run(stack: Stack, api: AirflowApi, dag_id: str, conf: dict[str, Any], run_id: str) -> dict[str, Any]:
    api.trigger(dag_id, conf, run_id)
    state = Follower(api, stack.aws_client("sagemaker"), dag_id, run_id).follow(RUN_LIMIT)
    outcome = api.xcom(dag_id, run_id, "record") or {}
    if state != "success":
        failed = [name for name, task in api.tasks(dag_id, run_id).items() if task["state"] == "failed"]
        for task_id in failed:
            print(f"\nlog of the failed task {task_id}:\n{_last_lines(api.task_log(dag_id, run_id, task_id))}")
    return {**outcome, "state": state}


def _last_lines(text: str, lines: int = 15) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])


def _summary(stack: Stack, outcome: dict[str, Any], lines: Sequence[bytes]) -> None:
    s3 = stack.aws_client("s3")
    folder = outcome.get("facts", {}).get("run_folder") or str(outcome.get("report_uri", "")).rpartition("/")[0]
    if not folder:
        return

    def read(name: str) -> bytes:
        bucket, key = urlsplit(folder).netloc, urlsplit(folder).path.lstrip("/")
        return bytes(s3.get_object(Bucket=bucket, Key=f"{key}/{name}")["Body"].read())

    manifest = json.loads(read("manifest.json"))
    evaluation = json.loads(read("evaluation.json"))
    decision = json.loads(read("decision.json"))
    print(f"\non the same {evaluation['rows']:,} held-out rows:")
    print(f"  {'metric':<18} {'champion':>28} {'challenger':>28} {'difference':>30}")
    for metric in evaluation["metrics"]:
        cells = [_interval(metric[part]) for part in ("champion", "challenger", "difference")]
        print(f"  {metric['name']:<18} {cells[0]:>28} {cells[1]:>28} {cells[2]:>30}")
    print(f"\nverdict: {decision['verdict']} – {decision['sentence']}")
    for reason in decision["reasons"]:
        print(f"  - {reason}")
    print(f"\noutcome: {outcome['outcome']} – {outcome['sentence']}")
    _predict(stack, str(outcome["endpoint"]), manifest, lines)
    report = STATE / "report.html"
    report.write_bytes(read("report.html"))
    print(f"report: {report}\n")


def _interval(value: dict[str, float] | None) -> str:
    return f"{value['value']:.4f} ({value['low']:.4f} – {value['high']:.4f})" if value else "–"


def _predict(stack: Stack, endpoint: str, manifest: dict[str, Any], lines: Sequence[bytes]) -> None:
    header, values = csv.reader([lines[0].decode(), lines[-1].decode()])
    row = dict(zip(header, values, strict=True))
    target = manifest["target"]
    features = io.StringIO()
    csv.writer(features, lineterminator="\n").writerow(row[name] for name in manifest["features"])
    answer = stack.aws_client("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint, ContentType="text/csv", Accept="text/csv", Body=features.getvalue()
    )
    predicted = answer["Body"].read().decode().strip()
    print(f"\nlive prediction from endpoint {endpoint} for the last row ({target} is {row[target]}):")
    print(f"  {predicted}")


if __name__ == "__main__":
    sys.exit(main())
