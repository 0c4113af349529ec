"""The evidence task: when it evaluates, when it skips, and what it says of a champion that was not scored."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from automl_retraining.core.records import Evaluation, ModelRef
from automl_retraining.operators.evaluate import EvaluateOperator
from automl_retraining.sagemaker import storage
from tests.support import runs
from tests.support.endpoint_runs import folder, pipeline, with_clients
from tests.support.tasks import context

RUN, BEFORE = folder("").rstrip("/"), "s3://runs/churn/runs/before"


@pytest.fixture
def s3(s3: Any) -> Any:
    """This run's folder with the challenger's outputs, and the champion's run."""
    runs.write(s3, RUN, BEFORE)
    storage.write_bytes(s3, f"{RUN}/transform/challenger/test.csv.out", runs.predictions(1.0, seed=1))
    return s3


def evaluate(s3: Any, *, champion: bool, reason: str | None = None, **states: str) -> Any:
    """Run the task after the others ended so."""
    ctx = context("evaluate", **states)
    xcoms = ctx["ti"].xcoms
    xcoms["create_model", "return_value"] = ModelRef(model_name="m2").model_dump(mode="json")
    if champion:
        xcoms["champion", "return_value"] = ModelRef(model_name="m1", run_folder=BEFORE).model_dump(mode="json")
    if reason:
        xcoms["score_champion", "failure"] = reason
    operator = with_clients(EvaluateOperator(task_id="evaluate", pipeline=pipeline("rmse")), None, s3)
    return operator.execute(ctx)


def test_both_scored(s3: Any) -> None:
    """The XCom holds the primary metric's difference."""
    storage.write_bytes(s3, f"{RUN}/transform/champion/test.csv.out", runs.predictions(3.0, seed=2))
    found = evaluate(s3, champion=True, score_challenger="success", score_champion="success")
    assert found["rows"] == runs.ROWS
    assert found["metric"]["difference"]["value"] < 0


def test_no_champion(s3: Any) -> None:
    """The first run: score_champion was skipped."""
    found = evaluate(s3, champion=False, score_challenger="success", score_champion="skipped")
    assert found["metric"]["champion"] is None


@pytest.mark.parametrize("state", ["failed", "upstream_failed"])
def test_a_champion_that_was_not_scored_is_said_in_the_evaluation_with_its_tasks_reason(s3: Any, state: str) -> None:
    """Old outputs in the folder are not taken for this try's."""
    storage.write_bytes(s3, f"{RUN}/transform/champion/test.csv.out", runs.predictions(3.0, seed=2))
    evaluate(s3, champion=True, reason="No such column.", score_challenger="success", score_champion=state)
    evaluation = storage.read_record(s3, f"{RUN}/evaluation.json", Evaluation)
    assert evaluation.champion_error is not None
    assert "m1 could not be scored on these test rows: No such column." in evaluation.champion_error


@pytest.mark.parametrize("state", ["failed", "upstream_failed", "skipped"])
def test_without_the_challengers_predictions_there_is_nothing_to_evaluate(s3: Any, state: str) -> None:
    """Skipped: the task before it is the one that failed."""
    with pytest.raises(AirflowSkipException, match=f"score_challenger is {state}"):
        evaluate(s3, champion=True, score_challenger=state, score_champion="success")
    assert not storage.exists(s3, f"{RUN}/evaluation.json")
