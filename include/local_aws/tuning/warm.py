"""Warm start: what a tuning job takes over from earlier ones, and which ones it can take it from.

Rules: developer guide, "Run a warm start hyperparameter tuning job".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from include.local_aws.store import Record, Store
from include.local_aws.tuning.children import KIND, Child, of_job, static_of
from include.local_aws.tuning.requests import OBJECTIVE, Definition, plan_of
from include.local_aws.wire.errors import ValidationException

IDENTICAL = "IdenticalDataAndAlgorithm"
MOST = 500
"""Earlier training jobs that are taken into account (developer guide, same page)."""
ENDED = ("Completed", "Failed", "Stopped")


def parents(store: Store, region: str, request: Mapping[str, Any], definition: Definition) -> list[Record]:
    """The tuning jobs that a request starts from, none without WarmStartConfig; raises `ValidationException`."""
    config = request.get("WarmStartConfig")
    if config is None:
        return []
    found = []
    for each in config["ParentHyperParameterTuningJobs"]:
        if "HyperParameterTuningJobName" not in each:
            raise ValidationException("Each of ParentHyperParameterTuningJobs must have a HyperParameterTuningJobName.")
        name = each["HyperParameterTuningJobName"]
        parent = store.find(KIND, region, name.lower())
        if parent is None:
            raise ValidationException(f"The parent hyperparameter tuning job, {name}, can't be found.")
        if parent in found:
            raise ValidationException(f"The parent hyperparameter tuning job, {name}, is given more than once.")
        if parent.status not in ENDED:
            raise ValidationException(
                f"The parent hyperparameter tuning job, {name}, is in status {parent.status}. It must have ended "
                f"({', '.join(ENDED)}) before another can start from it."
            )
        _check(parent, name, definition, identical=config["WarmStartType"] == IDENTICAL)
        found.append(parent)
    return found


def _check(parent: Record, name: str, definition: Definition, *, identical: bool) -> None:
    before = plan_of(parent.body["request"]).definitions
    if len(before) > 1:
        raise ValidationException(
            f"The parent hyperparameter tuning job, {name}, has several training job definitions. Warm start is "
            "available only for tuning jobs with one."
        )
    earlier = before[0]
    if earlier.objective != definition.objective:
        raise ValidationException(
            f"The objective metric must be the same as that of the parent hyperparameter tuning job, {name}: "
            f"{earlier.objective.type} {earlier.objective.metric}."
        )
    if _names(earlier) != _names(definition):
        raise ValidationException(
            "The set of tunable plus static HyperParameter names is not the same across current and parent tuning "
            "jobs. Please ensure this set is constant when warm starting. Note that previously static HyperParameters "
            f"can be tuned in warm start jobs and vice versa. Different from {name}: "
            f"{', '.join(sorted(_names(earlier) ^ _names(definition)))}."
        )
    if identical and earlier.image != definition.image:
        raise ValidationException(
            f"With WarmStartType {IDENTICAL} the training image must be that of the parent, {name}: {earlier.image}."
        )
    if identical and earlier.body.get("InputDataConfig") != definition.body.get("InputDataConfig"):
        raise ValidationException(
            f"With WarmStartType {IDENTICAL} the InputDataConfig must be that of the parent, {name}. "
            "Use TransferLearning for other data."
        )


def _names(definition: Definition) -> set[str]:
    return ({each.name for each in definition.ranges} | set(static_of(definition))) - {OBJECTIVE}


def results(store: Store, found: Sequence[Record]) -> list[Child]:
    """The parents' training jobs that have a value, the latest `MOST` of them."""
    every = [child for parent in found for child in of_job(store, parent) if child.value is not None]
    return sorted(every, key=lambda child: child.record.created)[-MOST:]
