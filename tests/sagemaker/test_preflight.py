"""What preflight makes of AWS's answers: missing, cannot be told, or worth a retry."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from automl_retraining.core.errors import StorageError
from automl_retraining.sagemaker import preflight
from tests.support.fake_endpoints import FakeSageMaker
from tests.support.fake_sagemaker import error

ROLE = "arn:aws:iam::123456789012:role/service-role/ours"
TRUST = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}}]}
FOLDER = "s3://bucket/churn/runs/r"


class Service:
    """AWS's side: answers by method; an exception is raised."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[str] = []

    def __getattr__(self, method: str) -> Any:
        def call(**_: Any) -> Any:
            self.calls.append(method)
            answer = self.answers[method]
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return call


def iam(**changes: Any) -> Service:
    """A role as it should be."""
    decisions = [
        {"EvalActionName": action, "EvalDecision": decision}
        for action, decision in changes.pop("decisions", {"s3:GetObject": "allowed"}).items()
    ]
    role = {"Role": {"Arn": ROLE, "AssumeRolePolicyDocument": TRUST}}
    return Service(**{"get_role": role, "simulate_principal_policy": {"EvaluationResults": decisions}, **changes})


def told(found: list[preflight.Finding]) -> tuple[bool, str]:
    """The one finding."""
    (finding,) = found
    return finding.missing, finding.sentence


@pytest.mark.parametrize(
    ("answer", "missing", "words"),
    [
        (error("NoSuchEntity", status=404), True, "expected it to exist in this account"),
        (error("AccessDenied", "not authorized to GetRole"), False, "not authorized to GetRole"),
        (error("Throttling"), False, "cannot be checked"),
        (error("NotImplemented", status=501), False, "cannot be checked"),
        (ConnectTimeoutError(endpoint_url="https://iam"), False, "cannot be checked"),
        ({"Role": {"Arn": ROLE.replace("service-role/", "")}}, True, "in this account, found arn"),
        ({"Role": {"Arn": ROLE, "AssumeRolePolicyDocument": {"Statement": []}}}, True, "lets sagemaker.amazonaws.com"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_role_that_may_not_be_looked_at_is_no_role_that_is_missing(answer: Any, missing: bool, words: str) -> None:
    """IAM is not needed to train: only its plain answer ends a run."""
    found = told(preflight.role(iam(get_role=answer), ROLE, "bucket"))
    assert found[0] is missing
    assert words in found[1]


def test_rights_that_a_role_lacks_are_a_warning() -> None:
    """The bucket's own policy may give them; what fits the bucket or its objects is allowed."""
    all_three = dict.fromkeys(("s3:GetObject", "s3:PutObject", "s3:ListBucket"), "allowed")
    assert preflight.role(iam(decisions=all_three), ROLE, "bucket") == []
    lacking = told(preflight.role(iam(decisions={**all_three, "s3:PutObject": "implicitDeny"}), ROLE, "bucket"))
    assert not lacking[0]
    assert "to allow s3:PutObject on bucket bucket" in lacking[1]


@pytest.mark.parametrize(
    ("document", "trusts"),
    [
        (TRUST, True),
        (
            {
                "Statement": {
                    "Effect": "Allow",
                    "Principal": {"Service": ["ec2.amazonaws.com", "sagemaker.amazonaws.com"]},
                }
            },
            True,
        ),
        (quote(json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*"}]})), True),
        ({"Statement": [{"Effect": "Deny", "Principal": {"Service": "sagemaker.amazonaws.com"}}]}, False),
        ({"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:root"}}]}, False),
        ({}, False),
    ],
)  # fmt: skip
def test_trust_policies_are_read_in_every_form(document: Any, trusts: bool) -> None:
    """One statement or several, one service or several, percent-encoded as the API gives it."""
    assert preflight.trusted(document) is trusts


class Bucket(Service):
    """S3 with one object at a time."""

    def __init__(self, **answers: Any) -> None:
        super().__init__(**{"head_bucket": {"BucketRegion": "us-east-1"}, "delete_object": {}, **answers})
        self.body = b""

    def put_object(self, *, Body: bytes, **_: Any) -> None:  # noqa: N803 - boto3's
        """Keep it."""
        if "put_object" in self.answers:
            raise self.answers["put_object"]
        self.body = Body

    def get_object(self, **_: Any) -> dict[str, Any]:
        """Give it."""
        return {"Body": SimpleNamespace(read=lambda: self.body)}


def test_an_object_is_written_read_and_deleted() -> None:
    """Nothing is left behind, and nothing said."""
    s3 = Bucket()
    assert preflight.bucket(s3, "bucket", "us-east-1", FOLDER) == []
    assert s3.calls == ["head_bucket", "delete_object"]


@pytest.mark.parametrize(
    ("answers", "missing", "words"),
    [
        ({"head_bucket": error("404", status=404)}, True, "expected it to exist, found none: create it in us-east-1"),
        ({"head_bucket": error("403", status=403)}, False, "cannot be checked"),
        ({"head_bucket": {"BucketRegion": "eu-west-1"}}, True, "found it in eu-west-1"),
        ({"put_object": error("AccessDenied", status=403)}, True, "expected to write s3://bucket/churn/runs/r/preflight-"),
        ({"delete_object": error("AccessDenied", status=403)}, True, "expected to delete s3://bucket/churn/runs/r/"),
    ],
)  # fmt: skip
def test_what_the_run_folder_lacks_is_said(answers: dict[str, Any], missing: bool, words: str) -> None:
    """No bucket, the wrong region, no right to write or to delete."""
    found = told(preflight.bucket(Bucket(**answers), "bucket", "us-east-1", FOLDER))
    assert found[0] is missing
    assert words in found[1]


def test_an_s3_that_does_not_answer_is_worth_a_retry() -> None:
    """It says nothing about what is missing."""
    with pytest.raises(ClientError):
        preflight.bucket(Bucket(head_bucket=error("SlowDown", status=503)), "bucket", "us-east-1", FOLDER)
    with pytest.raises(StorageError) as raised:
        preflight.bucket(Bucket(put_object=error("InternalError", status=500)), "bucket", "us-east-1", FOLDER)
    assert raised.value.retryable


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"KeyMetadata": {"KeyState": "Enabled"}}, None),
        ({"KeyMetadata": {"KeyState": "PendingDeletion"}}, True),
        (error("NotFoundException"), True),
        (error("AccessDeniedException"), False),
    ],
)
def test_a_key_must_be_there_and_enabled(answer: Any, expected: bool | None) -> None:
    """One that may not be described may be usable all the same."""
    found = preflight.kms_key(Service(describe_key=answer), "alias/ours")
    assert [finding.missing for finding in found] == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("status", "tags", "expected"),
    [
        ("InService", [{"Key": "art:pipeline", "Value": "churn"}], None),
        ("Updating", [{"Key": "art:pipeline", "Value": "churn"}], None),
        ("Failed", [{"Key": "art:pipeline", "Value": "churn"}], False),
        ("OutOfService", [{"Key": "art:pipeline", "Value": "churn"}], True),
        ("UpdateRollbackFailed", [{"Key": "art:pipeline", "Value": "churn"}], True),
        ("InService", [], True),
        ("InService", [{"Key": "art:pipeline", "Value": "other"}], True),
    ],
)
def test_an_endpoint_must_be_ours_and_updatable(status: str, tags: list[dict[str, str]], expected: bool | None) -> None:
    """One that failed is deleted and created anew by a promotion: a warning."""
    sm = FakeSageMaker()
    sm.create_endpoint_config(EndpointConfigName="c", Tags=[], ProductionVariants=[])
    assert preflight.endpoint_free(sm, "e", adopt=False, pipeline="churn") == []
    sm.create_endpoint(EndpointName="e", EndpointConfigName="c", Tags=tags)
    sm.settle("e", status=status)
    found = preflight.endpoint_free(sm, "e", adopt=False, pipeline="churn")
    assert [finding.missing for finding in found] == ([] if expected is None else [expected])
