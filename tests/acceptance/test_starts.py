"""Runs that nobody triggers by hand: the clock and new data."""

from __future__ import annotations

from scripts.stack import BUCKET
from tests.acceptance.conftest import World


def test_a_cron_schedule_starts_a_run(world: World) -> None:
    """The scheduler starts the pipeline by its cron line, and the run succeeds."""
    dag_id = "autopilot_accept_cron"
    world.api.wait_for_dag(dag_id)
    world.api.unpause(dag_id)
    runs = world.until(lambda: world.api.get(f"dags/{dag_id}/dagRuns")["dag_runs"], "the cron run appears", 100)
    world.api.send("PATCH", f"dags/{dag_id}", {"is_paused": True})
    first = runs[0]
    assert first["run_type"] == "scheduled"
    world.api.unpause(dag_id)
    state = world.wait(dag_id, first["dag_run_id"])
    world.api.send("PATCH", f"dags/{dag_id}", {"is_paused": True})
    assert state == "success", world.explain(dag_id, first["dag_run_id"])


def test_an_asset_event_starts_a_run_on_the_data_it_names(world: World) -> None:
    """New data at S3, announced as an asset event, starts the pipeline on those data."""
    dag_id = "autopilot_accept_asset"
    s3 = world.stack.aws_client("s3")
    s3.upload_file(str(world.data / "churn_small.csv"), BUCKET, "incoming/churn-2026-11.csv")
    world.api.wait_for_dag(dag_id)
    world.api.unpause(dag_id)
    uri = "s3://automl-retraining/incoming/churn.csv"
    asset = next(a for a in world.api.get("assets")["assets"] if a["uri"] == uri)
    extra = {"source": f"s3://{BUCKET}/incoming/churn-2026-11.csv"}
    world.api.send("POST", "assets/events", {"asset_id": asset["id"], "extra": extra})
    runs = world.until(lambda: world.api.get(f"dags/{dag_id}/dagRuns")["dag_runs"], "the asset's run appears")
    assert runs[0]["run_type"] == "asset_triggered"
    assert world.wait(dag_id, runs[0]["dag_run_id"]) == "success", world.explain(dag_id, runs[0]["dag_run_id"])
    outcome = world.outcome(dag_id, runs[0]["dag_run_id"])
    assert outcome["outcome"] == "promoted"
