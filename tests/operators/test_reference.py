"""Scoring the reference: when there is one to score, and what the evaluation then says of it."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from automl_retraining.core.config import Pipeline
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.records import Decision, Evaluation, ModelRef
from automl_retraining.operators.evaluate import EvaluateOperator
from automl_retraining.operators.reference import ScoreReferenceOperator
from automl_retraining.sagemaker import storage
from automl_retraining.sagemaker.reference import NOT_ASKED
from tests.support import runs
from tests.support.endpoint_runs import folder, pipeline, with_clients
from tests.support.sagemaker_tasks import World, run
from tests.support.tasks import context

RUN, BEFORE = folder("").rstrip("/"), "s3://runs/churn/runs/before"
NOT_INFERIOR = GatePolicy(metric="rmse", mode="non_inferiority", margin=3.0, resamples=200)
CHAMPION = ModelRef(model_name="m2", run_folder=BEFORE)
OLDER = ModelRef(model_name="m1", run_folder="s3://runs/churn/runs/older")


class Models:
    """SageMaker with every model there is."""

    def describe_model(self, ModelName: str) -> dict[str, str]:  # noqa: N803 - boto3's
        """It is there."""
        return {"ModelName": ModelName}


@pytest.fixture
def s3(s3: Any) -> Any:
    """This run's folder, the champion's (promoted as not inferior to m1's line), and the reference's."""
    runs.write(s3, RUN, BEFORE)
    assert OLDER.run_folder is not None
    runs.write(s3, RUN, OLDER.run_folder)
    for name, noise, seed in (("challenger", 4.0, 1), ("champion", 4.0, 2), ("reference", 4.0, 3)):
        storage.write_bytes(s3, f"{RUN}/transform/{name}/test.csv.out", runs.predictions(noise, seed))
    promoted(s3, OLDER)
    return s3


def promoted(s3: Any, reference: ModelRef | None, policy: GatePolicy = NOT_INFERIOR) -> None:
    """Write the decision that made m2 the champion."""
    decision = Decision(
        pipeline="churn", run_id="before", verdict="promote", sentence="Promoted.", reasons=(), rules=(),
        policy=policy, challenger="m2", champion="m0", reference=reference,
    )  # fmt: skip
    storage.write_record(s3, f"{BEFORE}/decision.json", decision)


def scoring(s3: Any, champion: ModelRef | None, sm: Any = None) -> tuple[ScoreReferenceOperator, Any]:
    """The task and its context."""
    operator = ScoreReferenceOperator(
        task_id="score_reference", pipeline=pipeline("rmse"), input_uri="s3://runs/in", output_uri="s3://runs/out",
        problem_type="Regression",
    )  # fmt: skip
    ctx = context("score_reference")
    if champion is not None:
        ctx["ti"].xcoms["champion", "return_value"] = champion.model_dump(mode="json")
    return with_clients(operator, sm or Models(), s3), ctx


def test_the_reference_is_scored_where_it_is_another_model_than_the_champion(
    s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job names it, and so does the result of the instance that resumes."""
    world = World(monkeypatch)
    monkeypatch.setattr(world.sm, "describe_model", Models().describe_model, raising=False)
    operator, ctx = scoring(s3, CHAMPION, world.sm)
    with pytest.raises(TaskDeferred):
        run(operator, ctx)
    (request,) = [arguments for method, arguments in world.sm.calls if method == "create_transform_job"]
    assert request["ModelName"] == "m1"
    again, _ = scoring(s3, CHAMPION)
    assert again.result(ctx, {"TransformJobName": "j", "ModelName": "m1"}, None)["model_name"] == "m1"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("champion", "reference", "why"),
    [
        (None, OLDER, "there is no champion"),
        (CHAMPION, CHAMPION, "the champion m2 is the reference itself"),
        (ModelRef(model_name="theirs"), OLDER, "the champion theirs is the reference itself"),
        (CHAMPION, None, "names none"),
        (CHAMPION.model_copy(update={"model_name": "m9"}), OLDER, "that run was cleared since"),
    ],
)
def test_where_there_is_nothing_to_score_the_task_is_skipped_and_says_why(
    s3: Any, champion: ModelRef | None, reference: ModelRef | None, why: str
) -> None:
    promoted(s3, reference)
    operator, ctx = scoring(s3, champion)
    with pytest.raises(AirflowSkipException, match=why):
        operator.execute(ctx)


def evaluated(s3: Any, policy: GatePolicy, state: str = "success", scored: str = "m1", failure: str = "") -> Evaluation:
    """What the evaluation says after score_reference ended so."""
    ctx = context("evaluate", score_challenger="success", score_champion="success", score_reference=state)
    xcoms = ctx["ti"].xcoms
    xcoms["create_model", "return_value"] = ModelRef(model_name="m3").model_dump(mode="json")
    xcoms["champion", "return_value"] = CHAMPION.model_dump(mode="json")
    xcoms["score_reference", "return_value"] = {"model_name": scored}
    if failure:
        xcoms["score_reference", "failure"] = failure
    made: Pipeline = pipeline("rmse").model_copy(update={"gate": policy})
    with_clients(EvaluateOperator(task_id="evaluate", pipeline=made), Models(), s3).execute(ctx)
    return storage.read_record(s3, f"{RUN}/evaluation.json", Evaluation)


def test_the_challenger_is_compared_with_the_reference_on_the_same_rows(s3: Any) -> None:
    """scores/reference.csv is there, and a row that the reference was trained on is dropped for all."""
    storage.write_bytes(s3, f"{OLDER.run_folder}/data/keys.bin", runs.keys(runs.HASHES[4]))
    evaluation = evaluated(s3, NOT_INFERIOR)
    rmse = evaluation.metric("rmse")
    assert rmse is not None
    assert rmse.reference is not None
    assert rmse.against_reference is not None
    assert (evaluation.reference, evaluation.reference_error) == (OLDER, None)
    assert (evaluation.rows, evaluation.rows_dropped) == (runs.ROWS - 1, 1)
    assert len(storage.read_text(s3, f"{RUN}/scores/reference.csv").splitlines()) == runs.ROWS + 1


@pytest.mark.parametrize(
    ("state", "scored", "failure", "why"),
    [
        ("failed", "m1", "No such column.", "m1 could not be scored on these test rows: No such column."),
        ("skipped", "m1", "", "see the log of task score_reference"),
        ("upstream_failed", "m1", "", "see the log of task score_champion"),
        ("success", "m0", "", "m1 could not be scored"),
    ],
)
def test_a_reference_that_was_not_scored_is_said_and_old_outputs_are_not_taken_for_its_own(
    s3: Any, state: str, scored: str, failure: str, why: str
) -> None:
    evaluation = evaluated(s3, NOT_INFERIOR, state, scored, failure)
    assert evaluation.reference == OLDER
    assert evaluation.reference_error is not None
    assert why in evaluation.reference_error
    assert all(metric.against_reference is None for metric in evaluation.metrics)


def test_outputs_of_the_reference_that_do_not_join_are_its_error_not_the_runs(s3: Any) -> None:
    storage.write_bytes(s3, f"{RUN}/transform/reference/test.csv.out", b"1,2.0\n")
    evaluation = evaluated(s3, NOT_INFERIOR)
    assert evaluation.reference_error is not None
    assert "not answered" in evaluation.reference_error


def test_under_superiority_the_reference_is_recorded_and_asked_nothing(s3: Any) -> None:
    """So that a replay under another policy knows it."""
    evaluation = evaluated(s3, GatePolicy(metric="rmse", resamples=200), state="")
    assert (evaluation.reference, evaluation.reference_error) == (OLDER, NOT_ASKED)
