"""The transform operator's own part; the rest is the base's."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred

from automl_retraining.operators.transform import TransformOperator
from tests.support.sagemaker_tasks import World, pipeline, run
from tests.support.tasks import context


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """An account with nothing in it."""
    return World(monkeypatch)


def score(**kwargs: Any) -> TransformOperator:
    """The task under test."""
    arguments: dict[str, Any] = {
        "task_id": "score_champion",
        "pipeline": pipeline(transform={"instance_type": "ml.m5.xlarge", "max_payload_mb": 2}),
        "model_name": "art-model-x",
        "input_uri": "s3://bucket/in/test.csv",
        "output_uri": "s3://bucket/out",
        "problem_type": "Regression",
    }
    return TransformOperator(**{**arguments, **kwargs})


@pytest.mark.parametrize(
    ("problem_type", "kept"), [("Regression", "$[0,-1]"), ("MulticlassClassification", "$[0,-3,-2,-1]")]
)
def test_the_id_comes_back_with_the_answers(world: World, problem_type: str, kept: str) -> None:
    """The model does not see the id; the output has it first."""
    with pytest.raises(TaskDeferred):
        run(score(problem_type=problem_type), context("score_champion"))
    (request,) = [arguments for method, arguments in world.sm.calls if method == "create_transform_job"]
    assert request["DataProcessing"] == {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": kept}
    assert request["TransformResources"]["InstanceType"] == "ml.m5.xlarge"
    assert request["MaxPayloadInMB"] == 2


@pytest.mark.parametrize("name", ["", "None", None])
def test_without_a_champion_there_is_nothing_to_score(world: World, name: str | None) -> None:
    """Skipped where the task says so; otherwise AWS is never asked with an empty name either."""
    with pytest.raises(AirflowSkipException):
        run(score(model_name=name, skip_without_model=True), context("score_champion"))
    with pytest.raises(AirflowFailException, match="expected a model's name"):
        run(score(model_name=name), context("score_champion"))
    assert not world.sm.jobs


def test_an_unknown_problem_type_is_refused(world: World) -> None:
    """The outputs could not be read."""
    with pytest.raises(AirflowFailException, match="expected one of BinaryClassification"):
        run(score(problem_type="Ranking"), context("score_champion"))
