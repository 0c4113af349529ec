"""What is written down at the end of a run, however it ended."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from automl_retraining.core.config import Pipeline
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.records import Decision, Outcome
from automl_retraining.operators.ending import champion_scored, ending
from automl_retraining.operators.record import RecordOperator, leave_reason
from automl_retraining.sagemaker import endpoint, endpoint_config, storage, tags
from tests.support.fake_endpoints import FakeSageMaker
from tests.support.tasks import RUN_ID, context

FOLDER = f"s3://runs/churn/runs/{RUN_ID}"
PIPELINE = Pipeline.model_validate(
    {"name": "churn", "source": "churn.csv", "target": "churn", "gate": {"metric": "roc_auc"}}
)


@pytest.fixture
def sm() -> FakeSageMaker:
    """An endpoint that serves m1."""
    fake = FakeSageMaker()
    fake.model("m1", art_run_id="r1")
    tags = [{"Key": "art:pipeline", "Value": "churn"}]
    request = endpoint_config.config_request(
        None, config_name="c1", model_name="m1", spec=PIPELINE.endpoint, kms_key=None, tags=tags
    )
    endpoint_config.create_config(fake, request)
    endpoint.put(fake, None, endpoint_name="art-churn", config_name="c1", tags=tags)
    fake.settle("art-churn")
    return fake


def record(
    sm: FakeSageMaker, s3: Any, failures: Mapping[str, str] = MappingProxyType({}), /, **states: str
) -> tuple[RecordOperator, Any]:
    """The record of a run that ended so, and its context."""
    with DAG("autopilot_churn", schedule=None) as dag:
        _, score_champion = champion_scored(PIPELINE)
        operator: RecordOperator = ending(PIPELINE, search={}, score_champion=score_champion)
    operator.__dict__.update(sm=sm, s3=s3)
    ctx = context("record", **states)
    ctx["dag"] = dag
    for task, sentence in failures.items():
        ctx["ti"].xcoms[task, "failure"] = sentence
    ctx["ti"].xcoms["gate", "decision"] = {"decided": "2026-01-01T00:00:00+00:00"}
    ctx["ti"].xcoms["champion", "model_name"] = "m0"
    return operator, ctx


def decided(s3: Any) -> None:
    """Write a decision."""
    decision = Decision(
        pipeline="churn", run_id=RUN_ID, verdict="promote", sentence="Better: promoted.", reasons=("because",),
        rules=(), policy=GatePolicy(metric="roc_auc"), challenger="m1", champion="m0",
    )  # fmt: skip
    storage.write_record(s3, f"{FOLDER}/decision.json", decision)


def test_a_job_that_a_killed_task_left_behind_is_stopped(sm: FakeSageMaker, s3: Any) -> None:
    """Killed between its deferral and its trigger's start, a task leaves its job to nobody: the record ends it."""
    own = tags.own_tags(pipeline="churn", run_id=RUN_ID, run_folder=FOLDER, deployment="default")
    sm.create_transform_job(TransformJobName="art-transform-left", Tags=own)
    sm.create_transform_job(TransformJobName="art-transform-others", Tags=[])
    operator, ctx = record(sm, s3, split="success", search="failed", record="running")
    with pytest.raises(AirflowFailException):
        operator.execute(ctx)
    assert sm.transforms["art-transform-left"]["TransformJobStatus"] == "Stopping"
    assert sm.transforms["art-transform-others"]["TransformJobStatus"] == "InProgress"


PROMOTED = {
    **dict.fromkeys(("champion", "score_champion", "create_model", "score_challenger"), "success"),
    **dict.fromkeys(("gate", "update_endpoint", "smoke_test"), "success"),
    "keep_champion": "skipped",
}


def test_a_promotion_is_written_with_what_serves_now_and_what_did_before(sm: FakeSageMaker, s3: Any) -> None:
    """outcome.json, report.html and the XCom say the same."""
    decided(s3)
    operator, ctx = record(sm, s3, **PROMOTED)
    operator.execute(ctx)
    outcome = storage.read_record(s3, f"{FOLDER}/outcome.json", Outcome)
    assert (outcome.outcome, outcome.champion, outcome.previous_champion, outcome.endpoint_config) == (
        "promoted", "m1", "m0", "c1"
    )  # fmt: skip
    assert outcome.report_uri == f"{FOLDER}/report.html"
    assert "Better: promoted." in storage.read_text(s3, outcome.report_uri)
    assert Outcome.model_validate(ctx["ti"].xcom_pull("record")) == outcome
    assert outcome.facts["run_folder"] == FOLDER
    assert outcome.facts["task_seconds"] == dict.fromkeys(PROMOTED.keys() - {"keep_champion"}, 1.2)


def test_a_failed_run_is_written_too_and_then_fails_naming_its_failed_tasks(sm: FakeSageMaker, s3: Any) -> None:
    """Even where there is nothing else in the folder; the endpoint's state is not forgotten."""
    states = {"champion": "failed", "score_champion": "upstream_failed", "create_model": "upstream_failed"}
    operator, ctx = record(sm, s3, {"champion": "No right to read it."}, **states)
    with pytest.raises(AirflowFailException, match=r"failed tasks: champion\. champion failed: No right to read it\."):
        operator.execute(ctx)
    outcome = storage.read_record(s3, f"{FOLDER}/outcome.json", Outcome)
    assert (outcome.outcome, outcome.failed_tasks, outcome.champion) == ("failed", ("champion",), "m1")
    assert "No right to read it." in storage.read_text(s3, f"{FOLDER}/report.html")
    assert ctx["ti"].xcom_pull("record")["outcome"] == "failed"


def test_a_decision_of_an_earlier_try_of_the_run_is_not_taken_for_this_ones(sm: FakeSageMaker, s3: Any) -> None:
    """A cleared run writes into the same folder; what its tasks did not write this time is not read."""
    decided(s3)
    operator, ctx = record(
        sm, s3, **{**PROMOTED, "score_challenger": "failed", "gate": "skipped", "update_endpoint": "skipped"}
    )
    with pytest.raises(AirflowFailException):
        operator.execute(ctx)
    outcome = storage.read_record(s3, f"{FOLDER}/outcome.json", Outcome)
    assert (outcome.outcome, outcome.reasons, outcome.challenger) == ("failed", (), None)


def test_a_rollback_is_told_from_a_failure(sm: FakeSageMaker, s3: Any) -> None:
    """The task that went back left its sentence."""
    decided(s3)
    operator, ctx = record(sm, s3, **{**PROMOTED, "smoke_test": "failed"})
    ctx["ti"].xcoms["smoke_test", "rolled_back"] = "m0 was put back."
    with pytest.raises(AirflowFailException):
        operator.execute(ctx)
    outcome = storage.read_record(s3, f"{FOLDER}/outcome.json", Outcome)
    assert (outcome.outcome, outcome.sentence, outcome.failed_tasks) == (
        "rolled_back", "m0 was put back.", ("smoke_test",)
    )  # fmt: skip


def test_an_endpoint_that_cannot_be_read_does_not_stop_the_record(sm: FakeSageMaker, s3: Any) -> None:
    """Why is among the facts."""
    decided(s3)
    sm.tags.clear()
    operator, ctx = record(sm, s3, **PROMOTED)
    operator.execute(ctx)
    outcome = storage.read_record(s3, f"{FOLDER}/outcome.json", Outcome)
    assert outcome.champion is None
    assert "art:pipeline" in outcome.facts["endpoint_note"]


@pytest.mark.parametrize(("error", "reason"), [(ValueError("no."), "no."), (KeyError(), "KeyError")])
def test_a_task_that_failed_leaves_its_reason(error: Exception, reason: str) -> None:
    """Or at least its kind."""
    ctx: Any = {**context("split"), "exception": error}
    leave_reason(ctx)
    assert ctx["ti"].xcom_pull("split", "failure") == reason


def test_the_support_stands_for_airflow(sm: FakeSageMaker, s3: Any) -> None:
    """The fake task instance has every method of Airflow's that the record calls."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    ti = record(sm, s3)[1]["ti"]
    for method in ("xcom_pull", "xcom_push", "get_task_states", "get_task_breadcrumbs"):
        assert callable(getattr(RuntimeTaskInstance, method))
        assert callable(getattr(ti, method))


def test_a_run_that_the_split_skipped_is_void_and_succeeds(sm: FakeSageMaker, s3: Any) -> None:
    """Nothing changed, so nothing was judged; the champion is named all the same."""
    operator, ctx = record(sm, s3, split="skipped", search="skipped", gate="skipped")
    operator.execute(ctx)
    outcome = storage.read_record(s3, f"{FOLDER}/outcome.json", Outcome)
    assert (outcome.outcome, outcome.champion, outcome.failed_tasks) == ("void", "m1", ())
