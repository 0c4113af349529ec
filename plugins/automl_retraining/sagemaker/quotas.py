"""Whether the account's quotas have room for the instances that a run asks for at all.

AWS finds a quota by its code, and tells codes only in a list of all of SageMaker's quotas, some thousand. So the codes
are kept in the pipeline's folder: the first run reads the list, the others ask for the few they need.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import StorageError
from automl_retraining.core.records import Record
from automl_retraining.core.section import Trainer
from automl_retraining.sagemaker import failures, storage
from automl_retraining.sagemaker.preflight import Finding, missing, unsure

Usage = Literal["training job", "spot training job", "processing job", "transform job", "endpoint"]

_SHAPES: dict[Usage, str] = {
    "training job": "TrainingInstanceType",
    "spot training job": "TrainingInstanceType",
    "processing job": "ProcessingInstanceType",
    "transform job": "TransformInstanceType",
    "endpoint": "ProductionVariantInstanceType",
}
"""The enums of botocore's service model."""
_NO_QUOTA = frozenset({"NoSuchResourceException"})


@dataclass(frozen=True)
class Need:
    """Instances that the run asks for at the same time in one request."""

    key: str
    """Of the pipeline's YAML."""
    usage: Usage
    instance_type: str
    count: int = 1

    @property
    def quota(self) -> str:
        """The quota's name, as Service Quotas writes it."""
        return f"{self.instance_type} for {self.usage} usage"


class Codes(Record):
    """state/quota_codes.json: the codes of SageMaker's quotas in one region, by name; None for what it has not."""

    region: str
    codes: dict[str, str | None]


def needs(pipeline: Pipeline, trainer: Trainer) -> list[Need]:
    """What the pipeline's YAML asks for. Autopilot chooses its own instances, and refit takes the champion's."""
    found = [
        Need("transform.instance_type", "transform job", pipeline.transform.instance_type,
             pipeline.transform.instance_count),
        Need("endpoint.instance_type", "endpoint", pipeline.endpoint.instance_type, pipeline.endpoint.instance_count),
    ]  # fmt: skip
    if trainer == "tuned":
        training: Usage = "spot training job" if pipeline.tuning.spot else "training job"
        found += [
            Need("processing.instance_type", "processing job", pipeline.processing.instance_type),
            Need("tuning.instance_type", training, pipeline.tuning.instance_type),
        ]
    elif trainer == "candidates" and pipeline.candidates.instance_type:
        found.append(Need("candidates.instance_type", "training job", pipeline.candidates.instance_type))
    elif trainer == "refit" and pipeline.refit.instance_type:
        training = "spot training job" if pipeline.refit.spot else "training job"
        found.append(Need("refit.instance_type", training, pipeline.refit.instance_type))
    return found


def check(quotas: Any, sm: Any, s3: Any, wanted: Sequence[Need], *, codes_uri: str, region: str) -> list[Finding]:
    """Hold the needs against the quotas, and the instance types against those that there are.

    An instance type that boto3 does not know may be a new one: only where AWS has no quota for it either, it is certain
    that there is none.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    strange = [need for need in wanted if not known(sm, need)]
    try:
        limits = _limits(quotas, s3, {need.quota for need in wanted}, codes_uri, region)
    except (ClientError, BotoCoreError, StorageError) as error:
        why = str(error) if isinstance(error, StorageError) else failures.sentence(error, "looking")
        doubted = [_unknown(need, missing_too=False) for need in strange]
        return [*unsure(f"instance quotas cannot be checked: {why}"), *doubted]
    found: list[Finding] = []
    for need in wanted:
        limit = limits.get(need.quota)
        if limit is None:
            found += [_unknown(need, missing_too=True)] if need in strange else []
        elif limit < need.count:
            found += missing(
                f"{need.key}: expected a quota of at least {need.count} for {need.quota!r} in {region}, found "
                f"{limit:g}: ask AWS for more (Service Quotas), or name another instance type"
            )
    return found


def known(sm: Any, need: Need) -> bool:
    """Whether boto3 knows the instance type for that use."""
    return need.instance_type in sm.meta.service_model.shape_for(_SHAPES[need.usage]).enum


def _unknown(need: Need, *, missing_too: bool) -> Finding:
    found = f"{need.key}: expected an instance type for a {need.usage}, found {need.instance_type!r}"
    if missing_too:
        return Finding(True, f"{found}, which neither boto3 nor Service Quotas knows: mend it")
    return Finding(False, f"{found}, which boto3 does not know; is it a new one?")


def _limits(quotas: Any, s3: Any, names: Iterable[str], uri: str, region: str) -> dict[str, float]:
    """The value of each quota that there is."""
    wanted = set(names)
    kept = _kept(s3, uri, region)
    if wanted <= kept.keys():
        return {name: value for name in wanted if (value := _value(quotas, kept[name])) is not None}
    codes: dict[str, str | None] = dict.fromkeys(wanted)
    values: dict[str, float] = {}
    for page in quotas.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker"):
        for quota in page["Quotas"]:
            if quota["QuotaName"] in wanted:
                codes[quota["QuotaName"]] = quota["QuotaCode"]
                values[quota["QuotaName"]] = quota["Value"]
        if len(values) == len(wanted):
            break
    storage.write_record(s3, uri, Codes(region=region, codes={**kept, **codes}))
    return values


def _kept(s3: Any, uri: str, region: str) -> dict[str, str | None]:
    try:
        kept = storage.read_record(s3, uri, Codes)
    except (storage.ObjectMissing, storage.RecordUnreadable):
        return {}
    return dict(kept.codes) if kept.region == region else {}


def _value(quotas: Any, code: str | None) -> float | None:
    """The account's value of a quota, else AWS's default for it."""
    from botocore.exceptions import ClientError

    if code is None:
        return None
    try:
        answer = quotas.get_service_quota(ServiceCode="sagemaker", QuotaCode=code)
    except ClientError as error:
        if failures.code(error) not in _NO_QUOTA:
            raise
        answer = quotas.get_aws_default_service_quota(ServiceCode="sagemaker", QuotaCode=code)
    return float(answer["Quota"]["Value"])
