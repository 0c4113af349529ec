"""A triggerer's process for a benchmark: ``python -m benchmarks.waiting_triggers ours|stock TASK RESULT``.

As Airflow's triggerer does, it makes every trigger again from what it serialised and runs them all in one event loop.
TASK is a JSON file: ``{"jobs": [[region, name, arrives], ...], "until": [key, ...], "limit": seconds, "port": port}``.
It prints ``ready``, waits for a line on standard input, starts every trigger at its moment, and ends when the triggers
of all the jobs in ``until`` have fired, or at the limit. RESULT gets the epoch seconds of each event, the CPU seconds
since the line, and the peak memory in bytes. The connection leads to an address of AWS's form, which this process takes
for the benchmark's server: so the pace is the one that AWS meets.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

HOST = "api.sagemaker.us-east-1.amazonaws.com"


def resolve_here() -> None:
    """This process alone takes `HOST` for this machine, as a line in /etc/hosts would do for all."""
    look_up: Callable[..., Any] = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **named: Any) -> Any:
        return look_up("127.0.0.1" if host in (HOST, HOST.encode()) else host, *arguments, **named)

    socket.getaddrinfo = getaddrinfo


def made(who: str, region: str, name: str) -> Any:
    """The trigger of one waiting task, which went through its serialised form."""
    if who == "ours":
        from automl_retraining.triggers.job import JobTrigger

        now = datetime.now(UTC).isoformat()
        first: Any = JobTrigger(
            kind="training", job_name=name, conn_id="aws_default", region=region, since=now,
            deferred_at="2026-01-01T00:00:00+00:00",  # the delay is the poller's, without the wait for the worker's end
        )  # fmt: skip
    else:
        from airflow.providers.amazon.aws.triggers.sagemaker import SageMakerTrigger

        first = SageMakerTrigger(job_name=name, job_type="training", region_name=region)
    path, arguments = first.serialize()
    module, _, kind = path.rpartition(".")
    return getattr(import_module(module), kind)(**json.loads(json.dumps(arguments)))


async def run(who: str, task: dict[str, Any]) -> dict[str, float]:
    """Start the triggers at their moments; when each fired, those that did not are left out."""
    fired: dict[str, float] = {}
    wanted, done = set(task["until"]), asyncio.Event()
    began = time.monotonic()

    async def wait(region: str, name: str, arrives: float) -> None:
        await asyncio.sleep(max(0.0, began + arrives - time.monotonic()))
        async for event in made(who, region, name).run():
            at = time.time()
            good = event.payload.get("status") in ("success", "Completed")
            if not good:
                raise RuntimeError(f"The trigger of {name} says {event.payload}.")
            fired[f"{region}/{name}"] = at
            if wanted <= fired.keys():
                done.set()
            return

    waiting = [asyncio.create_task(wait(*job)) for job in task["jobs"]]
    ending = asyncio.create_task(done.wait())
    try:
        async with asyncio.timeout(task["limit"]):
            while not done.is_set():
                over, _ = await asyncio.wait({ending, *waiting}, return_when=asyncio.FIRST_COMPLETED)
                for each in over:
                    each.result()
                waiting = [each for each in waiting if not each.done()]
    except TimeoutError:
        print(f"{len(wanted - fired.keys())} jobs have ended and nobody was told", file=sys.stderr)
    for each in [ending, *waiting]:
        each.cancel()
    return fired


def peak_bytes() -> int:
    """The most memory that this process held. ``ru_maxrss`` would begin with that of the process that forked it."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def main() -> None:
    """Wait as that triggerer would."""
    who, task, result = sys.argv[1], json.loads(Path(sys.argv[2]).read_text()), Path(sys.argv[3])
    connection = {
        "conn_type": "aws", "login": "test", "password": "test",
        "extra": {"region_name": "us-east-1", "endpoint_url": f"http://{HOST}:{task['port']}"},
    }  # fmt: skip
    os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = json.dumps(connection)
    resolve_here()
    made(who, "us-east-1", "warm")  # what a triggerer has imported before
    print("ready", flush=True)
    sys.stdin.readline()
    before = resource.getrusage(resource.RUSAGE_SELF)
    fired = asyncio.run(run(who, task))
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    result.write_text(json.dumps({"fired": fired, "cpu": cpu, "peak": peak_bytes()}))
    os._exit(0)  # clients that still wait for an answer need no farewell


if __name__ == "__main__":
    main()
