"""Answers are held against the service model before they leave."""

from datetime import UTC, datetime
from typing import Any

import pytest

from include.local_aws.wire.errors import InternalFailure
from include.local_aws.wire.model import operation
from include.local_aws.wire.outputs import write

ARN = "arn:aws:sagemaker:us-east-1:123456789012:model/x"


def written(value: dict[str, Any]) -> dict[str, Any]:
    model = operation("DescribeModel")
    assert model is not None
    return write(model.output_shape, value)


def test_times_become_epoch_seconds_and_absent_members_stay_away() -> None:
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    answer = written({"ModelName": "x", "ModelArn": ARN, "CreationTime": moment, "VpcConfig": None})
    assert answer == {"ModelName": "x", "ModelArn": ARN, "CreationTime": moment.timestamp()}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"Surprise": 1}, "unknown to DescribeModelOutput: DescribeModelOutput.Surprise"),
        ({"ModelArn": None}, "lacks a required member: DescribeModelOutput.ModelArn"),
        ({"CreationTime": "now"}, "should hold a time at DescribeModelOutput.CreationTime"),
        ({"Containers": {}}, "should hold a list at DescribeModelOutput.Containers"),
        ({"Containers": [{"Mode": "Both"}]}, r"one of .*SingleModel.* at DescribeModelOutput.Containers\[0\].Mode"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_by_name(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InternalFailure, match=said):
        written({"ModelName": "x", "ModelArn": ARN, "CreationTime": 1.0, **change})


def test_an_operation_without_output_answers_an_empty_object() -> None:
    assert write(None, None) == {}
    with pytest.raises(InternalFailure, match="no output"):
        write(None, {"x": 1})


def test_values_that_the_model_does_not_allow_are_refused_too() -> None:
    model = operation("DescribeEndpointConfig")
    assert model is not None
    arn = "arn:aws:sagemaker:us-east-1:123456789012:endpoint-config/c"
    answer = {"EndpointConfigName": "c", "EndpointConfigArn": arn, "CreationTime": 1.0}
    variant = {"VariantName": "v", "ModelName": "m"}
    for change, said in (
        ({"ProductionVariants": []}, r"1 to 10 entries at DescribeEndpointConfigOutput.ProductionVariants, found 0"),
        ({"ProductionVariants": [{**variant, "InitialInstanceCount": 0}]}, r"1 to inf as its value at .*, found 0"),
        ({"ProductionVariants": [{**variant, "InitialVariantWeight": float("nan")}]}, "a finite number"),
        ({"ProductionVariants": [{**variant, "VariantName": "_"}]}, r"what fits .* at .*\[0\].VariantName, found '_'"),
    ):
        with pytest.raises(InternalFailure, match=said):
            write(model.output_shape, {**answer, "ProductionVariants": [variant], **change})


def test_a_sentence_that_is_too_long_is_cut() -> None:
    model = operation("DescribeEndpoint")
    assert model is not None
    arn = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/e"
    answer = {"EndpointName": "e", "EndpointArn": arn, "EndpointStatus": "Failed", "CreationTime": 1.0,
              "LastModifiedTime": 1.0, "FailureReason": "x" * 5000}  # fmt: skip
    reason = write(model.output_shape, answer)["FailureReason"]
    assert (len(reason), reason[-3:]) == (1024, "x …")
