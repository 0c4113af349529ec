"""CreateTransformJob requests: the rules between their options, and the plan that a worker follows."""

from collections.abc import Mapping
from typing import Any

from include.local_aws.transform.batches import DEFAULT_PAYLOAD_MB, MEGABYTE, Plan
from include.local_aws.transform.filters import FilterError, parse
from include.local_aws.wire.errors import ValidationException, not_implemented

CSV = "text/csv"


def _is_csv(content_type: str) -> bool:
    return content_type.split(";")[0].strip().lower() == CSV


def check(request: Mapping[str, Any]) -> None:
    """The rules that the service model does not state; raises `ValidationException` or "not implemented"."""
    if "DataCaptureConfig" in request:
        raise not_implemented("DataCaptureConfig of CreateTransformJob")
    source = request["TransformInput"]
    if source["DataSource"]["S3DataSource"]["S3DataType"] not in ("S3Prefix", "ManifestFile"):
        raise ValidationException("Transform input of S3DataType AugmentedManifestFile is not supported.")
    if source.get("SplitType", "None") not in ("None", "Line"):
        raise not_implemented(f"SplitType {source['SplitType']} of CreateTransformJob")
    if source.get("SplitType", "None") == "None" and request.get("BatchStrategy") == "SingleRecord":
        raise ValidationException("BatchStrategy SingleRecord needs a SplitType: set SplitType to Line.")
    if max(1, request.get("MaxConcurrentTransforms", 1)) * request.get("MaxPayloadInMB", DEFAULT_PAYLOAD_MB) > 100:
        raise ValidationException("MaxConcurrentTransforms * MaxPayloadInMB must not exceed 100 MB.")
    processing = request.get("DataProcessing", {})
    if processing:
        if not _is_csv(source.get("ContentType", CSV)):
            raise not_implemented(f"DataProcessing of {source['ContentType']} records of CreateTransformJob")
        for name in ("InputFilter", "OutputFilter"):
            try:
                parse(processing.get(name, "$"))
            except FilterError as error:
                raise ValidationException(f"Invalid {name}: {error}") from error
        if processing.get("JoinSource", "None") == "Input" and source.get("SplitType", "None") != "Line":
            raise ValidationException("JoinSource Input needs SplitType Line, so that records can be told apart.")


def plan_of(request: Mapping[str, Any]) -> Plan:
    """The plan of a checked request."""
    source, target = request["TransformInput"], request["TransformOutput"]
    processing = request.get("DataProcessing", {})
    return Plan(
        split_lines=source.get("SplitType", "None") == "Line",
        single_record=request.get("BatchStrategy", "MultiRecord") == "SingleRecord",
        max_payload=request.get("MaxPayloadInMB", DEFAULT_PAYLOAD_MB) * MEGABYTE,
        content_type=source.get("ContentType", "application/octet-stream"),
        accept=target.get("Accept"),
        assemble_lines=target.get("AssembleWith", "None") == "Line",
        input_filter=parse(processing.get("InputFilter", "$")),
        output_filter=parse(processing.get("OutputFilter", "$")),
        join_input=processing.get("JoinSource", "None") == "Input",
    )


def environment_of(request: Mapping[str, Any]) -> dict[str, str]:
    """What the containers of a transform job find in their environment besides what the model says.

    They learn from it that they serve a batch, whose answers some write otherwise, and the options of the request,
    each where it was given. Source: developer guide, "How containers serve for batch transform".
    """
    given = {
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": request.get("MaxPayloadInMB"),
        "SAGEMAKER_BATCH_STRATEGY": {"SingleRecord": "SINGLE_RECORD", "MultiRecord": "MULTI_RECORD"}.get(
            request.get("BatchStrategy", "")
        ),
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": request.get("MaxConcurrentTransforms"),
    }
    asked = {name: str(value) for name, value in given.items() if value is not None}
    return {**request.get("Environment", {}), **asked, "SAGEMAKER_BATCH": "true"}


def file_name(number: int) -> str:
    """How the job's directory calls its input object of this number; its output has ``.out`` behind it."""
    return f"{number:06d}"


def output_name(uri: str, key: str) -> str:
    """Where an input object's output stands below S3OutputPath, without ``.out``: its key from the folder on."""
    prefix = uri.removeprefix("s3://").partition("/")[2]
    folder = prefix.rpartition("/")[0]
    return key.removeprefix(f"{folder}/") if folder else key
