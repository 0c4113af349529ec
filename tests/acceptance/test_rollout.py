"""Rollouts on real Airflow and the embedded AWS: two runs for one endpoint at once, a bad canary, and the way back."""

from __future__ import annotations

import csv
import io
import json

import pytest

from automl_retraining.sagemaker import storage
from scripts.stack import BUCKET, salt_of
from tests.acceptance import rollout_tables
from tests.acceptance.conftest import World
from tests.acceptance.rollout_tables import PIPELINE, RIVAL
from tests.acceptance.test_main_job import folder, read
from tests.support.load import Load
from tests.support.local_aws_requests import ROLE
from tests.support.processing import SKLEARN
from tests.support.script_mode import archive

ENDPOINT = "accept-rollout"


@pytest.fixture(scope="module")
def world(world: World) -> World:
    """The world with the tables; both pipelines split in the same way."""
    rollout_tables.write(world.data)
    state = json.dumps({"salt": salt_of(PIPELINE), "cutoff": None})
    world.stack.aws_client("s3").put_object(Bucket=BUCKET, Key=f"{RIVAL}/state/split.json", Body=state.encode())
    return world


def a_row(world: World, outcome: dict[str, object]) -> bytes:
    """A row of the table, as the model takes it."""
    manifest = json.loads(read(world, f"{folder(outcome)}/manifest.json"))
    with (world.data / "rollout_weak.csv").open() as file:
        row = next(csv.DictReader(file))
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(row[name] for name in manifest["features"])
    return line.getvalue().encode()


def decided(world: World, dag_id: str, run_id: str) -> bool:
    """Whether the run's gate has ended."""
    return world.api.tasks(dag_id, run_id).get("gate", {}).get("state") == "success"


def broken(world: World) -> str:
    """A model of the pipeline whose container does not come up."""
    name = "accept-rollout-broken"
    storage.write_bytes(
        world.stack.aws_client("s3"),
        f"s3://{BUCKET}/{name}/model.tar.gz",
        archive({"code/inference.py": "def model_fn(model_dir):\n    raise RuntimeError('of another shape')\n"}),
    )
    environment = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    container = {"Image": SKLEARN, "ModelDataUrl": f"s3://{BUCKET}/{name}/model.tar.gz", "Environment": environment}
    world.stack.aws_client("sagemaker").create_model(
        ModelName=name,
        PrimaryContainer=container,
        ExecutionRoleArn=ROLE,
        Tags=[{"Key": "art:pipeline", "Value": PIPELINE}],
    )
    return name


def serving(world: World) -> str:
    """The model that the endpoint serves."""
    sagemaker = world.stack.aws_client("sagemaker")
    config = sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointConfigName"]
    (variant,) = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    return str(variant["ModelName"])


def test_of_two_runs_at_once_the_slow_canary_is_rolled_back_and_one_trigger_undoes_the_other(world: World) -> None:
    """Whichever of the two comes first. A container that does not come up never takes traffic.

    Every request of a load is answered well throughout.
    """
    trains, rival, back = f"tuned_{PIPELINE}", f"tuned_{RIVAL}", f"rollback_{PIPELINE}"
    first = world.finished(trains, world.begin(trains, {}))
    assert first["outcome"] == "promoted", first
    runs = {
        trains: world.begin(trains, {"source": str(world.data / "rollout_better.csv")}),
        rival: world.begin(rival, {}),
    }
    world.until(
        lambda: any(decided(world, *run) for run in runs.items()), "one of the two is about to be deployed", 300
    )
    with Load(world.stack.aws_port, ENDPOINT, a_row(world, first), callers=64, rate=200) as load:
        assert world.wait(rival, runs[rival], 300) == "failed"
        second = world.finished(trains, runs[trains])
        assert second["outcome"] == "promoted", second
        assert second["previous_champion"] == first["champion"]
        assert serving(world) == second["champion"]

        refused_run = world.begin(back, {"to_model": broken(world)})
        assert world.wait(back, refused_run) == "failed"
        assert serving(world) == second["champion"]
        run_id = world.begin(back, {"reason": "complaints"})
        assert world.wait(back, run_id) == "success", world.explain(back, run_id)
        assert serving(world) == first["champion"]
    refused = world.outcome(rival, runs[rival])
    assert (refused["outcome"], refused["failed_tasks"]) == ("rolled_back", ["update_endpoint"]), refused
    assert "alarm art-alarm-accept-rollout.champion.latency-ms: Threshold Crossed" in refused["sentence"]
    assert "the champion still serves" in refused["sentence"]
    assert refused["champion"] in (first["champion"], second["champion"])

    broke = world.outcome(back, refused_run)
    assert (broke["outcome"], broke["champion"]) == ("failed", second["champion"])
    assert "did not pass the ping health check" in broke["sentence"]

    undone = world.outcome(back, run_id)
    assert (undone["champion"], undone["previous_champion"]) == (first["champion"], second["champion"])
    assert "rows of the run that made it are answered as they were then" in undone["sentence"]
    assert undone["reasons"] == ["complaints"]

    answers = load.answers
    assert (answers.lost, set(answers.statuses)) == ([], {200}), answers.refused
    assert load.count > 2000
