"""The DAG that retrains with a processing and a tuning job: its shape and its form."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from airflow.sdk import DAG

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = "source: a.csv\ntarget: y\ngate: {metric: rmse}\ntrainers: [tuned]\nschedule: {cron: '@daily'}\n"


def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str = "") -> DAG:
    """The DAG of that pipeline."""
    (tmp_path / "p.yaml").write_text(PIPELINE + more)
    monkeypatch.setenv("AUTOML_RETRAINING_PIPELINES", str(tmp_path))
    found = runpy.run_path(str(ROOT / "dags" / "tuned.py"))
    return next(value for value in found.values() if isinstance(value, DAG))


def test_nothing_is_paid_before_the_table_and_the_endpoint_are_known_to_be_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Split and champion come before the first job; the ending is the one of every story."""
    dag = load(tmp_path, monkeypatch)
    after = {task.task_id: set(task.downstream_task_ids) for task in dag.tasks}
    assert dag.dag_id == "tuned_p"
    assert after["split"] == {"preprocess", "search", "score_champion"}
    assert after["champion"] == {"preprocess", "score_champion"}
    assert after["preprocess"] == {"search"}
    assert after["search"] == {"create_model"}
    assert after["gate"] == {"update_endpoint", "keep_champion"}


def test_the_form_asks_for_a_search_only_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One plain training has no number of jobs."""
    assert set(load(tmp_path, monkeypatch).params) == {
        "source", "max_jobs", "max_parallel", "max_run_time", "strategy",
    }  # fmt: skip
    single = load(tmp_path, monkeypatch, "tuning: {search: false}\n")
    assert set(single.params) == {"source"}
    assert type(single.get_task("search")).__name__ == "TrainOperator"


def test_of_several_trainers_the_schedule_starts_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One tick must not retrain the same model twice; schedule.trainer says which, else the first."""
    assert load(tmp_path, monkeypatch).schedule is not None
    text = PIPELINE.replace("[tuned]", "[autopilot, tuned]")
    (tmp_path / "p.yaml").write_text(text)
    found = runpy.run_path(str(ROOT / "dags" / "tuned.py"))
    assert next(value for value in found.values() if isinstance(value, DAG)).schedule is None
    (tmp_path / "p.yaml").write_text(text.replace("{cron", "{trainer: tuned, cron"))
    found = runpy.run_path(str(ROOT / "dags" / "tuned.py"))
    assert next(value for value in found.values() if isinstance(value, DAG)).schedule is not None
