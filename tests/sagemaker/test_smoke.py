"""The smoke test: which rows it sends, and what it takes for equal."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import boto3
import pandas as pd
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from automl_retraining.core.errors import SmokeTestFailed
from automl_retraining.sagemaker import smoke

ROWS = [(7, b"1.0,a"), (9, b"2.0,b")]
LABELS = ("no", "yes")
EXPECTED = pd.DataFrame(
    {"prediction": ["no", "yes", "no"], "p:no": [0.9, 0.2, 0.5], "p:yes": [0.1, 0.8, 0.5]}, index=[7, 9, 11]
)
ANSWER = b"no,\"[0.9, 0.1]\",\"['no', 'yes']\"\nyes,\"[0.2, 0.8]\",\"['no', 'yes']\"\n"


class Runtime:
    """SageMaker's runtime, answering these bytes or this error."""

    def __init__(self, answer: bytes | ClientError) -> None:
        self.answer = answer
        self.requests: list[dict[str, Any]] = []

    def invoke_endpoint(self, **request: Any) -> dict[str, Any]:
        """As boto3 does."""
        self.requests.append(request)
        if isinstance(self.answer, ClientError):
            raise self.answer
        return {"Body": BytesIO(self.answer)}


def check(answer: bytes | ClientError) -> Runtime:
    """Run the check against that answer."""
    runtime = Runtime(answer)
    smoke.check(runtime, "e", "champion", ROWS, EXPECTED, problem_type="BinaryClassification", labels=LABELS)
    return runtime


def test_equal_answers_pass_and_the_rows_go_to_the_champions_variant_in_one_request() -> None:
    """The lines are sent without their ids, as batch transform sent them."""
    request = check(ANSWER).requests[0]
    assert (request["EndpointName"], request["TargetVariant"], request["Body"]) == ("e", "champion", b"1.0,a\n2.0,b\n")
    assert (request["ContentType"], request["Accept"]) == ("text/csv", "text/csv")


def test_numbers_are_equal_to_1e_6_and_labels_exactly() -> None:
    """The first row that differs is named, with both values."""
    check(ANSWER.replace(b"0.9, 0.1", b"0.9000005, 0.0999995"))
    with pytest.raises(SmokeTestFailed, match=r"p:no of test row 7 to be .*0\.9.* found .*0\.91"):
        check(ANSWER.replace(b"0.9, 0.1", b"0.91, 0.09"))
    with pytest.raises(SmokeTestFailed, match=r"prediction of test row 9 to be 'yes' .* found 'no'"):
        check(ANSWER.replace(b"\nyes,", b"\nno,"))


def test_too_few_lines_or_another_form_fail() -> None:
    """What cannot be compared is not equal."""
    with pytest.raises(SmokeTestFailed, match="one line for each of 2 rows, found 1"):
        check(ANSWER.splitlines()[0])
    with pytest.raises(SmokeTestFailed, match="batch transform's form"):
        check(b"no,0.9\nyes,0.8\n")


def test_a_container_that_refuses_fails_the_test_and_a_busy_aws_does_not() -> None:
    """ModelError is the model's doing; throttling is not."""

    def error(code: str) -> ClientError:
        return ClientError({"Error": {"Code": code, "Message": "sentence"}}, "InvokeEndpoint")

    with pytest.raises(SmokeTestFailed, match="sentence"):
        check(error("ModelError"))
    with pytest.raises(ClientError):
        check(error("ThrottlingException"))


@pytest.fixture
def s3() -> Iterator[Any]:
    """A bucket."""
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="runs")
        yield s3


def test_the_first_rows_are_read_without_their_ids_and_without_the_rest_of_the_file(s3: Any) -> None:
    """One ranged read; a line cut off by its end is left out."""
    line = b"7,1.0," + b"x" * 300_000
    s3.put_object(Bucket="runs", Key="t.csv", Body=line + b"\r\n" + line + b"\n" + line + b"\n" + line)
    rows = smoke.first_rows(s3, "s3://runs/t.csv", 5)
    assert [row_id for row_id, _ in rows] == [7, 7, 7]
    assert {features for _, features in rows} == {line[2:]}
    s3.put_object(Bucket="runs", Key="small.csv", Body=b"3,a\n4,b")
    assert smoke.first_rows(s3, "s3://runs/small.csv", 5) == [(3, b"a"), (4, b"b")]
    assert smoke.first_rows(s3, "s3://runs/small.csv", 1) == [(3, b"a")]


def test_no_row_to_send_fails(s3: Any) -> None:
    """A row wider than what is read at once."""
    s3.put_object(Bucket="runs", Key="t.csv", Body=b"7," + b"x" * (2 << 20) + b"\n")
    with pytest.raises(SmokeTestFailed, match="found none to send"):
        smoke.first_rows(s3, "s3://runs/t.csv", 5)
