"""The job operators through real HTTP against the embedded AWS: what the stand-in cannot know."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from automl_retraining.core.records import Leaderboard, ModelRef, SearchResult
from automl_retraining.operators.autopilot import AutopilotOperator
from automl_retraining.operators.base import STATE_KEY
from automl_retraining.operators.model import CreateModelOperator
from automl_retraining.operators.transform import TransformOperator
from automl_retraining.sagemaker import storage, sweep, watching
from automl_retraining.sagemaker.jobs import AUTOML
from automl_retraining.sensors.secondary_status import SecondaryStatusSensor
from tests.support.local_aws import Running, start
from tests.support.sagemaker_tasks import ROLE, pipeline, run, split
from tests.support.tasks import RUN_ID, context

pytestmark = pytest.mark.local_aws

CHURN = Path(__file__).resolve().parents[2] / "include" / "data" / "churn.csv"
FOLDER = f"s3://bucket/churn/runs/{RUN_ID}"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An embedded AWS with the parts of a split in its bucket."""
    running = start(tmp_path_factory.mktemp("aws"))
    try:
        s3 = running.client("s3")
        s3.create_bucket(Bucket="bucket")
        header, *rows = CHURN.read_text().splitlines()
        place = header.split(",").index("churn")
        fields = [row.split(",") for row in rows[1300:1320]]
        scored = [",".join([str(i), *row[:place], *row[place + 1 :]]) for i, row in enumerate(fields, start=1)]
        for name, lines in (
            ("data/train/train.csv", [header, *rows[:1000]]),
            ("data/validation/validation.csv", [header, *rows[1000:1300]]),
            ("data/transform/test.csv", scored),
        ):
            storage.write_text(s3, f"{FOLDER}/{name}", "\n".join(lines) + "\n")
        yield running
    finally:
        running.stop()


@pytest.fixture
def sm(aws: Running, monkeypatch: pytest.MonkeyPatch) -> Any:
    """SageMaker; the operators' clients go there."""
    for module in ("operators.base", "sensors.secondary_status"):
        monkeypatch.setattr(
            f"automl_retraining.{module}.client", lambda service, *, conn_id, region=None: aws.client(service)
        )
    monkeypatch.setenv("AUTOML_RETRAINING_BUCKET", "bucket")
    monkeypatch.setenv("AUTOML_RETRAINING_ROLE_ARN", ROLE)
    return aws.client("sagemaker")


def search(**kwargs: Any) -> AutopilotOperator:
    """A search on the churn table."""
    arguments: dict[str, Any] = {
        "task_id": "search", "pipeline": pipeline(), "split": split(), "mode": "ENSEMBLING",
        "max_candidates": 3, "max_run_time": 60, "deferrable": False,
    }  # fmt: skip
    return AutopilotOperator(**{**arguments, **kwargs})


def submitted(operator: AutopilotOperator, ctx: Any) -> str:
    """Run the task until it defers; its job."""
    with pytest.raises(TaskDeferred):
        run(operator, ctx)
    return str(ctx["ti"].xcoms["search", "job_name"])


def test_from_a_search_to_predictions(sm: Any, aws: Running) -> None:
    """Search, model and transform, each a second time after its worker was lost: nothing is made twice."""
    ctx = context("search")
    result = SearchResult.model_validate(run(search(), ctx))
    again = context("search")
    assert SearchResult.model_validate(run(search(), again)).job_name == result.job_name
    board = storage.read_record(aws.client("s3"), f"{FOLDER}/leaderboard.json", Leaderboard)
    assert board.best == result.candidate.name
    assert len(board.candidates) == 3
    assert len(board.notebooks) == 2

    xcom = result.model_dump(mode="json")
    create = CreateModelOperator(task_id="create_model", pipeline=pipeline(), search=xcom)
    model = ModelRef.model_validate(run(create, context("create_model")))
    assert run(create, context("create_model"))["model_name"] == model.model_name

    score = TransformOperator(
        task_id="score_challenger",
        pipeline=pipeline(),
        model_name=model.model_name,
        input_uri=f"{FOLDER}/data/transform/test.csv",
        output_uri=f"{FOLDER}/transform/challenger",
        problem_type="BinaryClassification",
        deferrable=False,
    )
    output = run(score, context("score_challenger"))
    assert run(score, context("score_challenger")) == output
    assert len(sm.list_transform_jobs()["TransformJobSummaries"]) == 1
    lines = storage.read_text(aws.client("s3"), f"{output['output_uri']}/test.csv.out").splitlines()
    assert [line.split(",")[0] for line in lines] == [str(i) for i in range(1, 21)]
    assert all('"[' in line for line in lines)


def test_a_search_stopped_or_changed_is_not_adopted(sm: Any) -> None:
    """Another request under a retry is refused; a stopped job's name is left behind; the sensor says it was stopped."""
    ctx = context("search", search="running")
    ctx["dag_run"].clear_number = 1
    long: dict[str, Any] = {"deferrable": True, "mode": "HYPERPARAMETER_TUNING", "max_candidates": 200}
    name = submitted(search(**long), ctx)
    with pytest.raises(AirflowFailException, match="another request"):
        run(search(**{**long, "max_candidates": 100}), ctx)

    sensor = SecondaryStatusSensor(
        task_id="wait", kind="automl", status="ModelTuning", search_mode="HYPERPARAMETER_TUNING", job_name=name,
        deferrable=False, poke_interval=0.2, timeout=60,
    )  # fmt: skip
    assert run(sensor, context("wait"))["status"] == "ModelTuning"

    said = sweep.stop_left_running(sm, deployment="default", pipeline="churn", run_id=RUN_ID)
    assert said == [f"asked SageMaker to stop Autopilot job {name}"]
    with pytest.raises(Exception, match="ended as Stopp"):
        run(sensor, context("wait"))
    second = submitted(search(**long), ctx)
    assert second != name
    assert ctx["task_state_store"][STATE_KEY]["failures"] == 1
    watching.stop(sm, AUTOML, second)
    deadline = time.monotonic() + 30
    while not (job := watching.look(sm, AUTOML, second)) or not job.over:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert job.phase == "stopped"
