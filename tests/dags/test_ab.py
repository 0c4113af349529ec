"""The DAG of A/B tests: its shape and its form."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError

ROOT = Path(__file__).resolve().parents[2]
MINIMAL = "source: a.csv\ntarget: y\ngate: {metric: rmse}\n"


@pytest.fixture
def dags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, DAG]:
    """The DAGs of four pipelines: without the section, with its defaults, without steps, and broken."""
    (tmp_path / "none.yaml").write_text(MINIMAL)
    (tmp_path / "p.yaml").write_text(MINIMAL + "ab: {share: 5}\nschedule: {cron: 0 5 * * 1}\n")
    (tmp_path / "q.yaml").write_text(MINIMAL + "ab: {shift: []}\n")
    (tmp_path / "broken.yaml").write_text(MINIMAL + "ab: {share: 99}\n")
    monkeypatch.setenv("AUTOML_RETRAINING_PIPELINES", str(tmp_path))
    found = runpy.run_path(str(ROOT / "dags" / "ab_test.py"))
    return {value.dag_id: value for value in found.values() if isinstance(value, DAG)}


def test_only_a_pipeline_that_asks_for_it_has_one_and_no_schedule_starts_it(dags: dict[str, DAG]) -> None:
    """A person does."""
    assert set(dags) == {"ab_p", "ab_q"}
    assert all(dag.schedule is None and dag.max_active_runs == 1 for dag in dags.values())


def test_the_tasks_follow_each_other_as_the_diagram_says(dags: dict[str, DAG]) -> None:
    """Without steps nothing is shifted; withdrawing and recording happen whatever happened."""
    after = {task.task_id: set(task.downstream_task_ids) for task in dags["ab_p"].tasks}
    assert after == {
        "start_variant": {"watch"},
        "watch": {"judge_ab"},
        "judge_ab": {"shift_weights"},
        "shift_weights": {"promote"},
        "promote": {"withdraw"},
        "withdraw": {"record"},
        "record": set(),
    }
    assert dags["ab_q"].get_task("judge_ab").downstream_task_ids == {"promote"}
    rules = {task.task_id: task.trigger_rule.value for task in dags["ab_p"].tasks if task.trigger_rule != "all_success"}
    assert rules == {"withdraw": "all_done", "record": "all_done"}


def test_the_form_has_the_pipelines_defaults_with_types_and_ranges(dags: dict[str, DAG]) -> None:
    """Nothing has to be filled in; the watch itself has limits, so the run has none."""
    dag = dags["ab_p"]
    assert dict(dag.params) == {"challenger": "", "share": 5, "watch": 3600, "min_invocations": 1000}
    for name, value in (("share", 51), ("share", 0), ("watch", 4), ("min_invocations", 0)):
        with pytest.raises(ParamValidationError):
            dag.params.get_param(name).resolve(value)
    assert dag.dagrun_timeout is None
