"""How long the pages inside Airflow wait: ``python -m benchmarks.bench_ui [--runs 500 --candidates 1000]``.

Run folders as the DAGs leave them are written into a real S3 (the embedded AWS's), and the app is served over HTTP on
this machine with Airflow's own login before every request. Printed, in milliseconds: how long the first answer takes
and how long until all runs are read, while that goes on how long a request waits that reads nothing (the event loop is
Airflow's too), then the warm answers with their sizes, requests one after the other, background reading included; and
in Chromium, how long a model's page and a run's page take from the data's arrival until they are drawn.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import sync_playwright
from sqlalchemy.orm import scoped_session, sessionmaker

from scripts import browser
from tests.support import run_folders
from tests.support.airflow_login import auth_manager, database, token
from tests.support.local_aws import Running, start

BUCKET = "bench"
LIMIT_MS = 300
"""What a model's page may take from a warm cache with 500 runs."""
DRAWN_MS = 1000
"""What a page may take from its data's arrival until it is drawn."""
DRAWN = """name => new Promise(resolve => {
    const frames = (after, then) => requestAnimationFrame(() => after ? frames(after - 1, then) : then());
    const look = () => {
        const [drawn] = performance.getEntriesByName(name);
        frames(1, drawn ? () => resolve(performance.now() - drawn.startTime) : look);
    };
    look();
})"""
"""Milliseconds from the data's arrival until two frames after now: the charts' canvases are painted by then."""


class Nothing:
    """An Airflow that knows of no runs beyond their folders."""

    def state(self, _dag_id: str, _run_id: str) -> Any:
        """Not known."""
        return "unknown"

    def dags_of(self, _run_ids: Any, _among: Any) -> dict[str, str]:
        """None."""
        return {}

    def jobs(self, _dag_id: str, _run_id: str) -> tuple[Any, ...]:
        """None."""
        return ()


def app_on(aws: Running, folder: Path) -> FastAPI:
    """The pages' app over that S3, mounted as in the api-server, with Airflow's database and login."""
    import airflow.api_fastapi.app as airflow_app
    from airflow import settings

    from automl_retraining.ui.app import create_app
    from automl_retraining.ui.aws import CONNECTIONS, Clients
    from automl_retraining.ui.catalog import Catalog
    from automl_retraining.ui.service import Service

    settings.Session = scoped_session(sessionmaker(bind=database(), expire_on_commit=False))
    airflow_app._AuthManagerState.instance = auth_manager()
    (folder / "churn.yaml").write_text(run_folders.pipeline_yaml())

    def client(service: str, _pipeline: Any) -> Any:
        return _client(aws, service, CONNECTIONS)

    outer = FastAPI()
    outer.mount("/automl", create_app(Service(Catalog(folder), Clients(client), Nothing())))
    return outer


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The app on a free port."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/automl"
    server.should_exit = True
    thread.join(10)


def cold(client: httpx.Client, address: str) -> None:
    """The first answers, and what a request without a login waits meanwhile."""
    waits: list[float] = []
    done = threading.Event()

    def other() -> None:
        with httpx.Client() as stranger:
            while not done.is_set():
                waits.append(timed(lambda: stranger.get(f"{address}/nothing"))[0])
                time.sleep(0.02)

    beside = threading.Thread(target=other)
    beside.start()
    began = time.perf_counter()
    first, answer = timed(lambda: client.get(f"{address}/api/models/churn", timeout=60))
    while not answer.json()["progress"]["ready"]:
        time.sleep(0.25)
        answer = client.get(f"{address}/api/models/churn", timeout=60)
    total = time.perf_counter() - began
    done.set()
    beside.join()
    runs = answer.json()["model"]["runs"]
    print(f"cold: first answer {first:.0f} ms, all {runs} runs read after {total:.1f} s")
    print(f"  meanwhile a request that reads nothing: {spread(waits)}")


def warm(client: httpx.Client, name: str, address: str, requests: int) -> float:
    """So many answers; their 99th percentile in milliseconds."""
    times, size = [], 0
    for _ in range(requests):
        took, answer = timed(lambda: client.get(address, timeout=60))
        answer.raise_for_status()
        times.append(took)
        size = len(answer.content)
    print(f"{name}: {spread(times)}, {size / 1e3:,.0f} kB")
    return percentile(times, 99)


def in_browser(address: str, runs: int, candidates: int, looks: int = 5) -> float:
    """The pages in Chromium; the longest of all looks in milliseconds."""
    run = f"run?dag_id=autopilot_churn&run_id={quote(run_folders.run_id(runs - 1))}#candidates"
    pages = (
        (f"a model's page with {runs} runs", "models/churn", "render", f"of {runs}"),
        (f"a run's page with {candidates:,} candidates", run, "leaderboard", f"of {candidates:,}"),
    )
    longest = 0.0
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.ensure(), args=browser.arguments())
        for name, path, measure, shows in pages:
            times = []
            for _ in range(looks):
                context = chromium.new_context(extra_http_headers={"authorization": f"Bearer {token('admin')}"})
                page = context.new_page()
                page.goto(f"{address}/{path}")
                page.get_by_text(shows).first.wait_for()
                times.append(page.evaluate(DRAWN, measure))
                context.close()
            print(f"{name}, drawn in Chromium: {spread(times)}")
            longest = max(longest, *times)
        chromium.close()
    return longest


def timed(work: Any) -> tuple[float, Any]:
    """Milliseconds, and what came of it."""
    began = time.perf_counter()
    result = work()
    return (time.perf_counter() - began) * 1e3, result


def percentile(values: list[float], share: int) -> float:
    """The value that so many percent do not exceed."""
    return sorted(values)[min(len(values) - 1, len(values) * share // 100)]


def spread(values: list[float]) -> str:
    """For people."""
    return (
        f"p50 {statistics.median(values):.1f} ms, p99 {percentile(values, 99):.1f} ms, longest {max(values):.1f} ms "
        f"({len(values)} requests)"
    )


def main() -> int:
    """Print the table; status 1 where a model's page takes longer than it may."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--candidates", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=300)
    given = parser.parse_args()
    os.environ["AUTOML_RETRAINING_BUCKET"] = BUCKET
    os.environ["AIRFLOW__API_AUTH__JWT_SECRET"] = (
        "of this benchmark only, long enough for what signs with it: " + "x" * 16
    )
    with tempfile.TemporaryDirectory(prefix="bench-ui-") as name:
        folder = Path(name)
        (folder / "pipelines").mkdir()
        aws = start(folder / "aws")
        try:
            return measure(aws, folder / "pipelines", given.runs, given.candidates, given.requests)
        finally:
            aws.stop()


def measure(aws: Running, folder: Path, runs: int, candidates: int, requests: int) -> int:
    """Write the folders, serve the app, measure."""
    s3 = _client(aws, "s3", 16)
    s3.create_bucket(Bucket=BUCKET)
    began = time.perf_counter()
    run_folders.write(s3, BUCKET, runs - 1, threads=8)
    run_folders.write(s3, BUCKET, 1, first=runs - 1, candidates=candidates)
    print(
        f"{runs} run folders written in {time.perf_counter() - began:.0f} s; the newest has {candidates:,} candidates"
    )
    run = f"api/runs/autopilot_churn/{quote(run_folders.run_id(runs - 1))}"
    headers = {"authorization": f"Bearer {token('admin')}"}
    with served(app_on(aws, folder)) as address, httpx.Client(headers=headers) as client:
        cold(client, address)
        longest = warm(client, "a model's page", f"{address}/api/models/churn", requests)
        warm(client, "the table of models", f"{address}/api/models", requests)
        warm(client, f"a run with {candidates:,} candidates", f"{address}/{run}", max(requests // 10, 1))
        warm(client, "its plots", f"{address}/{run}/plots", max(requests // 10, 1))
        warm(client, "a replay, the same again", f"{address}/{run}/replay?margin=0.01", max(requests // 10, 1))
        drawn = in_browser(address, runs, candidates)
    if longest > LIMIT_MS:
        print(f"a model's page: expected a 99th percentile of at most {LIMIT_MS} ms, found {longest:.0f}")
    if drawn > DRAWN_MS:
        print(f"a page in the browser: expected at most {DRAWN_MS} ms to be drawn, found {drawn:.0f}")
    return int(longest > LIMIT_MS or drawn > DRAWN_MS)


def _client(aws: Running, service: str, connections: int) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        endpoint_url=aws.url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - the embedded AWS takes any
        config=Config(max_pool_connections=connections),
    )


if __name__ == "__main__":
    raise SystemExit(main())
