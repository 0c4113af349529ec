"""The DAG that goes back: its shape and its form."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from airflow.sdk import DAG

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def dags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, DAG]:
    """The DAGs of two pipelines, of which one retrains in several ways, beside a broken file."""
    (tmp_path / "p.yaml").write_text("source: a.csv\ntarget: y\ngate: {metric: rmse}\ntrainers: [tuned, refit]\n")
    (tmp_path / "q.yaml").write_text("source: a.csv\ntarget: y\ngate: {metric: rmse}\nschedule: {cron: 0 5 * * 1}\n")
    (tmp_path / "broken.yaml").write_text("source: a.csv\n")
    monkeypatch.setenv("AUTOML_RETRAINING_PIPELINES", str(tmp_path))
    found = runpy.run_path(str(ROOT / "dags" / "rollback.py"))
    return {value.dag_id: value for value in found.values() if isinstance(value, DAG)}


def test_each_pipeline_has_one_whatever_its_trainers_and_no_schedule_starts_it(dags: dict[str, DAG]) -> None:
    """A person does."""
    assert set(dags) == {"rollback_p", "rollback_q"}
    assert all(dag.schedule is None for dag in dags.values())


def test_one_trigger_is_enough_and_the_record_is_written_whatever_happened(dags: dict[str, DAG]) -> None:
    """Nothing in the form has to be filled in."""
    dag = dags["rollback_p"]
    assert {name: dag.params[name] for name in dag.params} == {"to_config": "", "to_model": "", "reason": ""}
    assert dag.get_task("rollback").downstream_task_ids == {"record"}
    assert str(dag.get_task("record").trigger_rule.value) == "all_done"
