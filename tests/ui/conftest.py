"""The pages' app with Airflow's real login, a pipeline, and six run folders in an S3 in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from airflow import settings
from moto import mock_aws
from sqlalchemy.orm import scoped_session, sessionmaker

from automl_retraining.core.config import Pipeline
from automl_retraining.core.records import Outcome
from automl_retraining.sagemaker import storage
from automl_retraining.sagemaker.jobs import ENDPOINT
from automl_retraining.ui.airflow_db import State, SubmittedBy
from tests.support import run_folders
from tests.support.airflow_login import Browser, auth_manager, database, token
from tests.support.fake_sagemaker import FakeSageMaker

BUCKET = "tests"
RUNS = 6
AB_RUN = "manual__2026-11-20"
"""Of the A/B test of the pipeline other."""


@dataclass
class FakeAirflow:
    """What Airflow knows of its runs, said by the test."""

    states: dict[tuple[str, str], State] = field(default_factory=dict)
    submitted: dict[tuple[str, str], tuple[SubmittedBy, ...]] = field(default_factory=dict)

    def state(self, dag_id: str, run_id: str) -> State:
        """Unknown, unless said otherwise."""
        return self.states.get((dag_id, run_id), "unknown")

    def dags_of(self, run_ids: Iterable[str], among: Collection[str]) -> dict[str, str]:
        """Of the runs that have a state."""
        wanted = set(run_ids)
        return {run: dag for dag, run in self.states if run in wanted and dag in among}

    def jobs(self, dag_id: str, run_id: str) -> tuple[SubmittedBy, ...]:
        """None, unless said otherwise."""
        return self.submitted.get((dag_id, run_id), ())


class SageMaker(FakeSageMaker):
    """With the endpoint of the pipeline churn, which serves what the last promoted run made."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs[ENDPOINT.key, "art-churn"] = {
            "EndpointName": "art-churn",
            "EndpointStatus": "InService",
            "EndpointConfigName": "art-config",
            "LastModifiedTime": datetime(2025, 2, 1, tzinfo=UTC),
            "ProductionVariants": [
                {"VariantName": "champion", "CurrentWeight": 0.9, "CurrentInstanceCount": 2},
                {"VariantName": "canary", "CurrentWeight": 0.1, "CurrentInstanceCount": 1},
            ],
        }

    def _other(self, method: str, arguments: dict[str, Any]) -> Any:
        if method != "describe_endpoint_config":
            return super()._other(method, arguments)
        return {
            "ProductionVariants": [
                {"VariantName": "champion", "ModelName": "art-model-3", "InstanceType": "ml.m5.large"},
                {"VariantName": "canary", "ModelName": "art-model-4", "InstanceType": "ml.m5.large"},
            ]
        }


@dataclass
class World:
    """The app and what it looks at."""

    app: Any
    service: Any
    s3: Any
    sm: FakeSageMaker
    airflow: FakeAirflow
    tokens: dict[str, str]

    def browser(self, user: str | None = "admin") -> Browser:
        """A browser in which that user has logged in."""
        return Browser(self.app, self.tokens[user] if user else None)

    def settled(self, pipeline: str = "churn") -> Any:
        """The model's page when all its runs are read."""
        for _ in range(200):
            page = self.browser().json(f"/api/models/{pipeline}")
            if page["progress"]["ready"]:
                return page
            time.sleep(0.05)
        raise AssertionError(f"the runs were not read in time: {page['progress']}")


@pytest.fixture(scope="package")
def airflow_login() -> Iterator[Callable[[str], str]]:
    """Airflow's database in memory and its auth manager, as in an api-server; makes tokens."""
    import airflow.api_fastapi.app as airflow_app

    engine = database()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "AIRFLOW__API_AUTH__JWT_SECRET",
            "for tests only, and long enough for HMAC with SHA-512, which it signs with",
        )
        patch.setattr(settings, "Session", scoped_session(sessionmaker(bind=engine, expire_on_commit=False)))
        patch.setattr(airflow_app._AuthManagerState, "instance", auth_manager())
        yield token
    engine.dispose()


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pipelines churn and other, and the pages' files."""
    made = tmp_path_factory.mktemp("ui")
    (made / "pipelines").mkdir()
    (made / "pipelines" / "churn.yaml").write_text(run_folders.pipeline_yaml(schedule='{cron: "0 5 * * 1"}'))
    (made / "pipelines" / "other.yaml").write_text(run_folders.pipeline_yaml(ab="{share: 10}"))
    (made / "page.html").write_text('<!doctype html><title>$title</title><script src="${up}static/$name.js"></script>')
    (made / "static" / "vendor").mkdir(parents=True)
    (made / "static" / "page.js").write_text("export const page = 1;\n")
    (made / "static" / "vendor" / "LICENSE").write_text("free\n")
    (made / "static" / "secret.py").write_text("password = 1\n")
    (made / "outside.js").write_text("outside\n")
    (made / "static" / "link.js").symlink_to(made / "outside.js")
    return made


@pytest.fixture(scope="module")
def world(airflow_login: Callable[[str], str], folder: Path) -> Iterator[World]:
    """The app over six finished runs of the pipeline churn, and one of the pipeline other and its A/B test."""
    from fastapi import FastAPI

    from automl_retraining.ui.app import create_app
    from automl_retraining.ui.assets import Assets
    from automl_retraining.ui.aws import Clients
    from automl_retraining.ui.catalog import Catalog
    from automl_retraining.ui.service import Service

    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOML_RETRAINING_BUCKET", BUCKET)
        s3 = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        s3.create_bucket(Bucket=BUCKET)
        run_folders.write(s3, BUCKET, RUNS)
        run_folders.write(s3, BUCKET, 1, pipeline="other", dag_id="autopilot_other")
        promoted = Outcome(
            pipeline="other", run_id=AB_RUN, outcome="promoted", sentence="Promoted: nothing speaks against it.",
            endpoint="art-other", challenger="art-model-0", champion="art-model-0", facts={"dag_id": "ab_other"},
            finished=datetime(2026, 11, 20, tzinfo=UTC),
        )  # fmt: skip
        storage.write_record(s3, f"s3://{BUCKET}/other/ab/{AB_RUN}/outcome.json", promoted)
        sm, airflow = SageMaker(), FakeAirflow()
        others = {"s3": s3, "sagemaker": sm, "logs": boto3.client("logs", region_name="us-east-1")}

        def client(service: str, _pipeline: Pipeline) -> Any:
            return others[service]

        service = Service(Catalog(folder / "pipelines"), Clients(client), airflow)
        outer = FastAPI()
        outer.mount("/automl", create_app(service, Assets(folder)))
        tokens = {user: airflow_login(user) for user in ("admin", "reader", "neighbour", "nobody")}
        yield World(outer, service, s3, sm, airflow, tokens)
