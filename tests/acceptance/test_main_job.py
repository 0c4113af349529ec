"""The main job on real Airflow and the embedded AWS: trained, compared, promoted or kept, and recorded."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from tests.acceptance.conftest import World


def read(world: World, uri: str) -> bytes:
    """The bytes at an S3 URI."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bytes(world.stack.aws_client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())


def folder(outcome: dict[str, Any]) -> str:
    """The run folder of an outcome."""
    return str(outcome["report_uri"]).rpartition("/")[0]


def run(world: World, dag_id: str, conf: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Run the DAG to success and return its run id and outcome."""
    world.api.wait_for_dag(dag_id)
    world.api.unpause(dag_id)
    run_id, state = world.run(dag_id, conf)
    assert state == "success", world.explain(dag_id, run_id)
    return run_id, world.outcome(dag_id, run_id)


def test_classification_promotes_a_better_model_and_keeps_the_champion_against_an_equal_one(world: World) -> None:
    """First model promoted over the baseline; a real search on more rows promoted; the same again kept."""
    dag_id = "autopilot_accept_churn"
    first_run, first = run(world, dag_id, {"max_candidates": 1})
    assert first["outcome"] == "promoted"
    assert first["previous_champion"] is None
    endpoint = first["endpoint"]

    _, second = run(world, dag_id, {"source": str(world.data / "churn_full.csv"), "max_candidates": 5})
    assert second["outcome"] == "promoted", second
    assert second["previous_champion"] == first["champion"]

    third_run, third = run(world, dag_id, {"source": str(world.data / "churn_full.csv"), "max_candidates": 5})
    assert third["outcome"] == "kept", third
    assert third["champion"] == second["champion"]
    sagemaker = world.stack.aws_client("sagemaker")
    config = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    variants = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    assert [(variant["VariantName"], variant["ModelName"]) for variant in variants] == [
        ("champion", second["champion"])
    ]

    states = {name: task["state"] for name, task in world.api.tasks(dag_id, third_run).items()}
    assert states["keep_champion"] == "success"
    assert states["update_endpoint"] == states["smoke_test"] == "skipped"
    assert {name: task["state"] for name, task in world.api.tasks(dag_id, first_run).items()}[
        "score_champion"
    ] == "skipped"

    files = folder(second)
    manifest, evaluation, decision, board = (
        json.loads(read(world, f"{files}/{name}.json"))
        for name in ("manifest", "evaluation", "decision", "leaderboard")
    )
    assert decision["verdict"] == "promote"
    assert decision["reasons"]
    assert len(board["candidates"]) >= 5
    assert board["notebooks"]
    for notebook in board["notebooks"]:
        assert json.loads(read(world, notebook))["cells"]
    scores = list(csv.DictReader(io.StringIO(read(world, f"{files}/scores/challenger.csv").decode())))
    assert len(scores) == evaluation["rows"] + evaluation["rows_dropped"] == manifest["split"]["test"]["rows"]
    parts = [manifest["split"][part]["rows"] for part in ("train", "validation", "test")]
    assert sum(parts) == manifest["source"]["rows"] == 5000
    report = read(world, f"{files}/report.html").decode()
    assert 'src="http' not in report
    assert decision["sentence"].split(":")[0].split(" ")[0] in report


def test_regression_is_tuned_promoted_and_answers_as_batch_transform_did(world: World) -> None:
    """HYPERPARAMETER_TUNING on a regression table; the smoke test held the endpoint against batch transform."""
    dag_id = "autopilot_accept_diamonds"
    run_id, outcome = run(world, dag_id, {})
    assert outcome["outcome"] == "promoted"
    assert world.api.tasks(dag_id, run_id)["smoke_test"]["state"] == "success"
    model = world.stack.aws_client("sagemaker").describe_model(ModelName=outcome["champion"])
    assert len(model["Containers"]) == 2
    evaluation = json.loads(read(world, f"{folder(outcome)}/evaluation.json"))
    r2 = next(metric for metric in evaluation["metrics"] if metric["name"] == "r2")
    assert r2["challenger"]["low"] > 0.8
