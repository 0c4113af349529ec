"""Endpoint configurations: the one that puts a model behind the endpoint, made once, and the one before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl_retraining.core.endpoint_spec import EndpointSpec
from automl_retraining.core.errors import JobConflict
from automl_retraining.sagemaker.endpoint import CHAMPION_VARIANT, Endpoint, describe_config

_NOT_IN_CONFIG_REQUEST = frozenset({"EndpointConfigArn", "CreationTime", "ResponseMetadata"})
_CSV = {"CsvContentTypes": ["text/csv"]}
"""Captured as text; anything else is captured in base 64."""


def config_request(
    current: Endpoint | None,
    *,
    config_name: str,
    model_name: str,
    spec: EndpointSpec,
    kms_key: str | None,
    tags: list[dict[str, str]],
    capture_uri: str | None = None,
) -> dict[str, Any]:
    """The request of CreateEndpointConfig that puts a model behind the endpoint.

    Over an existing endpoint everything of the configuration that serves is kept (other variants, names, KMS, data
    capture, network), only the champion's variant gets the new model and the pipeline's instance type. Data capture is
    as the pipeline says, where it says something.

    Args:
        capture_uri: where to capture to, unless the pipeline names a place.
    """
    kept = {} if current is None else {k: v for k, v in current.config.items() if k not in _NOT_IN_CONFIG_REQUEST}
    variants = [dict(variant) for variant in kept.pop("ProductionVariants", ())]
    if current is not None and variants:
        name = current.champion_variant["VariantName"]
        for variant in variants:
            if variant["VariantName"] == name:
                variant["ModelName"] = model_name
                if "InstanceType" in variant:
                    variant["InstanceType"] = spec.instance_type
    else:
        variants = [
            {
                "VariantName": CHAMPION_VARIANT,
                "ModelName": model_name,
                "InstanceType": spec.instance_type,
                "InitialInstanceCount": spec.instance_count,
                "InitialVariantWeight": 1.0,
            }
        ]
    request = {**kept, "EndpointConfigName": config_name, "ProductionVariants": variants, "Tags": tags}
    if kms_key:
        request["KmsKeyId"] = kms_key
    if spec.capture is not None:
        request["DataCaptureConfig"] = {
            "EnableCapture": spec.capture.percent > 0,
            "InitialSamplingPercentage": spec.capture.percent,
            "DestinationS3Uri": spec.capture.uri or capture_uri,
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": _CSV,
            **({"KmsKeyId": kms_key} if kms_key else {}),
        }
    return request


def create_config(sm: Any, request: Mapping[str, Any]) -> None:
    """Create the configuration, or adopt the one of that name where it was made for the same model (a retry).

    Raises:
        JobConflict: the name belongs to a configuration for another model.
    """
    from botocore.exceptions import ClientError

    try:
        sm.create_endpoint_config(**request)
    except ClientError as error:
        existing = describe_config(sm, request["EndpointConfigName"])
        if existing is None:
            raise
        asked, found = _models(request), _models(existing)
        if asked != found:
            raise JobConflict(
                f"endpoint configuration {request['EndpointConfigName']}: expected it to hold {asked}, "
                f"found that it exists with {found}: delete it, or clear the task to make one under a new name"
            ) from error


def _models(config: Mapping[str, Any]) -> dict[str, str]:
    return {variant["VariantName"]: variant.get("ModelName", "") for variant in config["ProductionVariants"]}
