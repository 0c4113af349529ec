"""The model operator: once, tagged, answering labels and probabilities."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from automl_retraining.core.records import Candidate, ContainerSpec, ModelRef, SearchResult
from automl_retraining.operators.base import STATE_KEY
from automl_retraining.operators.model import CreateModelOperator
from tests.support.sagemaker_tasks import ROLE, RUN_FOLDER, World, cleared, pipeline, run
from tests.support.tasks import RUN_ID, context


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """An account with nothing in it."""
    return World(monkeypatch)


def found(**environment: str) -> dict[str, Any]:
    """A search's XCom with an ensemble."""
    supported = {"SAGEMAKER_INFERENCE_SUPPORTED": "predicted_label,probability,probabilities,labels", **environment}
    container = ContainerSpec(image="repository/image:1", model_data_url="s3://bucket/m.tar.gz", environment=supported)
    return SearchResult(
        job_name="art-automl-x",
        job_arn="arn:aws:sagemaker:us-east-1:123456789012:automl-job/x",
        kind="automl",
        mode="ENSEMBLING",
        candidate=Candidate(name="best", status="Completed", containers=(container,)),
        problem_type="BinaryClassification",
        leaderboard_uri=f"{RUN_FOLDER}/leaderboard.json",
    ).model_dump(mode="json")


def create(search: dict[str, Any] | None = None) -> CreateModelOperator:
    """The task under test."""
    return CreateModelOperator(task_id="create_model", pipeline=pipeline(), search=search or found())


def test_the_model_serves_labels_and_probabilities(world: World) -> None:
    """The reference says whose it is; the state is deleted."""
    ctx = context("create_model")
    result = ModelRef.model_validate(run(create(), ctx))
    model = world.sm.models[result.model_name]
    environment = model["PrimaryContainer"]["Environment"]
    assert environment["SAGEMAKER_INFERENCE_OUTPUT"] == "predicted_label,probabilities,labels"
    assert model["ExecutionRoleArn"] == ROLE
    assert (result.run_id, result.run_folder) == (RUN_ID, RUN_FOLDER)
    assert STATE_KEY not in ctx["task_state_store"]


def test_a_retry_finds_the_model(world: World) -> None:
    """The worker died after AWS had created it: the stored name leads to it."""
    ctx = context("create_model")
    first = run(create(), ctx)
    ctx["task_state_store"][STATE_KEY] = {"name": first["model_name"], "max_tries": 0}
    assert run(create(), ctx) == first
    assert len(world.sm.models) == 1


def test_a_cleared_task_makes_another_model(world: World) -> None:
    """Also where the try before did not come to its end."""
    ctx = context("create_model")
    first = run(create(), ctx)
    ctx["task_state_store"][STATE_KEY] = {"name": first["model_name"], "max_tries": 0}
    cleared(ctx)
    assert run(create(), ctx)["model_name"] != first["model_name"]


def test_a_retry_with_another_candidate_is_refused(world: World) -> None:
    """The name's model is not the one asked for."""
    ctx = context("create_model")
    run(create(), ctx)
    with pytest.raises(AirflowFailException, match="not this task's: tag art:digest"):
        run(create(found(OTHER="1")), ctx)


def test_a_candidate_that_cannot_be_judged_makes_no_model(world: World) -> None:
    """It gives labels only."""
    with pytest.raises(AirflowFailException, match="without probabilities, labels"):
        run(create(found(SAGEMAKER_INFERENCE_SUPPORTED="predicted_label")), context("create_model"))
    assert not world.sm.models
