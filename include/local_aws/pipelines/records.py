"""Pipelines, executions and steps in the store, and their names.

An execution's name is ``<pipeline>/execution/<id>``, as in its ARN, and its parent is the pipeline; a step's name is
its execution's with the step's behind it, and its parent is the execution.
"""

import hashlib
import re
import string
from collections.abc import Mapping
from typing import Any

from include.local_aws.jobs.runner import CUT_OFF
from include.local_aws.sagemaker import names
from include.local_aws.sagemaker.call import Call
from include.local_aws.store import Record, Store
from include.local_aws.wire.errors import ResourceNotFound

PIPELINE = "pipeline"
EXECUTION = "pipeline-execution"
STEP = "pipeline-step"

RUNNING = ("Executing", "Stopping")
_LETTERS = string.ascii_lowercase + string.digits
_ARN = re.compile(r"arn:aws[a-z\-]*:sagemaker:(?P<region>[a-z0-9\-]+):[^:]+:pipeline/(?P<name>.+)")


def arn(region: str, name: str) -> str:
    """The ARN of a pipeline or, by its longer name, of an execution."""
    return names.arn(PIPELINE, region, name)


def pipeline(call: Call, text: str) -> Record:
    """The pipeline of a name or an ARN; raises `ResourceNotFound`."""
    found = call.store.find(PIPELINE, call.region, _name(text))
    if found is None:
        raise ResourceNotFound(f"Pipeline '{arn(call.region, _name(text))}' does not exist.")
    return found


def execution(call: Call, text: str) -> Record:
    """The execution of an ARN; raises `ResourceNotFound`."""
    found = call.store.find(EXECUTION, call.region, _name(text))
    if found is None:
        raise ResourceNotFound(f"Pipeline execution '{text}' does not exist.")
    return found


def _name(text: str) -> str:
    match = _ARN.fullmatch(text)
    return match["name"] if match else text


def execution_name(pipeline: Record, token: str) -> str:
    """The name of the execution that a start request with this token has: the same for the same request sent twice."""
    digest = hashlib.sha256(f"{pipeline.name} {pipeline.created} {token}".encode()).digest()
    number, letters = int.from_bytes(digest), []
    for _ in range(12):
        number, rest = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[rest])
    return f"{pipeline.name}/execution/{''.join(letters)}"


def execution_id(name: str) -> str:
    """The last part of an execution's name."""
    return name.rpartition("/")[2]


def present(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body without the members that are None, as the store keeps it after every change."""
    return {key: value for key, value in body.items() if value is not None}


def recover(store: Store) -> None:
    """After a restart: what was executing has failed, what was being stopped is stopped; jobs see to themselves."""
    ends = {"Starting": "Failed", "Executing": "Failed", "Stopping": "Stopped"}
    for kind in (STEP, EXECUTION):
        for record in store.all(kind):
            if record.status in ends:
                status = ends[record.status]
                failure = CUT_OFF if status == "Failed" else None
                store.replace(record.having(status=status, failure=failure, ended=record.modified))
