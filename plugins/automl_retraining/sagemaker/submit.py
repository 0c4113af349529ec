"""Submit once: one job per intent, whatever crashes in between.

The name is fixed and stored before the call, so that a retry finds the job of the try before. A job of that name is
adopted only if it carries the tags of this run and the digest of an equal request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from automl_retraining.core.errors import JobConflict, JobError
from automl_retraining.sagemaker import failures, tags
from automl_retraining.sagemaker.jobs import Job, JobKind, read
from automl_retraining.sagemaker.watching import describe, stop

_MOST_NAMES = 50
"""Names tried in one go: more failed jobs of one task than that is a loop, not bad luck."""

Request = Mapping[str, Any]


@dataclass(frozen=True)
class Stored:
    """What the task wrote down before submitting."""

    name: str
    failures: int = 0


@dataclass(frozen=True)
class Submitted:
    """The one job of this task."""

    name: str
    how: Literal["created", "adopted"]
    failures: int
    job: Job | None = None
    """As it was when it was adopted; None for one just created."""


@dataclass(frozen=True)
class Plan:
    """How to name, build and remember a job: what ``submit_once`` needs of a task."""

    name_for: Callable[[int], str]
    """The name after so many names were used up by failed jobs."""
    request_for: Callable[[str], Request]
    """The whole request under that name, with the tags of ``tags.own_tags`` and its digest."""
    save: Callable[[Stored], None]
    """Called before a new name is sent to AWS, and when a job is adopted."""
    say: Callable[[str], None]
    """Takes sentences for the task's log."""


def submit_once(sm: Any, kind: JobKind, plan: Plan, *, stored: Stored | None, cleared: bool) -> Submitted:
    """Create the job, or find the one this task created before.

    Args:
        sm: A SageMaker client.
        kind: The job's row.
        plan: Names, requests and the store.
        stored: What an earlier try wrote down; its name wins.
        cleared: The task was cleared since then: a job still running is no longer wanted, and is stopped.

    Raises:
        JobConflict: the name belongs to a job that is not this task's, or the request changed under a retry.
    """
    # A cleared task counts its names anew: the clear number is in them.
    used = 0 if stored is None else -1 if cleared else stored.failures
    name = stored.name if stored else plan.name_for(used)
    maybe_there = stored is not None
    for _ in range(_MOST_NAMES):
        if not maybe_there:
            plan.save(Stored(name, used))
        request = plan.request_for(name)
        description = describe(sm, kind, name) if maybe_there else None
        if description is None and not _create(sm, kind, request):
            description = describe(sm, kind, name)
            if description is None:
                raise JobConflict(
                    f"{kind.title} {name}: AWS says that the name is taken, and that there is none of that name; "
                    "it may have been deleted just now: clear the task"
                )
        if description is None:
            return Submitted(name, "created", used)
        job = read(kind, description)
        verdict = _judge(sm, kind, job, request, cleared=cleared)
        if verdict == "adopt":
            plan.save(Stored(name, used))
            plan.say(f"{kind.title} {name} is there already ({job.state}) with this run's tags and request: adopted")
            return Submitted(name, "adopted", used, job)
        if verdict == "stop":
            plan.say(f"the task was cleared: {stop(sm, kind, name)}")
        used += 1
        name, maybe_there = plan.name_for(used), False
        plan.say(f"{kind.title} {job.name} is {job.state}: not adopted; going on as {name}")
    raise JobError(f"{kind.title}: expected a free name within {_MOST_NAMES} tries, found none; the last was {name}")


def _create(sm: Any, kind: JobKind, request: Request) -> bool:
    """Send the request; False where the name is taken. Whatever else AWS refuses is raised."""
    from botocore.exceptions import ClientError

    try:
        getattr(sm, kind.create)(**request)
    except ClientError as error:
        if says_taken(error, kind.taken):
            return False
        raise
    return True


def says_taken(error: BaseException, codes: tuple[str, ...]) -> bool:
    """Whether AWS's answer means that the name is in use. ValidationException means other things too."""
    found = failures.code(error)
    if found == "ValidationException":
        return found in codes and "already exist" in failures.message(error).lower()
    return found in codes


def _judge(sm: Any, kind: JobKind, job: Job, request: Request, *, cleared: bool) -> Literal["adopt", "stop", "next"]:
    wanted = tags.as_mapping(request.get("Tags") or ())
    found = read_tags(sm, job.arn)
    if other := tags.difference({key: value for key, value in wanted.items() if key != tags.DIGEST}, found):
        raise JobConflict(
            f"{kind.title} {job.name} is not this task's: {other}. Another Airflow with the same ids in this account? "
            "Give each its own AUTOML_RETRAINING_DEPLOYMENT"
        )
    if job.phase in ("failed", "stopped", "stopping"):
        return "next"
    changed = tags.difference({tags.DIGEST: wanted.get(tags.DIGEST, "")}, found)
    if cleared:
        if job.phase == "waiting":
            return "stop"
        return "next" if changed else "adopt"
    if changed:
        raise JobConflict(
            f"{kind.title} {job.name} ({job.state}) was submitted by this task with another request, and a retry must "
            "not mix the two: clear the task to submit the new one"
        )
    return "adopt"


def read_tags(sm: Any, arn: str | None) -> dict[str, str]:
    """The resource's tags, over all pages."""
    if arn is None:
        return {}
    found: dict[str, str] = {}
    token: str | None = None
    while True:
        page = sm.list_tags(ResourceArn=arn, **({"NextToken": token} if token else {}))
        found.update(tags.as_mapping(page.get("Tags") or ()))
        token = page.get("NextToken")
        if not token:
            return found


def create_once(
    sm: Any,
    request: Request,
    *,
    what: str,
    create: str,
    describe_operation: str,
    name_member: str,
    arn_member: str,
    say: Callable[[str], None],
) -> str:
    """Create a resource that is no job (a model, an endpoint configuration), or find the equal one; its ARN.

    Raises:
        JobConflict: the name belongs to a resource without this run's tags or with another request.
    """
    from botocore.exceptions import ClientError

    name = request[name_member]
    try:
        return str(getattr(sm, create)(**request)[arn_member])
    except ClientError as error:
        if not says_taken(error, ("ValidationException", "ResourceInUse")):
            raise
    arn = str(getattr(sm, describe_operation)(**{name_member: name})[arn_member])
    other = tags.difference(tags.as_mapping(request.get("Tags") or ()), read_tags(sm, arn))
    if other:
        raise JobConflict(f"{what} {name} is there already and is not this task's: {other}; clear the task")
    say(f"{what} {name} is there already with this run's tags and request: adopted")
    return arn
