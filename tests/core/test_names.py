"""Names of resources and run folders."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_retraining.core.errors import ConfigError
from automl_retraining.core.names import job_name, name_limit, run_folder_name, run_folder_uri

TASK: dict[str, Any] = {
    "deployment": "default",
    "dag_id": "autopilot_churn",
    "run_id": "manual__2026-11-21T05:00:00+00:00",
    "task_id": "search",
    "map_index": -1,
    "clear_number": 0,
    "failures": 0,
}
LEGAL = re.compile(r"[a-z0-9](-*[a-z0-9])*")


@given(
    kind=st.sampled_from(["automl", "tuning", "transform", "processing", "training", "model", "config"]),
    dag_id=st.text(),
    run_id=st.text(),
    task_id=st.text(),
    deployment=st.text(),
)
def test_any_unicode_makes_a_legal_name(kind: str, dag_id: str, run_id: str, task_id: str, deployment: str) -> None:
    """Whatever the ids are, the name is legal, lower-case, within the kind's limit, and the same the next time."""
    task = {**TASK, "dag_id": dag_id, "run_id": run_id, "task_id": task_id, "deployment": deployment}
    name = job_name(kind, **task)
    assert LEGAL.fullmatch(name)
    assert name.startswith(f"art-{kind}-")
    assert len(name) <= name_limit(kind) == (32 if kind in ("automl", "tuning") else 63)
    assert job_name(kind, **task) == name


@pytest.mark.parametrize(
    "change",
    [
        {"deployment": "other"},
        {"dag_id": "autopilot_churn2"},
        {"run_id": "manual__2026-11-21T05:00:01+00:00"},
        {"task_id": "search2"},
        {"map_index": 0},
        {"clear_number": 1},
        {"failures": 1},
        {"run_started": "2026-11-21T05:00:00"},
        {"dag_id": "autopilot_churnsea", "task_id": "rch"},
    ],
)
def test_each_part_of_the_intent_changes_the_name(change: dict[str, Any]) -> None:
    """Another deployment, DAG, run, task, map index, clearing, failure or start is another job."""
    assert job_name("automl", **{**TASK, **change}) != job_name("automl", **TASK)


def test_a_name_can_be_recognised_in_a_console() -> None:
    """The DAG's last words stand in it, and the task's where there is room."""
    assert job_name("automl", **TASK).startswith("art-automl-churn-")
    assert job_name("transform", **TASK).startswith("art-transform-autopilot-churn-search-")


def test_a_kind_must_be_a_word() -> None:
    """A kind that would make an illegal prefix is refused in words."""
    with pytest.raises(ConfigError, match="lower-case letters"):
        job_name("Auto ML", **TASK)


@given(st.text(min_size=1))
def test_any_run_id_makes_a_folder_name(run_id: str) -> None:
    """The folder's name needs no escaping anywhere, cannot climb, and stays the same."""
    folder = run_folder_name(run_id)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}", folder)
    assert run_folder_name(run_id) == folder


@given(st.lists(st.text(min_size=1), min_size=2, max_size=20, unique=True))
def test_two_runs_never_share_a_folder(run_ids: list[str]) -> None:
    """Different ids have different folders, also those that differ only in characters that are replaced."""
    assert len({run_folder_name(run_id) for run_id in run_ids}) == len(run_ids)


def test_a_plain_run_id_is_its_folder() -> None:
    """An id that is legal stays readable; one that looks like a made-up name does not get away with it."""
    assert run_folder_name("nightly_1") == "nightly_1"
    made = run_folder_name("a:b")
    assert made.startswith("a-b-")
    assert run_folder_name(made) != made
    assert run_folder_uri("bucket", "churn", "nightly_1") == "s3://bucket/churn/runs/nightly_1"
