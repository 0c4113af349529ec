"""Every request has a time limit unless somebody says otherwise: no job runs, and costs, for ever."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from automl_retraining import sagemaker
from automl_retraining.operators.base import SageMakerJobOperator
from automl_retraining.sagemaker import refit, requests, steps
from automl_retraining.sagemaker.jobs import AUTOML, KINDS, PROCESSING, TRAINING, TRANSFORM, TUNING, JobKind
from automl_retraining.sagemaker.processing import create_processing_job
from automl_retraining.sagemaker.training import create_training_job
from automl_retraining.sagemaker.tuning import create_hyper_parameter_tuning_job
from tests.sagemaker import test_processing, test_refit, test_training, test_tuning
from tests.support.fake_sagemaker import operations, service_model

JOBS = [kind for kind in KINDS.values() if kind.stop is not None]
PATHS: dict[str, tuple[str, ...]] = {
    "automl": ("AutoMLProblemTypeConfig.TabularJobConfig.CompletionCriteria.MaxAutoMLJobRuntimeInSeconds",),
    "processing": ("StoppingCondition.MaxRuntimeInSeconds",),
    "training": ("StoppingCondition.MaxRuntimeInSeconds",),
    "tuning": (
        "HyperParameterTuningJobConfig.ResourceLimits.MaxRuntimeInSeconds",
        "TrainingJobDefinition.StoppingCondition.MaxRuntimeInSeconds",
    ),
    # SageMaker knows no limit for a transform: the task's own wait is it.
    "transform": (),
}


def at(request: Any, path: str) -> Any:
    """The member at a path of members."""
    for member in path.split("."):
        request = request[member]
    return request


def transform() -> dict[str, Any]:
    """The test rows'."""
    given = {"model_name": "m", "input_uri": "s3://b/i", "output_uri": "s3://b/o", "classification": True}
    return requests.create_transform_job("n", requests.TransformOptions.model_validate(given))


def automl() -> dict[str, Any]:
    """With nothing said that can be left unsaid."""
    given = {"train_uri": "s3://b/t", "target": "y", "output_uri": "s3://b/o", "role_arn": "arn:aws:iam::1:role/r"}
    return requests.create_auto_ml_job_v2("n", requests.AutoMLOptions.model_validate(given))


def features() -> dict[str, Any]:
    """A candidate's."""
    return steps.create_feature_transform(
        "n", model_name="m", rows_uri="s3://b/r", output_uri="s3://b/o", content_type="text/csv", instance_type="x"
    )


def processed_again() -> dict[str, Any]:
    """A champion's processing job whose description names no limit."""
    described = create_processing_job("old", test_processing.options())
    described.pop("StoppingCondition")
    given: dict[str, Any] = {"pipeline": test_refit.pipeline(), "role_arn": test_refit.ROLE, "inputs": {}}
    return refit.processing(described, "new", outputs={"train": "s3://b/t", "model": "s3://b/m"}, **given)


BUILDERS: list[tuple[JobKind, Callable[[], dict[str, Any]]]] = [
    (AUTOML, automl),
    (PROCESSING, lambda: create_processing_job("n", test_processing.options())),
    (PROCESSING, processed_again),
    (TRAINING, lambda: create_training_job("n", test_training.options())),
    (TRAINING, lambda: test_refit.training(test_refit.pipeline(), StoppingCondition={})),
    (TUNING, lambda: create_hyper_parameter_tuning_job("n", test_tuning.options())),
    (TRANSFORM, transform),
    (TRANSFORM, features),
]


@pytest.mark.parametrize(("kind", "build"), BUILDERS, ids=lambda value: getattr(value, "key", ""))
def test_a_request_has_a_time_limit_by_default(kind: JobKind, build: Callable[[], dict[str, Any]]) -> None:
    """Where SageMaker takes one; a refit whose champion's job names none gets a day."""
    request = build()
    for path in PATHS[kind.key]:
        assert 0 < at(request, path) <= 86400, path


def builders() -> Iterator[str]:
    """The functions of this project that make a create operation's arguments."""
    creates = {kind.create for kind in JOBS}
    for found in pkgutil.iter_modules(sagemaker.__path__):
        module = importlib.import_module(f"{sagemaker.__name__}.{found.name}")
        for name, value in vars(module).items():
            ours = getattr(value, "__module__", "") == module.__name__
            if ours and (name in creates or (name.startswith("create_") and name.endswith("_transform"))):
                yield name


def test_every_builder_is_held_to_it() -> None:
    """A new one needs its line above; every kind of job has one."""
    assert sorted(builders()) == sorted([*(kind.create for kind in JOBS), "create_feature_transform"])
    assert {kind.key for kind, _ in BUILDERS} == {kind.key for kind in JOBS} == set(PATHS)


def test_a_transform_job_has_no_limit_of_its_own() -> None:
    """Should SageMaker learn one, this tells; until then the task that waits stops it."""
    shape = service_model().operation_model(operations()[TRANSFORM.create]).input_shape
    assert not [member for member in shape.members if "Stopping" in member or "Runtime" in member]


def kinds_of_tasks(base: type[SageMakerJobOperator] = SageMakerJobOperator) -> Iterator[type[SageMakerJobOperator]]:
    """Every operator of a job."""
    for one in base.__subclasses__():
        yield one
        yield from kinds_of_tasks(one)


def test_every_task_stops_its_job_after_a_day_at_most() -> None:
    """Whatever its job's own limit: the wait ends, and the job with it."""
    for found in pkgutil.iter_modules(importlib.import_module("automl_retraining.operators").__path__):
        importlib.import_module(f"automl_retraining.operators.{found.name}")
    tasks = list(kinds_of_tasks())
    assert {task.kind.key for task in tasks if hasattr(task, "kind")} == {kind.key for kind in JOBS}
    assert inspect.signature(SageMakerJobOperator).parameters["max_wait"].default == 86400
    for task in tasks:
        own = inspect.signature(task).parameters.get("max_wait")
        assert own is None or 0 < own.default <= 86400, task
