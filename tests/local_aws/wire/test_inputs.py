"""Requests are validated against the service model, in AWS's words."""

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.model import StructureShape

from include.local_aws.wire.errors import SerializationException, ValidationException
from include.local_aws.wire.inputs import read
from include.local_aws.wire.model import operation

ARN = "arn:aws:sagemaker:us-east-1:123456789012:model/x"
ROLE = "arn:aws:iam::123456789012:role/x"


def shape(name: str) -> StructureShape:
    model = operation(name)
    assert model is not None
    assert model.input_shape is not None
    return model.input_shape


def test_a_good_request_comes_out_with_its_values() -> None:
    given = {"NameContains": "abc", "MaxResults": 3, "CreationTimeAfter": 1_700_000_000.5, "SortOrder": "Ascending"}
    assert read(shape("ListAutoMLJobs"), given) == {
        **given,
        "CreationTimeAfter": datetime.fromtimestamp(1_700_000_000.5, UTC),
    }


def test_a_null_member_counts_as_absent() -> None:
    assert read(shape("ListModels"), {"NameContains": None}) == {}


@pytest.mark.parametrize(
    ("name", "request_", "said"),
    [
        ("DescribeModel", {}, "Value null at 'modelName' failed to satisfy constraint: Member must not be null"),
        ("DescribeModel", {"ModelName": "_x"}, "Value '_x' at 'modelName' failed to satisfy"),
        ("AddTags", {"ResourceArn": ARN + 'a' * 256, "Tags": []}, "length less than or equal to 256"),
        ("ListModels", {"MaxResults": 0}, "Member must have value greater than or equal to 1"),
        ("ListModels", {"SortOrder": "Up"}, "Member must satisfy enum value set: [Ascending, Descending]"),
        ("AddTags", {"ResourceArn": ARN, "Tags": [{"Key": "k"}]}, "Value null at 'tags.1.member.value'"),
    ],
)  # fmt: skip
def test_a_violated_constraint_is_a_validation_exception(name: str, request_: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationException) as raised:
        read(shape(name), request_)
    assert said in raised.value.message
    assert raised.value.message.startswith("1 validation error detected: ")


def test_all_violations_are_told_at_once() -> None:
    with pytest.raises(ValidationException, match=r"^4 validation errors detected: "):
        read(shape("CreateAutoMLJobV2"), {"AutoMLJobName": "x", "RoleArn": ROLE, "AutoMLJobObjective": {}})  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"MaxResults": "3"}, "Expected a whole number at 'maxResults', found a string."),
        ({"MaxResults": True}, "found a boolean"),
        ({"NameContains": 1}, "Expected a string at 'nameContains', found a number."),
        ({"NameContain": "x"}, "Unknown member 'NameContain'"),
        ({"CreationTimeAfter": "now"}, "Expected a time as seconds since the epoch"),
        ({"CreationTimeAfter": 1e300}, "which no calendar has"),
        ([], "Expected an object at '/', found a list."),
    ],
)
def test_what_can_not_be_read_is_a_serialization_exception(request_: Any, said: str) -> None:
    with pytest.raises(SerializationException) as raised:
        read(shape("ListModels"), request_)
    assert said in raised.value.message


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 10**400])
def test_what_is_no_finite_number_is_a_serialization_exception(number: float) -> None:
    variants = [{"VariantName": "v", "InitialVariantWeight": number}]
    with pytest.raises(SerializationException, match=r"Expected a number at 'productionVariants\.1\.member\.init"):
        read(shape("CreateEndpointConfig"), {"EndpointConfigName": "c", "ProductionVariants": variants})


def test_a_union_takes_exactly_one_member() -> None:
    problem = {"TabularJobConfig": {"TargetAttributeName": "y"}, "TextGenerationJobConfig": {}}
    with pytest.raises(ValidationException, match="Exactly one member of AutoMLProblemTypeConfig must be set"):
        read(shape("CreateAutoMLJobV2"), {"AutoMLProblemTypeConfig": problem})
