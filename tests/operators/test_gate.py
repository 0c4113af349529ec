"""The gate's task: it writes the decision and follows one branch."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, DownstreamTasksSkipped

from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.records import Decision, ModelRef
from automl_retraining.operators.ending import champion_scored, ending
from automl_retraining.sagemaker import storage
from automl_retraining.sagemaker.evidence import evaluate_run
from tests.support import runs
from tests.support.endpoint_runs import folder, pipeline, with_clients
from tests.support.tasks import context

RUN, BEFORE = folder("").rstrip("/"), "s3://runs/churn/runs/before"


@pytest.fixture
def s3(s3: Any) -> Any:
    """This run's folder and the champion's."""
    runs.write(s3, RUN, BEFORE)
    return s3


def gate(s3: Any, **policy: Any) -> tuple[Any, Any]:
    """The gate among its neighbours, and its context."""
    made = pipeline("rmse")
    made = made.model_copy(update={"gate": GatePolicy(metric="rmse", resamples=200, **policy)})
    with DAG("autopilot_churn", schedule=None) as dag:
        ending(made, search={}, score_champion=champion_scored(made)[1])
    operator = with_clients(dag.get_task("gate"), None, s3)
    ctx = context("gate")
    ctx["ti"].task = operator
    return operator, ctx


def evaluated(s3: Any, challenger: float, champion: float) -> None:
    """Evaluate predictions with that much noise."""
    storage.write_bytes(s3, f"{RUN}/transform/challenger/t.out", runs.predictions(challenger, seed=1))
    storage.write_bytes(s3, f"{RUN}/transform/champion/t.out", runs.predictions(champion, seed=2))
    evaluate_run(
        s3, RUN, policy=pipeline("rmse").gate, challenger=ModelRef(model_name="m2"),
        champion=ModelRef(model_name="m1", run_folder=BEFORE),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("noise", "verdict", "skipped"),
    [((1.0, 5.0), "promote", "keep_champion"), ((5.0, 1.0), "keep", "update_endpoint")],
)
def test_one_branch_is_followed_and_the_decision_written(
    s3: Any, noise: tuple[float, float], verdict: str, skipped: str
) -> None:
    """decision.json and the XCom say the same."""
    evaluated(s3, *noise)
    operator, ctx = gate(s3)
    with pytest.raises(DownstreamTasksSkipped) as caught:
        operator.execute(ctx)
    assert [task for task, _ in caught.value.tasks] == [skipped]
    decision = storage.read_record(s3, f"{RUN}/decision.json", Decision)
    assert decision.verdict == verdict
    pushed = ctx["ti"].xcom_pull("gate", "decision")
    assert (pushed["verdict"], pushed["sentence"]) == (verdict, decision.sentence)


@pytest.mark.parametrize(
    ("approval", "noise", "leaked", "followed"),
    [
        ("on_doubt", (1.0, 5.0), (), "update_endpoint"),
        ("on_doubt", (1.0, 5.0), range(30), "approve"),
        ("on_doubt", (5.0, 1.0), range(30), "keep_champion"),
        ("always", (1.0, 5.0), (), "approve"),
        ("always", (1.0, 5.0), range(30), "approve"),
        ("always", (5.0, 1.0), (), "keep_champion"),
        ("never", (1.0, 5.0), range(30), "keep_champion"),
    ],
)
def test_a_person_is_asked_as_the_policy_says(
    s3: Any, approval: str, noise: tuple[float, float], leaked: Iterable[int], followed: str
) -> None:
    """On doubt (here: leaked rows) or before every promotion; never about what failed."""
    storage.write_bytes(s3, f"{BEFORE}/data/keys.bin", runs.keys(*(runs.HASHES[row] for row in leaked)))
    evaluated(s3, *noise)
    operator, ctx = gate(s3, approval=approval)
    with suppress(DownstreamTasksSkipped):
        operator.execute(ctx)
    # Airflow adds what comes after the task followed and directly after the gate too.
    found = set(ctx["ti"].xcom_pull("gate", "skipmixin_key")["followed"])
    assert found - ({"update_endpoint", "keep_champion"} if followed == "approve" else set()) == {followed}


def test_without_an_evaluation_it_fails_for_good(s3: Any) -> None:
    """Retrying does not write one."""
    operator, ctx = gate(s3)
    with pytest.raises(AirflowFailException, match=r"evaluation\.json"):
        operator.execute(ctx)
