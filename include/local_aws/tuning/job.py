"""One tuning job while it runs: a thread that starts training jobs, hears how they end, and knows when it is enough.

It computes nothing itself and takes no place of a job: its training jobs do. Nothing of it survives the server, so a
tuning job that the server's end cut off has failed (`recover`).
"""

import json
import logging
import sqlite3
import threading
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from include.local_aws.jobs.logs import Follower
from include.local_aws.jobs.runner import CUT_OFF
from include.local_aws.sagemaker import names
from include.local_aws.sagemaker.call import Call
from include.local_aws.store import Record, Store
from include.local_aws.training import metrics
from include.local_aws.training.start import start, stop
from include.local_aws.tuning import children, early, warm
from include.local_aws.tuning.children import KIND, Child
from include.local_aws.tuning.requests import Plan
from include.local_aws.wire.errors import AwsError

if TYPE_CHECKING:
    from include.local_aws.tuning.search import Search, Suggestion

log = logging.getLogger(__name__)

TICK_SECONDS = 0.02
ATTEMPTS = 5
"""Training jobs in a row from the start without a value after which SageMaker gives up."""


@dataclass
class _Running:
    """A training job that has not ended, and the objective's values that it has printed."""

    suggestion: "Suggestion"
    history: Follower
    values: list[float] = field(default_factory=list)
    reported: int = 0
    pruned: bool = False
    told_to_stop: bool = False


class TuningJob:
    """A job record in the store, and the training jobs that work for it."""

    def __init__(self, call: Call, record: Record, plan: Plan, tags: Mapping[str, str]) -> None:
        self._call = call
        self._services = call.services
        self._record = record
        self._name: str = record.body["request"]["HyperParameterTuningJobName"]
        self._plan = plan
        self._tags = tags
        self._began = time.monotonic()
        self._running: dict[str, _Running] = {}
        self._ended: list[Child] = []
        self._values: list[float] = []
        """The objectives of those that have one, in the order of their end; more is better."""
        self._series: list[list[float]] = []
        self._started = 0
        self._enough = False

    def begin(self) -> None:
        """Run it in a thread of its own."""
        threading.Thread(target=self._supervise, name=f"tuning-{self._name}", daemon=True).start()

    def _supervise(self) -> None:
        try:
            self._run()
        except sqlite3.ProgrammingError:
            return  # the store is closed, as the server ends: what was cut off is told at its next start
        except AwsError as error:
            self._give_up(f"A training job could not be started: {error.message}")
        except Exception as error:  # the thread must end its job
            log.exception("the tuning job %s could not be supervised", self._name)
            self._give_up(f"InternalServerError: {type(error).__name__}: {error}")

    def _give_up(self, reason: str) -> None:
        try:
            self._stop_children()
            self._finish("Failed", failure=reason[:1024])
        except sqlite3.ProgrammingError:
            return

    def _run(self) -> None:
        search = self._search()
        while True:
            stopping = self._status() == "Stopping"
            for name in list(self._running):
                self._hear(search, name)
            reason = self._futile()
            self._enough = self._enough or stopping or reason is not None or self._reached_its_end()
            if self._enough:
                self._stop_children()
            elif self._watches:
                self._watch(search)
            while not self._enough and self._started < self._plan.max_jobs and len(self._running) < self._plan.parallel:
                self._launch(search)
            if not self._running:
                self._conclude(stopped=stopping, reason=reason)
                return
            time.sleep(TICK_SECONDS * max(1.0, len(self._running) / 4))

    @property
    def _watches(self) -> bool:
        """Whether training jobs are stopped by what they tell."""
        return self._plan.stops_early or self._plan.resources is not None

    def _search(self) -> "Search":
        from include.local_aws.tuning.search import Search  # Optuna is slow to import, and few servers tune

        plan = self._plan
        search = Search(plan, zlib.crc32(self._name.encode()) if plan.seed is None else plan.seed)
        request = self._record.body["request"]
        found = warm.parents(self._call.store, self._call.region, request, plan.definitions[0])
        for child in warm.results(self._call.store, found):
            search.learn(child.record.body["request"]["HyperParameters"], child.goodness)
        return search

    def _status(self) -> str:
        return self._call.store.get(KIND, self._call.region, self._record.name).status

    def _launch(self, search: "Search") -> None:
        suggestion = search.ask()
        definition = self._plan.definitions[suggestion.definition]
        self._started += 1
        request = children.training_request(self._name, definition, self._started, suggestion.tuned)
        name, region = request["TrainingJobName"], self._call.region
        children.remember(self._call.store, region, self._record.name, name, definition, suggestion.tuned)
        arn = names.arn(KIND, region, self._record.name)
        start(self._services, self._call.runner, region, request, tags=self._tags, tuning_job_arn=arn)
        root = self._services.directory / "jobs" / region / "training" / name
        self._running[name] = _Running(suggestion, Follower(root / metrics.HISTORY))

    def _hear(self, search: "Search", name: str) -> None:
        """Take over what a training job has told since the last time."""
        child, running = children.one(self._call.store, self._call.region, name), self._running[name]
        objective = child.objective
        for line in running.history.lines() if self._watches else ():
            metric = metrics.Value(*json.loads(line))
            if metric.name == objective.metric:
                running.values.append(objective.better(metric.value))
        if not child.over:
            return
        del self._running[name]
        self._ended.append(child)
        if child.value is not None:
            self._values.append(child.goodness)
        if self._plan.resources and not running.pruned:
            self._pruned(search, running)  # others are held against the values that came too late to stop it
        if running.pruned:
            search.tell_stopped(running.suggestion)
        else:
            search.tell(running.suggestion, None if child.value is None else child.goodness)
        if child.record.status == "Completed":
            self._series.append(running.values)

    def _watch(self, search: "Search") -> None:
        """Stop the training jobs that are not worth going on with."""
        for name, running in self._running.items():
            if running.told_to_stop:
                continue
            if self._plan.resources is None:
                hopeless = early.is_hopeless(running.values, self._series)
            else:
                running.pruned = self._pruned(search, running)
                hopeless = running.pruned or len(running.values) >= self._plan.resources[1]
            if hopeless:
                self._stop(name, running)

    @staticmethod
    def _pruned(search: "Search", running: _Running) -> bool:
        """Whether Hyperband drops it at one of the values that it was not told yet."""
        pruned = False
        while not pruned and running.reported < len(running.values):
            running.reported += 1
            pruned = search.reached(running.suggestion, running.reported, running.values[running.reported - 1])
        return pruned

    def _stop_children(self) -> None:
        for name, running in self._running.items():
            if not running.told_to_stop:
                self._stop(name, running)

    def _stop(self, name: str, running: _Running) -> None:
        running.told_to_stop = True
        stop(self._services, self._call.runner, self._call.region, name)

    def _futile(self) -> str | None:
        """Why going on makes no sense, once the first training jobs have failed or have told nothing."""
        ended = len(self._ended)
        if self._values or ended == 0 or (ended < ATTEMPTS and ended < self._plan.max_jobs):
            return None
        if any(child.record.status == "Completed" for child in self._ended):
            return (
                f"No objective metrics found after running {ended} training jobs. Please ensure that the custom "
                "algorithm is emitting the objective metric as defined by the regular expression provided."
            )
        if ended < self._plan.max_jobs:
            return (
                f"No training job succeeded after {ended} attempts. Please take a look at the training job failures to "
                "get more details."
            )
        return "All training jobs failed. Please take a look at the training jobs failures to get more details."

    def _reached_its_end(self) -> bool:
        plan, values = self._plan, self._values
        if plan.max_seconds is not None and time.monotonic() - self._began >= plan.max_seconds:
            return True
        if not values:
            return False
        idle = early.not_improving(values)
        if plan.target is not None and max(values) >= plan.definitions[0].objective.better(plan.target):
            return True
        if plan.patience is not None and idle >= plan.patience:
            return True
        return plan.until_converged and idle >= early.CONVERGED_AFTER

    def _conclude(self, *, stopped: bool, reason: str | None) -> None:
        if stopped:
            self._finish("Stopped")
        elif reason is not None:
            self._finish("Failed", failure=reason)
        elif not self._values:
            self._finish("Failed", failure="No training job succeeded within MaxRuntimeInSeconds of the tuning job.")
        else:
            self._finish("Completed")

    def _finish(self, status: str, **body: Any) -> None:
        now = time.time()
        converged = now if early.not_improving(self._values) >= early.CONVERGED_AFTER else None
        self._call.store.update(
            KIND,
            self._call.region,
            self._record.name,
            lambda record: record.having(status=status, ended=now, converged=converged, **body),
        )


def recover(store: Store) -> None:
    """After a restart: what ran has failed, what was being stopped is stopped; its training jobs see to themselves."""
    for record in store.all(KIND):
        if record.status == "InProgress":
            store.replace(record.having(status="Failed", failure=CUT_OFF, ended=record.modified))
        elif record.status == "Stopping":
            store.replace(record.having(status="Stopped", ended=record.modified))
