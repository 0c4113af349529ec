"""The DAG that runs the champion's own jobs again: its shape and its form."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = "source: a.csv\ntarget: y\ngate: {metric: rmse}\ntrainers: [tuned, refit]\n"


@pytest.fixture
def dag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DAG:
    """The DAG of that pipeline."""
    (tmp_path / "p.yaml").write_text(PIPELINE)
    monkeypatch.setenv("AUTOML_RETRAINING_PIPELINES", str(tmp_path))
    found = runpy.run_path(str(ROOT / "dags" / "refit.py"))
    return next(value for value in found.values() if isinstance(value, DAG))


def test_nothing_is_paid_before_the_champions_jobs_are_found(dag: DAG) -> None:
    """Every job, scoring the champion too, comes after find_jobs."""
    assert dag.dag_id == "refit_p"
    find = dag.get_task("find_jobs")
    before = {"preflight", "split", "champion", "check_data"}
    assert before == set(find.get_flat_relative_ids(upstream=True))
    assert dag.get_task("check_data").upstream_task_ids == {"preflight", "split", "champion"}
    paid = {task.task_id for task in dag.tasks} - before - {"find_jobs"}
    assert paid == set(find.get_flat_relative_ids(upstream=False))


def test_the_branches_meet_in_one_result_for_the_shared_ending(dag: DAG) -> None:
    """A branch that was not taken does not skip what comes after it, and one that failed does."""
    find: Any = dag.get_task("find_jobs")
    assert set(find.branches.values()) | set(find.always) <= find.downstream_task_ids
    for task_id, branches in (("train", {"preprocess", "make_features"}), ("search", {"train", "search_again"})):
        task = dag.get_task(task_id)
        assert branches <= task.upstream_task_ids
        assert str(task.trigger_rule.value) == "none_failed_min_one_success"
    assert dag.get_task("search").downstream_task_ids == {"create_model"}
    assert dag.get_task("gate").downstream_task_ids == {"update_endpoint", "keep_champion"}


def test_the_form_asks_for_the_data_only(dag: DAG) -> None:
    """Everything else is the champion's."""
    assert set(dag.params) == {"source"}
    assert dag.schedule is None, "the first trainer named runs by the schedule"
