"""The DAGs that tidy up: their tasks, forms and schedules."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, CronTriggerTimetable
from airflow.sdk.exceptions import ParamValidationError

ROOT = Path(__file__).resolve().parents[2]
MINIMAL = "source: a.csv\ntarget: y\ngate: {metric: rmse}\n"

Load = Callable[..., dict[str, DAG]]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a DAG file with these pipeline files; its DAGs by id."""

    def loader(file: str, **files: str) -> dict[str, DAG]:
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        monkeypatch.setenv("AUTOML_RETRAINING_PIPELINES", str(tmp_path))
        found: dict[str, Any] = runpy.run_path(str(ROOT / "dags" / f"{file}.py"))
        return {value.dag_id: value for value in found.values() if isinstance(value, DAG)}

    return loader


def test_one_retention_for_all_pipelines_weekly_and_dry_by_default(load: Load) -> None:
    """One task, as they share connection, region and bucket; a broken file hides only itself."""
    (dag,) = load("retention", a=MINIMAL, b=MINIMAL, broken="source: x\n").values()
    assert dag.dag_id == "retention"
    assert [task.task_id for task in dag.tasks] == ["retire"]
    task: Any = dag.get_task("retire")
    assert [each.name for each in task.pipelines] == ["a", "b"]
    assert isinstance(dag.schedule, CronTriggerTimetable)
    assert (dag.max_active_runs, dag.catchup, dag.params["dry_run"]) == (1, False, True)


def test_each_account_region_and_bucket_has_a_task_of_its_own(load: Load) -> None:
    """They are looked at by other clients."""
    other = MINIMAL + "aws: {conn_id: other, region: eu-west-1, bucket: my-bucket}\n"
    (dag,) = load("retention", a=MINIMAL, b=other).values()
    assert {task.task_id for task in dag.tasks} == {"retire-aws_default", "retire-other-eu-west-1-my-bucket"}


@pytest.mark.parametrize(
    ("value", "dry"), [("false", False), ("False ", False), ("0", True), ("", True), ("flase", True)]
)
def test_only_a_plain_false_lets_the_weekly_run_delete(
    load: Load, monkeypatch: pytest.MonkeyPatch, value: str, dry: bool
) -> None:
    """A typing error must not."""
    monkeypatch.setenv("AUTOML_RETRAINING_RETENTION_DRY_RUN", value)
    assert load("retention", a=MINIMAL)["retention"].params["dry_run"] is dry


def test_without_a_pipeline_there_is_nothing_to_tidy(load: Load) -> None:
    """Nor a DAG without a task."""
    assert load("retention") == {}
    assert load("teardown") == {}


def test_each_pipeline_has_a_teardown_that_only_a_person_starts(load: Load) -> None:
    """Nothing is confirmed by default."""
    dags = load("teardown", a=MINIMAL, b=MINIMAL)
    assert set(dags) == {"teardown_a", "teardown_b"}
    dag = dags["teardown_a"]
    assert dag.schedule is None
    assert (dag.max_active_runs, dag.params["confirm"]) == (1, "")
    assert [task.task_id for task in dag.tasks] == ["remove"]
    assert "Type a" in str(dag.params.get_param("confirm").description)
    with pytest.raises(ParamValidationError):
        dag.params.get_param("confirm").resolve(True)


def test_one_sweep_for_all_pipelines_hourly_and_dry_by_default(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a plain ``false`` lets the hourly run stop jobs."""
    (dag,) = load("sweep", a=MINIMAL, b=MINIMAL).values()
    assert [task.task_id for task in dag.tasks] == ["sweep"]
    assert isinstance(dag.schedule, CronTriggerTimetable)
    assert (dag.max_active_runs, dag.catchup, dag.params["dry_run"], dag.params["grace"]) == (1, False, True, 600)
    monkeypatch.setenv("AUTOML_RETRAINING_SWEEP_DRY_RUN", "flase")
    assert load("sweep", a=MINIMAL)["sweep"].params["dry_run"] is True
    monkeypatch.setenv("AUTOML_RETRAINING_SWEEP_DRY_RUN", "False")
    assert load("sweep", a=MINIMAL)["sweep"].params["dry_run"] is False
