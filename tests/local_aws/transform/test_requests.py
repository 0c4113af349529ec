"""CreateTransformJob's rules, and where outputs go."""

from typing import Any

import pytest

from include.local_aws.transform.requests import check, environment_of, output_name, plan_of
from include.local_aws.wire.errors import NotImplementedHere, ValidationException


def request(source: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    data = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in/"}}
    return {
        "TransformInput": {"DataSource": data, "ContentType": "text/csv", "SplitType": "Line", **(source or {})},
        "TransformOutput": {"S3OutputPath": "s3://b/out"},
        **more,
    }


def test_defaults_are_those_of_the_api_reference() -> None:
    plan = plan_of(request({"SplitType": "None"}))
    assert plan.max_payload == 6 * 1024 * 1024
    assert not plan.split_lines
    assert not plan.single_record
    assert not plan.assemble_lines
    assert not plan.by_record


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (request(DataProcessing={"InputFilter": "$.x"}), "Invalid InputFilter"),
        (request(DataProcessing={"OutputFilter": "$[x]"}), "Invalid OutputFilter"),
        (request({"SplitType": "None"}, DataProcessing={"JoinSource": "Input"}), "JoinSource Input needs SplitType"),
        (request({"SplitType": "None"}, BatchStrategy="SingleRecord"), "needs a SplitType"),
        (request(MaxConcurrentTransforms=20, MaxPayloadInMB=6), "must not exceed 100 MB"),
        (request(MaxPayloadInMB=101), "must not exceed 100 MB"),
    ],
)
def test_options_that_contradict_each_other_are_refused(bad: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationException, match=said):
        check(bad)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (request({"SplitType": "RecordIO"}), "SplitType RecordIO"),
        (request({"ContentType": "application/json"}, DataProcessing={"InputFilter": "$"}), "application/json records"),
        (request(DataCaptureConfig={}), "DataCaptureConfig"),
    ],
)
def test_what_is_not_here_is_named(bad: dict[str, Any], said: str) -> None:
    with pytest.raises(NotImplementedHere, match=f"does not implement .*{said}"):
        check(bad)


def test_containers_learn_that_they_serve_a_batch_and_the_options_that_were_given() -> None:
    assert environment_of(request()) == {"SAGEMAKER_BATCH": "true"}
    asked = {"BatchStrategy": "SingleRecord", "MaxPayloadInMB": 2, "MaxConcurrentTransforms": 3}
    assert environment_of(request(Environment={"MINE": "1", "SAGEMAKER_BATCH": "no"}, **asked)) == {
        "MINE": "1",
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "2",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "3",
    }


@pytest.mark.parametrize(
    ("uri", "key", "name"),
    [
        ("s3://b/in/test.csv", "in/test.csv", "test.csv"),
        ("s3://b/in/", "in/day/one.csv", "day/one.csv"),
        ("s3://b/in", "in/one.csv", "in/one.csv"),
        ("s3://b/deep/in/te", "deep/in/test.csv", "test.csv"),
        ("s3://b", "test.csv", "test.csv"),
    ],
)
def test_outputs_keep_their_place_below_the_inputs_folder(uri: str, key: str, name: str) -> None:
    assert output_name(uri, key) == name
