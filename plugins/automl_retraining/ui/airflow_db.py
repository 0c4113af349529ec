"""What Airflow itself knows of the runs: which DAG a run is of, whether it runs, and the names of its jobs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

State = Literal["running", "over", "unknown"]

_ONGOING = frozenset({"queued", "running"})


@dataclass(frozen=True)
class SubmittedBy:
    """A job that a task of the run submitted."""

    task_id: str
    job_name: str


class AirflowRuns(Protocol):
    """What the pages ask of Airflow."""

    def state(self, dag_id: str, run_id: str) -> State:
        """Whether the run is going on; unknown where Airflow has no such run (any more)."""
        ...

    def dags_of(self, run_ids: Iterable[str], among: Collection[str]) -> dict[str, str]:
        """The DAG of each of the runs that Airflow has, as far as it is one of those."""
        ...

    def jobs(self, dag_id: str, run_id: str) -> tuple[SubmittedBy, ...]:
        """The jobs of the run, by what its tasks left behind when they submitted them."""
        ...


class Database:
    """Airflow's database, read as Airflow's own API does."""

    def state(self, dag_id: str, run_id: str) -> State:
        """See ``AirflowRuns``."""
        from airflow.models import DagRun
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            found = session.scalar(select(DagRun.state).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
        if found is None:
            return "unknown"
        return "running" if str(getattr(found, "value", found)) in _ONGOING else "over"

    def dags_of(self, run_ids: Iterable[str], among: Collection[str]) -> dict[str, str]:
        """See ``AirflowRuns``. A run id that several of the DAGs have is left out: it cannot be told whose it is."""
        from airflow.models import DagRun
        from airflow.utils.session import create_session
        from sqlalchemy import select

        wanted = list(run_ids)
        if not wanted:
            return {}
        with create_session() as session:
            rows = session.execute(
                select(DagRun.run_id, DagRun.dag_id).where(DagRun.dag_id.in_(among), DagRun.run_id.in_(wanted))
            ).all()
        dags: dict[str, set[str]] = {}
        for run_id, dag_id in rows:
            dags.setdefault(run_id, set()).add(dag_id)
        return {run_id: next(iter(found)) for run_id, found in dags.items() if len(found) == 1}

    def jobs(self, dag_id: str, run_id: str) -> tuple[SubmittedBy, ...]:
        """See ``AirflowRuns``. An operator pushes ``job_name`` right after it has submitted a job."""
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            rows = session.scalars(
                select(XComModel).where(
                    XComModel.dag_id == dag_id, XComModel.run_id == run_id, XComModel.key == "job_name"
                )
            ).all()
            found = [(row.task_id, XComModel.deserialize_value(row)) for row in rows]
        return tuple(SubmittedBy(task_id, name) for task_id, name in found if isinstance(name, str))
