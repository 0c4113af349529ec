"""Refits on real Airflow and the embedded AWS: the champion's own jobs run again, whichever way it was made."""

from __future__ import annotations

import json
from typing import Any

from tests.acceptance.conftest import World
from tests.acceptance.test_main_job import folder, read, run

JOBS = ("preprocess", "fit_processor", "features_model", "make_features", "train", "search_again")


def refit(world: World, pipeline: str, conf: dict[str, Any]) -> tuple[set[str], dict[str, Any], dict[str, Any]]:
    """Refit: the tasks of the way that it went, its outcome and its lineage."""
    run_id, outcome = run(world, f"refit_{pipeline}", conf)
    tasks = world.api.tasks(f"refit_{pipeline}", run_id)
    lineage = json.loads(read(world, f"{folder(outcome)}/lineage.json"))
    return {task for task in JOBS if tasks[task]["state"] == "success"}, outcome, lineage


def images(world: World, model: str) -> list[str]:
    """The containers' images of a model."""
    described = world.stack.aws_client("sagemaker").describe_model(ModelName=model)
    return [each["Image"] for each in described.get("Containers") or [described["PrimaryContainer"]]]


def test_without_a_champion_a_refit_says_what_to_run_and_with_one_it_refits(world: World) -> None:
    """A processing and a training job, run again; nothing is scored or trained before find_jobs."""
    dag_id = "refit_accept_refit_cars"
    world.api.wait_for_dag(dag_id)
    world.api.unpause(dag_id)
    run_id, state = world.run(dag_id, {})
    assert state == "failed"
    outcome = world.outcome(dag_id, run_id)
    assert outcome["failed_tasks"] == ["find_jobs"]
    assert "found that it serves none yet: run tuned_accept_refit_cars instead" in outcome["sentence"]
    assert (
        not world.stack.aws_client("s3")
        .list_objects_v2(
            Bucket=folder(outcome).split("/")[2], Prefix=f"{folder(outcome).split('/', 3)[3]}/transform/champion"
        )
        .get("Contents")
    )

    _, first = run(world, "tuned_accept_refit_cars", {})
    assert first["outcome"] == "promoted", first
    way, second, lineage = refit(world, "accept_refit_cars", {})
    assert way == {"preprocess", "train"}
    assert lineage["training_job"] == first["facts"]["jobs"]["search"]
    # The same rows and the same jobs: the evidence cannot tell the two apart.
    assert second["outcome"] == "kept", second
    job = world.stack.aws_client("sagemaker").describe_training_job(TrainingJobName=second["facts"]["jobs"]["search"])
    assert job["EnableManagedSpotTraining"] is True


def test_the_steps_of_a_tuned_candidate_are_run_again_on_more_rows(world: World) -> None:
    """Data processor, transform, algorithm; whatever the gate says of it, the challenger has the champion's images."""
    _, first = run(world, "autopilot_accept_refit_steps", {})
    assert first["outcome"] == "promoted", first
    more = {"source": str(world.data / "churn_full.csv")}
    way, second, lineage = refit(world, "accept_refit_steps", more)
    assert way == {"fit_processor", "features_model", "make_features", "train"}
    assert lineage["way"] == "autopilot"
    assert second["outcome"] in ("promoted", "kept"), second
    assert images(world, second["challenger"]) == images(world, first["champion"])
    evaluation = json.loads(read(world, f"{folder(second)}/evaluation.json"))
    auc = next(metric for metric in evaluation["metrics"] if metric["name"] == "roc_auc")
    assert auc["challenger"]["value"] > 0.8


def test_an_ensemble_is_searched_again_in_its_mode_and_of_its_algorithm(world: World) -> None:
    """There are no steps to run again."""
    _, first = run(world, "autopilot_accept_refit_ensemble", {})
    assert first["outcome"] == "promoted", first
    way, second, lineage = refit(world, "accept_refit_ensemble", {})
    assert way == {"search_again"}
    assert (lineage["way"], lineage["algorithms"]) == ("ensemble", ["lightgbm"])
    assert second["outcome"] in ("promoted", "kept"), second
