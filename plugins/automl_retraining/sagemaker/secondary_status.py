"""The order in which a job passes its statuses: one table per kind and, for Autopilot, per mode.

Nowhere documented whole, so each entry says where it is known from; those marked uncertain may be missing or come
elsewhere on a real account. Sources:

- *model*: the enum AutoMLJobSecondaryStatus and the documentation of SecondaryStatus in botocore's service model.
- *guide*: the SageMaker developer guide's account of Autopilot's two modes: feature engineering and tuning belong to
  HYPERPARAMETER_TUNING, training many models to ENSEMBLING.
- *name*: the status's own name; nothing says when it comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from automl_retraining.core.errors import RequestError
from automl_retraining.sagemaker.jobs import JobKind, kind_of

Source = Literal["model", "guide", "name"]


@dataclass(frozen=True)
class Step:
    """One status on the way, and how sure its place is."""

    status: str
    source: Source
    certain: bool = True


_REPORTS = (
    Step("GeneratingExplainabilityReport", "guide"),
    Step("GeneratingModelInsightsReport", "guide", certain=False),
)
_AUTOML: Mapping[str, tuple[Step, ...]] = {
    "ENSEMBLING": (
        Step("Starting", "model"),
        Step("AnalyzingData", "guide", certain=False),
        Step("PreTraining", "name", certain=False),
        Step("TrainingModels", "name", certain=False),
        *_REPORTS,
    ),
    "HYPERPARAMETER_TUNING": (
        Step("Starting", "model"),
        Step("AnalyzingData", "guide"),
        Step("FeatureEngineering", "guide"),
        Step("ModelTuning", "guide"),
        *_REPORTS,
    ),
}
_AUTOML_ENDS: Mapping[str, tuple[str, ...]] = {
    # DeployingModel and ModelDeploymentError need a deploy config, which requests of ours never carry.
    "ENSEMBLING": (
        "Completed", "MaxCandidatesReached", "MaxAutoMLJobRuntimeReached", "ExplainabilityError", "ModelInsightsError",
    ),
    "HYPERPARAMETER_TUNING": (
        "Completed", "MaxCandidatesReached", "MaxAutoMLJobRuntimeReached", "CandidateDefinitionsGenerated",
        "ExplainabilityError", "ModelInsightsError",
    ),
}  # fmt: skip
_TRAINING = (
    Step("Starting", "model"),
    Step("Pending", "model", certain=False),
    Step("Downloading", "model"),
    Step("Training", "model"),
    # A spot instance was taken away: the job goes back to Starting, so whoever waits for it has seen Training.
    Step("Interrupted", "model", certain=False),
    Step("Restarting", "name", certain=False),
    Step("Updating", "name", certain=False),
    Step("Uploading", "model"),
)
_TRAINING_ENDS = ("Completed", "MaxRuntimeExceeded", "MaxWaitTimeExceeded")
_BAD_ENDS = ("Stopping", "Stopped", "Failed")
MODES = ("AUTO", "ENSEMBLING", "HYPERPARAMETER_TUNING")


def order(kind: JobKind, mode: str | None = None) -> tuple[str, ...]:
    """The statuses on the way to a good end, in order. With mode AUTO, those of both modes.

    Kinds without a secondary status are ordered by their status: in progress, then done.

    Raises:
        RequestError: the mode is none of Autopilot's.
    """
    if kind.key == "automl":
        if mode not in (None, *MODES):
            raise RequestError(f"mode: expected one of {', '.join(MODES)}, found {mode!r}")
        return tuple(step.status for step in _automl_steps(mode))
    if kind.secondary_member is not None:
        return tuple(step.status for step in _TRAINING)
    return tuple(sorted(kind.waiting))


def ends(kind: JobKind, mode: str | None = None) -> tuple[str, ...]:
    """The statuses that come last: all of them are later than every status on the way."""
    if kind.key == "automl":
        modes = [mode] if mode in _AUTOML_ENDS else list(_AUTOML_ENDS)
        return tuple(dict.fromkeys(end for one in modes for end in _AUTOML_ENDS[str(one)]))
    return _TRAINING_ENDS if kind.secondary_member is not None else tuple(sorted(kind.succeeded))


def reached_by(kind: JobKind, wanted: str, mode: str | None = None) -> frozenset[str]:
    """The statuses that say that the wanted one has been reached: itself and every later one.

    Raises:
        RequestError: a job of that kind and mode never has that status, so waiting for it would never end.
    """
    path = order(kind, mode)
    last = ends(kind, mode)
    if wanted in path:
        return frozenset((*path[path.index(wanted) :], *last))
    if wanted in last:
        return frozenset({wanted}) if wanted != "Completed" else frozenset(last)
    if wanted in _BAD_ENDS or wanted in kind.failed | kind.stopped | kind.stopping:
        # An end that somebody may want to see; Failed is not "later" than it, nor the other way round.
        return frozenset({wanted})
    raise RequestError(
        f"status {wanted!r}: expected one that a {kind.title}{f' in mode {mode}' if mode else ''} has: "
        f"{', '.join((*path, *last, *_BAD_ENDS))}; waiting for {wanted!r} would never end"
    )


def known(kind_key: str, mode: str | None = None) -> tuple[str, ...]:
    """Every status of the table, for error messages and for the page that draws the way."""
    kind = kind_of(kind_key)
    return (*order(kind, mode), *ends(kind, mode))


def uncertain(mode: str) -> tuple[str, ...]:
    """The statuses of an Autopilot mode whose place is not certain."""
    return tuple(step.status for step in _AUTOML[mode] if not step.certain)


def _automl_steps(mode: str | None) -> tuple[Step, ...]:
    """The steps of a mode; of both, interleaved by their place, where the mode is not yet known."""
    if mode in _AUTOML:
        return _AUTOML[str(mode)]
    tuning, ensembling = _AUTOML["HYPERPARAMETER_TUNING"], _AUTOML["ENSEMBLING"]
    before = tuning[:2]
    return (
        *before,
        *(step for step in ensembling if step.status == "PreTraining"),
        *tuning[2:4],
        *(step for step in ensembling if step.status == "TrainingModels"),
        *_REPORTS,
    )
