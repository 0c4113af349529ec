"""What a task may ask about the other tasks of its run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context


def states(context: Context) -> dict[str, str | None]:
    """The state of every task of this run, by task id; None where it has none yet."""
    ti: Any = context["ti"]
    found: dict[str, dict[str, Any]] = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id])
    return {
        task: None if state is None else str(getattr(state, "value", state))
        for task, state in found.get(ti.run_id, {}).items()
    }
