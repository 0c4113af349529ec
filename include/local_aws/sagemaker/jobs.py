"""What every kind of job does alike in the store: its name is taken for ever, and looked up by its kind."""

from collections.abc import Mapping
from typing import Any

from include.local_aws.sagemaker import names, tags
from include.local_aws.sagemaker.call import Call
from include.local_aws.store import AlreadyExists, Record, Store


def refuse_taken(call: Call, kind: str, name: str) -> None:
    """Raise `ResourceInUse` where there ever was a job of that name."""
    if call.store.find(kind, call.region, name) is not None:
        raise names.job_in_use(kind, call.region, name)


def insert(call: Call, kind: str, name: str, body: dict[str, Any]) -> Record:
    """The new job's record, InProgress, with the request's tags; `ResourceInUse` where another call was first."""
    return record(call.store, kind, call.region, name, "InProgress", body, call.tags())


def record(
    store: Store,
    kind: str,
    region: str,
    name: str,
    status: str,
    body: Mapping[str, Any],
    given: Mapping[str, str],
    *,
    parent: str | None = None,
) -> Record:
    """A job's record, whoever runs the job; `ResourceInUse` where there is one of that name.

    Members of `body` that are None are left out. `given` are the job's tags, `parent` the ARN of the job it works for.
    """
    present = {key: value for key, value in body.items() if value is not None}
    arn = names.arn(kind, region, name)
    try:
        return store.insert(kind, region, name, status, present, parent=parent, tags=(arn, tags.checked(given)))
    except AlreadyExists as error:
        raise names.job_in_use(kind, region, name) from error


def get(call: Call, kind: str, name: str) -> Record:
    """The job; raises what AWS answers where there is none."""
    found = call.store.find(kind, call.region, name)
    if found is None:
        raise names.job_not_found(kind, name)
    return found
