"""Retiring what a plan says, pipeline by pipeline, while nobody writes the pipeline's endpoint.

What serves is looked at again under the endpoint's lease, so that a promotion or a rollback between the plan and its
execution loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from automl_retraining.core.errors import EndpointBusy, LeaseHeld
from automl_retraining.core.retention import Inventory, Item, Plan, plan, totals
from automl_retraining.sagemaker import in_use, inventory, lease
from automl_retraining.sagemaker.delete import Deleted, delete
from automl_retraining.sagemaker.inventory import Scope, survey

_LEASE = 900
"""Seconds; renewed while there is more to delete."""
_RENEW = 50
"""Deletions between two renewals: at the rate of ``RATE`` far less than the lease."""
RATE = 10.0
"""Calls of SageMaker's control plane a second, so that the account's other calls are not throttled for it."""


@dataclass
class Tidied:
    """What a look over some pipelines came to: the plans, what was deleted, and sentences about what was left out."""

    plans: dict[str, Plan] = field(default_factory=dict)
    inventories: dict[str, Inventory] = field(default_factory=dict)
    at: datetime | None = None
    skipped: dict[str, str] = field(default_factory=dict)
    done: Deleted = field(default_factory=Deleted)
    others: int = 0
    left: list[tuple[Item, str]] = field(default_factory=list)
    """Planned, but in use by the time that it would have been deleted."""


def look(sm: Any, s3: Any, scopes: Sequence[Scope], now: datetime) -> Tidied:
    """Plan for all these pipelines of one account and region; nothing is changed."""
    wanted = [scope for scope in scopes if scope.pipeline.retention.enabled]
    found = Tidied(at=now, skipped={s.name: "retention.enabled is false" for s in scopes if s not in wanted})
    if not wanted:
        return found
    surveyed = survey(sm, s3, wanted, before=now - min(age(scope) for scope in wanted))
    found.others = surveyed.others
    found.skipped |= surveyed.skipped
    found.inventories = surveyed.inventories
    for scope in wanted:
        if scope.name in surveyed.inventories:
            found.plans[scope.name] = _plan(scope, surveyed.inventories[scope.name], now)
    return found


def _plan(scope: Scope, there: Inventory, now: datetime) -> Plan:
    return plan(there, scope.pipeline.retention, now, longest_run=_longest_run(scope))


def carry_out(
    sm: Any, s3: Any, scopes: Sequence[Scope], found: Tidied, *, owner: str, say: Callable[[str], None]
) -> None:
    """Delete what the plans list. A pipeline whose endpoint is being written is left for the next time.

    Args:
        sm: a SageMaker client.
        s3: an S3 client.
        scopes: as for ``look``.
        found: what ``look`` found; what is done is added to it.
        owner: a token that nobody else has, for the leases.
        say: takes sentences for the task's log.
    """
    for scope in scopes:
        wanted = found.plans.get(scope.name)
        if wanted is None or not wanted.retire or found.done.stopped:
            continue
        name = scope.pipeline.endpoint_name
        try:
            _hold(s3, scope, owner)
        except LeaseHeld as error:
            found.skipped[scope.name] = f"left for the next time: {error}"
            say(found.skipped[scope.name])
            continue
        try:
            _retire(sm, s3, scope, wanted, found, owner=owner)
        except EndpointBusy as error:
            found.skipped[scope.name] = f"left for the next time: {error}"
            say(found.skipped[scope.name])
        finally:
            lease.release(s3, scope.bucket, name, owner=owner)
        say(f"{scope.name}: {len(wanted.retire)} things planned, {len(found.done.items)} deleted so far")


def _retire(sm: Any, s3: Any, scope: Scope, wanted: Plan, found: Tidied, *, owner: str) -> None:
    assert found.at is not None
    there = found.inventories[scope.name]
    used = in_use.look(sm, only=[scope.pipeline.endpoint_name])
    busy = {**there.in_use, **inventory.busy(sm, s3, scope, used, there.models)}
    again = _plan(scope, replace(there, in_use=busy), found.at)
    kept = {item.name: item.why for item in again.keep}
    found.left += [(item, kept[item.name]) for item in wanted.retire if item.name in kept]
    count = 0

    def renewed(_: Item) -> None:
        nonlocal count
        count += 1
        if count % _RENEW == 0:
            _hold(s3, scope, owner)

    delete(sm, s3, again.retire, done=found.done, before_each=renewed)


def _hold(s3: Any, scope: Scope, owner: str) -> None:
    lease.acquire(
        s3,
        scope.bucket,
        scope.pipeline.endpoint_name,
        owner=owner,
        seconds=_LEASE,
        about=f"the retention of pipeline {scope.name}",
    )


def age(scope: Scope) -> timedelta:
    """Nothing younger than this goes."""
    return max(timedelta(days=scope.pipeline.retention.days), _longest_run(scope))


def _longest_run(scope: Scope) -> timedelta:
    """How long a run of the pipeline may be under way, and its answer be waited for."""
    return timedelta(minutes=scope.pipeline.max_active_minutes)


def report(found: Tidied, *, run_id: str, dry_run: bool, at: datetime, calls: Mapping[str, int]) -> dict[str, Any]:
    """What is written to S3 and what a person reads: every thing with its reason."""
    return {
        "format": 1,
        "run_id": run_id,
        "at": at.isoformat(),
        "dry_run": dry_run,
        "pipelines": {
            name: {
                "retire": [_line(item) for item in planned.retire],
                "keep": [_line(item) for item in planned.keep],
                "totals": totals(planned.retire),
            }
            for name, planned in found.plans.items()
        },
        "skipped": found.skipped,
        "not_ours": found.others,
        "deleted": [_line(item) for item in found.done.items],
        "left": [{**_line(item), "why": why} for item, why in found.left],
        "failed": [{**_line(item), "why": why} for item, why in found.done.failed],
        "stopped": found.done.stopped,
        "calls": dict(calls),
    }


def _line(item: Item) -> dict[str, Any]:
    line: dict[str, Any] = {"kind": item.kind, "name": item.name, "why": item.why}
    if item.kind == "run folder":
        line |= {"objects": item.objects, "bytes": item.bytes}
    return line
