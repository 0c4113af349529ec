"""The DAG that tunes chosen candidate definitions: its shape and its form."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = """source: a.csv
target: y
gate: {metric: rmse}
trainers: [candidates]
candidates: {pick: person, max_jobs: 7}
"""


@pytest.fixture
def dag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DAG:
    """The DAG of that pipeline."""
    (tmp_path / "p.yaml").write_text(PIPELINE)
    monkeypatch.setenv("AUTOML_RETRAINING_PIPELINES", str(tmp_path))
    found = runpy.run_path(str(ROOT / "dags" / "candidates.py"))
    return next(value for value in found.values() if isinstance(value, DAG))


def test_nothing_is_paid_before_the_table_and_the_endpoint_are_known_to_be_good(dag: DAG) -> None:
    """Split, champion and the checks come before the first job; the ending is the one of every story."""
    after = {task.task_id: set(task.downstream_task_ids) for task in dag.tasks}
    assert dag.dag_id == "candidates_p"
    assert after["preflight"] == {"check_data"}
    assert after["champion"] == {"check_data", "score_champion"}
    assert after["split"] == {"check_data", "definitions", "search"}
    assert after["check_data"] == {"definitions", "score_champion"}
    assert {"pick", "search"} <= after["definitions"]
    assert after["pick"] == {"fit_transformer"}
    assert after["fit_transformer"] == {"transformer_model", "transform_rows"}
    assert after["transform_rows"] == {"search"}
    assert after["search"] == {"create_model"}
    assert after["gate"] == {"update_endpoint", "keep_champion"}


def test_each_chosen_candidate_gets_tasks_of_its_own(dag: DAG) -> None:
    """The three tasks that make features are mapped over the choice, as one group."""
    group = dag.task_group.get_child_by_label("features")
    assert type(group).__name__ == "MappedTaskGroup"
    mapped = {task.task_id for task in dag.tasks if task.get_closest_mapped_task_group() is not None}
    assert mapped == {"fit_transformer", "transformer_model", "transform_rows"}


def test_the_form_asks_who_picks_and_for_the_budget(dag: DAG) -> None:
    """Defaults are the pipeline's; what cannot be is refused before the run."""
    assert set(dag.params) == {"source", "pick", "max_jobs", "max_parallel", "max_run_time"}
    assert (dag.params["pick"], dag.params["max_jobs"]) == ("person", 7)
    for name, value in (("pick", "dice"), ("max_jobs", 0), ("max_run_time", 60)):
        with pytest.raises(ParamValidationError):
            dag.params.get_param(name).resolve(value)
