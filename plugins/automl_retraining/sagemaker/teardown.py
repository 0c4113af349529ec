"""Removing everything of one pipeline: what it serves, what it made, what it remembers.

Nothing of another pipeline is touched: an endpoint that serves another pipeline's model, a model that another endpoint
serves (with the run folder that it is loaded from), a group or an endpoint with other tags are left, and said. Done
again after a crash it goes on with what is left. Jobs that have ended stay in SageMaker's lists, logs in CloudWatch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from automl_retraining.core.errors import EndpointBusy
from automl_retraining.core.retention import Inventory, Item, Plan, everything
from automl_retraining.sagemaker import alarms, endpoint, in_use, inventory, lease, registry, storage, sweep, watching
from automl_retraining.sagemaker import delete as deleting
from automl_retraining.sagemaker.delete import Deleted, delete
from automl_retraining.sagemaker.inventory import Scope

_LEASE = 900
_RENEW = 50
LONGEST_WAIT = 1800.0
"""Seconds for the endpoint to be gone."""
_LOOK_AGAIN = 5.0


@dataclass(frozen=True)
class Removal:
    """What goes and what is left, with the reasons."""

    plan: Plan
    endpoint: str | None
    jobs: tuple[Item, ...] = ()
    alarms: tuple[Item, ...] = ()
    group: tuple[Item, ...] = ()
    state: tuple[Item, ...] = ()
    left: tuple[Item, ...] = ()

    @property
    def items(self) -> tuple[Item, ...]:
        """Everything that goes, in its order."""
        serving = (Item("endpoint", self.endpoint, "of the pipeline"),) if self.endpoint else ()
        data = tuple(item for item in self.plan.retire if item.kind == "run folder")
        made = tuple(item for item in self.plan.retire if item.kind != "run folder")
        return (*self.jobs, *serving, *self.alarms, *made, *self.group, *data, *self.state)


@dataclass
class Clients:
    """boto3 clients of the pipeline's account and region."""

    sm: Any
    s3: Any
    cloudwatch: Any
    sleep: Callable[[float], None] = field(default=time.sleep)


def look(clients: Clients, scope: Scope) -> Removal:
    """Say what there is to remove; nothing is changed."""
    sm, s3 = clients.sm, clients.s3
    name = scope.pipeline.endpoint_name
    serving, left = _endpoint(sm, scope)
    used = in_use.look(sm, without=[name] if serving or not left else ())
    found = inventory.Survey()
    configs, models = inventory.resources(sm, s3, [scope], None, found)
    whole = Inventory(
        pipeline=scope.name,
        configs=tuple(configs[scope.name]),
        models=tuple(models[scope.name]),
        versions=tuple(inventory.versions(sm, scope, None)),
        folders=tuple(inventory.folders(s3, scope)),
        in_use={
            **used.configs,
            **used.models,
            **inventory.folders_of_models(sm, scope, used, models[scope.name]),
        },
    )
    planned = everything(whole)
    group, group_left = _group(sm, scope, planned)
    # Nothing else below <pipeline>/ is touched: a table of yours may be there.
    state = [] if left else [Item("state", scope.below("capture"), "data capture of the endpoint")]
    state.append(Item("state", scope.below("state"), "salt, last run, last search"))
    state.append(Item("state", scope.below("ab"), "A/B tests"))
    guarding = alarms.remove(clients.cloudwatch, name, dry_run=True) if not left else []
    return Removal(
        plan=planned,
        endpoint=name if serving else None,
        jobs=tuple(
            Item("job", f"{kind.key}/{job}", "in progress")
            for kind, job in sweep.running(sm, deployment=scope.deployment, pipeline=scope.name)
        ),
        alarms=tuple(Item("alarm", alarm, f"guards endpoint {name}") for alarm in guarding),
        group=group,
        state=tuple(item for item in state if storage.any_below(s3, item.name)),
        left=(*left, *group_left, *planned.keep),
    )


def carry_out(clients: Clients, scope: Scope, removal: Removal, *, owner: str, say: Callable[[str], None]) -> Deleted:
    """Remove it, under the endpoint's lease, which the caller's ``owner`` token names.

    Raises:
        LeaseHeld: somebody writes the endpoint (worth a retry).
        EndpointBusy: it is being created or updated, or is not gone in time (worth a retry).
    """
    sm, s3 = clients.sm, clients.s3
    done = Deleted()
    hold(s3, scope, owner)
    try:
        for item in removal.jobs:
            key, _, job = item.name.partition("/")
            kind = next(each for each in sweep.STOPPABLE if each.key == key)
            say(watching.stop(sm, kind, job))
            done.items.append(item)
        if removal.endpoint:
            _delete_endpoint(clients, scope, owner)
            done.items.append(Item("endpoint", removal.endpoint, "of the pipeline"))
            say(f"endpoint {removal.endpoint} is gone")
        if removal.alarms:
            alarms.remove(clients.cloudwatch, scope.pipeline.endpoint_name)
            done.items += removal.alarms
        _delete(clients, scope, [i for i in removal.plan.retire if i.kind != "run folder"], done, owner)
        if not done.stopped:
            _delete_group(sm, removal.group, done)
        _delete(clients, scope, [i for i in removal.plan.retire if i.kind == "run folder"], done, owner)
        for item in removal.state if not done.stopped else ():
            deleting.delete_below(s3, item.name)
            done.items.append(item)
    finally:
        lease.release(s3, scope.bucket, scope.pipeline.endpoint_name, owner=owner)
    return done


def hold(s3: Any, scope: Scope, owner: str) -> None:
    """Take or renew the endpoint's lease."""
    name = scope.pipeline.endpoint_name
    about = f"the teardown of pipeline {scope.name}"
    lease.acquire(s3, scope.bucket, name, owner=owner, seconds=_LEASE, about=about)


def _endpoint(sm: Any, scope: Scope) -> tuple[bool, tuple[Item, ...]]:
    """Whether the endpoint goes; where it is there and stays, that and why."""
    name = scope.pipeline.endpoint_name
    found = endpoint.describe(sm, name)
    if found is None:
        return False, ()
    if not scope.owns(found.tags):
        owner = found.tags.get("art:pipeline")
        of_whom = f"it is pipeline {owner}'s" if owner else "it has no tag art:pipeline"
        return False, (Item("endpoint", name, f"{of_whom}: not this pipeline's to delete"),)
    for model in in_use.models_of(found.config):
        other = endpoint.model_tags(sm, model).get("art:pipeline")
        if other not in (None, scope.name):
            return False, (Item("endpoint", name, f"it serves model {model} of pipeline {other}"),)
    return True, ()


def _group(sm: Any, scope: Scope, planned: Plan) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    name = scope.pipeline.package_group
    found = registry.group_of(sm, name)
    if found is None:
        return (), ()
    item = Item("model package group", name, "of the pipeline")
    if not scope.owns(found[1]):
        return (), (replace(item, why="by its tags it is not this pipeline's"),)
    if any(each.kind == "version" for each in planned.keep):
        return (), (replace(item, why="it holds versions that are not this pipeline's"),)
    return (item,), ()


def _delete(clients: Clients, scope: Scope, items: Sequence[Item], done: Deleted, owner: str) -> None:
    count = 0

    def renewed(_: Item) -> None:
        nonlocal count
        count += 1
        if count % _RENEW == 0:
            hold(clients.s3, scope, owner)

    if not done.stopped:
        delete(clients.sm, clients.s3, items, done=done, before_each=renewed)


def _delete_group(sm: Any, items: Sequence[Item], done: Deleted) -> None:
    from botocore.exceptions import ClientError

    for item in items:
        try:
            sm.delete_model_package_group(ModelPackageGroupName=item.name)
        except ClientError as error:
            if not in_use.says_gone(error):
                done.failed.append((item, f"delete {item.kind} {item.name}: {error}"))
                continue
        done.items.append(item)


def _delete_endpoint(clients: Clients, scope: Scope, owner: str) -> None:
    """Delete the endpoint and wait until it is gone, renewing the lease meanwhile."""
    name = scope.pipeline.endpoint_name
    waited = 0.0
    while (found := endpoint.describe(clients.sm, name)) is not None:
        if found.status in endpoint.CHANGING:
            raise EndpointBusy(
                f"endpoint {name}: expected it to have settled before it is deleted, found {found.status}: the next "
                "try looks again"
            )
        if found.status != "Deleting":
            clients.sm.delete_endpoint(EndpointName=name)
        if waited >= LONGEST_WAIT:
            raise EndpointBusy(f"endpoint {name}: expected it to be gone within {LONGEST_WAIT:.0f} s, found Deleting")
        clients.sleep(_LOOK_AGAIN if waited > 10 else 0.5)
        waited += _LOOK_AGAIN if waited > 10 else 0.5
        hold(clients.s3, scope, owner)


def report(removal: Removal, done: Deleted, *, run_id: str, dry_run: bool) -> dict[str, Any]:
    """What is written to S3: every thing with its reason."""

    def lines(items: Sequence[Item]) -> list[dict[str, Any]]:
        return [{"kind": item.kind, "name": item.name, "why": item.why} for item in items]

    return {
        "format": 1,
        "run_id": run_id,
        "dry_run": dry_run,
        "remove": lines(removal.items),
        "left": lines(removal.left),
        "removed": lines(done.items),
        "failed": [{**line, "why": why} for (item, why) in done.failed for line in lines([item])],
        "stopped": done.stopped,
    }
