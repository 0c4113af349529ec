"""A training job's statuses: which follow each other, with the messages in which AWS tells them.

Source: API reference, SecondaryStatusTransition, and the texts that the SageMaker SDK prints while it waits.
"""

from typing import Any

from include.local_aws.jobs.runner import CUT_OFF
from include.local_aws.store import Record, Store

MESSAGES = {
    "Starting": "Starting the training job",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
    "MaxWaitTimeExceeded": "Training job wait time exceeded MaxWaitTimeInSeconds provided",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
}
"""Secondary statuses, in the order in which they may follow each other."""

FINAL = ("Stopped", "MaxRuntimeExceeded", "MaxWaitTimeExceeded", "Completed", "Failed")
"""Those that end a job."""

TERMINAL = ("Completed", "Failed", "Stopped")
"""A training job's (primary) statuses that are its last."""


FIRST = [{"Status": "Starting", "StatusMessage": MESSAGES["Starting"]}]
"""The transitions of a job that is being created: the store says when."""


def transitions(record: Record) -> list[dict[str, Any]]:
    """A job's transitions so far, the first beginning when the job was created."""
    first, *rest = record.body["transitions"]
    return [{"StartTime": record.created, **first}, *rest]


def transition(status: str, at: float, until: float | None = None, message: str | None = None) -> dict[str, Any]:
    """One entry of SecondaryStatusTransitions."""
    times = {"StartTime": at} if until is None else {"StartTime": at, "EndTime": until}
    return {"Status": status, **times, "StatusMessage": message or MESSAGES[status]}


def moved(record: Record, secondary: str, at: float, *, message: str | None = None, **body: Any) -> Record:
    """The record in another secondary status, its last transition ended and the next begun; the same if it is there."""
    before = transitions(record)
    if record.body["secondary"] == secondary:
        return record.having(**body) if body else record
    after = [*before[:-1], {**before[-1], "EndTime": at}]
    after.append(transition(secondary, at, at if secondary in FINAL else None, message))
    return record.having(secondary=secondary, transitions=after, **body)


def ended(record: Record, status: str, secondary: str, at: float, **body: Any) -> Record:
    """The record of a job that is over."""
    message = f"{MESSAGES['Failed']}: {body['failure']}" if body.get("failure") else None
    return moved(record, secondary, at, message=message, ended=at, **body).having(status=status)


def recover(store: Store) -> None:
    """After a restart: what ran has failed, what was being stopped is stopped."""
    for record in store.all("training"):
        at = record.modified
        if record.status == "InProgress":
            store.replace(ended(record, "Failed", "Failed", at, failure=CUT_OFF))
        elif record.status == "Stopping":
            store.replace(ended(record, "Stopped", "Stopped", at))
