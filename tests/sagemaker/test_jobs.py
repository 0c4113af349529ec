"""The job table against botocore's service model, and reading descriptions by it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from automl_retraining.core.errors import RequestError
from automl_retraining.sagemaker.jobs import AUTOML, ENDPOINT, KINDS, PROCESSING, TRAINING, JobKind, kind_of, read
from automl_retraining.sagemaker.jobs import list_arguments as list_args
from tests.support.fake_sagemaker import operations, problems, service_model

ALL = pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.key)


def shape(method: str, side: str) -> Any:
    """The input or output shape of a boto3 method."""
    operation = service_model().operation_model(operations()[method])
    return operation.input_shape if side == "in" else operation.output_shape


@ALL
def test_every_operation_of_a_row_exists(kind: JobKind) -> None:
    """Create, describe, list and stop are operations of the service, and take the name under its member."""
    for method in (kind.create, kind.describe, kind.stop):
        if method is not None:
            assert kind.name_member in shape(method, "in").members, method
    assert not problems(kind.list_operation, list_args(kind.prefix, datetime.now(UTC)))
    assert kind.list_result in shape(kind.list_operation, "out").members


@ALL
def test_every_member_of_a_row_is_in_the_description(kind: JobKind) -> None:
    """Name, ARN, status, secondary status, reason, end and transitions stand where the row says."""
    described = shape(kind.describe, "out").members
    for member in (
        kind.name_member, kind.arn_member, kind.status_member, kind.secondary_member, kind.reason_member,
        kind.exit_message_member, kind.ended_member, kind.transitions_member, "CreationTime",
    ):  # fmt: skip
        assert member is None or member in described, member
    summary = shape(kind.list_operation, "out").members[kind.list_result].member.members
    assert {kind.name_member, kind.status_member, "LastModifiedTime"} <= set(summary)
    assert (kind.listed_secondary_member is not None) == (kind.secondary_member in summary)


@ALL
def test_every_status_of_the_service_has_one_meaning(kind: JobKind) -> None:
    """The row covers the status enum exactly, and no status has two meanings."""
    groups = (kind.waiting, kind.stopping, kind.succeeded, kind.failed, kind.stopped)
    assert kind.statuses == set(shape(kind.describe, "out").members[kind.status_member].enum)
    assert sum(len(group) for group in groups) == len(kind.statuses)
    assert "Stopped" not in kind.succeeded


@ALL
def test_the_name_limit_is_the_services(kind: JobKind) -> None:
    """A name as long as we make them is as long as the service takes them."""
    member = shape(kind.create, "in").members[kind.name_member]
    assert kind.name_limit == member.metadata.get("max", 63)


@ALL
def test_errors_of_a_row_are_the_services(kind: JobKind) -> None:
    """Not found and taken are codes that the operations declare, or the general ValidationException."""
    for method, codes in ((kind.describe, kind.not_found), (kind.create, kind.taken)):
        declared = {error.name for error in service_model().operation_model(operations()[method]).error_shapes}
        assert declared & set(codes) or "ValidationException" in codes


@ALL
def test_an_empty_description_reads_as_unknown(kind: JobKind) -> None:
    """Members that are missing never break the reading; an unknown status is waited on."""
    job = read(kind, {})
    assert (job.status, job.phase, job.over, job.reason) == ("Unknown", "waiting", False, None)


def test_an_autopilot_description_is_read_whole() -> None:
    """Reason, partial failures and secondary status come along."""
    job = read(
        AUTOML,
        {
            "AutoMLJobName": "art-automl-x",
            "AutoMLJobStatus": "Failed",
            "AutoMLJobSecondaryStatus": "Failed",
            "FailureReason": "too few rows",
            "PartialFailureReasons": [{"PartialFailureMessage": "no insights"}, {}],
        },
    )
    assert (job.phase, job.reason, job.partial_failures) == ("failed", "too few rows", ("no insights",))
    assert job.state == "Failed/Failed"


def test_a_training_jobs_transitions_are_read() -> None:
    """The times of a training job's transitions are SageMaker's own."""
    at = datetime(2026, 11, 21, tzinfo=UTC)
    job = read(
        TRAINING, {"SecondaryStatusTransitions": [{"Status": "Starting", "StartTime": at}, {"Status": "Training"}]}
    )
    assert job.transitions == (("Starting", at),)


def test_a_processing_jobs_exit_message_joins_its_reason() -> None:
    """What the container said last is part of why the job failed."""
    job = read(PROCESSING, {"FailureReason": "AlgorithmError", "ExitMessage": "KeyError: 'mpg'"})
    assert job.reason == "AlgorithmError: KeyError: 'mpg'"


@pytest.mark.parametrize("status", ["OutOfService", "UpdateRollbackFailed", "Failed"])
def test_a_broken_endpoint_is_not_success(status: str) -> None:
    """What the stock sensor takes for success is a failure here."""
    assert ENDPOINT.phase(status) == "failed"


def test_an_unknown_kind_is_refused_in_words() -> None:
    """The error lists the kinds that there are."""
    with pytest.raises(RequestError, match="automl, processing, training"):
        kind_of("autopilot")
