"""A person decides: asked with the evidence, once, for a limited time, and the answer is kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, DownstreamTasksSkipped, TaskAwaitingInput

from automl_retraining.core.config import Pipeline
from automl_retraining.core.gate import decide
from automl_retraining.core.records import Approval, Decision, ModelRef, Outcome
from automl_retraining.operators.approve import APPROVAL, approval_of
from automl_retraining.operators.ending import champion_scored, ending
from automl_retraining.sagemaker import storage
from automl_retraining.sagemaker.evidence import evaluate_run
from tests.support import runs
from tests.support.endpoint_runs import folder, with_clients
from tests.support.sagemaker_tasks import cleared, run
from tests.support.tasks import context

RUN, BEFORE = folder("").rstrip("/"), "s3://runs/churn/runs/before"
PIPELINE = Pipeline.model_validate(
    {
        "name": "churn", "source": "churn.csv", "target": "churn", "registry": {"enabled": False},
        "gate": {"metric": "rmse", "resamples": 200, "approval": "always", "approvers": ["ada", "grace"],
                 "answer_within": "2h"},
    }
)  # fmt: skip
Asked = dict[str, Any]


@pytest.fixture
def decided(s3: Any) -> Any:
    """S3 with a run whose gate says promote."""
    runs.write(s3, RUN, BEFORE)
    storage.write_bytes(s3, f"{RUN}/transform/challenger/t.out", runs.predictions(1.0, seed=1))
    storage.write_bytes(s3, f"{RUN}/transform/champion/t.out", runs.predictions(5.0, seed=2))
    evaluation = evaluate_run(
        s3, RUN, policy=PIPELINE.gate, challenger=ModelRef(model_name="m2"),
        champion=ModelRef(model_name="m1", run_folder=BEFORE, endpoint_config="c1"),
    )  # fmt: skip
    storage.write_record(s3, f"{RUN}/decision.json", decide(evaluation, PIPELINE.gate))
    return s3


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What Airflow was given to ask, last."""
    given: Asked = {}
    monkeypatch.setattr("airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **one: given.update(one))
    return given


@pytest.fixture
def task(decided: Any, asked: Asked) -> Callable[[], Any]:
    """The task among its neighbours, as each try makes it anew."""

    def made() -> Any:
        with DAG("autopilot_churn", schedule=None, params={"source": "churn.csv"}) as dag:
            ending(PIPELINE, search={}, score_champion=champion_scored(PIPELINE)[1])
        return with_clients(dag.get_task("approve"), None, decided)

    return made


def ctx_of(operator: Any) -> Any:
    """The context of the task's first try."""
    ctx = context("approve", split="success", evaluate="success", gate="success")
    ctx["ti"].task = operator
    ctx["ti"].id = "1"
    ctx["task_instance"] = ctx["ti"]
    ctx["ti"].xcoms["gate", "decision"] = {"decided": "2026-01-01T00:00:00+00:00"}
    return ctx


def event(chosen: list[str], **changes: Any) -> dict[str, Any]:
    """What Airflow resumes the task with."""
    return {
        "chosen_options": chosen, "params_input": {"reason": None}, "responded_at": datetime.now(UTC),
        "timedout": False, "responded_by_user": {"id": "ada", "name": "ada"}, **changes,
    }  # fmt: skip


def resumed(operator: Any, ctx: Any, given: dict[str, Any]) -> tuple[list[str], Approval]:
    """The tasks that are skipped after that answer, and the answer."""
    with pytest.raises(DownstreamTasksSkipped) as skipped:
        run(operator, ctx, "execute_complete", event=given)
    ctx["ti"].states["approve"] = "success"
    found = approval_of(ctx)
    assert found is not None
    return [task for task, _ in skipped.value.tasks], found


def test_the_question_goes_to_the_named_users_with_the_evidence_and_a_time(
    task: Callable[[], Any], asked: Asked
) -> None:
    """Options, default, form, table; the DAG's own form is not mixed in."""
    operator = task()
    with pytest.raises(TaskAwaitingInput) as waiting:
        run(operator, ctx_of(operator))
    assert waiting.value.timeout is not None
    assert 7190 < waiting.value.timeout.total_seconds() <= 7200
    assert (asked["options"], asked["defaults"], asked["multiple"]) == (["Approve", "Refuse"], ["Refuse"], False)
    assert asked["assigned_users"] == [{"id": "ada", "name": "ada"}, {"id": "grace", "name": "grace"}]
    assert list(asked["params"]) == ["reason"]
    assert asked["subject"] == "churn: put the new model behind the endpoint? (the gate says: promote)"
    assert "| **rmse** |" in asked["body"]
    assert f"{RUN}/report.html".replace("://", "\\://").replace("_", "\\_") in asked["body"]


def test_while_it_waits_the_run_folder_says_so_and_has_its_report(task: Callable[[], Any], decided: Any) -> None:
    """outcome.json alone explains why nothing happens."""
    operator = task()
    with pytest.raises(TaskAwaitingInput):
        run(operator, ctx_of(operator))
    outcome = storage.read_record(decided, f"{RUN}/outcome.json", Outcome)
    assert (outcome.outcome, outcome.finished, outcome.champion, outcome.challenger) == ("waiting", None, "m1", "m2")
    assert outcome.sentence.startswith("Waiting for a person's answer until ")
    assert "without one the champion stays" in outcome.sentence
    assert "Waiting for a person" in storage.read_text(decided, f"{RUN}/report.html")


def test_an_approval_leads_to_the_endpoint(task: Callable[[], Any]) -> None:
    """With who gave it, why, and about which two models."""
    operator = task()
    skipped, approval = resumed(operator, ctx_of(operator), event(["Approve"], params_input={"reason": " fine\n"}))
    assert skipped == ["keep_champion"]
    assert (approval.answer, approval.who, approval.comment) == ("approved", "ada", "fine")
    assert (approval.challenger, approval.champion) == ("m2", "m1")


@pytest.mark.parametrize(
    ("given", "answer", "who"),
    [
        (event(["Refuse"]), "refused", "ada"),
        (event([]), "refused", "ada"),
        (event(["Approve", "Refuse"]), "refused", "ada"),
        (event(["approve"], responded_by_user={"id": "7", "name": ""}), "refused", "7"),
        (event(["Refuse"], params_input={"other": 1}, responded_by_user=None), "refused", "a person"),
        (event(["Refuse"], timedout=True, responded_by_user=None), "timed_out", None),
        ({"error": "too late", "error_type": "timeout"}, "timed_out", None),
    ],
)
def test_everything_else_is_a_refusal(task: Callable[[], Any], given: Any, answer: str, who: str | None) -> None:
    """Rubbish too: only the one word puts a model behind the endpoint."""
    operator = task()
    skipped, approval = resumed(operator, ctx_of(operator), given)
    assert skipped == ["update_endpoint"]
    assert (approval.answer, approval.who) == (answer, who)


def test_an_answer_outlives_a_retry_but_not_a_clearing(task: Callable[[], Any]) -> None:
    """A worker that dies after the answer must not cost the person another one; whoever clears the task is asked."""
    operator = task()
    ctx = ctx_of(operator)
    resumed(operator, ctx, event(["Approve"]))
    del ctx["ti"].xcoms["approve", APPROVAL]  # Airflow clears them before each try
    again = task()
    ctx["ti"].task = again
    with pytest.raises(DownstreamTasksSkipped) as skipped:
        run(again, ctx)
    assert [name for name, _ in skipped.value.tasks] == ["keep_champion"]
    found = approval_of(ctx)
    assert found is not None
    assert found.answer == "approved"
    cleared(ctx)
    with pytest.raises(TaskAwaitingInput):
        run(task(), ctx)


def test_a_retry_asks_for_what_is_left_of_the_time_and_no_longer(task: Callable[[], Any]) -> None:
    """Else a task that fails now and then would wait for ever; a clearing begins anew."""
    operator = task()
    ctx = ctx_of(operator)
    with pytest.raises(TaskAwaitingInput):
        run(operator, ctx)
    store = ctx["task_state_store"]

    def earlier(**time: float) -> None:
        store["asked"] = {**store["asked"], "at": (datetime.now(UTC) - timedelta(**time)).isoformat()}

    earlier(hours=1.5)
    with pytest.raises(TaskAwaitingInput) as waiting:
        run(task(), ctx)
    assert waiting.value.timeout is not None
    assert 1700 < waiting.value.timeout.total_seconds() <= 1800
    earlier(hours=3)
    with pytest.raises(DownstreamTasksSkipped):
        run(operator, ctx)
    ctx["ti"].states["approve"] = "success"
    found = approval_of(ctx)
    assert found is not None
    assert found.answer == "timed_out"
    cleared(ctx)
    with pytest.raises(TaskAwaitingInput) as waiting:
        run(task(), ctx)
    assert waiting.value.timeout is not None
    assert waiting.value.timeout.total_seconds() > 7000


@pytest.mark.parametrize(("chosen", "status"), [("Approve", "Approved"), ("Refuse", "Rejected")])
def test_the_registry_is_told(
    task: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, chosen: str, status: str
) -> None:
    """The challenger's version, with who and why."""
    calls: list[tuple[Any, ...]] = []

    class Packages:
        """SageMaker's two calls."""

        def describe_model_package(self, **given: Any) -> dict[str, Any]:
            """It is there."""
            return {"ModelApprovalStatus": "PendingManualApproval", **given}

        def update_model_package(self, **given: Any) -> dict[str, Any]:
            """Note it."""
            calls.append((given["ModelPackageArn"], given["ModelApprovalStatus"], given["ApprovalDescription"]))
            return {"ModelPackageArn": given["ModelPackageArn"]}

    operator = task()
    operator.__dict__["sm"] = Packages()
    ctx = ctx_of(operator)
    ctx["ti"].xcoms["gate", "package_arn"] = "arn:p/1"
    resumed(operator, ctx, event([chosen]))
    assert [call[:2] for call in calls] == [("arn:p/1", status)]
    assert " by ada" in calls[0][2]


def test_without_a_decision_of_this_run_nobody_is_asked(task: Callable[[], Any]) -> None:
    """A folder that an earlier try of the run left behind is not taken for this one's."""
    operator = task()
    ctx = ctx_of(operator)
    ctx["ti"].states["gate"] = "skipped"
    with pytest.raises(AirflowFailException, match="evaluate or gate did not succeed in this run"):
        run(operator, ctx)


def test_an_answer_of_an_earlier_clearing_is_not_taken_for_this_ones(task: Callable[[], Any]) -> None:
    """The task was skipped this time; its old XCom is still there."""
    operator = task()
    ctx = ctx_of(operator)
    resumed(operator, ctx, event(["Approve"]))
    ctx["ti"].states["approve"] = "skipped"
    assert approval_of(ctx) is None


def test_nobody_named_means_whoever_may_answer(decided: Any, asked: Asked) -> None:
    """Airflow's own rights decide then."""
    open_to_all = PIPELINE.model_copy(update={"gate": PIPELINE.gate.model_copy(update={"approvers": ()})})
    with DAG("autopilot_churn", schedule=None) as dag:
        ending(open_to_all, search={}, score_champion=champion_scored(open_to_all)[1])
    operator: Any = with_clients(dag.get_task("approve"), None, decided)
    with pytest.raises(TaskAwaitingInput):
        run(operator, ctx_of(operator))
    assert asked["assigned_users"] is None
    assert storage.read_record(decided, f"{RUN}/decision.json", Decision).policy.approvers == ("ada", "grace")
