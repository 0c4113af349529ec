"""docker-compose.yaml, started without an engine: Postgres, Redis, Celery's workers, and the main story on them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from scripts import make_env
from scripts.airflow_api import FINISHED, AirflowApi
from scripts.compose_file import load, read_env
from scripts.compose_images import missing
from scripts.compose_native import Native
from scripts.stack import BUCKET, REGION, ROOT, free_port

DAG_ID = "autopilot_churn"
COMPONENTS = ("api-server", "scheduler", "scheduler-2", "dag-processor", "triggerer")


@dataclass(frozen=True)
class Composed:
    """What docker-compose.yaml started, and how a user reaches it."""

    native: Native
    variables: dict[str, str]

    @property
    def airflow(self) -> str:
        return f"http://127.0.0.1:{self.variables['AIRFLOW_PORT']}"

    def client(self, service: str) -> Any:
        """A client of the embedded AWS, by its published port."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.variables['LOCAL_AWS_PORT']}",
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """The profile celery with two schedulers, a .env as `make env` writes it and free ports."""
    state = tmp_path_factory.mktemp("compose")
    make_env.write(state / ".env", make_env.filled((ROOT / ".env.example").read_text()))
    ports = {name: str(free_port()) for name in ("AIRFLOW_PORT", "LOCAL_AWS_PORT")}
    variables = {**read_env(state / ".env"), **ports, "AIRFLOW_EXECUTOR": "CeleryExecutor"}
    project = load(ROOT / "docker-compose.yaml", variables, frozenset({"celery"}))
    if lacks := missing({service.image for service in project.services.values()}):
        reason = f"docker-compose.yaml can't be started natively here: {'; '.join(lacks)}"
        if os.environ.get("AUTOML_RETRAINING_CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    # As `docker compose up --scale scheduler=2` starts it: Postgres lets two work at one time.
    second = replace(project.services["scheduler"], name="scheduler-2")
    project = replace(project, services={**project.services, second.name: second})
    with Native(project, state) as native:
        yield Composed(native, variables)


def test_the_main_story_runs_on_celery_workers_as_the_compose_file_starts_them(composed: Composed) -> None:
    """Every service is healthy by its own check; a model is trained, judged and deployed by tasks on the worker.

    Two schedulers make no job twice.
    """
    health = composed.native.health()
    assert health.pop("airflow-init") == "completed"
    assert health == dict.fromkeys(["postgres", "redis", "local-aws", "worker", *COMPONENTS], "healthy")

    with AirflowApi(composed.airflow, "admin", composed.variables["AIRFLOW_ADMIN_PASSWORD"]) as api:
        api.wait_for_dag(DAG_ID)
        api.unpause(DAG_ID)
        run_id = api.trigger(DAG_ID, {"max_candidates": 1, "max_run_time": 120})
        deadline = time.monotonic() + 150
        while (state := api.run(DAG_ID, run_id)["state"]) not in FINISHED:
            composed.native.check()
            assert time.monotonic() < deadline, {name: one["state"] for name, one in api.tasks(DAG_ID, run_id).items()}
            time.sleep(0.5)
        tasks = api.tasks(DAG_ID, run_id)
        assert state == "success", {name: task["state"] for name, task in tasks.items()}
        outcome = api.xcom(DAG_ID, run_id, "record")
        log = api.task_log(DAG_ID, run_id, "gate", tasks["gate"]["try_number"])

    assert outcome is not None
    assert outcome["outcome"] == "promoted"
    assert {task["hostname"] for task in tasks.values() if task["state"] == "success"} == {"worker"}
    assert "promote" in log, "the api-server reads the worker's logs"
    key = outcome["report_uri"].removeprefix(f"s3://{BUCKET}/").replace("report.html", "decision.json")
    sagemaker = composed.client("sagemaker")
    assert len(sagemaker.list_auto_ml_jobs()["AutoMLJobSummaries"]) == 1
    assert len(sagemaker.list_transform_jobs()["TransformJobSummaries"]) == 1
    decision = json.loads(composed.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert decision["verdict"] == "promote"


def test_what_the_services_write_is_in_the_volumes_and_secrets_are_their_owners_only(composed: Composed) -> None:
    """A restart finds the database, the embedded AWS and the logs; the project's own folders are mounted read-only."""
    volumes: Path = composed.native.state / "volumes"
    assert (volumes / "postgres-data" / "PG_VERSION").exists()
    assert (volumes / "local-aws-data" / "state.sqlite").exists()
    assert list((volumes / "airflow-logs").glob(f"dag_id={DAG_ID}/**/*.log"))
    passwords = volumes / "airflow-state" / "passwords.json"
    assert passwords.stat().st_mode & 0o777 == 0o600
    read_only = [
        mount for service in composed.native.project.services.values() for mount in service.volumes if not mount.named
    ]
    assert read_only
    assert all(mount.read_only for mount in read_only)
