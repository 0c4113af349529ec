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
    """Split, champion and the checks come before the first job; the ending is the one of every story."""
    dag = load(tmp_path, monkeypatch)
    after = {task.task_id: set(task.downstream_task_ids) for task in dag.tasks}
    assert dag.dag_id == "tuned_p"
    assert after["split"] == {"check_data", "preprocess", "search"}
    assert after["preflight"] == {"check_data"}
    assert after["champion"] == {"check_data", "score_champion"}
    assert after["check_data"] == {"preprocess", "score_champion"}
    assert after["preprocess"] == {"search"}
    assert after["search"] == {"create_model"}
    assert after["gate"] == {"update_endpoint", "keep_champion"}


@pytest.mark.parametrize(("approval", "asks_always"), [("on_doubt", False), ("always", True)])
def test_a_person_stands_between_the_gate_and_the_endpoint_where_the_policy_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, approval: str, asks_always: bool
) -> None:
    """With always no way leads around them; the branch not taken skips nothing that both lead to."""
    text = PIPELINE.replace("rmse", f"rmse, approval: {approval}, approvers: [ada], answer_within: 2h")
    monkeypatch.setattr("tests.dags.test_tuned.PIPELINE", text)
    dag = load(tmp_path, monkeypatch)
    after = {task.task_id: set(task.downstream_task_ids) for task in dag.tasks}
    assert after["gate"] == {"approve", "keep_champion"} | (set() if asks_always else {"update_endpoint"})
    assert after["approve"] == {"update_endpoint", "keep_champion"}
    rules = {name: dag.get_task(name).trigger_rule.value for name in ("approve", *sorted(after["approve"]))}
    joined = "none_failed_min_one_success"
    assert rules == {"approve": "all_success", "update_endpoint": joined, "keep_champion": joined}
    # The person's time is not the run's: else the run would be failed while it waits.
    assert dag.dagrun_timeout is not None
    assert dag.dagrun_timeout.total_seconds() == 26 * 3600


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
