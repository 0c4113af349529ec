"""The champion changed while a run was under way: its challenger is compared with the new one."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.records import Decision, Evaluation, ModelRef
from automl_retraining.sagemaker import storage
from automl_retraining.sagemaker.evidence import evaluate_run
from tests.support import runs
from tests.support.endpoint_runs import ENDPOINT, decided, folder, holder, promote, update
from tests.support.fake_endpoints import FakeSageMaker
from tests.support.tasks import context

RUN, BEFORE = folder("").rstrip("/"), "s3://runs/churn/runs/r1"


def changed(fake: FakeSageMaker, bucket: Any, noise: float = 1.0) -> Any:
    """The context of m2's update, whose gate knew no champion, after another run has put m1 behind the endpoint."""
    fake.model("m1", art_run_id="r1", art_run_folder=BEFORE)
    promote(fake, bucket, "m1", None)
    ctx = context("update_endpoint")
    ctx["dag_run"].clear_number = 7
    decided(bucket, ctx, "m2", None)
    runs.write(bucket, RUN, BEFORE)
    storage.write_bytes(bucket, f"{RUN}/transform/challenger/test.csv.out", runs.predictions(noise, seed=1))
    return ctx


def transformed(fake: FakeSageMaker, bucket: Any, status: str = "Completed") -> dict[str, str]:
    """The one transform job ends; its event."""
    (job,) = fake.transforms.values()
    job["TransformJobStatus"] = status
    assert job["ModelName"] == "m1"
    uri = job["TransformOutput"]["S3OutputPath"]
    storage.write_bytes(bucket, f"{uri}/test.csv.out", runs.predictions(5.0, seed=2))
    return {"job_name": job["TransformJobName"]}


def updater(fake: FakeSageMaker, bucket: Any) -> Any:
    """The operator, for a regression."""
    return update(fake, bucket, "m2", metric="rmse")


def test_a_challenger_that_beats_the_new_champion_too_goes_on(sm: FakeSageMaker, s3: Any) -> None:
    """Scored without the lease, decided again on the same rows, then put behind the endpoint."""
    ctx = changed(sm, s3)
    with pytest.raises(TaskDeferred) as deferred:
        updater(sm, s3).execute(ctx)
    assert deferred.value.method_name == "scored"
    assert holder(s3) is None
    with pytest.raises(TaskDeferred) as deferred:
        updater(sm, s3).scored(ctx, transformed(sm, s3))
    assert deferred.value.method_name == "settled"
    sm.settle(ENDPOINT)
    done = updater(sm, s3).settled(ctx, {})
    assert (done["model_name"], done["previous_model"]) == ("m2", "m1")
    decision = storage.read_record(s3, folder("decision.json"), Decision)
    assert (decision.verdict, decision.champion, decision.run_id) == ("promote", "m1", runs.manifest(RUN).run_id)
    warnings = storage.read_record(s3, folder("evaluation.json"), Evaluation).warnings
    assert any("compared the challenger with no champion, but m1 serves now" in warning for warning in warnings)
    assert not ctx["task_state_store"]


def test_a_challenger_that_does_not_beat_it_leaves_the_endpoint_alone(sm: FakeSageMaker, s3: Any) -> None:
    """The task succeeds with nothing; decision.json says keep."""
    ctx = changed(sm, s3, noise=9.0)
    with pytest.raises(TaskDeferred):
        updater(sm, s3).execute(ctx)
    writes = list(sm.calls)
    assert updater(sm, s3).scored(ctx, transformed(sm, s3)) is None
    assert sm.calls == writes
    assert storage.read_record(s3, folder("decision.json"), Decision).verdict == "keep"
    assert holder(s3) is None


def test_a_new_champion_that_cannot_be_scored_is_kept(sm: FakeSageMaker, s3: Any) -> None:
    """Doubt, with the job's reason in the evaluation."""
    ctx = changed(sm, s3)
    with pytest.raises(TaskDeferred):
        updater(sm, s3).execute(ctx)
    event = transformed(sm, s3, "Failed")
    sm.transforms[event["job_name"]]["FailureReason"] = "no such column"
    assert updater(sm, s3).scored(ctx, event) is None
    assert storage.read_record(s3, folder("decision.json"), Decision).verdict == "doubt"
    assert "no such column" in str(storage.read_record(s3, folder("evaluation.json"), Evaluation).champion_error)


def test_killed_while_the_new_champion_is_scored_the_next_try_waits_for_the_same_job(
    sm: FakeSageMaker, s3: Any
) -> None:
    """One transform job, however often the task is tried."""
    ctx = changed(sm, s3)
    for _ in range(2):
        with pytest.raises(TaskDeferred):
            updater(sm, s3).execute(ctx)
    assert len(sm.transforms) == 1


def test_an_endpoint_that_is_gone_by_now_leaves_the_challenger_to_its_baseline(sm: FakeSageMaker, s3: Any) -> None:
    """Somebody deleted it: no champion, so the first model's rules hold."""
    ctx = changed(sm, s3)
    decided(s3, ctx, "m2", "m1")
    del sm.endpoints[ENDPOINT]
    with pytest.raises(TaskDeferred) as deferred:
        updater(sm, s3).execute(ctx)
    assert deferred.value.method_name == "settled"
    assert storage.read_record(s3, folder("decision.json"), Decision).champion is None
    assert not sm.transforms


def test_an_endpoint_that_changes_for_ever_is_given_up(sm: FakeSageMaker, s3: Any) -> None:
    """Five comparisons, then a sentence."""
    ctx = changed(sm, s3)
    ctx["task_state_store"].set("rematch", {"round": 5, "used": 4, "champion": None})
    with pytest.raises(AirflowFailException, match="after 5 comparisons"):
        updater(sm, s3).execute(ctx)


def test_a_rematch_that_takes_too_long_stops_its_job(sm: FakeSageMaker, s3: Any) -> None:
    """As any wait of ours."""
    ctx = changed(sm, s3)
    with pytest.raises(TaskDeferred):
        updater(sm, s3).execute(ctx)
    (job,) = sm.transforms
    with pytest.raises(AirflowFailException, match=f"{job}.* asked SageMaker to stop"):
        updater(sm, s3).resume_execution("__fail__", {"error": "Trigger timeout"}, ctx)
    assert sm.transforms[job]["TransformJobStatus"] == "Stopping"


@pytest.mark.parametrize(("noise", "verdict"), [(6.0, "promote"), (2.0, "keep")])
def test_as_not_inferior_it_must_hold_against_the_new_champions_reference_too(
    sm: FakeSageMaker, s3: Any, noise: float, verdict: str
) -> None:
    """Which is the champion that the gate had compared with: its predictions are there already."""
    ctx = changed(sm, s3, noise=5.0)
    first = ModelRef(model_name="m0")
    sm.model("m0")
    policy = GatePolicy(metric="rmse", mode="non_inferiority", margin=1.5, resamples=200)
    storage.write_bytes(s3, f"{RUN}/transform/champion/test.csv.out", runs.predictions(noise, seed=4))
    evaluate_run(s3, RUN, policy=policy, challenger=ModelRef(model_name="m2"), champion=first, reference=first)
    promoted = Decision(
        pipeline="churn", run_id="r1", verdict="promote", sentence="Promoted.", reasons=(), rules=(), policy=policy,
        challenger="m1", champion="m0", reference=first,
    )  # fmt: skip
    storage.write_record(s3, f"{BEFORE}/decision.json", promoted)

    def updating() -> Any:
        operator = updater(sm, s3)
        operator.pipeline = operator.pipeline.model_copy(update={"gate": policy})
        return operator

    with pytest.raises(TaskDeferred):
        updating().execute(ctx)
    if verdict == "promote":
        with pytest.raises(TaskDeferred):
            updating().scored(ctx, transformed(sm, s3))
    else:
        assert updating().scored(ctx, transformed(sm, s3)) is None
    decision = storage.read_record(s3, folder("decision.json"), Decision)
    assert (decision.verdict, decision.champion, decision.reference) == (verdict, "m1", first)
    results = {rule.name: rule.result for rule in decision.rules}
    assert results["non_inferiority"] == "pass"
    assert results["reference"] == ("pass" if verdict == "promote" else "fail")
