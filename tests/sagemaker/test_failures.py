"""Which failures retrying can mend."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    ReadTimeoutError,
)

from automl_retraining.sagemaker import failures
from tests.support.fake_sagemaker import error


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (error("ThrottlingException"), True),
        (error("InternalFailure", status=500), True),
        (error("ServiceUnavailable", status=503), True),
        (error("ResourceLimitExceeded"), True),
        (error("ExpiredTokenException"), True),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), True),
        (ReadTimeoutError(endpoint_url="http://127.0.0.1:1"), True),
        (error("ValidationException"), False),
        (error("AccessDeniedException"), False),
        (error("ResourceNotFound"), False),
        (error("UnknownOperationException", status=501), False),
        (error("Whatever", status=501), False),
        (error("Whatever", status=400), False),
        (NoCredentialsError(), False),
    ],
)
def test_what_passes_is_told_from_what_does_not(raised: Exception, expected: bool) -> None:
    """Throttling, 5xx, limits, expiry and lost connections pass; requests and rights that are wrong do not."""
    assert failures.retryable(raised) is expected


def test_a_sentence_says_what_was_done_what_came_and_what_to_do() -> None:
    """AWS's code and words stay; the advice follows."""
    words = failures.sentence(error("AccessDeniedException", "not authorized"), "creating the model")
    assert words == (
        "creating the model: AWS answered AccessDeniedException: not authorized; give the connection's role that right"
    )
    lost = failures.sentence(EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), "listing")
    assert "found none" in lost
    assert "127.0.0.1:1" in lost


@pytest.mark.parametrize("raised", [NoCredentialsError(), NoRegionError()])
def test_what_the_connection_lacks_sends_the_reader_to_the_connection(raised: Exception) -> None:
    """Not to the network: an Airflow connection that does not exist looks like this."""
    words = failures.sentence(raised, "reading the champion")
    assert "aws.conn_id" in words
    assert "network" not in words


def test_a_request_that_was_not_sent_is_not_called_an_answer_that_did_not_come() -> None:
    """The member that is wrong is named."""
    words = failures.sentence(ParamValidationError(report="Invalid length for parameter RoleArn"), "submitting the job")
    assert "RoleArn" in words
    assert "not even sent" in words
