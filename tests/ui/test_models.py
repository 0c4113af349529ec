"""The pages of models: what they show out of run folders, the endpoint and Airflow."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from automl_retraining.ui.models import reigns
from automl_retraining.ui.summary import RunSummary, summarise
from tests.support import run_folders
from tests.support.fake_sagemaker import error
from tests.ui.conftest import AB_RUN, BUCKET, RUNS, World


@pytest.fixture
def page(world: World) -> Any:
    """The page of the model churn."""
    return world.settled()


def scheduled(page: Any) -> list[Any]:
    """The runs of the page that the world began with."""
    mine = {run_folders.run_id(number) for number in range(RUNS)}
    return [run for run in page["runs"] if run["run_id"] in mine]


def test_a_models_page_shows_its_runs_newest_first(page: Any) -> None:
    """With the verdict, the gate's metric of both models, and what it cost."""
    runs = scheduled(page)
    assert [run["run_id"] for run in runs] == [run_folders.run_id(number) for number in reversed(range(RUNS))]
    newest = runs[0]
    _, evaluation, _, _, _ = run_folders.judged()
    f1 = evaluation.metric("f1")
    assert f1 is not None
    assert f1.difference is not None
    assert newest["metric"] == "f1"
    assert newest["gain"] == f1.difference.model_dump()
    assert newest["against"] == "champion"
    assert (newest["outcome"], newest["verdict"], newest["dag_id"]) == ("kept", "keep", "autopilot_churn")
    assert (newest["billable_seconds"], newest["kind"], newest["candidates"]) == (905.0, "automl", 10)
    assert (newest["rows"], newest["error"]) == (2400, None)
    assert datetime.fromisoformat(newest["created"]).tzinfo is not None


def test_the_champions_follow_each_other(page: Any) -> None:
    """Every third run was promoted: two champions, each with its run and its metric, the newer one still serving."""
    found = [(one["model"], one["run_id"], one["until"]) for one in page["champions"]]
    second = run_folders.records(3)["outcome"].finished  # type: ignore[attr-defined]
    assert found == [
        ("art-model-3", run_folders.run_id(3), None),
        ("art-model-0", run_folders.run_id(0), second.isoformat().replace("+00:00", "Z")),
    ]
    assert page["champions"][0]["metric"]["value"] > 0.5


def test_the_table_of_models_says_what_serves_and_how_it_goes(world: World, page: Any) -> None:
    """The same line as on the page: trend oldest first, freshness of the newest data, the DAGs."""
    line = next(one for one in world.browser().json("/api/models")["models"] if one["pipeline"] == "churn")
    assert line["metric"] == {"name": "f1", "greater_is_better": True}
    assert line["schedule"] == {"cron": "0 5 * * 1", "asset": None}
    assert [dag["dag_id"] for dag in line["dags"]] == ["autopilot_churn", "tuned_churn", "rollback_churn"]
    assert [dag["scheduled"] for dag in line["dags"]] == [True, False, False]
    assert [one["finished"] for one in line["trend"]] == sorted(one["finished"] for one in line["trend"])
    assert line["runs"] >= RUNS
    assert line["champion"]["run_id"] == page["model"]["champion"]["run_id"]
    assert line["champion"]["model"] == "art-model-3"


def test_an_ab_test_is_a_run_beside_those_that_train(world: World) -> None:
    """Its folder is elsewhere; its line, its page and the DAG's link are as for any run."""
    found = world.settled("other")
    line = next(one for one in found["runs"] if one["run_id"] == AB_RUN)
    assert (line["dag_id"], line["outcome"], line["challenger_model"]) == ("ab_other", "promoted", "art-model-0")
    assert [dag["dag_id"] for dag in found["model"]["dags"]] == [
        "autopilot_other", "tuned_other", "ab_other", "rollback_other",
    ]  # fmt: skip
    run = world.browser().json(f"/api/runs/ab_other/{AB_RUN}")
    assert run["folder"] == f"s3://{BUCKET}/other/ab/{AB_RUN}"
    assert run["records"]["outcome"]["sentence"] == "Promoted: nothing speaks against it."
    assert world.browser().get(f"/api/runs/autopilot_other/{AB_RUN}").status_code == 404


def test_the_data_are_held_against_those_of_the_champion(page: Any) -> None:
    """The column that moved comes first, in standard deviations."""
    drift = page["drift"]
    assert drift["against_run_id"] == run_folders.run_id(3)
    first = drift["columns"][0]
    newest = page["model"]["freshness"]["run_id"]
    assert drift["run_id"] == newest
    assert first["name"] == "minutes"
    assert first["shift"] == pytest.approx((first["mean"] - first["mean_before"]) / 50)
    assert first["shift"] > 0


def test_an_endpoint_is_shown_with_its_variants(world: World, page: Any) -> None:
    """Names, models, weights and instances; asked once for many viewers."""
    found = page["model"]["endpoint"]
    assert (found["status"], found["config"], found["error"]) == ("InService", "art-config", None)
    assert [(one["name"], one["model"], one["weight"], one["instances"]) for one in found["variants"]] == [
        ("champion", "art-model-3", 0.9, 2),
        ("canary", "art-model-4", 0.1, 1),
    ]
    other = world.settled("other")["model"]
    assert (other["endpoint"]["status"], other["champion"]) == ("none", None)
    before = world.sm.count("describe_endpoint")
    for _ in range(5):
        world.browser("reader").json("/api/models")
    assert world.sm.count("describe_endpoint") == before


def test_an_aws_that_refuses_is_said_in_the_line(world: World) -> None:
    """The rest of the page is shown."""
    world.service._servings._kept.clear()
    world.sm.failing.append(("describe_endpoint", error("AccessDeniedException", "not yours")))
    line = world.browser("reader").json("/api/models/churn")["model"]
    world.service._servings._kept.clear()
    assert line["endpoint"]["status"] == "unknown"
    assert "AccessDeniedException: not yours; give the connection's role that right" in line["endpoint"]["error"]
    assert line["champion"]["model"] == "art-model-3"  # what the last run found to serve
    assert line["runs"] >= RUNS


def test_the_runs_come_in_pages_and_by_outcome(world: World, page: Any) -> None:
    """What is not a number or an outcome is refused."""
    browser = world.browser("reader")
    assert page["progress"]["ready"]
    kept = browser.json("/api/models/churn/runs", limit=2, offset=1, outcome="kept")
    assert [run["run_id"] for run in kept["runs"]] == [run_folders.run_id(number) for number in (4, 2)]
    assert kept["total"] == 4
    for bad in ({"limit": 0}, {"limit": 100_000}, {"offset": -1}, {"outcome": "<script>"}):
        assert browser.get("/api/models/churn/runs", **bad).status_code == 422


def test_the_dag_tab_finds_its_pipeline(world: World) -> None:
    """``~`` with a DAG is that DAG's pipeline; a DAG that retrains nothing has no such page."""
    assert world.browser().json("/api/models/~", dag_id="tuned_churn")["model"]["pipeline"] == "churn"
    answer = world.browser().get("/api/models/~", dag_id="somebody_elses")
    assert answer.status_code == 404
    assert "retrains no model" in answer.json()["detail"]
    assert world.browser("reader").get("/api/models/~", dag_id="tuned_churn").status_code == 403
    assert world.browser("reader").get("/models/~", dag_id="autopilot_churn").status_code == 200


def test_a_rollback_shows_as_the_model_before_serving_again() -> None:
    """By what each run found to serve."""

    def run(day: int, challenger: str, serves: str) -> RunSummary:
        at = datetime(2026, 1, day, tzinfo=UTC)
        return RunSummary(f"r{day}", "d", at, at, "promoted", challenger_model=challenger, serves=serves)

    found = reigns([run(3, "c", "a"), run(2, "b", "b"), run(1, "a", "a")])
    assert [(one.model, one.run_id, one.until and one.until.day) for one in found] == [
        ("a", "r1", None),
        ("b", "r2", 3),
        ("a", "r1", 2),
    ]


def test_a_record_of_another_version_is_an_error_in_the_line_not_of_the_list() -> None:
    """The rest of the run is shown."""
    found = {name: record.to_json().encode() for name, record in run_folders.records(1).items()}
    found["evaluation"] = b'{"format": 2}'
    line = summarise("folder", found, dict.fromkeys(found, True))
    assert line.outcome == "kept"
    assert line.challenger is None
    assert line.error is not None
    assert line.error.startswith("evaluation.json: expected the record Evaluation, found something else: member")


def test_a_metric_that_this_version_does_not_know_is_no_error() -> None:
    """Its values are shown, how much better is not known."""
    made = run_folders.records(1)
    text = {name: record.to_json().replace('"f1"', '"f_half"').encode() for name, record in made.items()}
    line = summarise("folder", text, dict.fromkeys(text, True))
    assert (line.error, line.metric, line.gain, line.against) == (None, "f_half", None, None)
    assert line.challenger is not None


@pytest.mark.parametrize("first", [0, 1, 40, 300, 2000])
def test_the_beginning_of_a_record_is_enough_for_the_list_however_it_is_cut(first: int) -> None:
    """What the beginning does not hold is unknown; nothing is made up."""
    whole = {name: record.to_json().encode() for name, record in run_folders.records(2, candidates=50).items()}
    cut = {**whole, "leaderboard": whole["leaderboard"][:first], "manifest": whole["manifest"][:first]}
    line = summarise(run_folders.run_id(2), cut, {})
    full = summarise(run_folders.run_id(2), whole, dict.fromkeys(whole, True))
    assert line.run_id == full.run_id
    assert line.billable_seconds in (None, full.billable_seconds)
    assert line.rows in (None, full.rows)
    assert line.candidates is None
    assert full.candidates == 50
    if first == 2000:
        assert (line.billable_seconds, line.rows) == (full.billable_seconds, full.rows)
