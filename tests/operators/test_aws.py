"""Errors as Airflow understands them, and clients through the connection."""

from __future__ import annotations

import json

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from botocore.exceptions import NoCredentialsError

from automl_retraining.core.errors import DataError, JobFailed
from automl_retraining.operators._aws import client, fail_for_good
from tests.support.fake_sagemaker import error


@pytest.mark.parametrize(
    ("raised", "becomes"),
    [
        (DataError("line 3"), AirflowFailException),
        (JobFailed("out of memory"), JobFailed),
        (error("ValidationException"), AirflowFailException),
        (NoCredentialsError(), AirflowFailException),
        (error("ThrottlingException"), AirflowException),
        (ZeroDivisionError("a bug"), ZeroDivisionError),
    ],
)
def test_what_retrying_cannot_mend_uses_up_no_retries(raised: Exception, becomes: type[Exception]) -> None:
    """Our errors say so themselves, AWS's by their code; a bug stays what it is."""

    @fail_for_good("testing")
    def task() -> None:
        raise raised

    with pytest.raises(becomes) as caught:
        task()
    assert type(caught.value) is becomes
    assert str(raised).split(":")[0] in str(caught.value) or "testing: " in str(caught.value)


@pytest.mark.parametrize("raised", [DataError("line 3"), JobFailed("out of memory"), error("ValidationException")])
def test_the_reason_is_a_line_of_the_log_and_not_doubled_in_the_traceback(
    raised: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Who reads the log finds one sentence before any frame, and the frames lead to where it was raised."""

    @fail_for_good("testing")
    def task() -> None:
        raise raised

    with pytest.raises((AirflowException, JobFailed)) as caught:
        task()
    assert [record.getMessage() for record in caplog.records] == [str(caught.value)]
    assert not isinstance(caught.value.__cause__, DataError)
    assert "task" in [entry.name for entry in caught.traceback] or caught.value.__cause__ is raised


def test_a_client_comes_from_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Endpoint, region and credentials are the Airflow connection's; calls are retried by botocore."""
    extra = {"region_name": "eu-west-1", "endpoint_url": "http://127.0.0.1:4566"}
    connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_TEST", json.dumps(connection))
    made = client("sagemaker", conn_id="aws_test")
    assert (made.meta.region_name, made.meta.endpoint_url) == ("eu-west-1", "http://127.0.0.1:4566")
    assert made.meta.config.retries == {"mode": "standard", "total_max_attempts": 5}
    assert client("s3", conn_id="aws_test", region="us-west-2").meta.region_name == "us-west-2"
