"""The model registry in a run: registered by the gate, obeyed by the update, settled by the record."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, DownstreamTasksSkipped, TaskDeferred

from automl_retraining.core.records import ModelRef, Outcome
from automl_retraining.operators import registering
from automl_retraining.operators.endpoint import UpdateEndpointOperator
from automl_retraining.operators.gate import GateOperator
from automl_retraining.sagemaker import registry, storage
from automl_retraining.sagemaker.evidence import evaluate_run
from tests.support import runs
from tests.support.endpoint_runs import ENDPOINT, decided, folder, pipeline, with_clients
from tests.support.fake_endpoints import refused
from tests.support.fake_registry import FakeAccount
from tests.support.tasks import context

RUN, BEFORE = folder("").rstrip("/"), "s3://runs/churn/runs/before"


@pytest.fixture
def account() -> FakeAccount:
    """The challenger's model m2, and m1 before it."""
    fake = FakeAccount()
    fake.put_model("m1", fake.now(), {"art:pipeline": "churn"})
    fake.put_model("m2", fake.now(), {"art:pipeline": "churn"})
    return fake


def evaluated(s3: Any, challenger: float, champion: float) -> None:
    """A run whose models have that much noise."""
    runs.write(s3, RUN, BEFORE)
    storage.write_bytes(s3, f"{RUN}/transform/challenger/t.out", runs.predictions(challenger, seed=1))
    storage.write_bytes(s3, f"{RUN}/transform/champion/t.out", runs.predictions(champion, seed=2))
    evaluate_run(
        s3, RUN, policy=pipeline("rmse").gate, challenger=ModelRef(model_name="m2"),
        champion=ModelRef(model_name="m1", run_folder=BEFORE),
    )  # fmt: skip


def gated(account: FakeAccount, s3: Any) -> dict[str, Any]:
    """The gate decides; its context."""
    operator = GateOperator(
        task_id="gate", pipeline=pipeline("rmse", registry=True), promote="update_endpoint", keep="keep_champion"
    )
    ctx: dict[str, Any] = context("gate")
    # Which branch follows is the gate's own test; here it is what it registers on the way.
    operator.__dict__["do_branch"] = lambda _, following: following
    with_clients(operator, account, s3).execute(ctx)
    return ctx


@pytest.mark.parametrize(("noise", "status"), [((1.0, 5.0), "Approved"), ((5.0, 1.0), "Rejected")])
def test_the_gate_registers_its_candidate_as_decided(
    account: FakeAccount, s3: Any, noise: tuple[float, float], status: str
) -> None:
    """With metrics and limits in the run folder; the XCom names the version."""
    evaluated(s3, *noise)
    arn = gated(account, s3)["ti"].xcom_pull("gate", "package_arn")
    assert registry.status_of(account, arn) == status
    found = json.loads(storage.read_bytes(s3, f"{RUN}/{registry.STATISTICS}"))
    assert found["regression_metrics"]["rmse"]["value"] == pytest.approx(noise[0], rel=0.3)
    limits = json.loads(storage.read_bytes(s3, f"{RUN}/{registry.CONSTRAINTS}"))["regression_constraints"]
    assert limits["rmse"]["comparison_operator"] == "GreaterThanThreshold"
    assert limits["rmse"]["threshold"] == pytest.approx(noise[1], rel=0.3)


def test_a_registry_that_cannot_be_reached_loses_no_decision(account: FakeAccount, s3: Any) -> None:
    """decision.json is there; the retry decides the same and registers once."""
    evaluated(s3, 1.0, 5.0)
    account.breaking["create_model_package"] = [refused("Create", "slow down", "ThrottlingException")]
    with pytest.raises(Exception, match="slow down") as caught:
        gated(account, s3)
    assert not isinstance(caught.value, AirflowFailException | DownstreamTasksSkipped)
    first = storage.read_bytes(s3, f"{RUN}/decision.json")
    gated(account, s3)
    assert storage.read_bytes(s3, f"{RUN}/decision.json") == first
    assert len(account.versions) == 1


def updating(account: FakeAccount, s3: Any, arn: str | None) -> Any:
    """The update of the run whose gate registered that version."""
    ctx: Any = context("update_endpoint")
    decided(s3, ctx, "m2", None)
    if arn:
        ctx["ti"].xcoms["gate", "package_arn"] = arn
    operator = UpdateEndpointOperator(
        task_id="update_endpoint", pipeline=pipeline("rmse", registry=True), model_name="m2"
    )
    return with_clients(operator, account, s3).execute(ctx)


def test_a_version_rejected_since_never_reaches_the_endpoint(account: FakeAccount, s3: Any) -> None:
    """Somebody said no in the console; the lease is given back, and nothing was written."""
    evaluated(s3, 1.0, 5.0)
    arn = gated(account, s3)["ti"].xcom_pull("gate", "package_arn")
    account.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected", ApprovalDescription="no")
    with pytest.raises(AirflowFailException, match=r"found Rejected \(no\)"):
        updating(account, s3, arn)
    assert (account.endpoints, account.configs) == ({}, {})
    account.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    with pytest.raises(TaskDeferred):
        updating(account, s3, arn)
    assert ENDPOINT in account.endpoints


def test_without_a_version_nothing_reaches_the_endpoint(account: FakeAccount, s3: Any) -> None:
    """The registry was switched on in the middle of a run."""
    with pytest.raises(AirflowFailException, match="clear the task gate"):
        updating(account, s3, None)
    assert not account.endpoints


@pytest.mark.parametrize(
    ("word", "status"),
    [("kept", "Rejected"), ("rolled_back", "Rejected"), ("promoted", "Approved"), ("failed", "Approved")],
)
def test_what_does_not_serve_after_all_does_not_stay_approved(
    account: FakeAccount, s3: Any, word: Any, status: str
) -> None:
    """Whoever deploys from the registry trusts it; a run that failed on the way may be cleared and go on."""
    evaluated(s3, 1.0, 5.0)
    ctx: Any = gated(account, s3)
    operator = with_clients(
        UpdateEndpointOperator(task_id="t", pipeline=pipeline("rmse", registry=True), model_name="m2"), account, s3
    )
    outcome = Outcome(
        pipeline="churn", run_id="r", outcome=word, sentence="The canary failed.", endpoint="e",
        finished=datetime.now(UTC),
    )  # fmt: skip
    registering.settle(operator, ctx, outcome)
    assert registry.status_of(account, ctx["ti"].xcom_pull("gate", "package_arn")) == status


def test_a_registry_that_does_not_answer_in_the_end_is_a_warning(account: FakeAccount, s3: Any) -> None:
    """The record is written all the same."""
    evaluated(s3, 1.0, 5.0)
    ctx: Any = gated(account, s3)
    operator = with_clients(
        UpdateEndpointOperator(task_id="t", pipeline=pipeline("rmse", registry=True), model_name="m2"), account, s3
    )
    account.breaking["update_model_package"] = [refused("Update", "slow down", "ThrottlingException")]
    outcome = Outcome(
        pipeline="churn", run_id="r", outcome="kept", sentence="", endpoint="e", finished=datetime.now(UTC)
    )
    registering.settle(operator, ctx, outcome)
    assert registry.status_of(account, ctx["ti"].xcom_pull("gate", "package_arn")) == "Approved"
