"""What every kind of job does alike in the store: its name is taken for ever, and looked up by its kind."""

from typing import Any

from include.local_aws.sagemaker import names, tags
from include.local_aws.sagemaker.call import Call
from include.local_aws.store import AlreadyExists, Record


def refuse_taken(call: Call, kind: str, name: str) -> None:
    """Raise `ResourceInUse` where there ever was a job of that name."""
    if call.store.find(kind, call.region, name) is not None:
        raise names.job_in_use(kind, call.region, name)


def insert(call: Call, kind: str, name: str, body: dict[str, Any]) -> Record:
    """The new job's record, InProgress, with the request's tags; `ResourceInUse` where another call was first."""
    arn = names.arn(kind, call.region, name)
    try:
        return call.store.insert(kind, call.region, name, "InProgress", body, tags=(arn, tags.checked(call.tags())))
    except AlreadyExists as error:
        raise names.job_in_use(kind, call.region, name) from error


def get(call: Call, kind: str, name: str) -> Record:
    """The job; raises what AWS answers where there is none."""
    found = call.store.find(kind, call.region, name)
    if found is None:
        raise names.job_not_found(kind, name)
    return found
