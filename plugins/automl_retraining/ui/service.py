"""What the routes ask for, with everything that is kept between requests. Nothing here knows of HTTP or of users.

Every method may wait for AWS or for a computation: call it in a thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from automl_retraining.core.config import Pipeline
from automl_retraining.core.profile_changes import side_by_side
from automl_retraining.sagemaker import storage
from automl_retraining.ui import downloads, live, models, run, serving, what_if
from automl_retraining.ui.airflow_db import AirflowRuns, Database, State, SubmittedBy
from automl_retraining.ui.aws import CONNECTIONS, AwsError, Clients, bucket_of, in_words
from automl_retraining.ui.cache import Cache
from automl_retraining.ui.catalog import Catalog, dags_of, kind_of
from automl_retraining.ui.folder import Entry, Folder, Shelf
from automl_retraining.ui.index import RunIndex, View
from automl_retraining.ui.serving_cache import Servings
from automl_retraining.ui.summary import RunSummary

LIVE = 2.0
"""Seconds that the state of a running job is good for: many viewers cost no more calls than one."""
OVER = 300.0
"""The same of a job that is over."""
PATIENCE = 0.8
"""Seconds that a first look at S3 and SageMaker is waited for; then the page gets what there is, and asks again."""
MOST_RUNS = 1000
"""Runs on a model's page."""


class NotFound(Exception):
    """There is no such pipeline, run or file. The message is for the page."""


class NotYet(Exception):
    """The run has not come that far. The message is for the page."""


class TooMuch(Exception):
    """More than a page may ask for. The message is for the page."""


def _live_age(job: Mapping[str, Any] | None) -> float:
    """Seconds that a look at a job is good for: one that is over changes no more."""
    return OVER if job is not None and job["phase"] in ("succeeded", "failed", "stopped") else LIVE


@dataclass(frozen=True)
class Found:
    """A run that was asked for: its folder as listed now, its records and whether it goes on."""

    pipeline: Pipeline
    dag_id: str
    run_id: str
    folder: Folder
    entries: Mapping[str, Entry]
    records: run.RunRecords
    state: State

    @property
    def stamp(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """Changes with every change of the folder's files."""
        return self.folder.uri, tuple((name, entry.etag) for name, entry in sorted(self.entries.items()))


class Service:
    """Everything the pages show.

    Args:
        catalog: the pipelines.
        clients: AWS, through Airflow's connections.
        airflow: what Airflow knows of its runs.
    """

    def __init__(
        self, catalog: Catalog | None = None, clients: Clients | None = None, airflow: AirflowRuns | None = None
    ) -> None:
        self.catalog = catalog or Catalog()
        self._clients = clients or Clients()
        self._airflow: AirflowRuns = airflow or Database()
        self._readers = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="automl-read")
        self._servings = Servings(self._serving, ThreadPoolExecutor(4, thread_name_prefix="automl-endpoint"))
        self._indexes: dict[tuple[str, str], RunIndex] = {}
        self._lock = threading.Lock()
        self._listed: Cache[dict[str, Entry]] = Cache(size=256, max_age=LIVE)
        self._records: Cache[run.RunRecords] = Cache(size=48, max_age=3600)
        self._plots: Cache[dict[str, Any]] = Cache(size=32, max_age=3600)
        self._replays: Cache[dict[str, Any]] = Cache(size=128, max_age=3600)
        self._drifts: Cache[dict[str, Any]] = Cache(size=64, max_age=600)
        self._lives: Cache[dict[str, Any] | None] = Cache(size=512, max_age=LIVE)
        self._histories = live.Histories()

    # ------------------------------------------------------------ models

    def models(self, readable: Collection[str]) -> dict[str, Any]:
        """The table of models: the pipelines of which one of these DAGs is."""
        until = time.monotonic() + PATIENCE
        shown = [one for one in self.catalog.pipelines().values() if self._dag_ids(one) & set(readable)]
        for one in shown:
            self._servings.start(one)
            self._index(one).view()
        return {"models": [self._model(one, readable, until)[0] for one in shown]}

    def model(self, name: str, readable: Collection[str]) -> dict[str, Any]:
        """A model's page."""
        pipeline = self.pipeline(name)
        line, runs, view = self._model(pipeline, readable, time.monotonic() + PATIENCE)
        return {
            "model": line,
            "runs": runs[:MOST_RUNS],
            "champions": models.reigns(runs),
            "drift": self._drift(pipeline, line, runs),
            "progress": models.progress(view),
            "error": view.error,
        }

    def runs(
        self, name: str, readable: Collection[str], *, limit: int, offset: int, outcome: str | None
    ) -> dict[str, Any]:
        """A page of the runs of a model, newest first."""
        pipeline = self.pipeline(name)
        view = self._index(pipeline).view(PATIENCE)
        runs = [one for one in self._visible(pipeline, view, readable) if outcome in (None, one.outcome)]
        return {
            "runs": runs[offset : offset + limit],
            "total": len(runs),
            "progress": models.progress(view),
            "error": view.error,
        }

    def pipeline(self, name: str) -> Pipeline:
        """The pipeline of that name; NotFound where there is none."""
        found = self.catalog.pipelines().get(name)
        if found is None:
            raise NotFound(
                f"expected the name of a pipeline, found {name!r}: its YAML file was removed, or does not load (then "
                "Airflow shows an import error)"
            )
        return found

    def pipeline_of_dag(self, dag_id: str) -> Pipeline:
        """The pipeline that the DAG is of; NotFound where it is none of ours."""
        found = self.catalog.of_dag(dag_id)
        if found is None:
            raise NotFound(f"DAG {dag_id!r} retrains no model: only the DAGs of a pipeline's YAML file have this page")
        return found

    def _model(
        self, pipeline: Pipeline, readable: Collection[str], until: float
    ) -> tuple[dict[str, Any], tuple[RunSummary, ...], View]:
        view = self._index(pipeline).view(max(0.0, until - time.monotonic()))
        runs = self._visible(pipeline, view, readable)
        return models.model(pipeline, runs, view, self._servings.get(pipeline, until), readable), runs, view

    def _visible(self, pipeline: Pipeline, view: View, readable: Collection[str]) -> tuple[RunSummary, ...]:
        every = self._dag_ids(pipeline)
        unknown = [one.run_id for one in view.runs if one.dag_id is None]
        known = self._airflow.dags_of(unknown, every) if unknown else {}
        return models.visible(models.with_dags(view.runs, known), readable, every)

    def _drift(self, pipeline: Pipeline, line: Mapping[str, Any], runs: Collection[RunSummary]) -> dict[str, Any]:
        """The newest data beside those that the champion was trained on."""
        newest, champion = line["freshness"], line["champion"]
        if not line["progress"]["ready"]:
            return {"reason": "The runs are still being read."}
        if newest is None:
            return {"reason": "No run has read the data yet."}
        if champion is None:
            return {"reason": "No champion serves yet, so there is nothing to hold the data against."}
        if champion["run_id"] not in {one.run_id for one in runs}:
            return {"reason": f"It is not known which run made the champion {champion['model']}."}
        if champion["run_id"] == newest["run_id"]:
            return {"reason": "The champion was trained on the newest data."}

        def compare() -> dict[str, Any]:
            shelf = self._shelf(pipeline)
            now, then = (run.manifest_of(shelf, run_id) for run_id in (newest["run_id"], champion["run_id"]))
            if now is None or then is None:
                return {"reason": "The manifest of one of the two runs is missing or cannot be read."}
            columns = sorted(side_by_side(now, then), key=lambda one: one.size, reverse=True)
            return {"run_id": now.run_id, "against_run_id": then.run_id, "columns": columns}

        key = (pipeline.name, newest["run_id"], newest["created"], champion["run_id"])
        try:
            with in_words("read the profiles of the data"):
                return self._drifts.get(key, compare)
        except AwsError as error:
            return {"reason": str(error)}

    # ------------------------------------------------------------ one run

    def find(self, dag_id: str, run_id: str) -> Found:
        """The run of that DAG.

        Raises:
            NotFound: the DAG is none of ours, it has no such run, or the run is another DAG's.
            AwsError: the folder cannot be read.
        """
        pipeline = self.pipeline_of_dag(dag_id)
        with in_words(f"read run {run_id}"):
            folder = self._shelf(pipeline).run(run_id, kind_of(pipeline, dag_id))
            entries = self._listed.get((folder.uri, ""), folder.entries)
            stamp = tuple((name, entry.etag) for name, entry in sorted(entries.items()))
            records = self._records.get((folder.uri, stamp), lambda: run.read_records(folder, entries))
        state = self._airflow.state(dag_id, run_id)
        if records.dag_id is not None:
            if records.dag_id != dag_id:
                raise NotFound(f"run {run_id!r} is a run of another DAG than {dag_id!r}")
        elif state == "unknown":
            raise NotFound(f"DAG {dag_id!r} has no run {run_id!r}, and no folder of it says that it had")
        if state == "unknown" and records.outcome is not None:
            state = "over"
        return Found(pipeline, dag_id, run_id, folder, entries, records, state)

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """The run's records and what follows from them."""
        found = self.find(dag_id, run_id)
        return {
            "dag_id": dag_id,
            "run_id": run_id,
            "pipeline": found.pipeline.name,
            "folder": found.folder.uri,
            "state": found.state,
            **run.as_json(found.records),
        }

    def plots(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """What its plots are drawn from."""
        found = self.find(dag_id, run_id)
        with in_words(f"read the scores of run {run_id}"):
            scores = self._scores(found.folder)
            key = (found.stamp, tuple(sorted((name, entry.etag) for name, entry in scores.items())))
            return self._plots.get(key, lambda: run.plots(found.folder, found.records, scores))

    def profile(self, dag_id: str, run_id: str, readable: Collection[str]) -> dict[str, Any]:
        """Its columns beside those of the run before, where the user may see that one."""
        found = self.find(dag_id, run_id)
        earlier = found.records.manifest.previous_run if found.records.manifest else None
        view = self._index(found.pipeline).view(PATIENCE)
        seen = {one.run_id for one in self._visible(found.pipeline, view, readable)}
        with in_words(f"read run {earlier}"):
            before = run.manifest_of(found.folder.shelf, earlier if earlier in seen else None)
        return run.profile(found.records, before)

    def live(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Its jobs as they are now."""
        found = self.find(dag_id, run_id)
        jobs, problems = [], []
        for submitted in self._airflow.jobs(dag_id, run_id):
            try:
                one = self._live(found.pipeline, submitted)
            except AwsError as error:
                problems.append(f"{submitted.task_id}: {error}")
                continue
            if one is not None:
                jobs.append(one)
        jobs.sort(key=lambda one: one["created"] or datetime.max.replace(tzinfo=UTC))
        return {"state": found.state, "asked": datetime.now(UTC), "jobs": jobs, "problems": problems}

    def replay(self, dag_id: str, run_id: str, asked: what_if.Asked) -> dict[str, Any]:
        """What another policy would have decided.

        Raises:
            NotYet: the run has no decision and scores (yet).
            TooMuch: more rows or resamples than a page may ask for.
            ConfigError: the values make no policy.
            EvidenceError: the files cannot be replayed.
        """
        found = self.find(dag_id, run_id)
        decision, evaluation = found.records.decision, found.records.evaluation
        if decision is None or evaluation is None:
            raise NotYet("The task gate has not decided about this run (yet), so there is nothing to decide again.")
        policy = what_if.policy(decision.policy, asked)
        work = evaluation.rows * policy.resamples
        if work > what_if.MOST_WORK:
            raise TooMuch(
                f"expected at most {what_if.MOST_WORK:,} rows times resamples for a page, found {work:,}: use "
                "python -m automl_retraining.replay on the run folder"
            )
        with in_words(f"read the scores of run {run_id}"):
            scores = self._scores(found.folder)
            if (reason := run.too_large(scores)) is not None:
                raise TooMuch(f"{reason}: use python -m automl_retraining.replay on the run folder")
            key = (found.stamp, tuple(sorted((n, e.etag) for n, e in scores.items())), policy.model_dump_json())
            return self._replays.get(
                key,
                lambda: what_if.replayed(what_if.files(found.folder, {**found.entries, **scores}), policy),
            )

    def document(self, dag_id: str, run_id: str) -> dict[str, object]:
        """All records, for a download."""
        return downloads.document(self.find(dag_id, run_id).records)

    def leaderboard_csv(self, dag_id: str, run_id: str) -> str:
        """The candidates, for a download; NotYet while there is no leaderboard."""
        leaderboard = self.find(dag_id, run_id).records.leaderboard
        if leaderboard is None:
            raise NotYet("The task search writes the leaderboard when it ends; it has not, or it failed.")
        return downloads.leaderboard_csv(leaderboard)

    def report(self, dag_id: str, run_id: str) -> bytes:
        """The stand-alone report; NotYet while there is none."""
        found = self.find(dag_id, run_id)
        try:
            with in_words("read the report"):
                return found.folder.read("report.html")
        except storage.ObjectMissing as error:
            raise NotYet("The task record writes the report when everything else has ended; it has not yet.") from error

    # ------------------------------------------------------------ what is kept

    def _live(self, pipeline: Pipeline, submitted: SubmittedBy) -> dict[str, Any] | None:
        def ask() -> dict[str, Any] | None:
            with in_words(f"describe {submitted.job_name}"):
                sm, logs = (self._clients.of(service, pipeline) for service in ("sagemaker", "logs"))
                return live.look(sm, logs, submitted, self._histories)

        return self._lives.get((pipeline.name, submitted), ask, _live_age)

    def _serving(self, pipeline: Pipeline) -> serving.Serving:
        with in_words(f"describe endpoint {pipeline.endpoint_name}"):
            return serving.read(self._clients.of("sagemaker", pipeline), pipeline.endpoint_name)

    def _scores(self, folder: Folder) -> dict[str, Entry]:
        return self._listed.get((folder.uri, "scores/"), lambda: folder.entries("scores/"))

    def _shelf(self, pipeline: Pipeline) -> Shelf:
        return Shelf(self._clients.of("s3", pipeline), bucket_of(pipeline), pipeline.name)

    def _index(self, pipeline: Pipeline) -> RunIndex:
        key = (pipeline.name, repr((pipeline.aws.bucket, pipeline.aws.conn_id, pipeline.aws.region)))
        with self._lock:
            if key not in self._indexes:
                # A pipeline whose bucket or connection changed has another index; the old one goes.
                self._indexes = {old: one for old, one in self._indexes.items() if old[0] != pipeline.name}
                self._indexes[key] = RunIndex(lambda: self._shelf(pipeline), self._readers)
            return self._indexes[key]

    @staticmethod
    def _dag_ids(pipeline: Pipeline) -> set[str]:
        return {dag.dag_id for dag in dags_of(pipeline)}
