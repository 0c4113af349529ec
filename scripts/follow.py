"""Follow one DAG run in the terminal: task states, the search's status, candidates or training jobs as they arrive."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from scripts.airflow_api import FINISHED, AirflowApi

APPROVAL_SECONDS = 3.0
"""Airflow takes an answer in the second in which the task began to wait for one that died."""
_SHOWN = ("running", "deferred", "awaiting_input", "success", "failed", "skipped", "upstream_failed", "up_for_retry")


@dataclass
class Follower:
    """Prints what changed since the last look; one line each, with seconds since the start."""

    api: AirflowApi
    sagemaker: Any
    dag_id: str
    run_id: str
    _started: float = field(default_factory=time.monotonic)
    _states: dict[str, str] = field(default_factory=dict)
    _secondary: str | None = None
    _candidates: set[str] = field(default_factory=set)
    _job: str | None = None
    _asked: float | None = None
    _answered: bool = False

    def follow(self, seconds: float) -> str:
        """Follow to the end and return the run's state; TimeoutError after so many seconds."""
        while True:
            state = str(self.api.run(self.dag_id, self.run_id)["state"])
            self._tasks()
            self._search()
            self._approve()
            if state in FINISHED:
                self._say("run", state)
                return state
            if time.monotonic() - self._started > seconds:
                raise TimeoutError(f"run {self.run_id} of {self.dag_id} is still {state} after {seconds:.0f} s")
            time.sleep(0.5)

    def _tasks(self) -> None:
        for task_id, task in self.api.tasks(self.dag_id, self.run_id).items():
            state = task["state"]
            if state in _SHOWN and state != self._states.get(task_id):
                self._states[task_id] = state
                duration = f" ({task['duration']:.1f} s)" if state == "success" and task.get("duration") else ""
                said = {"deferred": "waiting for SageMaker", "awaiting_input": "waiting for a person"}
                self._say(task_id, said.get(state, state + duration))

    def _approve(self) -> None:
        """Where the gate is in doubt and a person is asked: show the question and answer it, as a user would."""
        if self._states.get("approve") != "awaiting_input" or self._answered:
            return
        self._asked = self._asked or time.monotonic()
        if time.monotonic() - self._asked > APPROVAL_SECONDS:
            question = self.api.question(self.dag_id, self.run_id, "approve")
            print(
                "\n" + "\n".join(f"    {line}" for line in f"{question['subject']}\n\n{question['body']}".splitlines())
            )
            self.api.answer(self.dag_id, self.run_id, "approve", "Approve", {"reason": "the demo says yes to a doubt"})
            self._say(
                "approve", f"answered Approve as {self.api.username}; in the UI it is under Browse, Required Actions"
            )
            self._answered = True

    def _search(self) -> None:
        if "search" not in self._states or self._secondary == "Completed":
            return
        self._job = self._job or self.api.xcom(self.dag_id, self.run_id, "search", "job_name")
        if self._job is None:
            return
        try:
            if self._job.startswith("art-automl-"):
                self._autopilot(self._job)
            elif self._job.startswith("art-tuning-"):
                self._tuning(self._job)
            elif self._job.startswith("art-training-"):
                self._status(self.sagemaker.describe_training_job(TrainingJobName=self._job)["SecondaryStatus"])
        except ClientError as error:
            self._say("job", f"{self._job}: {error}")

    def _autopilot(self, name: str) -> None:
        self._status(self.sagemaker.describe_auto_ml_job_v2(AutoMLJobName=name)["AutoMLJobSecondaryStatus"])
        answer = self.sagemaker.list_candidates_for_auto_ml_job(AutoMLJobName=name, SortBy="CreationTime")
        for candidate in answer["Candidates"]:
            if metric := candidate.get("FinalAutoMLJobObjectiveMetric"):
                self._found(candidate["CandidateName"], metric)

    def _tuning(self, name: str) -> None:
        answer = self.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        for job in answer["TrainingJobSummaries"]:
            if metric := job.get("FinalHyperParameterTuningJobObjectiveMetric"):
                self._found(job["TrainingJobName"], metric)
        job = self.sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        self._status(job["HyperParameterTuningJobStatus"])

    def _status(self, word: str) -> None:
        if word != self._secondary:
            self._secondary = word
            self._say("job", f"{self._job}: {word}")

    def _found(self, name: str, metric: Any) -> None:
        if name not in self._candidates:
            self._candidates.add(name)
            self._say("candidate", f"{name}  {metric['MetricName']} {metric['Value']:.4f}")

    def _say(self, what: str, text: str) -> None:
        print(f"  {time.monotonic() - self._started:6.1f} s  {what:<16} {text}", flush=True)
