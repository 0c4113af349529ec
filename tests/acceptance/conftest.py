"""One real Airflow on one embedded AWS for all acceptance tests, with pipelines of their own."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts.airflow_api import FINISHED, AirflowApi
from scripts.demo import PARSED_ONCE
from scripts.stack import ROOT, Stack
from tests.acceptance import tables


@dataclass(frozen=True)
class World:
    """What an acceptance test acts on."""

    stack: Stack
    api: AirflowApi
    data: Path

    def begin(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Unpause the DAG, trigger a run and return its id: several at once are over sooner than one after another."""
        self.api.wait_for_dag(dag_id)
        self.api.unpause(dag_id)
        return str(self.api.trigger(dag_id, conf))

    def finished(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Wait until the run has succeeded and return its outcome."""
        state = self.wait(dag_id, run_id, 400)
        assert state == "success", self.explain(dag_id, run_id)
        return self.outcome(dag_id, run_id)

    def run(self, dag_id: str, conf: dict[str, Any], seconds: float = 240) -> tuple[str, str]:
        """Trigger a run, wait for its end and return its id and state."""
        run_id = self.api.trigger(dag_id, conf)
        return run_id, self.wait(dag_id, run_id, seconds)

    def wait(self, dag_id: str, run_id: str, seconds: float = 240) -> str:
        """Wait for the run's end and return its state."""
        self.until(lambda: self.api.run(dag_id, run_id)["state"] in FINISHED, f"{dag_id} {run_id} ends", seconds)
        return str(self.api.run(dag_id, run_id)["state"])

    def until(self, done: Callable[[], Any], what: str, seconds: float = 120) -> Any:
        """Wait until ``done`` returns something true and return that."""
        deadline = time.monotonic() + seconds
        while not (found := done()):
            assert time.monotonic() < deadline, f"waited {seconds:.0f} s until {what}"
            self.stack.check()
            time.sleep(0.5)
        return found

    def asked(self, dag_id: str, run_id: str, task_id: str) -> str:
        """Wait until a person is asked, and return the API's path of the question."""
        self.until(
            lambda: self.api.tasks(dag_id, run_id)[task_id]["state"] == "awaiting_input",
            f"{dag_id} {run_id} asks a person",
            400,
        )
        # Airflow takes an answer within the same second for a task that died, and tries again; no person is that quick.
        told = rf"Finished: .*task_id={task_id}, run_id={re.escape(run_id)},.*state=awaiting_input"
        self.until(
            lambda: re.search(told, self.stack.log("scheduler").read_text()),
            f"the scheduler knows that {task_id} of {run_id} waits",
        )
        return self.api.question_path(dag_id, run_id, task_id)

    def explain(self, dag_id: str, run_id: str) -> str:
        """States of all tasks and the logs of the failed ones, for an assertion's message."""
        tasks = self.api.tasks(dag_id, run_id)
        lines = [f"{name}: {task['state']}" for name, task in tasks.items()]
        for name, task in tasks.items():
            if task["state"] == "failed":
                lines.append(f"--- {name}\n{self.api.task_log(dag_id, run_id, name, task['try_number'])[-3000:]}")
        return "\n".join(lines)

    def outcome(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """The run's outcome, as its record task returned it."""
        outcome = self.api.xcom(dag_id, run_id, "record")
        assert outcome, self.explain(dag_id, run_id)
        return dict(outcome)

    def searches(self) -> set[str]:
        """Names of all AutoML jobs of the embedded AWS."""
        sagemaker = self.stack.aws_client("sagemaker")
        return {job["AutoMLJobName"] for job in _all(sagemaker, "list_auto_ml_jobs", "AutoMLJobSummaries")}

    def jobs(self) -> set[str]:
        """Names of all AutoML and transform jobs, models and endpoints of the embedded AWS."""
        sagemaker = self.stack.aws_client("sagemaker")
        return {
            *self.searches(),
            *(job["TransformJobName"] for job in _all(sagemaker, "list_transform_jobs", "TransformJobSummaries")),
            *(model["ModelName"] for model in _all(sagemaker, "list_models", "Models")),
            *(endpoint["EndpointName"] for endpoint in _all(sagemaker, "list_endpoints", "Endpoints")),
        }


def _all(client: Any, operation: str, member: str) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator(operation).paginate():
        yield from page[member]


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The stack, with the pipelines of tests/acceptance/pipelines and their tables."""
    state = tmp_path_factory.mktemp("acceptance")
    data = state / "data"
    data.mkdir()
    tables.write(data)
    pipelines = state / "pipelines"
    shutil.copytree(Path(__file__).parent / "pipelines", pipelines)
    for path in pipelines.glob("*.yaml"):
        path.write_text(path.read_text().replace("$DATA", str(data)))
    environment = {
        **PARSED_ONCE,
        "AUTOML_RETRAINING_DATA_DIRS": str(data),
        "AUTOML_RETRAINING_PIPELINES": str(pipelines),
        # A task whose process or scheduler was killed is found within half a minute, not within Airflow's five.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "5",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    }
    # Beside the stack's own two: three who may trigger and answer, so that the pipeline alone says who may approve.
    users = {"admin": "admin", "viewer": "viewer", "ada": "user", "grace": "user", "mallory": "user"}
    stack = Stack(state, environment=environment, users=users)
    with stack, AirflowApi(stack.airflow_url, "admin", stack.passwords["admin"]) as api:
        for path in pipelines.glob("*.yaml"):
            stack.fix_split(path.stem)
        yield World(stack, api, data)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder."""
    for item in items:
        if Path(item.path).is_relative_to(ROOT / "tests" / "acceptance"):
            item.add_marker(pytest.mark.acceptance)
