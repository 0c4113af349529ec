"""The tasks that tidy up: dry by default, what they say and write, and when they refuse."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from automl_retraining.core.config import AwsSpec
from automl_retraining.operators.lifecycle import RetentionOperator, TeardownOperator
from automl_retraining.sagemaker import retention, storage
from automl_retraining.sagemaker.pace import Paced
from tests.support.endpoint_runs import BUCKET
from tests.support.fake_endpoints import refused
from tests.support.fake_registry import FakeAccount
from tests.support.tasks import RUN_ID, context
from tests.support.tidying import FakeAlarms, past, scope

OURS = {"art:pipeline": "churn", "art:deployment": "default"}
REPORT = f"s3://{BUCKET}/retention/{RUN_ID}.json"


@pytest.fixture
def account(s3: Any) -> FakeAccount:
    """Three runs of churn; the last one serves."""
    fake = FakeAccount()
    past(fake, "churn", 3, promoted=(2,))
    fake.put_endpoint("art-churn", "art-config-churn-2", OURS)
    storage.write_text(s3, f"s3://{BUCKET}/churn/runs/r0/manifest.json", "{}")
    return fake


def ran(operator: Any, account: FakeAccount, s3: Any, ctx: dict[str, Any] | None = None, **params: Any) -> Any:
    """Execute the task with clients that stand where AWS would."""
    operator.__dict__.update(sm=Paced(account, 1e6), s3=s3)
    operator.__dict__["_client"] = lambda service: FakeAlarms("art-alarm-art-churn.x")
    ctx = ctx or context(operator.task_id)
    ctx["params"] = params
    return operator.execute(ctx)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a year after the runs."""

    class Later:
        @staticmethod
        def now(tz: Any = None) -> datetime:
            """A year from now."""
            return datetime.now(tz) + timedelta(days=365)

    monkeypatch.setattr("automl_retraining.operators.lifecycle.datetime", Later)


def retire() -> RetentionOperator:
    """The task."""
    return RetentionOperator(task_id="retire", pipelines=[scope(days=30, models=1, runs=1, packages=1).pipeline])


@pytest.mark.usefixtures("later")
def test_a_dry_run_lists_and_writes_the_report_and_deletes_nothing(account: FakeAccount, s3: Any) -> None:
    """The report has each thing with its reason, and what was asked of AWS."""
    summary = ran(retire(), account, s3, dry_run=True)
    assert (summary["report"], summary["dry_run"], summary["planned"]["model"]) == (REPORT, True, 2)
    assert summary["deleted"] == {"objects": 0, "bytes": 0}
    report = json.loads(storage.read_bytes(s3, REPORT))
    lines = {(line["kind"], line["name"]): line["why"] for line in report["pipelines"]["churn"]["retire"]}
    assert lines["model", "art-model-churn-0"] == "older than 30 days"
    assert report["calls"]["list_models"] == 1
    assert not account.calls


@pytest.mark.usefixtures("later")
def test_with_dry_run_off_it_deletes_and_says_what(account: FakeAccount, s3: Any) -> None:
    """XCom and report agree."""
    summary = ran(retire(), account, s3, dry_run=False)
    assert summary["deleted"] == summary["planned"]
    assert set(account.models) == {"art-model-churn-2"}
    assert json.loads(storage.read_bytes(s3, REPORT))["dry_run"] is False


@pytest.mark.usefixtures("later")
def test_what_aws_delays_is_tried_again_and_what_it_refuses_fails_for_good(account: FakeAccount, s3: Any) -> None:
    """The report is written either way."""
    account.breaking["delete_model"] = [refused("Delete", "slow down", "ThrottlingException")]
    with pytest.raises(AirflowException, match=r"slow down.*the next try goes on") as caught:
        ran(retire(), account, s3, dry_run=False)
    assert not isinstance(caught.value, AirflowFailException)
    assert "slow down" in json.loads(storage.read_bytes(s3, REPORT))["stopped"]
    account.breaking["delete_model"] = [refused("Delete", "may not", "AccessDeniedException")]
    with pytest.raises(AirflowFailException, match=r"model art-model-churn-0 could not be deleted.*may not"):
        ran(retire(), account, s3, dry_run=False)


@pytest.mark.usefixtures("later")
def test_a_pipeline_without_a_bucket_does_not_stop_the_others(
    account: FakeAccount, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named; where none has one, the task fails."""
    monkeypatch.delenv("AUTOML_RETRAINING_BUCKET")
    good = scope(days=30).pipeline.model_copy(update={"aws": AwsSpec(bucket=BUCKET)})
    bad = scope("cars").pipeline
    summary = ran(RetentionOperator(task_id="retire", pipelines=[good, bad]), account, s3, dry_run=True)
    assert "AUTOML_RETRAINING_BUCKET" in summary["skipped"]["cars"]
    with pytest.raises(AirflowFailException, match="AUTOML_RETRAINING_BUCKET"):
        ran(RetentionOperator(task_id="retire", pipelines=[bad]), account, s3, dry_run=True)


def remove(confirm: str) -> TeardownOperator:
    """The task."""
    return TeardownOperator(task_id="remove", pipeline=scope().pipeline, confirm=confirm)


def with_runs(**active: int) -> dict[str, Any]:
    """A context in which so many runs of these DAGs are active."""
    ctx: dict[str, Any] = context("remove")

    def count(*, dag_id: str, states: list[str]) -> int:
        assert states == ["queued", "running"]
        return active.get(dag_id, 0)

    ctx["ti"].get_dr_count = count
    return ctx


def test_a_teardown_that_is_not_confirmed_only_lists(account: FakeAccount, s3: Any) -> None:
    """With nothing removed, and the report for a person to read."""
    summary = ran(remove(""), account, s3, with_runs(tuned_churn=1))
    assert (summary["dry_run"], summary["planned"]["endpoint"], summary["planned"]["model"]) == (True, 1, 3)
    assert not account.calls
    report = json.loads(storage.read_bytes(s3, summary["report"]))
    assert {"kind": "endpoint", "name": "art-churn", "why": "of the pipeline"} in report["remove"]


def test_confirmed_it_removes_everything(account: FakeAccount, s3: Any) -> None:
    """Then there is nothing to list."""
    summary = ran(remove("churn"), account, s3, with_runs())
    assert summary["deleted"] == summary["planned"]
    for left in (account.models, account.configs, account.versions, account.groups, account.endpoints):
        assert not left
    again = ran(remove(""), account, s3, with_runs())
    assert again["planned"] == {"objects": 0, "bytes": 0, "alarm": 1}  # the fake has no memory of alarms


def test_another_name_is_no_confirmation(account: FakeAccount, s3: Any) -> None:
    """Typed in the wrong DAG's form."""
    with pytest.raises(AirflowFailException, match=r"expected 'churn'.*found 'cars': nothing was removed"):
        ran(remove("cars"), account, s3, with_runs())


@pytest.mark.parametrize("dag_id", ["refit_churn", "rollback_churn", "ab_churn"])
def test_while_a_run_of_the_pipeline_is_active_it_refuses(account: FakeAccount, s3: Any, dag_id: str) -> None:
    """The run would make again what is being removed."""
    with pytest.raises(AirflowFailException, match=f"found 1 of {dag_id}: wait for its end"):
        ran(remove("churn"), account, s3, with_runs(**{dag_id: 1}))
    assert not account.calls


def test_the_support_stands_for_airflow() -> None:
    """The count of runs is asked as Airflow's task instance takes it."""
    import inspect

    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    assert {"dag_id", "states"} <= set(inspect.signature(RuntimeTaskInstance.get_dr_count).parameters)


def test_the_clients_ask_no_more_than_their_share() -> None:
    """Ten calls a second of SageMaker's control plane."""
    assert retention.RATE == 10
