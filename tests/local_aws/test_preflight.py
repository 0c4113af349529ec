"""What ends a run before anything is paid for, on the embedded AWS: preflight, and a quota of zero."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from automl_retraining.operators.preflight import PreflightOperator
from automl_retraining.operators.transform import TransformOperator
from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET
from tests.support.sagemaker_tasks import ROLE, pipeline, run
from tests.support.tasks import context

pytestmark = pytest.mark.local_aws


@pytest.fixture
def account(aws: Running, monkeypatch: pytest.MonkeyPatch) -> Running:
    """Airflow's connection leads to the embedded AWS."""
    extra = {"endpoint_url": aws.url, "region_name": "us-east-1"}
    described = {"conn_type": "aws", "login": "test", "password": "test", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(described))
    monkeypatch.setenv("AUTOML_RETRAINING_BUCKET", BUCKET)
    monkeypatch.setenv("AUTOML_RETRAINING_ROLE_ARN", ROLE)
    return aws


def task(**sections: Any) -> PreflightOperator:
    """The task under test."""
    given = {"name": "preflown", **sections}
    return PreflightOperator(task_id="preflight", pipeline=pipeline(**given), trainer="tuned")


def test_an_account_that_has_everything_passes(account: Running) -> None:
    """Only the quotas cannot be told here; the object that was written is gone again."""
    warnings = run(task(), context("preflight"))
    assert [warning.partition(":")[0] for warning in warnings] == ["instance quotas cannot be checked"]
    found = account.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="preflown/")
    assert found["KeyCount"] == 0


def test_everything_that_is_missing_is_said_at_once(account: Running) -> None:
    """Role, bucket, key, group: one error, a line for each, and nothing is retried."""
    account.client("sagemaker").create_model_package_group(ModelPackageGroupName="somebody-elses")
    account.client("iam").create_role(RoleName="untrusted", AssumeRolePolicyDocument='{"Statement": []}')
    key = account.client("kms").create_key()["KeyMetadata"]["KeyId"]
    account.client("kms").disable_key(KeyId=key)
    aws = {"bucket": "there-is-no-such-bucket", "kms_key": key, "role_arn": ROLE.replace("automl-retraining", "none")}
    with pytest.raises(AirflowFailException) as failed:
        run(task(aws=aws, registry={"group": "somebody-elses"}), context("preflight"))
    lines = str(failed.value).splitlines()
    assert lines[0] == "4 things are missing, and nothing was started:"
    for words in (
        "role arn:aws:iam::123456789012:role/none: expected it to exist",
        "bucket there-is-no-such-bucket: expected it to exist",
        f"KMS key {key}: expected it to be enabled, found Disabled",
        "model package group somebody-elses was not made by this pipeline",
    ):
        assert any(words in line for line in lines[1:]), words
    with pytest.raises(AirflowFailException, match="trust policy that lets sagemaker"):
        run(task(aws={"role_arn": ROLE.replace("automl-retraining", "untrusted")}), context("preflight"))


def test_a_quota_of_zero_fails_the_task_for_good(account: Running) -> None:
    """The embedded AWS refuses in AWS's words, and those say that no waiting helps."""
    arguments: dict[str, Any] = {
        "input_uri": f"s3://{BUCKET}/in/x.csv",
        "output_uri": f"s3://{BUCKET}/out",
        "model_name": "none",
    }
    score = TransformOperator(task_id="score", pipeline=pipeline(), problem_type="Regression", **arguments)
    account.control(limits={"transform": 0})
    try:
        with pytest.raises(AirflowFailException, match="it asks for 1, and the quota is 0: ask AWS for a higher quota"):
            run(score, context("score"))
    finally:
        account.control()
