"""SageMaker for a benchmark of waiting: ``python -m benchmarks.scripted_sagemaker PLAN``, until it is ended.

The embedded AWS's own SageMaker behind its own port: wire, operations, store, lists, faults and counters of calls
(``/_control``). One thing is not its own: no job runs. A thousand processes would measure the machine, not the waiting.
The jobs are training jobs in the store as CreateTrainingJob left them an hour ago, and each is moved to Training and to
Completed, as the runner does, at the moments of the plan: a JSON file with ``{"region": [[name, starts, ends], ...]}``,
in seconds from the line ``begin`` on standard input; what is before it was an hour ago. The first line that it prints
is its port.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import uvicorn

from include.local_aws import store as clock
from include.local_aws.faults.connection import PROTOCOL
from include.local_aws.faults.control import Control
from include.local_aws.faults.past import LaggingStore
from include.local_aws.front import Front
from include.local_aws.sagemaker import jobs
from include.local_aws.sagemaker.call import Services
from include.local_aws.sagemaker.service import SageMaker
from include.local_aws.training import statuses
from tests.support.trainings import training_request

KIND = "training"
HOUR = 3600.0
_NOTHING = cast(Any, None)


@contextmanager
def an_hour_ago() -> Iterator[None]:
    """The store writes its times as it would have then: lists by last change do not begin with every job."""
    now = clock._now
    clock._now = lambda: now() - HOUR
    try:
        yield
    finally:
        clock._now = now


class _Closed:
    """The rooms that no request of the benchmark is for."""

    async def close(self) -> None:
        """Nothing was opened."""


def application(store: LaggingStore, control: Control) -> Front:
    """The embedded AWS's front, with SageMaker behind it."""
    services = Services(Path(), store, _NOTHING, _NOTHING, _NOTHING, _NOTHING)
    closed = cast(Any, _Closed())
    return Front(
        sagemaker=SageMaker(services, _NOTHING, _NOTHING),
        runtime=closed,
        s3=closed,
        rest=closed,
        health=lambda: {"ready": True},
        control=control,
    )


def create(store: LaggingStore, region: str, name: str, starts: float) -> None:
    """A training job."""
    body = {
        "request": training_request(name, {"num_round": 10}),
        "secondary": "Starting",
        "transitions": statuses.FIRST,
        "model": f"s3://bucket/{name}/model.tar.gz",
    }
    jobs.record(store, KIND, region, name, "InProgress", body, {})
    if starts < 0:
        at = time.time() - HOUR
        store.update(KIND, region, name, lambda job: statuses.moved(job, "Training", at, started=at))


def play(store: LaggingStore, plan: dict[str, list[tuple[str, float, float]]]) -> None:
    """Move every job when its time has come."""
    moves = sorted(
        (at, region, name, secondary)
        for region, rows in plan.items()
        for name, starts, ends in rows
        for at, secondary in ((starts, "Training"), (ends, "Completed"))
        if at >= 0
    )
    began = time.time()
    for at, region, name, secondary in moves:
        time.sleep(max(0.0, began + at - time.time()))
        now = time.time()
        if secondary == "Training":
            store.update(KIND, region, name, lambda job, now=now: statuses.moved(job, "Training", now, started=now))
        else:
            store.update(KIND, region, name, lambda job, now=now: statuses.ended(job, "Completed", "Completed", now))


def main() -> None:
    """Serve until the process is ended."""
    plan = json.loads(Path(sys.argv[1]).read_text())
    with tempfile.TemporaryDirectory() as folder:
        store = LaggingStore(Path(folder) / "state.sqlite")
        for region, rows in plan.items():
            for name, starts, _ in rows:
                with an_hour_ago():
                    create(store, region, name, starts)
        config = uvicorn.Config(
            application(store, Control(store)), host="127.0.0.1", port=0, http=PROTOCOL, log_level="warning",
            access_log=False, timeout_keep_alive=30,
        )  # fmt: skip
        listener = config.bind_socket()
        listener.listen()
        server = uvicorn.Server(config)
        threading.Thread(target=server.run, args=([listener],), daemon=True).start()
        print(listener.getsockname()[1], flush=True)
        sys.stdin.readline()
        play(store, plan)
        sys.stdin.readline()


if __name__ == "__main__":
    main()
