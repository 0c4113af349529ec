"""What Airflow hands to a running task, without Airflow's database: a context with XComs, states and a state store."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

DAG_ID, RUN_ID = "autopilot_churn", "manual__2026-01-01"


class FakeStore(dict[str, Any]):
    """``task_state_store``."""

    def set(self, key: str, value: Any, **_: Any) -> None:
        """Keep a value."""
        assert value is not None
        self[key] = value

    def delete(self, key: str) -> None:
        """Forget a value."""
        self.pop(key, None)


class FakeTaskInstance:
    """``ti``: XComs by task and key, states by task."""

    def __init__(self, task_id: str, xcoms: dict[tuple[str, str], Any], states: dict[str, str]) -> None:
        self.dag_id, self.run_id, self.task_id = DAG_ID, RUN_ID, task_id
        self.map_index, self.try_number, self.max_tries = -1, 1, 0
        self.xcoms, self.states = xcoms, states

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep an XCom of this task."""
        self.xcoms[self.task_id, key] = value

    def xcom_pull(self, task_ids: str, key: str = "return_value") -> Any:
        """An XCom of a task of this run."""
        return self.xcoms.get((task_ids, key))

    def get_task_states(self, dag_id: str, run_ids: Iterable[str], task_ids: Any = None) -> dict[str, dict[str, str]]:
        """As Airflow answers."""
        assert dag_id == DAG_ID
        return {run_id: dict(self.states) for run_id in run_ids}

    def get_task_breadcrumbs(self, dag_id: str, run_id: str) -> Iterable[dict[str, Any]]:
        """As Airflow answers: the tasks that ended."""
        return [{"task_id": task, "state": state, "duration": 1.25} for task, state in self.states.items()]


class FakeDagRun:
    """``dag_run``."""

    clear_number = 0
    run_type = "manual"
    start_date = datetime(2026, 1, 1, tzinfo=UTC)


def context(task_id: str, **states: str) -> Any:
    """The context of one task; ``xcoms`` and the store are empty."""
    ti = FakeTaskInstance(task_id, {}, states)
    return {"ti": ti, "task_state_store": FakeStore(), "dag_run": FakeDagRun(), "run_id": RUN_ID}
