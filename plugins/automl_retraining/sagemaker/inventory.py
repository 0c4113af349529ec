"""What there is of some pipelines in an account and region: by tags where SageMaker has them, by folder in S3.

Lists are asked by the prefix of our names and by age, so that a weekly look costs pages and the tags of what is old,
not a call for every run there ever was.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import EndpointError, StorageError
from automl_retraining.core.names import PREFIX
from automl_retraining.core.retention import Config, Folder, Inventory, Model, Version
from automl_retraining.sagemaker import endpoint, in_use, reference, registry, storage, tags
from automl_retraining.sagemaker.pace import pages

_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Scope:
    """One pipeline, where its run folders are and which Airflow it belongs to."""

    pipeline: Pipeline
    bucket: str
    deployment: str

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self.pipeline.name

    def below(self, what: str) -> str:
        """``s3://<bucket>/<pipeline>/<what>/``."""
        return f"s3://{self.bucket}/{self.name}/{what}/"

    def owns(self, found: Mapping[str, str]) -> bool:
        """Whether these tags are this pipeline's and this deployment's."""
        return found.get(tags.PIPELINE) == self.name and found.get(tags.DEPLOYMENT) == tags.legal_value(self.deployment)


@dataclass
class Survey:
    """What was found: an inventory by pipeline, and sentences about what was left out of it."""

    inventories: dict[str, Inventory] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    others: int = 0
    """Models and endpoint configurations with a name like ours that by their tags are nobody's here."""


def survey(sm: Any, s3: Any, scopes: Sequence[Scope], *, before: datetime | None = None) -> Survey:
    """Look at everything of these pipelines that may be old.

    Args:
        sm: a SageMaker client.
        s3: an S3 client.
        scopes: pipelines of one account and region.
        before: models and versions created later are left out; None: none are.
    """
    found = Survey()
    used = in_use.look(sm)
    configs, models = resources(sm, s3, scopes, before, found)
    for scope in scopes:
        try:
            inventory = _one(sm, s3, scope, used, configs[scope.name], models[scope.name], before)
        except StorageError as error:
            if error.retryable:
                raise
            found.skipped[scope.name] = str(error)
        except EndpointError as error:
            found.skipped[scope.name] = str(error)
        else:
            found.inventories[scope.name] = inventory
    return found


def _one(
    sm: Any,
    s3: Any,
    scope: Scope,
    used: in_use.InUse,
    configs: Iterable[Config],
    models: Iterable[Model],
    before: datetime | None,
) -> Inventory:
    models = tuple(models)
    return Inventory(
        pipeline=scope.name,
        configs=tuple(configs),
        models=models,
        versions=tuple(versions(sm, scope, before)),
        folders=tuple(folders(s3, scope)),
        in_use=busy(sm, s3, scope, used, models),
    )


def busy(sm: Any, s3: Any, scope: Scope, used: in_use.InUse, models: Collection[Model]) -> dict[str, str]:
    """What of the pipeline is in use, by name: with the run folders that it needs, and the champion's reference.

    Raises:
        EndpointError: what the pipeline's endpoint serves, or what its champion answers to, cannot be told.
    """
    found = {**used.configs, **used.models, **_folders_in_use(sm, s3, scope, used, models)}
    champion = endpoint.read_champion(
        sm, scope.pipeline.endpoint_name, adopt=scope.pipeline.endpoint.adopt, pipeline=scope.name
    )
    if champion is not None:
        held = reference.look(sm, s3, champion)
        if held.model is None and scope.pipeline.gate.mode == "non_inferiority":
            raise EndpointError(f"{held.problem}: nothing is retired that it may be")
        if held.model is not None:
            found.setdefault(held.model.model_name, "the champion's reference: the last model promoted by superiority")
            if held.model.run_folder:
                found.setdefault(held.model.run_folder, "the run of the champion's reference")
    return found


def resources(
    sm: Any, s3: Any, scopes: Sequence[Scope], before: datetime | None, found: Survey
) -> tuple[dict[str, list[Config]], dict[str, list[Model]]]:
    """Endpoint configurations and models by pipeline, by their tags."""
    configs: dict[str, list[Config]] = defaultdict(list)
    models: dict[str, list[Model]] = defaultdict(list)
    outcomes: dict[str, str | None] = {}
    for each in _named(sm, "list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"):
        own = endpoint.tags_of(sm, each["EndpointConfigArn"])
        scope = _owner(scopes, own)
        if scope is None:
            found.others += 1
            continue
        name, folder = each["EndpointConfigName"], own.get(tags.RUN_FOLDER, "")
        described = in_use.described(sm, "describe_endpoint_config", EndpointConfigName=name)
        # A run of before the pipeline moved to another bucket: whether it was promoted is not asked there.
        here = folder.startswith(f"s3://{scope.bucket}/")
        if here and folder not in outcomes:
            outcomes[folder] = _outcome(s3, folder)
        promoted = not here or outcomes[folder] in ("promoted", _UNKNOWN)
        configs[scope.name].append(Config(name, each["CreationTime"], in_use.models_of(described or {}), promoted))
    limit = {"CreationTimeBefore": before} if before else {}
    for each in _named(sm, "list_models", "Models", "ModelName", **limit):
        own = endpoint.tags_of(sm, each["ModelArn"])
        scope = _owner(scopes, own)
        if scope is None:
            found.others += 1
            continue
        models[scope.name].append(Model(each["ModelName"], each["CreationTime"], own.get(tags.RUN_FOLDER)))
    return configs, models


def _named(sm: Any, operation: str, member: str, name: str, **limit: Any) -> Iterator[Mapping[str, Any]]:
    """What has a name like ours. ``NameContains`` finds it anywhere in a name."""
    listed = pages(sm, operation, member, NameContains=f"{PREFIX}-", SortBy="CreationTime", MaxResults=100, **limit)
    for each in list(listed):
        if each[name].startswith(f"{PREFIX}-"):
            yield each


def _owner(scopes: Iterable[Scope], found: Mapping[str, str]) -> Scope | None:
    return next((scope for scope in scopes if scope.owns(found)), None)


def _outcome(s3: Any, folder: str) -> str | None:
    """The word of outcome.json; None where there is none, and unknown where it cannot be read any more."""
    try:
        return str(json.loads(storage.read_bytes(s3, storage.join(folder, "outcome.json")))["outcome"])
    except storage.ObjectMissing:
        return None
    except (ValueError, KeyError, TypeError):
        return _UNKNOWN  # another version of this project wrote it: kept rather than lost


def versions(sm: Any, scope: Scope, before: datetime | None) -> Iterator[Version]:
    """The versions of the pipeline's model package group; nothing where the group is not there."""
    group = scope.pipeline.package_group
    if registry.group_of(sm, group) is None:
        return
    # Without the younger ones the newest could not be counted: they are listed, and not described.
    listed = list(pages(sm, "list_model_packages", "ModelPackageSummaryList", ModelPackageGroupName=group,
                        SortBy="CreationTime", MaxResults=100))  # fmt: skip
    for each in listed:
        arn, created = each["ModelPackageArn"], each["CreationTime"]
        number, status = int(each["ModelPackageVersion"]), str(each.get("ModelApprovalStatus"))
        if before and created >= before and status != "PendingManualApproval":
            yield Version(arn, number, created, status)
            continue
        said = (registry.describe(sm, arn) or {}).get("CustomerMetadataProperties", {})
        ours = scope.owns(said)
        yield Version(arn, number, created, status, said.get(registry.MODEL), said.get(tags.RUN_FOLDER), ours)


def folders(s3: Any, scope: Scope) -> Iterator[Folder]:
    """The pipeline's run folders, from one listing of their objects: a thousand a page."""
    prefix = scope.below("runs")
    bucket, key = storage.parse_uri(prefix)
    grown: dict[str, tuple[datetime, int, int]] = {}
    with storage.words("list", prefix):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
            for entry in page.get("Contents", ()):
                name, slash, _ = entry["Key"][len(key) :].partition("/")
                if not slash:
                    continue
                changed, objects, size = grown.get(name, (entry["LastModified"], 0, 0))
                grown[name] = (max(changed, entry["LastModified"]), objects + 1, size + entry["Size"])
    for name, (changed, objects, size) in grown.items():
        yield Folder(f"{prefix}{name}", changed, objects, size)


def _folders_in_use(sm: Any, s3: Any, scope: Scope, used: in_use.InUse, models: Collection[Model]) -> dict[str, str]:
    """Run folders that something live points to: those of served models, and the one that the next run reads."""
    from automl_retraining.core.manifest import LastRun

    found = folders_of_models(sm, scope, used, models)
    try:
        last = storage.read_record(s3, scope.below("state") + "last_run.json", LastRun)
    except storage.ObjectMissing:
        return found
    found.setdefault(last.run_folder.rstrip("/"), "the last run: the next one is compared with its table")
    return found


def folders_of_models(sm: Any, scope: Scope, used: in_use.InUse, models: Collection[Model]) -> dict[str, str]:
    """Run folders of the models in use: of the run that made each, and where its artifacts are."""
    found: dict[str, str] = {}
    runs = scope.below("runs")
    for model in models:
        if model.name not in used.models:
            continue
        if model.run_folder:
            found.setdefault(model.run_folder, f"model {model.name}: {used.models[model.name]}")
        described = endpoint.describe_model(sm, model.name) or {}
        for container in described.get("Containers") or [described.get("PrimaryContainer") or {}]:
            artifact = str(container.get("ModelDataUrl") or "")
            if artifact.startswith(runs):
                folder = runs + artifact[len(runs) :].split("/", 1)[0]
                found.setdefault(folder, f"model {model.name} is loaded from it")
    return found
