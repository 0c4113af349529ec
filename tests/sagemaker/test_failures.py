"""Which failures retrying can mend."""

from __future__ import annotations

from typing import Any

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


def over_quota(limit: int, used: int, asked: int, unit: str = "Instances") -> Any:
    """The refusal in AWS's words."""
    return error(
        "ResourceLimitExceeded",
        f"The account-level service limit 'ml.m5.large for transform job usage' is {limit} {unit}, with current "
        f"utilization of {used} {unit} and a request delta of {asked} {unit}. Please use AWS Service Quotas to request "
        "an increase for this quota.",
    )


@pytest.mark.parametrize(
    ("limit", "used", "asked", "passes"), [(4, 4, 1, True), (2, 1, 2, True), (0, 0, 1, False), (1, 0, 2, False)]
)
def test_a_quota_that_is_full_is_told_from_one_that_is_too_small(
    limit: int, used: int, asked: int, passes: bool
) -> None:
    """Waiting mends the one; a quota of zero, or less than the job asks for, only AWS can raise."""
    raised = over_quota(limit, used, asked)
    assert failures.quota(raised) == failures.Quota(limit, used, asked)
    assert failures.retryable(raised) is passes
    assert (f"it asks for {asked}, and the quota is {limit}" in failures.sentence(raised, "x")) is not passes


def test_a_bound_of_the_request_is_no_quota() -> None:
    """The same code says that a resource has too many tags: nobody waits for that."""
    assert failures.quota(error("ResourceLimitExceeded", "A resource can have at most 50 tags.")) is None
    assert failures.quota(error("ThrottlingException", "is 1, with current utilization of 1")) is None
