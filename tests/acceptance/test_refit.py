"""Refits on real Airflow and the embedded AWS: the champion's own jobs run again, whichever way it was made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.acceptance.conftest import World
from tests.acceptance.test_main_job import folder, read

JOBS = ("preprocess", "fit_processor", "features_model", "make_features", "train", "search_again")


WAYS = {"cars": "tuned", "steps": "autopilot", "ensemble": "autopilot"}
"""By pipeline (accept_refit_…), what makes its champion."""


@dataclass(frozen=True)
class Refitted:
    """A champion, and its refit."""

    first: dict[str, Any]
    second: dict[str, Any]
    jobs: set[str]
    lineage: dict[str, Any]


@pytest.fixture(scope="module")
def refitted(world: World) -> dict[str, Refitted]:
    """Three champions made at once, then three refits at once."""
    began = {name: world.begin(f"{way}_accept_refit_{name}", {}) for name, way in WAYS.items()}
    firsts = {name: world.finished(f"{WAYS[name]}_accept_refit_{name}", run_id) for name, run_id in began.items()}
    more = {"steps": {"source": str(world.data / "churn_full.csv")}}
    began = {name: world.begin(f"refit_accept_refit_{name}", more.get(name, {})) for name in WAYS}
    found = {}
    for name, run_id in began.items():
        dag_id = f"refit_accept_refit_{name}"
        second = world.finished(dag_id, run_id)
        tasks = world.api.tasks(dag_id, run_id)
        jobs = {task for task in JOBS if tasks[task]["state"] == "success"}
        lineage = json.loads(read(world, f"{folder(second)}/lineage.json"))
        found[name] = Refitted(firsts[name], second, jobs, lineage)
    return found


def images(world: World, model: str) -> list[str]:
    """The containers' images of a model."""
    described = world.stack.aws_client("sagemaker").describe_model(ModelName=model)
    return [each["Image"] for each in described.get("Containers") or [described["PrimaryContainer"]]]


def test_every_champion_is_promoted_before_it_is_refitted(refitted: dict[str, Refitted]) -> None:
    """Else there would be nothing to refit."""
    assert {name: each.first["outcome"] for name, each in refitted.items()} == dict.fromkeys(WAYS, "promoted")


def test_a_tuned_champions_processing_and_training_jobs_run_again(world: World, refitted: dict[str, Refitted]) -> None:
    """On spot instances, as the pipeline asks; of the same rows the evidence cannot tell the two apart."""
    cars = refitted["cars"]
    assert cars.jobs == {"preprocess", "train"}
    assert cars.lineage["training_job"] == cars.first["facts"]["jobs"]["search"]
    assert cars.second["outcome"] == "kept", cars.second
    name = cars.second["facts"]["jobs"]["search"]
    assert world.stack.aws_client("sagemaker").describe_training_job(TrainingJobName=name)["EnableManagedSpotTraining"]


def test_the_steps_of_a_tuned_candidate_are_run_again_on_more_rows(world: World, refitted: dict[str, Refitted]) -> None:
    """Data processor, transform, algorithm; whatever the gate says of it, the challenger has the champion's images."""
    steps = refitted["steps"]
    assert steps.jobs == {"fit_processor", "features_model", "make_features", "train"}
    assert steps.lineage["way"] == "autopilot"
    assert steps.second["outcome"] in ("promoted", "kept"), steps.second
    assert images(world, steps.second["challenger"]) == images(world, steps.first["champion"])
    evaluation = json.loads(read(world, f"{folder(steps.second)}/evaluation.json"))
    auc = next(metric for metric in evaluation["metrics"] if metric["name"] == "roc_auc")
    assert auc["challenger"]["value"] > 0.8


def test_an_ensemble_is_searched_again_in_its_mode_and_of_its_algorithm(refitted: dict[str, Refitted]) -> None:
    """There are no steps to run again."""
    ensemble = refitted["ensemble"]
    assert ensemble.jobs == {"search_again"}
    assert (ensemble.lineage["way"], ensemble.lineage["algorithms"]) == ("ensemble", ["lightgbm"])
    assert ensemble.second["outcome"] in ("promoted", "kept"), ensemble.second
