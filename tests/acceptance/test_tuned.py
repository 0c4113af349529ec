"""Processing plus tuning on real Airflow and the embedded AWS, from the table to the endpoint."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests.acceptance.conftest import World
from tests.acceptance.test_main_job import folder, read, run

BROKEN = "tuned_accept_script"


@pytest.fixture(scope="module")
def began(world: World) -> dict[str, str]:
    """The first run of each pipeline, begun at once."""
    source = world.data / "broken_source"
    source.mkdir()
    (source / "script.py").write_text("raise ValueError('column horsepower is a riddle')\n")
    return {dag_id: world.begin(dag_id, {}) for dag_id in ("tuned_accept_cars", "tuned_accept_tuned", BROKEN)}


def test_a_small_regression_is_tuned_promoted_and_then_kept_for_lack_of_evidence(
    world: World, began: dict[str, str]
) -> None:
    """398 rows: the first model beats the mean; the next one cannot be told from it, and the report says so."""
    dag_id = "tuned_accept_cars"
    first = world.finished(dag_id, began[dag_id])
    assert first["outcome"] == "promoted", first
    model = world.stack.aws_client("sagemaker").describe_model(ModelName=first["champion"])
    assert len(model["Containers"]) == 2
    board = json.loads(read(world, f"{folder(first)}/leaderboard.json"))
    assert board["kind"] == "tuning"
    assert len(board["candidates"]) == 4
    assert board["candidates"][0]["hyperparameters"]["eta"]

    _, second = run(world, dag_id, {"max_jobs": 2})
    assert second["outcome"] == "kept", second
    evaluation = json.loads(read(world, f"{folder(second)}/evaluation.json"))
    rmse = next(metric for metric in evaluation["metrics"] if metric["name"] == "rmse")
    assert rmse["challenger"]["value"] < 5
    assert rmse["difference"]["low"] < 0 < rmse["difference"]["high"]
    assert "the champion stays" in second["sentence"]


def test_a_classification_of_two_algorithms_answers_labels_and_probabilities(
    world: World, began: dict[str, str]
) -> None:
    """The pipeline model speaks as Autopilot's do: label, probabilities, labels; the smoke test held it to that."""
    dag_id = "tuned_accept_tuned"
    run_id = began[dag_id]
    outcome = world.finished(dag_id, run_id)
    assert outcome["outcome"] == "promoted", outcome
    assert world.api.tasks(dag_id, run_id)["smoke_test"]["state"] == "success"
    board = json.loads(read(world, f"{folder(outcome)}/leaderboard.json"))
    assert {row["algorithm"] for row in board["candidates"]} == {"xgboost", "linear-learner"}
    manifest = json.loads(read(world, f"{folder(outcome)}/manifest.json"))
    with (world.data / "churn_small.csv").open() as file:
        row = next(csv.DictReader(file))
    line = io.StringIO()
    csv.writer(line).writerow(row[name] for name in manifest["features"])
    answer = world.stack.aws_client("sagemaker-runtime").invoke_endpoint(
        EndpointName=outcome["endpoint"], ContentType="text/csv", Accept="text/csv", Body=line.getvalue()
    )
    label, probabilities, labels = next(csv.reader([answer["Body"].read().decode()]))
    assert json.loads(labels) == ["no", "yes"]
    assert abs(sum(json.loads(probabilities)) - 1) < 1e-6
    assert label in ("no", "yes")


def test_the_last_line_of_a_broken_scripts_traceback_is_the_runs_reason(world: World, began: dict[str, str]) -> None:
    """Nothing was searched, and the outcome says which task failed and why."""
    run_id = began[BROKEN]
    assert world.wait(BROKEN, run_id) == "failed"
    outcome = world.outcome(BROKEN, run_id)
    assert outcome["failed_tasks"][0] == "preprocess"
    assert "column horsepower is a riddle" in outcome["sentence"]
    assert world.api.tasks(BROKEN, run_id)["search"]["state"] == "upstream_failed"
