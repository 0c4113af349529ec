"""The tail of a job's log, and where to read the rest."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from automl_retraining.sagemaker import logs
from automl_retraining.sagemaker.jobs import AUTOML, ENDPOINT, TRANSFORM


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """CloudWatch Logs, with nothing in it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with mock_aws():
        yield boto3.client("logs", region_name="us-east-1")


def _now() -> int:
    """CloudWatch drops what is older than two weeks."""
    return round(time.time() * 1000) - 60_000


def write(client: Any, group: str, stream: str, *messages: tuple[int, str]) -> None:
    """Log some lines."""
    if not client.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        client.create_log_group(logGroupName=group)
    client.create_log_stream(logGroupName=group, logStreamName=stream)
    events = [{"timestamp": at, "message": message} for at, message in messages]
    client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def test_the_tail_is_in_order_over_all_streams(cloudwatch: Any) -> None:
    """Autopilot's steps log in two groups; the last lines come in the order of their time, other jobs' do not."""
    now = _now()
    write(cloudwatch, "/aws/sagemaker/TrainingJobs", "job-a/algo-1-1", (now, "one\n"), (now + 2, "three"))
    write(cloudwatch, "/aws/sagemaker/ProcessingJobs", "job-a/algo-1-2", (now + 1, "two"))
    write(cloudwatch, "/aws/sagemaker/ProcessingJobs", "job-b/algo-1-3", (now + 3, "not ours"))
    assert logs.tail(cloudwatch, AUTOML, "job-a") == ["one", "two", "three"]
    assert logs.tail(cloudwatch, AUTOML, "job-a", lines=2) == ["two", "three"]


def test_a_job_without_a_log_has_an_empty_tail(cloudwatch: Any) -> None:
    """No group yet is no error."""
    assert logs.tail(cloudwatch, TRANSFORM, "job-a") == []


def test_an_endpoint_has_a_group_of_its_own(cloudwatch: Any) -> None:
    """Its streams are not named after it."""
    write(cloudwatch, "/aws/sagemaker/Endpoints/art-churn", "champion/i-1", (_now(), "ready"))
    assert logs.tail(cloudwatch, ENDPOINT, "art-churn") == ["ready"]


def test_links_lead_to_the_console_of_the_partition() -> None:
    """Each partition has its own console; the log group is escaped as CloudWatch's page wants it."""
    assert logs.console_url(TRANSFORM, "j", "eu-west-1") == (
        "https://console.aws.amazon.com/sagemaker/home?region=eu-west-1#/transform-jobs/j"
    )
    assert logs.console_url(TRANSFORM, "j", "cn-north-1").startswith("https://console.amazonaws.cn/")
    assert logs.console_url(TRANSFORM, "j", "us-gov-west-1").startswith("https://console.amazonaws-us-gov.com/")
    assert logs.log_url(TRANSFORM, "j", "eu-west-1").endswith(
        "/log-group/$252Faws$252Fsagemaker$252FTransformJobs$3FlogStreamNameFilter$3Dj"
    )
    assert logs.log_url(ENDPOINT, "e", "eu-west-1").endswith("$252FEndpoints$252Fe")
