"""What happens to a stack while runs are under way: each harm hits once, and what was killed is started again."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from scripts.airflow_api import FINISHED, AirflowApi
from scripts.stack import Stack
from tests.chaos.processes import kill, stalled, task_processes
from tests.chaos.rounds import Round

STALL_SECONDS = 28.0
"""How long a triggerer stands still: beyond ``TRIGGERER_HEALTH_SECONDS``, and the other one's look for its triggers."""
TRIGGERER_HEALTH_SECONDS = 10
_LOOK = 0.05


@dataclass
class Harms:
    """Hurts the stack, one harm at a time however many runs are under way."""

    stack: Stack
    triggerers: tuple[str, ...]
    """Names of the stack's triggerers; a stalled one needs another beside it."""
    busy: threading.Lock = field(default_factory=threading.Lock)
    counts: dict[str, int] = field(default_factory=dict)

    def do(self, api: AirflowApi, planned: Round, dag_id: str, run_id: str, undisturbed: float) -> str:
        """Wait for the moment and hit; what was hit, in words. ``nothing`` where the run was over before."""
        moment = time.monotonic() + planned.moment * undisturbed
        while time.monotonic() < moment and patient(lambda: api.run(dag_id, run_id)["state"]) not in FINISHED:
            time.sleep(0.2)
        harms: dict[str, Callable[[], str]] = {
            "task": lambda: self._kill_process(api, dag_id, run_id, executor=False),
            "worker": lambda: self._kill_process(api, dag_id, run_id, executor=True),
            "scheduler": lambda: self._kill_component("scheduler", group=False),
            "scheduler with its tasks": lambda: self._kill_component("scheduler", group=True),
            "triggerer": lambda: self._kill_component(self._one(self.triggerers, planned.pick), group=True),
            "api-server": lambda: self._kill_component("api-server", group=True),
            "stalled triggerer": lambda: self._stall(self._one(self.triggerers, planned.pick)),
            "lost answer": lambda: self._lose_answer(api, dag_id, run_id),
            "clear": lambda: self._clear(api, dag_id, run_id, planned.pick),
            "mark failed": lambda: self._mark_failed(api, dag_id, run_id),
        }
        with self.busy:
            hit = harms[planned.harm]()
        if hit != "nothing":
            self.counts[planned.harm] = self.counts.get(planned.harm, 0) + 1
        return hit

    @staticmethod
    def _one(names: tuple[str, ...], pick: float) -> str:
        return names[int(pick * len(names))]

    def _kill_process(self, api: AirflowApi, dag_id: str, run_id: str, *, executor: bool) -> str:
        """Kill the first process found that runs a task of the run."""
        while patient(lambda: api.run(dag_id, run_id)["state"]) not in FINISHED:
            named = {task["id"]: task["task_id"] for task in patient(lambda: instances(api, dag_id, run_id))}
            for _ in range(20):
                for process in task_processes(self.stack):
                    if process.executor == executor and process.task in named and kill(process.pid):
                        return f"{'executor of ' if executor else ''}{named[process.task]}"
                time.sleep(_LOOK)
        return "nothing"

    def _kill_component(self, name: str, *, group: bool) -> str:
        process = self.stack.process(name)
        if group:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        self.stack.start_component(name.partition(" ")[0], name)
        self.wait_until_healthy()
        return name

    def _stall(self, name: str) -> str:
        with stalled(self.stack.process(name).pid):
            time.sleep(STALL_SECONDS)
        self.wait_until_healthy()
        return name

    def _lose_answer(self, api: AirflowApi, dag_id: str, run_id: str) -> str:
        """The next Create call of whichever run is carried out, and its answer lost."""
        lose = {"kind": "drop", "when": "after", "service": "sagemaker", "operation": "Create*", "first": 1}
        control = f"{self.stack.aws_url}/_control"
        httpx.put(control, json={"faults": [lose]}, timeout=30).raise_for_status()
        try:
            while True:
                state = httpx.get(control, timeout=30).raise_for_status().json()
                if sum(state["injected"]):
                    return "a Create call"
                if patient(lambda: api.run(dag_id, run_id)["state"]) in FINISHED:
                    return "nothing"
                time.sleep(0.2)
        finally:
            httpx.delete(control, timeout=30).raise_for_status()

    def _clear(self, api: AirflowApi, dag_id: str, run_id: str, pick: float) -> str:
        """Clear a task that has begun or ended, and what follows it."""
        begun = [task for task in patient(lambda: instances(api, dag_id, run_id)) if task["start_date"]]
        if not begun or patient(lambda: api.run(dag_id, run_id)["state"]) in FINISHED:
            return "nothing"
        task = sorted(begun, key=lambda each: str(each["start_date"]))[int(pick * len(begun))]
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": [task["task_id"]],
            "include_downstream": True,
            "only_failed": False,
            "reset_dag_runs": True,
        }
        patient(lambda: api.send("POST", f"dags/{dag_id}/clearTaskInstances", body))
        return f"{task['task_id']} ({task['state']})"

    def _mark_failed(self, api: AirflowApi, dag_id: str, run_id: str) -> str:
        tasks = patient(lambda: instances(api, dag_id, run_id))
        if patient(lambda: api.run(dag_id, run_id)["state"]) in FINISHED:
            return "nothing"
        patient(lambda: api.send("PATCH", f"dags/{dag_id}/dagRuns/{run_id}", {"state": "failed"}))
        during = sorted({task["task_id"] for task in tasks if task["state"] in ("running", "deferred")})
        return f"the run, during {', '.join(during) or 'no task'}"

    def wait_until_healthy(self, seconds: float = 180) -> None:
        """Wait until every component of Airflow beats again; raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                health = httpx.get(f"{self.stack.airflow_url}/api/v2/monitor/health", timeout=10).json()
                if all(health[part]["status"] == "healthy" for part in ("scheduler", "triggerer", "dag_processor")):
                    return
            time.sleep(0.5)
        raise TimeoutError(f"Airflow was not healthy within {seconds:.0f} s of a harm: see {self.stack.state / 'logs'}")


def instances(api: AirflowApi, dag_id: str, run_id: str) -> list[dict[str, Any]]:
    """The run's task instances, each of a mapped task as well."""
    return list(api.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"])


def patient(ask: Callable[[], Any], seconds: float = 180) -> Any:
    """What ``ask`` gives, however often the api-server dies in between; what is a wrong question is raised at once."""
    deadline = time.monotonic() + seconds
    for pause in _pauses():
        try:
            return ask()
        except httpx.HTTPStatusError as error:
            if error.response.status_code < 500 or time.monotonic() > deadline:
                raise
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
        time.sleep(pause)
    raise AssertionError("the pauses never end")


def _pauses() -> Iterator[float]:
    while True:
        yield 0.5
