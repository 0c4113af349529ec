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
        words |= set(re.findall(r"\b(?:sm|sagemaker|client)\.([a-z_0-9]+)\(", path.read_text()))
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
    """Only lists are allowed on everything, since they have no resource."""
    for statement in policy()["Statement"]:
        actions = [action for action in statement["Action"] if action.startswith("sagemaker:")]
        if statement["Resource"] == "*":
            assert all(action.startswith("sagemaker:List") for action in actions)
        elif actions:
            assert all("/art-" in resource for resource in statement["Resource"])
