"""The reference: which model the champion's chain of not-inferior promotions began with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.records import Decision, ModelRef
from automl_retraining.sagemaker import storage
from automl_retraining.sagemaker.reference import find, look

FOLDER = "s3://runs/churn/runs/r7"
CHAMPION = ModelRef(model_name="m7", run_folder=FOLDER)
FIRST = ModelRef(model_name="m1", run_folder="s3://runs/churn/runs/r1")


class Models:
    """SageMaker, knowing some models."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def describe_model(self, ModelName: str) -> dict[str, str]:  # noqa: N803 - boto3's
        """As AWS: an unknown model is a ValidationException."""
        if ModelName not in self.names:
            error = {"Code": "ValidationException", "Message": f'Could not find model "{ModelName}".'}
            raise ClientError({"Error": error}, "DescribeModel")
        return {"ModelName": ModelName}


@pytest.fixture
def s3() -> Iterator[Any]:
    """A bucket."""
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="runs")
        yield s3


def promoted(s3: Any, **changes: Any) -> None:
    """Write the decision that put m7 behind the endpoint: as not inferior to m6, with m1 as the reference."""
    fields: dict[str, Any] = {
        "pipeline": "churn", "run_id": "r7", "verdict": "promote", "sentence": "Promoted.", "reasons": (), "rules": (),
        "policy": GatePolicy(metric="rmse", mode="non_inferiority", margin=0.1), "challenger": "m7", "champion": "m6",
        "reference": FIRST,
    }  # fmt: skip
    storage.write_record(s3, f"{FOLDER}/decision.json", Decision(**{**fields, **changes}))


def test_after_a_promotion_as_not_inferior_the_reference_carries_on(s3: Any) -> None:
    promoted(s3)
    assert look(Models("m1", "m7"), s3, CHAMPION).model == FIRST
    assert find(Models("m1", "m7"), s3, CHAMPION) == FIRST


@pytest.mark.parametrize(
    "changes",
    [{"policy": GatePolicy(metric="rmse")}, {"champion": None, "reference": None}, {"verdict": "doubt"}],
    ids=["superiority", "the first model", "a person approved"],
)
def test_a_champion_that_needed_no_margin_is_the_reference_itself(s3: Any, changes: dict[str, Any]) -> None:
    promoted(s3, **changes)
    assert look(Models(), s3, CHAMPION).model == CHAMPION


def test_a_model_that_no_run_of_ours_made_is_its_own_reference(s3: Any) -> None:
    adopted = ModelRef(model_name="theirs")
    assert look(Models(), s3, adopted).model == adopted


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (None, "expected an object to read at s3://runs/churn/runs/r7/decision.json, found none"),
        ({"challenger": "m8"}, "found m8: that run was cleared since"),
        ({"reference": None}, "names none"),
    ],
    ids=["folder gone", "run cleared", "no reference recorded"],
)
def test_what_cannot_be_told_is_said_and_never_taken_for_the_champion(
    s3: Any, changes: dict[str, Any] | None, said: str
) -> None:
    if changes is not None:
        promoted(s3, **changes)
    found = look(Models("m1"), s3, CHAMPION)
    assert found.model is None
    assert found.problem is not None
    assert found.problem.startswith("the reference of champion m7 cannot be told: ")
    assert said in found.problem


def test_a_reference_whose_model_was_deleted_is_named_with_that_problem(s3: Any) -> None:
    promoted(s3)
    found = look(Models("m7"), s3, CHAMPION)
    assert found.model == FIRST
    assert found.problem is not None
    assert "the reference m1 (the last model promoted by superiority) is not there any more" in found.problem
