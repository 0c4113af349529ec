"""The training job's request."""

from typing import Any

import pytest

from automl_retraining.core.errors import RequestError
from automl_retraining.sagemaker.training import TrainingOptions, create_training_job
from tests.support.botocore_check import accepted


def options(**changes: Any) -> TrainingOptions:
    """An xgboost training."""
    given: dict[str, Any] = {
        "image_uri": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5",
        "role_arn": "arn:aws:iam::123456789012:role/automl-retraining",
        "output_uri": "s3://bucket/out",
        "channels": {"train": "s3://bucket/train/", "validation": "s3://bucket/validation/"},
        "hyperparameters": {"num_round": "10"},
    }
    return TrainingOptions(**{**given, **changes})


def test_the_smallest_request() -> None:
    """Every limit is set; nothing is left to a default that AWS may change."""
    request = create_training_job("art-training-x", options())
    accepted("create_training_job", request)
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}
    assert [channel["ChannelName"] for channel in request["InputDataConfig"]] == ["train", "validation"]
    assert "EnableManagedSpotTraining" not in request


def test_every_option_is_a_member_that_aws_knows() -> None:
    """Spot with checkpoints, metrics of a script, keys, network, tags."""
    request = create_training_job(
        "art-training-x",
        options(
            spot=True, max_wait=7200, checkpoint_uri="s3://bucket/checkpoints", metrics={"rmse": "rmse=([0-9.]+)"},
            environment={"A": "b"}, kms_key="key", volume_kms_key="key", subnets=("subnet-1",),
            security_group_ids=("sg-1",),
        ),
        [{"Key": "k", "Value": "v"}],
    )  # fmt: skip
    accepted("create_training_job", request)
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200}
    assert request["CheckpointConfig"] == {"S3Uri": "s3://bucket/checkpoints"}


def test_spot_without_a_wait_gets_twice_its_time() -> None:
    """SageMaker demands MaxWaitTimeInSeconds with spot."""
    request = create_training_job("x", options(spot=True))
    assert request["StoppingCondition"]["MaxWaitTimeInSeconds"] == 7200


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channels": {}}, "expected at least one channel, found none"),
        ({"channels": {"train": "train.csv"}}, "training: train: expected an S3 URI"),
        ({"max_wait": 60}, "max_wait: expected none without spot training, found 60 s"),
        ({"spot": True, "max_wait": 60}, "max_wait: expected at least max_run_time"),
    ],
)
def test_what_sagemaker_would_refuse_is_said_before(changes: dict[str, Any], words: str) -> None:
    """In a sentence, before the call."""
    with pytest.raises(RequestError, match=words):
        create_training_job("x", options(**changes))
