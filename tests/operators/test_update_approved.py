"""What may be put behind the endpoint: what the gate promotes, or what a person approved, compared as they saw it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.records import Approval, Decision
from automl_retraining.operators.endpoint import UpdateEndpointOperator
from automl_retraining.sagemaker import storage
from tests.support import runs
from tests.support.endpoint_runs import ENDPOINT, decided, folder, holder, pipeline, promote, with_clients
from tests.support.fake_endpoints import FakeSageMaker
from tests.support.tasks import context

RUN, BEFORE = folder("").rstrip("/"), "s3://runs/churn/runs/r1"


def update(fake: FakeSageMaker, bucket: Any, approval: str) -> Any:
    """The task of a pipeline that asks so."""
    made = pipeline("rmse")
    gate = GatePolicy.model_validate({"metric": "rmse", "resamples": 200, "approval": approval})
    operator = UpdateEndpointOperator(
        task_id="update_endpoint", pipeline=made.model_copy(update={"gate": gate}), model_name="m2"
    )
    return with_clients(operator, fake, bucket)


def came(bucket: Any, verdict: str, approval: str, champion: str | None, about: str | None = "nobody asked") -> Any:
    """The context of m2's update after that verdict; where ``about`` names a champion, approved beside that one."""
    ctx = context("update_endpoint")
    ctx["dag_run"].clear_number = 7
    decided(bucket, ctx, "m2", champion)
    policy = GatePolicy.model_validate({"metric": "rmse", "resamples": 200, "approval": approval})
    before = storage.read_record(bucket, folder("decision.json"), Decision)
    changed = before.model_copy(update={"verdict": verdict, "policy": policy, "sentence": f"It is {verdict}."})
    storage.write_record(bucket, folder("decision.json"), changed)
    if about != "nobody asked":
        ctx["ti"].states["approve"] = "success"
        ctx["ti"].xcoms["approve", "approval"] = Approval(
            answer="approved", who="ada", answered=datetime(2026, 1, 1, tzinfo=UTC), challenger="m2", champion=about,
            answer_within=60,
        ).model_dump(mode="json")  # fmt: skip
    return ctx


@pytest.fixture
def serving(sm: FakeSageMaker, s3: Any) -> FakeSageMaker:
    """An endpoint that serves m1."""
    sm.model("m1", art_run_id="r1", art_run_folder=BEFORE)
    promote(sm, s3, "m1", None)
    return sm


@pytest.mark.parametrize(
    ("verdict", "approval", "said"),
    [("keep", "never", "It is keep."), ("doubt", "never", "It is doubt."), ("doubt", "on_doubt", "Nobody has approved"),
     ("promote", "always", "Nobody has approved"), ("keep", "always", "It is keep.")],
)  # fmt: skip
def test_what_was_neither_promoted_nor_approved_leaves_the_endpoint_alone(
    serving: FakeSageMaker, s3: Any, verdict: str, approval: str, said: str
) -> None:
    """Whoever marks the gate or the approval as success, or clears this task, does not deploy by that."""
    ctx = came(s3, verdict, approval, "m1")
    calls = list(serving.calls)
    assert update(serving, s3, approval).execute(ctx) is None
    assert serving.calls == calls
    assert holder(s3) is None
    assert ctx["ti"].xcoms["update_endpoint", "kept"].startswith(said)


@pytest.mark.parametrize(("verdict", "approval"), [("doubt", "on_doubt"), ("doubt", "always"), ("promote", "always")])
def test_what_a_person_approved_goes_on(serving: FakeSageMaker, s3: Any, verdict: str, approval: str) -> None:
    """As after a promotion."""
    with pytest.raises(TaskDeferred) as deferred:
        update(serving, s3, approval).execute(came(s3, verdict, approval, "m1", about="m1"))
    assert deferred.value.method_name == "settled"
    assert serving.calls[-1] == "update_endpoint"


def scored(fake: FakeSageMaker, bucket: Any, approval: str) -> tuple[Any, dict[str, str]]:
    """m2, approved in doubt beside m0, meets m1 and is scored beside it, far better: the context, and the event."""
    ctx = came(bucket, "doubt", approval, "m0", about="m0")
    runs.write(bucket, RUN, BEFORE)
    storage.write_bytes(bucket, f"{RUN}/transform/challenger/test.csv.out", runs.predictions(1.0, seed=1))
    with pytest.raises(TaskDeferred):
        update(fake, bucket, approval).execute(ctx)
    (job,) = fake.transforms.values()
    job["TransformJobStatus"] = "Completed"
    uri = job["TransformOutput"]["S3OutputPath"]
    storage.write_bytes(bucket, f"{uri}/test.csv.out", runs.predictions(5.0, seed=2))
    return ctx, {"job_name": job["TransformJobName"]}


def test_an_approval_beside_an_older_champion_does_not_cover_another_comparison(
    serving: FakeSageMaker, s3: Any
) -> None:
    """Better than the new champion too; but the policy asks a person about every change, and nobody saw this one."""
    ctx, event = scored(serving, s3, "always")
    calls = list(serving.calls)
    assert update(serving, s3, "always").scored(ctx, event) is None
    assert serving.calls == calls
    assert storage.read_record(s3, folder("decision.json"), Decision).verdict == "promote"
    assert "ada approved m2 as compared with champion m0, but champion m1" in ctx["ti"].xcoms["update_endpoint", "kept"]
    # A retry, or a clearing of this task alone, changes nothing about that.
    assert update(serving, s3, "always").execute(ctx) is None
    assert serving.calls == calls


def test_evidence_that_needs_no_approval_goes_on_after_a_rematch(serving: FakeSageMaker, s3: Any) -> None:
    """A person is asked in doubt only, and against the new champion there is none."""
    ctx, event = scored(serving, s3, "on_doubt")
    with pytest.raises(TaskDeferred) as deferred:
        update(serving, s3, "on_doubt").scored(ctx, event)
    assert deferred.value.method_name == "settled"
    serving.settle(ENDPOINT)
    done = update(serving, s3, "on_doubt").settled(ctx, {})
    assert (done["model_name"], done["previous_model"]) == ("m2", "m1")
