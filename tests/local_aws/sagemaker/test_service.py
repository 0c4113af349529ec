"""What becomes of a request between the wire and the operations."""

from pathlib import Path
from typing import Any

import pytest

from include.local_aws.sagemaker import names
from include.local_aws.sagemaker.operations import OPERATIONS
from include.local_aws.wire.model import service
from tests.support.sagemaker_in_process import InProcess, Refused


def refusal(house: InProcess, name: str, **request: Any) -> Refused:
    with pytest.raises(Refused) as raised:
        house.call(name, **request)
    return raised.value


def test_every_operation_that_is_not_here_is_refused_by_its_name(tmp_path: Path) -> None:
    house = InProcess(tmp_path)
    missing = sorted(set(service().operation_names) - set(OPERATIONS))
    assert missing
    for name in missing:
        refused = refusal(house, name)
        assert (refused.status, refused.code) == (501, "NotImplemented")
        assert f"the operation {name} of SageMaker" in refused.message
    assert refusal(house, "DoWhatIMean").code == "UnknownOperationException"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"ModelArn": "arn:aws:sagemaker:us-east-1:123456789012:model/m", "Extra": 1}, "unknown to CreateModelOutput"),
        ({}, "lacks a required member: CreateModelOutput.ModelArn"),
        ({"ModelArn": "model/m" * 5}, "what fits arn:aws"),
        ({"ModelArn": "model/m"}, "20 to 2048 characters"),
        ({"ModelArn": 1}, "should hold a string at CreateModelOutput.ModelArn, found 1"),
    ],
)
def test_a_wrong_answer_is_a_loud_fault_of_the_server_that_names_the_member(
    tmp_path: Path, answer: dict[str, Any], said: str
) -> None:
    house = InProcess(tmp_path, operations={"CreateModel": lambda _: answer})
    refused = refusal(house, "CreateModel", ModelName="m")
    assert (refused.status, refused.code) == (500, "InternalFailure")
    assert said in refused.message


def test_an_operation_that_breaks_is_a_fault_of_the_server_that_names_it(tmp_path: Path) -> None:
    def breaks(call: Any) -> dict[str, Any]:
        return {"ModelArn": call.input["NoSuchMember"]}

    refused = refusal(InProcess(tmp_path, operations={"CreateModel": breaks}), "CreateModel", ModelName="m")
    assert (refused.status, refused.code) == (500, "InternalFailure")
    assert "CreateModel failed in the embedded AWS: KeyError: 'NoSuchMember'" in refused.message


def test_a_filter_that_nobody_looks_at_is_refused_and_not_ignored(tmp_path: Path) -> None:
    from include.local_aws.sagemaker import lists

    house = InProcess(
        tmp_path,
        operations={"ListPipelines": lambda call: lists.page(call, "model", "PipelineSummaries", lambda _: {})},
    )
    assert house.call("ListPipelines", CreatedAfter=1) == {"PipelineSummaries": []}
    refused = refusal(house, "ListPipelines", PipelineNamePrefix="x")
    assert (refused.status, refused.code) == (501, "NotImplemented")
    assert "the filter PipelineNamePrefix of ListPipelines" in refused.message


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/mine:1", 501),
        ("763104351884.dkr.ecr.cn-north-1.amazonaws.com.cn/pytorch-training", 501),
        ("763104351884.dkr.ecr-fips.us-gov-west-1.amazonaws.com/a/b:2.1_x", 501),
        (f"763104351884.dkr.ecr.us-east-1.amazonaws.com/a@sha256:{'0' * 64}", 501),
        ("python:3.11", 400),
        ("docker.io/library/python:3.11", 400),
        ("1.dkr.ecr.us-east-1.amazonaws.com/mine:1", 400),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/", 400),
    ],
)
def test_an_image_that_ecr_could_hold_is_not_implemented_and_any_other_is_none(uri: str, status: int) -> None:
    refused = names.image_refused(uri, "of CreateModel", LookupError("It knows these: x."))
    assert refused.status == status
    assert uri in refused.message
    assert "It knows these: x." in refused.message
