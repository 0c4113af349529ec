"""Which pipelines there are, and which DAG is whose."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from automl_retraining.core.config import Pipeline, load_pipeline, pipeline_files
from automl_retraining.core.errors import ConfigError


@dataclass(frozen=True)
class DagOf:
    """One DAG of a pipeline: ``autopilot_churn`` is trainer ``autopilot``."""

    dag_id: str
    trainer: str
    scheduled: bool


def dags_of(pipeline: Pipeline) -> tuple[DagOf, ...]:
    """The DAGs that change that pipeline's model: each way to retrain it, its A/B test, and its way back."""
    others = ("rollback",) if pipeline.ab is None else ("ab", "rollback")
    clocked = pipeline.schedule.cron is not None or pipeline.schedule.asset is not None
    return (
        *(
            DagOf(f"{trainer}_{pipeline.name}", trainer, clocked and trainer == pipeline.scheduled_trainer)
            for trainer in pipeline.trainers
        ),
        *(DagOf(f"{other}_{pipeline.name}", other, scheduled=False) for other in others),
    )


def kind_of(pipeline: Pipeline, dag_id: str) -> str:
    """Where the run folders of that DAG of the pipeline's are: see ``folder.KINDS``."""
    return "ab" if dag_id == f"ab_{pipeline.name}" else "runs"


class Catalog:
    """The pipelines of the YAML files, read again when a file changes. A broken file hides only itself."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._read: dict[Path, tuple[tuple[int, int], Pipeline | None]] = {}
        self._lock = threading.Lock()

    def pipelines(self) -> dict[str, Pipeline]:
        """Every valid pipeline by name."""
        with self._lock:
            files = pipeline_files(self._folder)
            self._read = {path: self._current(path) for path in files}
            return {one.name: one for _, one in self._read.values() if one is not None}

    def of_dag(self, dag_id: str) -> Pipeline | None:
        """The pipeline whose model this DAG changes; None where it is no DAG of ours."""
        return next(
            (one for one in self.pipelines().values() if any(dag.dag_id == dag_id for dag in dags_of(one))), None
        )

    def _current(self, path: Path) -> tuple[tuple[int, int], Pipeline | None]:
        try:
            found = path.stat()
        except OSError:
            return (0, 0), None  # removed between the listing and now
        stamp = (found.st_mtime_ns, found.st_size)
        kept = self._read.get(path)
        if kept is not None and kept[0] == stamp:
            return kept
        try:
            return stamp, load_pipeline(path)
        except ConfigError:
            return stamp, None  # shown by Airflow as the import error of dags/check_pipelines.py
