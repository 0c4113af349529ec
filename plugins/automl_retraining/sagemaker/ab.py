"""An A/B test at the endpoint: the configuration with two variants, their shares, and which model is tested.

The test's configuration is one of its own, named ``art-abtest-…``. Its tags say which run made it and which
configuration has the champion alone, so whoever finds it can end it. Every function takes boto3 clients; none waits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from automl_retraining.core.ab_spec import ABSpec
from automl_retraining.core.errors import ABTestRefused, EndpointBusy, NotOurs
from automl_retraining.core.names import name_prefix, run_folder_uri
from automl_retraining.core.records import Decision
from automl_retraining.sagemaker import registry, storage, tags
from automl_retraining.sagemaker.endpoint import (
    CHAMPION_VARIANT,
    Endpoint,
    describe_config,
    describe_model,
    model_tags,
    tags_of,
)

CHALLENGER_VARIANT = "challenger"
KIND = "abtest"
BASE_CONFIG = "art:ab-base"
"""Tag of a test's configuration: the one that has the champion alone, which a withdrawal puts back."""

_NOT_IN_REQUEST = frozenset({"EndpointConfigArn", "EndpointConfigName", "CreationTime", "ResponseMetadata"})
_CLOSE = 1e-3
"""Weights are stored as single floats."""


@dataclass(frozen=True)
class Base:
    """The configuration that has the champion alone; ``gone`` where it was deleted and is made from the test's."""

    name: str
    config: Mapping[str, Any]
    gone: bool = False


def under_test(config_name: str | None) -> bool:
    """Whether a configuration of that name is an A/B test's."""
    return (config_name or "").startswith(name_prefix(KIND))


def refuse_during_test(current: Endpoint | None) -> None:
    """Refuse to write an endpoint while an A/B test runs on it.

    Raises:
        EndpointBusy: it serves a test's configuration.
    """
    if current is not None and under_test(current.config_name):
        raise EndpointBusy(
            f"endpoint {current.name}: expected the champion alone, found an A/B test under way (configuration "
            f"{current.config_name}): wait until it has ended, or end it by triggering the pipeline's rollback; then "
            "clear this task"
        )


def base_of(sm: Any, current: Endpoint) -> Base:
    """The configuration with the champion alone, of an endpoint that serves it or a test.

    Raises:
        ABTestRefused: the endpoint has no variant named champion, other variants, or one without instances.
    """
    if not under_test(current.config_name):
        return Base(str(current.config_name), _alone(current))
    name = tags_of(sm, current.config["EndpointConfigArn"]).get(BASE_CONFIG, "")
    found = describe_config(sm, name) if name else None
    if found is not None:
        return Base(name, found)
    kept = [each for each in current.config["ProductionVariants"] if each["VariantName"] != CHALLENGER_VARIANT]
    # What the test captures ends with it: the whole of the requests must not be kept for ever by mistake.
    config = {key: value for key, value in current.config.items() if key != "DataCaptureConfig"}
    return Base(name, {**config, "ProductionVariants": kept}, gone=True)


def _alone(current: Endpoint) -> Mapping[str, Any]:
    variants = current.config.get("ProductionVariants", ())
    names = [each["VariantName"] for each in variants]
    if names != [CHAMPION_VARIANT]:
        raise ABTestRefused(
            f"endpoint {current.name}: expected one production variant, {CHAMPION_VARIANT!r}, found "
            f"{', '.join(map(repr, names)) or 'none'}: an A/B test needs an endpoint that serves the champion alone"
        )
    if "InitialInstanceCount" not in variants[0]:
        raise ABTestRefused(
            f"endpoint {current.name}: expected a variant of instances, found a serverless one, which takes no share "
            "of the requests beside another"
        )
    return current.config


def choose(sm: Any, s3: Any, wanted: str, *, pipeline: Any, bucket: str, champion: str) -> str:
    """The model to test: the one that is named, the challenger of the run that is named, or the newest approved one.

    Args:
        wanted: a model's name or a run id; empty for the newest version that the registry has as Approved.
        pipeline: the model kept fresh.
        bucket: of the run folders.
        champion: the model that serves.

    Raises:
        ABTestRefused: there is none, or it serves already.
        NotOurs: by its tags it is not this pipeline's.
        NotApproved: its version may not serve.
    """
    name = _named(sm, s3, wanted, pipeline=pipeline, bucket=bucket) if wanted else _newest(sm, pipeline)
    if name == champion:
        raise ABTestRefused(
            f"expected a challenger beside the champion, found {name}, which is the champion: name another model or run"
        )
    model = describe_model(sm, name)
    if model is None:
        raise ABTestRefused(f"model {name}: expected to put it beside the champion, found that it was deleted")
    own = tags_of(sm, model["ModelArn"])
    if own.get(tags.PIPELINE) != pipeline.name:
        raise NotOurs(
            f"model {name}: expected the tag {tags.PIPELINE} to be {pipeline.name!r}, found {own.get(tags.PIPELINE)!r}"
        )
    require_approved(sm, name, pipeline=pipeline)
    return name


def require_approved(sm: Any, model_name: str, *, pipeline: Any) -> None:
    """Refuse a model whose version is not Approved now; nothing where the pipeline has no registry.

    Raises:
        ABTestRefused: it has no version.
        NotApproved: its version is Rejected or waits for a person.
    """
    if not pipeline.registry.enabled:
        return
    arn = version_of(sm, model_name)
    if arn is None:
        raise ABTestRefused(
            f"model {model_name}: expected a version of it in the model registry, found none: only what reached the "
            "gate is registered; run a training DAG"
        )
    registry.require_approved(sm, arn)


def version_of(sm: Any, model_name: str) -> str | None:
    """The model's version in the registry, by its tag."""
    return model_tags(sm, model_name).get(registry.PACKAGE_TAG)


def _named(sm: Any, s3: Any, wanted: str, *, pipeline: Any, bucket: str) -> str:
    if describe_model(sm, wanted) is not None:
        return wanted
    where = storage.join(run_folder_uri(bucket, pipeline.name, wanted), "decision.json")
    try:
        return storage.read_record(s3, where, Decision).challenger
    except storage.ObjectMissing as error:
        raise ABTestRefused(
            f"challenger: expected the name of a model or the id of a run that reached the gate, found {wanted!r}, "
            f"which is no model, and {where} is not there"
        ) from error


def _newest(sm: Any, pipeline: Any) -> str:
    what = "challenger: expected the name of a model or a run"
    if not pipeline.registry.enabled:
        raise ABTestRefused(f"{what}, found nothing, and the pipeline has no model registry to take the newest from")
    group = pipeline.package_group
    if registry.group_of(sm, group) is not None:
        answer = sm.list_model_packages(
            ModelPackageGroupName=group, ModelApprovalStatus="Approved", SortBy="CreationTime", SortOrder="Descending",
            MaxResults=1,
        )  # fmt: skip
        for each in answer["ModelPackageSummaryList"]:
            version = registry.describe(sm, each["ModelPackageArn"]) or {}
            if name := version.get("CustomerMetadataProperties", {}).get(registry.MODEL):
                return str(name)
    raise ABTestRefused(f"{what}, found nothing, and no version of group {group} is Approved: approve one there first")


def test_request(
    current: Endpoint,
    spec: ABSpec,
    *,
    weight: float,
    config_name: str,
    challenger: str,
    instance_type: str,
    kms_key: str | None,
    capture_uri: str,
    tags: list[tags.Tag],
) -> dict[str, Any]:
    """CreateEndpointConfig's arguments: what serves now, and the challenger beside it.

    Where labels are to come, every request and answer is captured for as long as the test runs.

    Args:
        current: the endpoint, with the champion alone.
        weight: the champion's, as it is now.
        config_name: the test's configuration.
        challenger: the model.
        instance_type: of the challenger.
        kms_key: the pipeline's.
        capture_uri: where to capture to.
        tags: of the run, with ``BASE_CONFIG``.
    """
    kept = {key: value for key, value in current.config.items() if key not in _NOT_IN_REQUEST}
    champion = kept["ProductionVariants"][0]
    beside = {key: value for key, value in champion.items() if key not in ("RoutingConfig", "CoreDumpConfig")}
    beside |= {
        "VariantName": CHALLENGER_VARIANT,
        "ModelName": challenger,
        "InstanceType": instance_type,
        "InitialInstanceCount": spec.instance_count or instances(current, spec.share),
        "InitialVariantWeight": weight_for(weight, spec.share),
    }
    request = {**kept, "EndpointConfigName": config_name, "ProductionVariants": [champion, beside], "Tags": tags}
    if kms_key:
        request["KmsKeyId"] = kms_key
    if spec.quality is not None:
        request["DataCaptureConfig"] = {
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": capture_uri,
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
            **({"KmsKeyId": kms_key} if kms_key else {}),
        }
    return request


def weight_for(weight: float, share: int) -> float:
    """The challenger's weight that gives it this share in percent beside one other variant of that weight."""
    return weight * share / (100 - share)


def instances(current: Endpoint, share: int) -> int:
    """How many instances take a share of what the champion's fleet takes now."""
    variant = current.champion_variant
    fleet = current.counts.get(variant["VariantName"]) or variant.get("InitialInstanceCount", 1)
    return max(1, math.ceil(fleet * share / 100))


def weights(sm: Any, endpoint_name: str) -> dict[str, float]:
    """The weights that the variants are to have now."""
    answer = sm.describe_endpoint(EndpointName=endpoint_name)
    return {
        each["VariantName"]: float(each.get("DesiredWeight", each.get("CurrentWeight", 1.0)))
        for each in answer.get("ProductionVariants", ())
    }


def shift_request(sm: Any, current: Endpoint, share: int) -> dict[str, Any] | None:
    """UpdateEndpointWeightsAndCapacities' arguments that give the challenger this share; None where it has it already.

    It gets the instances for it too.

    Only the challenger's weight changes: the champion's is never 0, so it can serve alone again at once.
    """
    now = weights(sm, current.name)
    wanted = weight_for(now[CHAMPION_VARIANT], share)
    count = max(instances(current, share), current.counts.get(CHALLENGER_VARIANT, 1))
    if abs(now[CHALLENGER_VARIANT] - wanted) <= _CLOSE * wanted and count == current.counts.get(CHALLENGER_VARIANT):
        return None
    change = {"VariantName": CHALLENGER_VARIANT, "DesiredWeight": wanted, "DesiredInstanceCount": count}
    return {"EndpointName": current.name, "DesiredWeightsAndCapacities": [change]}


def alone_request(base: Base, *, config_name: str, tags: list[tags.Tag]) -> dict[str, Any]:
    """CreateEndpointConfig's arguments for the champion alone, where the configuration that had it was deleted."""
    kept = {key: value for key, value in base.config.items() if key not in _NOT_IN_REQUEST}
    return {**kept, "EndpointConfigName": config_name, "Tags": tags}
