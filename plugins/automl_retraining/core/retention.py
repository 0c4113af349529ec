"""What of a pipeline may go: a pure function of what there is, the policy and the time.

Kept is whatever serves or may serve again, whatever the policy says; then what the policy counts; then what is young.
The rest goes, in the order in which nothing is left pointing at something that is gone: versions, endpoint
configurations, models, run folders.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from automl_retraining.core.lifecycle_spec import RetentionSpec

Kind = Literal["job", "endpoint", "alarm", "version", "endpoint configuration", "model", "model package group",
               "run folder", "state"]  # fmt: skip
"""Retention retires versions, endpoint configurations, models and run folders; a teardown all of these."""


@dataclass(frozen=True)
class Config:
    """An endpoint configuration of ours. ``promoted`` says that its run's outcome is a promotion."""

    name: str
    created: datetime
    models: tuple[str, ...]
    promoted: bool = True


@dataclass(frozen=True)
class Model:
    """A SageMaker model of ours, with the run that made it and where its artifacts are."""

    name: str
    created: datetime
    run_folder: str | None = None


@dataclass(frozen=True)
class Version:
    """A version of the model package group.

    ``model`` and ``run_folder`` are what its metadata say, where they were read; ``ours`` is False where its metadata
    do not name this pipeline.
    """

    arn: str
    number: int
    created: datetime
    status: str
    model: str | None = None
    run_folder: str | None = None
    ours: bool = True


@dataclass(frozen=True)
class Folder:
    """A run folder. ``changed`` is when the youngest of its objects was written."""

    uri: str
    changed: datetime
    objects: int
    bytes: int


@dataclass(frozen=True)
class Inventory:
    """Everything of one pipeline that could go, and what is in use.

    ``models`` need not have those that are younger than the policy's days. ``in_use`` says by the name of a
    configuration or model, or by the URI of a run folder, what uses it.
    """

    pipeline: str
    configs: tuple[Config, ...] = ()
    models: tuple[Model, ...] = ()
    versions: tuple[Version, ...] = ()
    folders: tuple[Folder, ...] = ()
    in_use: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Item:
    """One thing of a plan: to be retired, or kept although it is old, and why."""

    kind: Kind
    name: str
    why: str
    objects: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Plan:
    """What goes, in the order to delete it in, and what stays although it is older than the policy's days."""

    pipeline: str
    retire: tuple[Item, ...]
    keep: tuple[Item, ...]


def plan(inventory: Inventory, policy: RetentionSpec, now: datetime, *, longest_run: timedelta = timedelta(0)) -> Plan:
    """Say what of the pipeline may go.

    Args:
        inventory: what there is.
        policy: the pipeline's section ``retention``.
        now: the time to measure ages against.
        longest_run: how long a run may be under way; what is younger than that may be part of one.
    """
    if not policy.enabled:
        return Plan(inventory.pipeline, (), ())
    age = max(timedelta(days=policy.days), longest_run)
    why_old = f"older than {_days(age)}"
    configs = _kept_configs(inventory, policy, now - age)
    models = _kept_models(inventory, configs)
    versions = _kept_versions(inventory, policy, models)
    folders = _kept_folders(inventory, policy, models, versions)
    retire: list[Item] = []
    keep: list[Item] = []

    def judge(
        kind: Kind, name: str, changed: datetime, kept: Mapping[str, str], objects: int = 0, size: int = 0
    ) -> None:
        if name in kept:
            if changed < now - age:
                keep.append(Item(kind, name, kept[name], objects, size))
        elif changed < now - age:
            retire.append(Item(kind, name, why_old, objects, size))

    for version in sorted(inventory.versions, key=lambda each: each.number):
        judge("version", version.arn, version.created, versions)
    for config in sorted(inventory.configs, key=lambda each: each.created):
        judge("endpoint configuration", config.name, config.created, configs)
    for model in sorted(inventory.models, key=lambda each: each.created):
        judge("model", model.name, model.created, models)
    for folder in sorted(inventory.folders, key=lambda each: each.changed):
        judge("run folder", folder.uri, folder.changed, folders, folder.objects, folder.bytes)
    return Plan(inventory.pipeline, tuple(retire), tuple(keep))


def _kept_configs(inventory: Inventory, policy: RetentionSpec, young: datetime) -> dict[str, str]:
    """Those in use, those of the last promoted models, and the young ones, whose models must stay as well."""
    kept = {
        config.name: inventory.in_use[config.name] for config in inventory.configs if config.name in inventory.in_use
    }
    promoted: list[tuple[str, ...]] = []
    for config in sorted(inventory.configs, key=lambda each: each.created, reverse=True):
        if config.promoted:
            if config.models not in promoted:
                promoted.append(config.models)
            if promoted.index(config.models) < policy.models:
                kept.setdefault(config.name, f"of the last {policy.models} promoted models")
        if config.created >= young:
            kept.setdefault(config.name, "young")
    return kept


def _kept_models(inventory: Inventory, configs: Mapping[str, str]) -> dict[str, str]:
    kept = {model.name: inventory.in_use[model.name] for model in inventory.models if model.name in inventory.in_use}
    for config in inventory.configs:
        for model in config.models if config.name in configs else ():
            kept.setdefault(model, f"endpoint configuration {config.name} is kept")
    for version in inventory.versions:
        if version.status == "PendingManualApproval" and version.model:
            kept.setdefault(version.model, f"version {version.number} waits for a person")
    return kept


def _kept_versions(inventory: Inventory, policy: RetentionSpec, models: Mapping[str, str]) -> dict[str, str]:
    kept = {
        each.arn: "its metadata do not name this pipeline: not ours" for each in inventory.versions if not each.ours
    }
    ours = (each for each in inventory.versions if each.ours)
    for place, version in enumerate(sorted(ours, key=lambda each: each.number, reverse=True)):
        if version.status == "PendingManualApproval":
            kept[version.arn] = "waits for a person"
        elif place < policy.packages:
            kept[version.arn] = f"of the newest {policy.packages} versions"
        elif version.model in models:
            kept[version.arn] = f"model {version.model} is kept"
    return kept


def _kept_folders(
    inventory: Inventory, policy: RetentionSpec, models: Mapping[str, str], versions: Mapping[str, str]
) -> dict[str, str]:
    """Those of kept models and of what the registry still offers, the newest, and what the next run reads."""
    kept = {folder.uri: inventory.in_use[folder.uri] for folder in inventory.folders if folder.uri in inventory.in_use}
    for model in inventory.models:
        if model.name in models and model.run_folder:
            kept.setdefault(model.run_folder, f"model {model.name} is kept")
    for version in inventory.versions:
        if version.arn in versions and version.status != "Rejected" and version.run_folder:
            kept.setdefault(version.run_folder, f"version {version.number} is kept and may be deployed")
    newest = sorted(inventory.folders, key=lambda each: (each.changed, each.uri), reverse=True)
    for folder in newest[: policy.runs]:
        kept.setdefault(folder.uri, f"of the newest {policy.runs} runs")
    return kept


def everything(inventory: Inventory) -> Plan:
    """All of it, but for what is in use: of a teardown, what something else than the pipeline's endpoint uses."""
    models = dict(inventory.in_use)
    folders = {
        folder.uri: inventory.in_use[folder.uri] for folder in inventory.folders if folder.uri in inventory.in_use
    }
    for config in inventory.configs:
        for model in config.models if config.name in inventory.in_use else ():
            models.setdefault(model, f"endpoint configuration {config.name} is kept")
    for model_ in inventory.models:
        if model_.name in models and model_.run_folder:
            folders.setdefault(model_.run_folder, f"model {model_.name} is kept")
    things: list[tuple[Item, str | None]] = [
        *(
            (
                Item("version", each.arn, "of the pipeline"),
                None if each.ours else "its metadata do not name this pipeline",
            )
            for each in inventory.versions
        ),
        *(
            (Item("endpoint configuration", each.name, "of the pipeline"), inventory.in_use.get(each.name))
            for each in inventory.configs
        ),
        *((Item("model", each.name, "of the pipeline"), models.get(each.name)) for each in inventory.models),
        *(
            (Item("run folder", each.uri, "of the pipeline", each.objects, each.bytes), folders.get(each.uri))
            for each in inventory.folders
        ),
    ]
    return Plan(
        inventory.pipeline,
        tuple(item for item, why in things if why is None),
        tuple(replace(item, why=why) for item, why in things if why is not None),
    )


def totals(items: Iterable[Item]) -> dict[str, int]:
    """How many of each kind, with the objects and bytes of the run folders."""
    found: dict[str, int] = {"objects": 0, "bytes": 0}
    for item in items:
        found[item.kind] = found.get(item.kind, 0) + 1
        found["objects"] += item.objects
        found["bytes"] += item.bytes
    return found


def _days(age: timedelta) -> str:
    days = age.total_seconds() / 86400
    return f"{days:.0f} days" if days >= 1 else f"{age.total_seconds() / 3600:.0f} hours"
