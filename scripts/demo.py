"""``make demo``: the main job on real Airflow and the embedded AWS, twice, from nothing.

The first run trains on the first part of the table and creates the endpoint. Then more rows arrive, the second run
searches longer, and its challenger is compared with the champion and promoted or kept.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from scripts.airflow_api import AirflowApi
from scripts.follow import Follower
from scripts.stack import ROOT, Stack, StackError

PIPELINE = "churn"
DAG_ID = f"autopilot_{PIPELINE}"
TABLE = ROOT / "include" / "data" / f"{PIPELINE}.csv"
STATE = ROOT / ".local" / "demo"
FIRST_ROWS = 1500
RUNS = (
    {"max_candidates": 3, "max_run_time": 300},
    {"max_candidates": 8, "max_run_time": 300},
)
RUN_LIMIT = 600.0


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
        shutil.rmtree(STATE, ignore_errors=True)
        try:
            return _demo()
        except (StackError, TimeoutError) as error:
            print(f"demo: {error}", file=sys.stderr)
        except KeyboardInterrupt:
            print("demo: interrupted; everything it started is stopped", file=sys.stderr)
        return 1


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _demo() -> int:
    table = STATE / "data" / TABLE.name
    table.parent.mkdir(parents=True)
    lines = TABLE.read_bytes().splitlines(keepends=True)
    started = time.monotonic()
    print("starting Airflow (api-server, scheduler, dag-processor, triggerer) and the embedded AWS ...", flush=True)
    with (
        Stack(STATE, environment={"AUTOML_RETRAINING_DATA_DIRS": str(table.parent)}) as stack,
        AirflowApi(stack.airflow_url, "admin", stack.passwords["admin"]) as api,
    ):
        stack.fix_split(PIPELINE)
        api.wait_for_dag(DAG_ID)
        api.unpause(DAG_ID)
        print(f"up after {time.monotonic() - started:.0f} s: {stack.airflow_url}, embedded AWS {stack.aws_url}")
        outcomes = []
        for number, (options, rows) in enumerate(zip(RUNS, (FIRST_ROWS, len(lines) - 1), strict=True), start=1):
            table.write_bytes(b"".join(lines[: rows + 1]))
            print(f"\nrun {number} of {len(RUNS)}: {DAG_ID} on {rows:,} rows, {options['max_candidates']} candidates")
            outcomes.append(_run(stack, api, {**options, "source": str(table)}, f"demo-{number}"))
        _summary(stack, outcomes[-1], lines)
    words = [str(outcome.get("outcome", "no outcome")) for outcome in outcomes]
    print(f"demo: {', '.join(words)}", flush=True)
    return 0 if all(outcome.get("state") == "success" for outcome in outcomes) else 1


def _run(stack: Stack, api: AirflowApi, conf: dict[str, Any], run_id: str) -> dict[str, Any]:
    api.trigger(DAG_ID, conf, run_id)
    state = Follower(api, stack.aws_client("sagemaker"), DAG_ID, run_id).follow(RUN_LIMIT)
    outcome = api.xcom(DAG_ID, run_id, "record") or {}
    if state != "success":
        failed = [name for name, task in api.tasks(DAG_ID, run_id).items() if task["state"] == "failed"]
        for task_id in failed:
            print(f"\nlog of the failed task {task_id}:\n{_last_lines(api.task_log(DAG_ID, run_id, task_id))}")
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
    _predict(stack, str(outcome["endpoint"]), lines)
    report = STATE / "report.html"
    report.write_bytes(read("report.html"))
    print(f"report: {report}\n")


def _interval(value: dict[str, float] | None) -> str:
    return f"{value['value']:.4f} ({value['low']:.4f} – {value['high']:.4f})" if value else "–"


def _predict(stack: Stack, endpoint: str, lines: Sequence[bytes]) -> None:
    header, row = csv.reader([lines[0].decode(), lines[-1].decode()])
    target = header.index(PIPELINE)
    features = io.StringIO()
    csv.writer(features, lineterminator="\n").writerow(row[:target] + row[target + 1 :])
    answer = stack.aws_client("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint, ContentType="text/csv", Accept="text/csv", Body=features.getvalue()
    )
    predicted = answer["Body"].read().decode().strip()
    print(f"\nlive prediction from endpoint {endpoint} for the last row ({header[target]} is {row[target]}):")
    print(f"  {predicted}")


if __name__ == "__main__":
    sys.exit(main())
