"""The DAG that retrains with Autopilot: its shape, its form, its schedule, and what loading it costs."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, Asset, CronTriggerTimetable
from airflow.sdk.exceptions import ParamValidationError

from automl_retraining.operators.form import source_of

ROOT = Path(__file__).resolve().parents[2]
DAG_FILES = sorted((ROOT / "dags").glob("*.py"))
HEAVY = ("pandas", "numpy", "boto3", "botocore", "sklearn", "scipy", "matplotlib", "sagemaker")
MINIMAL = "source: a.csv\ntarget: y\ngate: {metric: rmse}\n"


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, DAG]]:
    """Load the DAG file with these pipeline files; its DAGs by id."""

    def loader(**files: str) -> dict[str, DAG]:
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        monkeypatch.setenv("AUTOML_RETRAINING_PIPELINES", str(tmp_path))
        found = runpy.run_path(str(ROOT / "dags" / "autopilot.py"))
        return {value.dag_id: value for value in found.values() if isinstance(value, DAG)}

    return loader


@pytest.fixture
def dag(load: Callable[..., dict[str, DAG]]) -> DAG:
    """A pipeline with every default."""
    return load(p=MINIMAL)["autopilot_p"]


def test_the_tasks_follow_each_other_as_the_diagram_says(dag: DAG) -> None:
    """Task by task, what comes directly after it."""
    after = {task.task_id: set(task.downstream_task_ids) for task in dag.tasks}
    assert after == {
        "preflight": {"check_data"},
        "split": {"check_data", "search"},
        "check_data": {"search", "search_training", "score_champion"},
        "search": {"create_model"},
        "search_training": {"record"},
        "champion": {"check_data", "score_champion"},
        "score_champion": {"evaluate"},
        "create_model": {"score_challenger"},
        "score_challenger": {"evaluate"},
        "evaluate": {"gate"},
        "gate": {"update_endpoint", "keep_champion"},
        "update_endpoint": {"smoke_test"},
        "smoke_test": {"record"},
        "keep_champion": {"record"},
        "record": set(),
    }


def test_a_champion_that_cannot_be_scored_blocks_nothing_and_the_record_is_always_written(dag: DAG) -> None:
    """All other tasks need what is before them: an endpoint that may not be written stops the run unpaid."""
    rules = {task.task_id: task.trigger_rule.value for task in dag.tasks if task.trigger_rule.value != "all_success"}
    assert rules == {"evaluate": "all_done", "record": "all_done"}


def test_one_run_at_a_time_no_catch_up_retries_with_backoff_and_a_limit(dag: DAG) -> None:
    """What keeps an endpoint from two runs of one pipeline, and a run from lasting for ever."""
    assert (dag.max_active_runs, dag.catchup) == (1, False)
    assert dag.dagrun_timeout is not None
    assert dag.dagrun_timeout.total_seconds() == 24 * 3600
    for task in dag.tasks:
        assert (task.retries or 0) >= 2, task.task_id
        assert task.retry_exponential_backoff, task.task_id
        assert task.has_on_failure_callback, task.task_id


def test_the_form_has_the_pipelines_defaults_with_types_and_ranges(load: Callable[..., dict[str, DAG]]) -> None:
    """Every field says what it is."""
    dag = load(p=MINIMAL + "search: {mode: ENSEMBLING, max_candidates: 3, max_run_time: 5m}\n")["autopilot_p"]
    assert dict(dag.params) == {"source": "a.csv", "mode": "ENSEMBLING", "max_candidates": 3, "max_run_time": 300}
    for name in dag.params:
        param = dag.params.get_param(name)
        assert param.description, name
        assert {"type", "title"} <= param.schema.keys(), name


@pytest.mark.parametrize(
    ("name", "value"),
    [("source", ""), ("mode", "FAST"), ("max_candidates", 0), ("max_candidates", 751), ("max_candidates", "many"),
     ("max_run_time", 59)],
)  # fmt: skip
def test_the_form_refuses_what_the_search_would(dag: DAG, name: str, value: object) -> None:
    """Before the run starts."""
    param = dag.params.get_param(name)
    with pytest.raises(ParamValidationError):
        param.resolve(value)


def test_a_pipeline_runs_by_cron_in_utc_by_asset_or_by_hand(load: Callable[..., dict[str, DAG]]) -> None:
    """As its schedule says."""
    dags = load(
        by_cron=MINIMAL + 'schedule: {cron: "0 5 * * 1"}\n',
        by_asset=MINIMAL + 'schedule: {asset: "s3://bucket/new.csv"}\n',
        by_hand=MINIMAL,
    )
    cron = dags["autopilot_by_cron"].schedule
    assert isinstance(cron, CronTriggerTimetable)
    assert (cron.run_immediately, dags["autopilot_by_cron"].start_date) == (False, None)  # a new DAG waits for its time
    assert dags["autopilot_by_asset"].schedule == [Asset("s3://bucket/new.csv")]
    assert dags["autopilot_by_hand"].schedule is None


def test_only_pipelines_that_name_the_trainer_get_the_dag(load: Callable[..., dict[str, DAG]]) -> None:
    """The others have their own."""
    assert set(load(a=MINIMAL, b=MINIMAL + "trainers: [tuned]\n")) == {"autopilot_a"}


def test_a_broken_file_hides_only_itself(load: Callable[..., dict[str, DAG]]) -> None:
    """The other pipelines' DAGs are there."""
    assert set(load(good=MINIMAL, bad="source: x\n", worse=": :\n- [")) == {"autopilot_good"}


def event(at: int, **extra: str) -> Any:
    """An asset event."""
    return SimpleNamespace(timestamp=at, extra=extra)


def test_the_source_is_what_the_latest_asset_event_names_else_the_forms() -> None:
    """New data name themselves in the event's extra."""
    params = {"source": "form.csv"}
    assert source_of(params, None) == "form.csv"
    assert source_of(params, {"asset": [event(1)]}) == "form.csv"
    events = {"a": [event(2, source="s3://b/2.csv"), event(3)], "b": [event(1, source="s3://b/1.csv")]}
    assert source_of(params, events) == "s3://b/2.csv"


def test_loading_the_dag_files_imports_nothing_heavy() -> None:
    """A DAG file is loaded every few seconds: what only tasks need is imported inside tasks."""
    code = (
        "import json, runpy, sys\n"
        f"for path in {[str(path) for path in DAG_FILES]!r}: runpy.run_path(path)\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=ROOT
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_a_policy_of_not_inferior_scores_the_reference_too(load: Callable[..., dict[str, DAG]]) -> None:
    """After the champion, as it is often the same model; nothing else changes."""
    gate = "source: a.csv\ntarget: y\ngate: {metric: rmse, mode: non_inferiority, margin: 0.1}\n"
    plain, dag = load(p=MINIMAL)["autopilot_p"], load(p=gate)["autopilot_p"]
    assert set(dag.task_ids) - set(plain.task_ids) == {"score_reference"}
    assert dag.get_task("score_reference").upstream_task_ids == {"score_champion"}
    assert dag.get_task("score_reference").downstream_task_ids == {"evaluate"}
