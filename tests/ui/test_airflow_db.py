"""What Airflow's database says of runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from airflow import settings
from sqlalchemy import text
from sqlalchemy.orm import scoped_session, sessionmaker

from automl_retraining.ui.airflow_db import Database, SubmittedBy
from tests.support.airflow_login import database

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Two runs of one DAG, one of another with the same id, and their tasks' XComs."""
    engine = database()
    monkeypatch.setattr(settings, "Session", scoped_session(sessionmaker(bind=engine, expire_on_commit=False)))
    rows = [
        (1, "autopilot_churn", "r1", "running"),
        (2, "autopilot_churn", "r2", "success"),
        (3, "tuned_churn", "r2", "failed"),
    ]
    with engine.begin() as connection:
        connection.execute(text("PRAGMA foreign_keys = OFF"))
        for number, dag_id, run_id, state in rows:
            connection.execute(
                text(
                    "INSERT INTO dag_run (id, dag_id, run_id, run_type, state, log_template_id, clear_number,"
                    " run_after, queued_at, span_status)"
                    " VALUES (:n, :d, :r, 'manual', :s, 1, 0, :at, :at, 'not_started')"
                ),
                {"n": number, "d": dag_id, "r": run_id, "s": state, "at": AT},
            )
        for task, key, value in (("search", "job_name", '"art-automl-1"'), ("split", "return_value", '{"a": 1}'),
                                 ("odd", "job_name", '{"not": "a name"}')):  # fmt: skip
            connection.execute(
                text(
                    "INSERT INTO xcom (dag_run_id, task_id, map_index, key, dag_id, run_id, value, timestamp)"
                    " VALUES (1, :t, -1, :k, 'autopilot_churn', 'r1', :v, :at)"
                ),
                {"t": task, "k": key, "v": value, "at": AT},
            )
    yield Database()
    engine.dispose()


def test_a_run_goes_on_is_over_or_is_not_known(runs: Database) -> None:
    """By DAG and run."""
    assert runs.state("autopilot_churn", "r1") == "running"
    assert runs.state("autopilot_churn", "r2") == "over"
    assert runs.state("tuned_churn", "r1") == "unknown"


def test_the_dag_of_a_run_is_told_only_where_it_is_one(runs: Database) -> None:
    """Two DAGs may have runs of the same id."""
    among = {"autopilot_churn", "tuned_churn"}
    assert runs.dags_of(["r1", "r2", "r3"], among) == {"r1": "autopilot_churn"}
    assert runs.dags_of(["r2"], {"tuned_churn"}) == {"r2": "tuned_churn"}
    assert runs.dags_of([], among) == {}


def test_the_jobs_of_a_run_are_those_its_tasks_left_behind(runs: Database) -> None:
    """Names of jobs, nothing else."""
    assert runs.jobs("autopilot_churn", "r1") == (SubmittedBy("search", "art-automl-1"),)
    assert runs.jobs("tuned_churn", "r2") == ()
