"""The policy for Airflow's own credentials allows every call that the operators make, and only on names of ours."""

import json
import re
from typing import Any

import boto3

from automl_retraining.sagemaker.jobs import KINDS
from tests.support.local_aws import ROOT

SOURCES = ROOT / "plugins" / "automl_retraining"


def policy() -> dict[str, Any]:
    """The file."""
    document: dict[str, Any] = json.loads((ROOT / "include" / "deploy" / "airflow-policy.json").read_text())
    return document


def called() -> set[str]:
    """SageMaker's operations that the code names: methods called on a client, and the job table's."""
    methods = boto3.client("sagemaker", "us-east-1").meta.method_to_api_mapping
    words = set()
    for path in SOURCES.rglob("*.py"):
        text = path.read_text()
        words |= set(re.findall(r"\b(?:sm|sagemaker|client)\.([a-z_0-9]+)\(", text))
        words |= set(re.findall(r'"((?:create|describe|list|update|delete|add)_[a-z_0-9]+)"', text))
    for kind in KINDS.values():
        words |= {word for word in (kind.create, kind.describe, kind.list_operation, kind.stop) if word}
    return {methods[word] for word in words if word in methods}


def test_every_operation_that_is_called_is_allowed() -> None:
    """A new call needs its line in the policy."""
    allowed = {action for statement in policy()["Statement"] for action in statement["Action"]}
    operations = called()
    assert len(operations) > 20
    assert {f"sagemaker:{operation}" for operation in operations} - allowed == set()


def test_what_makes_or_stops_something_is_bound_to_names_of_ours() -> None:
    """Lists have no resource, and retention must see what others' endpoints serve: reading alone is allowed on all."""
    for statement in policy()["Statement"]:
        actions = [action for action in statement["Action"] if action.startswith("sagemaker:")]
        if statement["Resource"] == "*":
            assert all(action.startswith(("sagemaker:List", "sagemaker:Describe")) for action in actions)
        elif actions:
            assert all("/art-" in resource for resource in statement["Resource"])


def test_every_call_to_cloudwatch_is_allowed_and_writes_only_alarms_of_ours() -> None:
    """Reading them is not bound to a name: a pipeline may name somebody else's alarm."""
    methods = boto3.client("cloudwatch", "us-east-1").meta.method_to_api_mapping
    words = {
        word
        for path in SOURCES.rglob("*.py")
        for word in re.findall(r"\bcloudwatch\.([a-z_0-9]+)\(", path.read_text())
        if word in methods
    }
    statements = [each for each in policy()["Statement"] if any("cloudwatch:" in action for action in each["Action"])]
    allowed = {action: each["Resource"] for each in statements for action in each["Action"]}
    assert len(words) >= 5
    for word in words:
        where = allowed[f"cloudwatch:{methods[word]}"]
        assert methods[word].startswith(("Describe", "Get")) or where.endswith(":alarm:art-*")


def test_every_look_of_the_preflight_is_allowed_and_only_looks() -> None:
    """IAM, KMS and Service Quotas are read; the role is the one that SageMaker is given."""
    text = "".join((SOURCES / "sagemaker" / name).read_text() for name in ("preflight.py", "quotas.py"))
    allowed = {action: each["Resource"] for each in policy()["Statement"] for action in each["Action"]}
    looks = 0
    for service, variable, prefix in (
        ("iam", "iam", "iam"),
        ("kms", "kms", "kms"),
        ("service-quotas", "quotas", "servicequotas"),
    ):
        methods = boto3.client(service, "us-east-1").meta.method_to_api_mapping
        words = re.findall(rf"\b{variable}\.([a-z_]+)\(", text) + re.findall(r'get_paginator\("([a-z_]+)"', text)
        for word in {word for word in words if word in methods}:
            looks += 1
            assert f"{prefix}:{methods[word]}" in allowed
    assert looks == 6
    assert allowed["iam:GetRole"] == allowed["iam:SimulatePrincipalPolicy"] == allowed["iam:PassRole"]
