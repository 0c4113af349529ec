"""Jobs that a run left behind."""

from __future__ import annotations

from typing import Any

from automl_retraining.sagemaker import requests, sweep, tags
from automl_retraining.sagemaker.jobs import TRANSFORM
from tests.support.fake_sagemaker import FakeSageMaker

RUN: dict[str, Any] = {"deployment": "default", "pipeline": "churn", "run_id": "manual__1"}


def transform(sm: FakeSageMaker, name: str, **run: str) -> None:
    """A job in progress, of that run."""
    options = requests.TransformOptions(
        model_name="m", input_uri="s3://b/i", output_uri="s3://b/o", classification=True
    )
    own = tags.own_tags(run_folder="s3://b/r", **{**RUN, **run})
    sm.create_transform_job(**requests.create_transform_job(name, options, own))


def test_only_the_runs_own_jobs_in_progress_are_stopped() -> None:
    """Other runs', other pipelines', other Airflows' and others' jobs live; what has ended is left alone."""
    sm = FakeSageMaker()
    transform(sm, "art-transform-ours")
    transform(sm, "art-transform-ended")
    sm.set(TRANSFORM, "art-transform-ended", TransformJobStatus="Completed")
    transform(sm, "art-transform-run", run_id="manual__2")
    transform(sm, "art-transform-pipeline", pipeline="mpg")
    transform(sm, "art-transform-airflow", deployment="other")
    transform(sm, "my-art-transform-thing")
    said = sweep.stop_left_running(sm, **RUN)
    assert said == ["asked SageMaker to stop batch transform job art-transform-ours"]
    running = {name for (_, name), job in sm.jobs.items() if job["TransformJobStatus"] == "InProgress"}
    assert running == {
        "art-transform-run", "art-transform-pipeline", "art-transform-airflow", "my-art-transform-thing",
    }  # fmt: skip


def test_every_kind_that_can_be_stopped_is_swept() -> None:
    """Endpoints cannot be stopped."""
    assert all(kind.stop for kind in sweep.STOPPABLE)
