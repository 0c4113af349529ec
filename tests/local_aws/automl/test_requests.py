"""The rules between AutoML options, and version 1 read as version 2."""

from typing import Any

import pytest

from include.local_aws.automl.requests import check, from_v1
from include.local_aws.wire.errors import NotImplementedHere, ValidationException

SOURCE = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/train/"}}


def request(tabular: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "AutoMLJobName": "job",
        "AutoMLJobInputDataConfig": [{"ChannelType": "training", "DataSource": SOURCE}],
        "OutputDataConfig": {"S3OutputPath": "s3://b/out"},
        "RoleArn": "arn:aws:iam::123456789012:role/r",
        "AutoMLProblemTypeConfig": {"TabularJobConfig": {"TargetAttributeName": "y", **(tabular or {})}},
        **more,
    }


def algorithms(mode: str, *names: str) -> dict[str, Any]:
    return {"Mode": mode, "CandidateGenerationConfig": {"AlgorithmsConfig": [{"AutoMLAlgorithms": list(names)}]}}


def channels(*types: str, **more: Any) -> dict[str, Any]:
    return {"AutoMLJobInputDataConfig": [{"ChannelType": each, "DataSource": SOURCE, **more} for each in types]}


@pytest.mark.parametrize(
    "good",
    [
        request(),
        request({"ProblemType": "Regression"}, AutoMLJobObjective={"MetricName": "RMSE"}),
        request(algorithms("ENSEMBLING", "lightgbm", "catboost")),
        request(algorithms("HYPERPARAMETER_TUNING", "mlp")),
        request({"SampleWeightAttributeName": "w"}),
        request(**channels("training", "validation")),
        request(**channels("training", ContentType="text/csv; header=present")),
    ],
)
def test_requests_that_aws_takes_pass(good: dict[str, Any]) -> None:
    check(good)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (request({"ProblemType": "Regression"}), "Both ProblemType and AutoMLJobObjective"),
        (request(AutoMLJobObjective={"MetricName": "F1"}), "Both ProblemType and AutoMLJobObjective"),
        (
            request({"ProblemType": "Regression"}, AutoMLJobObjective={"MetricName": "F1"}),
            "F1 is not supported for Reg",
        ),
        (request(algorithms("AUTO", "xgboost")), "can't be given with Mode AUTO"),
        (request(algorithms("ENSEMBLING", "mlp")), "mlp is not supported in ENSEMBLING"),
        (request(algorithms("HYPERPARAMETER_TUNING", "lightgbm")), "lightgbm is not supported in HYPERPARAMETER_TUN"),
        (request({"Mode": "HYPERPARAMETER_TUNING", "SampleWeightAttributeName": "w"}), "ENSEMBLING mode only"),
        (request({"SampleWeightAttributeName": "y"}), "must be different columns"),
        (request(**channels("validation")), "Expected one training channel"),
        (request(**channels("training", "training")), "found training, training"),
        (request(**channels("training", ContentType="text/csv")), "Expected ContentType text/csv;header=present"),
    ],
)
def test_options_that_contradict_each_other_are_refused(bad: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationException, match=said):
        check(bad)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (request(ModelDeployConfig={"AutoGenerateEndpointName": True}), "ModelDeployConfig"),
        (request(AutoMLProblemTypeConfig={"TextGenerationJobConfig": {}}), "TextGenerationJobConfig"),
        (request(**channels("training", ContentType="x-application/vnd.amazon+parquet")), "Parquet"),
    ],
)
def test_what_is_not_here_is_named(bad: dict[str, Any], said: str) -> None:
    with pytest.raises(NotImplementedHere, match=said):
        check(bad)


def test_a_version_1_request_becomes_the_version_2_request_that_asks_for_the_same() -> None:
    converted = from_v1(
        {
            "AutoMLJobName": "job",
            "InputDataConfig": [{"DataSource": SOURCE, "TargetAttributeName": "y", "SampleWeightAttributeName": "w"}],
            "OutputDataConfig": {"S3OutputPath": "s3://b/out"},
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "ProblemType": "Regression",
            "AutoMLJobObjective": {"MetricName": "MSE"},
            "AutoMLJobConfig": {
                "Mode": "ENSEMBLING",
                "CompletionCriteria": {"MaxCandidates": 3},
                "DataSplitConfig": {"ValidationFraction": 0.25},
                "CandidateGenerationConfig": {"FeatureSpecificationS3Uri": "s3://b/f.json"},
            },
        }
    )
    assert converted == {
        "AutoMLJobName": "job",
        "AutoMLJobInputDataConfig": [{"DataSource": SOURCE}],
        "OutputDataConfig": {"S3OutputPath": "s3://b/out"},
        "RoleArn": "arn:aws:iam::123456789012:role/r",
        "AutoMLJobObjective": {"MetricName": "MSE"},
        "DataSplitConfig": {"ValidationFraction": 0.25},
        "AutoMLProblemTypeConfig": {
            "TabularJobConfig": {
                "TargetAttributeName": "y",
                "SampleWeightAttributeName": "w",
                "ProblemType": "Regression",
                "Mode": "ENSEMBLING",
                "CompletionCriteria": {"MaxCandidates": 3},
                "FeatureSpecificationS3Uri": "s3://b/f.json",
            }
        },
    }
    check(converted)


def test_channels_with_different_targets_are_refused() -> None:
    bad = {
        "AutoMLJobName": "job",
        "InputDataConfig": [{"TargetAttributeName": "y"}, {"TargetAttributeName": "z"}],
        "OutputDataConfig": {},
        "RoleArn": "r",
    }
    with pytest.raises(ValidationException, match="same TargetAttributeName"):
        from_v1(bad)
