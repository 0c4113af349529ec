"""One execution of a pipeline while it runs: a thread that starts steps when what they wait for is there.

It computes nothing itself and takes no place of a job: it looks into the store how the jobs of its steps do. Nothing of
it survives the server, so an execution that the server's end cut off has failed (`records.recover`), and
RetryPipelineExecution goes on where it was.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Mapping
from typing import Any

from include.local_aws.experiments.catalogue import Catalogue
from include.local_aws.pipelines import parameters, records
from include.local_aws.pipelines.definition import Step, read
from include.local_aws.pipelines.expressions import ExpressionError, resolve
from include.local_aws.pipelines.kinds import JOBS
from include.local_aws.pipelines.performing import perform
from include.local_aws.pipelines.records import EXECUTION, STEP
from include.local_aws.pipelines.scope import ExecutionScope
from include.local_aws.pipelines.starting import Asker, StepFailed, start
from include.local_aws.sagemaker.call import Call
from include.local_aws.store import AlreadyExists, DoesNotExist, Record
from include.local_aws.wire.errors import AwsError

log = logging.getLogger(__name__)

TICK_SECONDS = 0.05
DEFAULT_PARALLEL = 50
"""Steps at once where no ParallelismConfiguration says otherwise."""
STEPS_FAILED = "Step failure: One or multiple steps failed."
SKIPPED = "Skipped"
"""Of a step in the branch that was not taken, or behind such a step; it has no row."""


class PipelineExecution:
    """An execution in the store that is Executing, and its steps."""

    def __init__(self, call: Call, record: Record) -> None:
        self._call = call
        self._store = call.store
        self._region, self._name = record.region, record.name
        self._record = record
        self._definition = read(record.body["definition"])
        self._parameters = parameters.values(self._definition.parameters, record.body["parameters"])
        self._resources: dict[str, str] = {}
        self._states: dict[str, str] = {}
        self._outcomes: dict[str, bool] = {}
        self._scope = ExecutionScope(call, record, self._definition, self._parameters, self._resources)
        self._parallel: int = record.body.get("parallel") or DEFAULT_PARALLEL
        for row in self._store.all(STEP, region=record.region, parent=record.name):
            self._remember(row)

    def _remember(self, row: Record) -> None:
        """Take over a step that succeeded before a retry."""
        if row.status == "Succeeded":
            step = row.body["step"]
            self._states[step] = "Succeeded"
            if "resource" in row.body:
                self._resources[step] = row.body["resource"]
            if "outcome" in row.body:
                self._outcomes[step] = row.body["outcome"]

    def begin(self) -> None:
        """Run it in a thread of its own."""
        threading.Thread(target=self._supervise, name=f"pipeline-{self._name}", daemon=True).start()

    def _supervise(self) -> None:
        try:
            self._run()
        except (sqlite3.ProgrammingError, DoesNotExist):
            return  # the store is closed, as the server ends: what was cut off is told at its next start
        except Exception as error:  # the thread must end its execution
            log.exception("the pipeline execution %s could not be supervised", self._name)
            self._give_up(f"InternalServerError: {type(error).__name__}: {error}")

    def _give_up(self, reason: str) -> None:
        try:
            self._stop_jobs()
            for name in [each for each, state in self._states.items() if state == "Executing"]:
                self._settle(name, "Failed", failure=reason)
            self._finish("Failed", reason)
        except (sqlite3.ProgrammingError, DoesNotExist):
            return

    def _run(self) -> None:
        try:
            asker = self._asker()
        except (AwsError, ExpressionError) as error:
            self._finish("Failed", f"ClientError: the experiment of the pipeline can't be used. {error}")
            return
        told_to_stop = False
        while True:
            for name in self._executing():
                self._look(name)
            stopping = self._status() == "Stopping"
            if stopping and not told_to_stop:
                told_to_stop = True
                self._stop_jobs()
            if not stopping and not self._failed():
                self._advance(asker)
            if not self._executing() and (stopping or self._failed() or not self._left()):
                if self._conclude():
                    return
                continue
            time.sleep(TICK_SECONDS)

    def _executing(self) -> list[str]:
        return [name for name, state in self._states.items() if state == "Executing"]

    def _failed(self) -> bool:
        return any(state in ("Failed", "Stopped") for state in self._states.values())

    def _left(self) -> bool:
        return len(self._states) < len(self._definition.steps)

    def _status(self) -> str:
        return self._store.get(EXECUTION, self._region, self._name).status

    def _asker(self) -> Asker:
        return Asker(
            self._call,
            records.execution_id(self._name),
            records.arn(self._region, self._name),
            self._record.body["role"],
            self._experiment(),
            self._scope,
        )

    def _experiment(self) -> dict[str, str]:
        """The experiment and the trial that the jobs belong to, made where there are none."""
        given = {key: str(resolve(value, self._scope)) for key, value in self._definition.experiment.items() if value}
        if not given.get("ExperimentName"):
            return {}
        catalogue = Catalogue.now(self._call)
        experiment = given["ExperimentName"]
        trial = given.get("TrialName") or records.execution_id(self._name)
        if experiment.lower() not in catalogue.experiments:
            self._ensure("CreateExperiment", {"ExperimentName": experiment})
        if trial.lower() not in catalogue.trials:
            self._ensure("CreateTrial", {"ExperimentName": experiment, "TrialName": trial})
        config = {"ExperimentName": experiment, "TrialName": trial}
        self._store.update(EXECUTION, self._region, self._name, lambda now: now.having(experiment=config))
        return config

    def _ensure(self, operation: str, document: Mapping[str, Any]) -> None:
        try:
            perform(self._call, operation, document)
        except AwsError as error:
            if "already exists" not in error.message:  # two executions at once may both see that it isn't there
                raise

    def _advance(self, asker: Asker) -> None:
        """Start the steps whose turn it is, until nothing more can be started now."""
        moved = True
        while moved:
            moved = False
            for step in self._definition.steps.values():
                if step.name in self._states or not step.waits_for <= set(self._states):
                    continue
                before = {self._states[each] for each in step.waits_for}
                if SKIPPED in before or (step.branch and self._outcomes.get(step.branch[0]) != step.branch[1]):
                    # a step in a branch not taken, or behind one
                    if before <= {SKIPPED, "Succeeded"}:
                        self._states[step.name] = SKIPPED
                        moved = True
                    continue
                if before <= {"Succeeded"} and len(self._executing()) < self._parallel:
                    self._start(asker, step)
                    if self._failed():
                        return
                    moved = True

    def _start(self, asker: Asker, step: Step) -> None:
        self._states[step.name] = "Executing"
        self._write(step)
        try:
            started = start(asker, step)
        except StepFailed as failure:
            self._settle(step.name, "Failed", failure=str(failure), metadata=dict(failure.metadata) or None)
            return
        if started.resource is not None:
            self._resources[step.name] = started.resource
            self._scope.forget(step.name)
        known = {"resource": started.resource, "metadata": dict(started.metadata), "outcome": started.outcome}
        if started.outcome is not None:
            self._outcomes[step.name] = started.outcome
        if step.type in JOBS:
            self._change(step.name, "Executing", **known)
        else:
            self._settle(step.name, "Succeeded", **known)

    def _write(self, step: Step) -> None:
        """The step's row, or the row of its attempt before as that of a new one."""
        body = {"step": step.name, "display": step.display, "description": step.description, "started": time.time()}
        try:
            self._store.insert(STEP, self._region, self._row(step.name), "Executing", body, parent=self._name)
        except AlreadyExists:
            self._change(
                step.name,
                "Executing",
                started=body["started"],
                ended=None, failure=None, metadata=None, resource=None, outcome=None,
            )  # fmt: skip

    def _row(self, step: str) -> str:
        return f"{self._name}/{step}"

    def _change(self, step: str, status: str, **body: Any) -> None:
        self._store.update(STEP, self._region, self._row(step), lambda now: now.having(status=status, **body))

    def _settle(self, step: str, status: str, **body: Any) -> None:
        self._scope.forget(step)
        self._change(step, status, ended=time.time(), **body)
        self._states[step] = status

    def _job(self, step: str) -> Record | None:
        kind = JOBS[self._definition.steps[step].type]
        name = self._resources[step]
        return self._store.find(kind.store, self._region, name.lower() if kind.store == "tuning" else name)

    def _look(self, step: str) -> None:
        """Take over how a step's job has ended."""
        record = self._job(step)
        if record is None:
            self._settle(step, "Failed", failure=f"ClientError: the job {self._resources[step]} was deleted.")
        elif record.status == "Completed":
            self._settle(step, "Succeeded")
        elif record.status == "Failed":
            reason = record.body.get("failure") or "the job says no reason"
            self._settle(step, "Failed", failure=f"ClientError: {reason}")
        elif record.status == "Stopped":
            self._settle(step, "Stopped")

    def _stop_jobs(self) -> None:
        for step in self._executing():
            record = self._job(step) if step in self._resources else None
            if record is None or record.status != "InProgress":
                continue
            self._change(step, "Stopping")
            kind = JOBS[self._definition.steps[step].type]
            try:
                perform(self._call, kind.stop, {kind.name: self._resources[step]})
            except AwsError as error:  # it has ended meanwhile, which `_look` finds
                log.info("the job of step %s of %s could not be stopped: %s", step, self._name, error.message)

    def _conclude(self) -> bool:
        """Finish; False where somebody asked to stop at the very same moment, who is then told."""
        failed = self._failed()
        if self._status() == "Stopping":
            return self._finish("Stopped", None)
        if failed:
            return self._finish("Failed", STEPS_FAILED)
        return self._finish("Succeeded", None)

    def _finish(self, status: str, reason: str | None) -> bool:
        """Write the end; not where it was asked to stop since, unless this end is that."""

        def change(now: Record) -> Record:
            if now.status == "Stopping" and status == "Succeeded":
                return now
            return now.having(status=status, failure=reason, ended=time.time())

        return self._store.update(EXECUTION, self._region, self._name, change).status == status
