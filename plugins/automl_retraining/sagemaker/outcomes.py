"""What each status means for whoever waits: one table over every status and secondary status of every kind of job.

A status decides, unless the secondary status says more: that a limit of the job's own ended it, or that its models are
there and only a report is not. Then what the job left behind decides. A test holds the table against the enums of
botocore's service model, and fails where one of them has a word that stands nowhere here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from automl_retraining.sagemaker.jobs import JobKind

Outcome = Literal["running", "success", "usable", "failure"]
"""``usable``: a success with a warning where the job left a candidate that can serve, otherwise a failure."""


@dataclass(frozen=True)
class Meaning:
    """The outcome, and in words what has happened."""

    outcome: Outcome
    words: str


OWN_LIMIT = "MaxRuntimeInSeconds"
"""Not a status: what is put in the place of a tuning job's secondary status, which it has none of, where the job used
up the time that its request gave it."""


def _running(words: str) -> Meaning:
    return Meaning("running", words)


def _usable(words: str) -> Meaning:
    return Meaning("usable", words)


def _failure(words: str) -> Meaning:
    return Meaning("failure", words)


_DONE = Meaning("success", "it did what it was asked for")
_FAILED = _failure("it failed; its reason says why")
_STOPPED = _failure("somebody or something stopped it")
_STATUSES: Mapping[str, Meaning] = {
    "InProgress": _running("it is at work"),
    "Stopping": _running("it was asked to stop, and ends soon"),
    "Completed": _DONE,
    "Failed": _FAILED,
    "Stopped": _STOPPED,
}
_DELETING = _running("it is being deleted: soon there is none, and the wait fails")

MEANINGS: Mapping[str, Mapping[str, Meaning]] = {
    "automl": _STATUSES,
    "processing": _STATUSES,
    "training": {**_STATUSES, "Deleting": _DELETING},
    "tuning": {
        **_STATUSES,
        "Deleting": _DELETING,
        "DeleteFailed": _failure("it was to be deleted, and could not be"),
    },
    "transform": _STATUSES,
    "endpoint": {
        "Creating": _running("it is being created"),
        "Updating": _running("it moves to another configuration"),
        "SystemUpdating": _running("SageMaker maintains it; what it serves stays"),
        "RollingBack": _running("it goes back to the configuration before"),
        "Deleting": _DELETING,
        "InService": Meaning("success", "it serves; a success only where it serves the configuration asked for"),
        "Failed": _failure("it could not be created, updated or scaled; nothing but deleting it is left"),
        "OutOfService": _failure("it takes no requests"),
        "UpdateRollbackFailed": _failure("it serves a mix of the old and the new configuration"),
    },
}
"""The statuses of each kind."""

SECONDARY_MEANINGS: Mapping[str, Mapping[str, Meaning]] = {
    "automl": {
        "Starting": _running("its first instances start"),
        "AnalyzingData": _running("it looks at the data"),
        "FeatureEngineering": _running("it makes features"),
        "PreTraining": _running("it prepares the trainings"),
        "TrainingModels": _running("it trains candidates"),
        "ModelTuning": _running("it tunes candidates"),
        "GeneratingExplainabilityReport": _running("it explains its best candidate"),
        "GeneratingModelInsightsReport": _running("it reports on its best candidate"),
        "DeployingModel": _running("it deploys a model, which no request of ours asks for"),
        "Stopping": _STATUSES["Stopping"],
        "Completed": _DONE,
        "CandidateDefinitionsGenerated": Meaning("success", "it wrote the candidate definitions, and trained nothing"),
        "MaxCandidatesReached": _usable("it reached its number of candidates"),
        "MaxAutoMLJobRuntimeReached": _usable("it reached its time limit"),
        "ExplainabilityError": _usable("its explainability report failed; its candidates are there"),
        "ModelInsightsError": _usable("its model insights report failed; its candidates are there"),
        "ModelDeploymentError": _usable("it could not deploy its model, which no request of ours asks for"),
        "Failed": _FAILED,
        "Stopped": _STOPPED,
    },
    "training": {
        "Starting": _running("its instances start"),
        "Pending": _running("it waits for instances"),
        "LaunchingMLInstances": _running("its instances start (no longer used by AWS)"),
        "PreparingTrainingStack": _running("its instances are prepared (no longer used by AWS)"),
        "DownloadingTrainingImage": _running("its container is fetched (no longer used by AWS)"),
        "Downloading": _running("it fetches its data"),
        "Training": _running("it trains"),
        "Interrupted": _running("its spot instances were taken away; it starts again when there are others"),
        "Restarting": _running("it starts again"),
        "Updating": _running("it is being changed"),
        "Uploading": _running("it uploads its model"),
        "Stopping": _STATUSES["Stopping"],
        "Completed": _DONE,
        # Whatever the container had uploaded by then is no model that its algorithm called finished.
        "MaxRuntimeExceeded": _failure("it ran into its own time limit: raise the limit or give it less to do"),
        "MaxWaitTimeExceeded": _failure("no spot instance came within its time limit: raise the limit"),
        "Failed": _FAILED,
        "Stopped": _STOPPED,
    },
    "tuning": {OWN_LIMIT: _usable("it reached its time limit")},
}
"""The secondary statuses of each kind that has one."""


def meaning(kind: JobKind, status: str, secondary: str | None = None) -> Meaning:
    """What a status with its secondary status means.

    A job that is not over by its status is running, whatever the secondary status says. A word that AWS did not have
    when the table was written is no news: as a status it is waited on, up to the task's time limit; as a secondary
    status it is passed over.
    """
    first = MEANINGS[kind.key].get(status, _running(f"nothing is known of status {status}"))
    second = SECONDARY_MEANINGS.get(kind.key, {}).get(secondary or "")
    if first.outcome == "running" or second is None or second.outcome not in ("usable", "failure"):
        return first
    # A plain "Failed" or "Stopped" beside a Completed says less than the status itself.
    return second if second not in (_FAILED, _STOPPED) else first
