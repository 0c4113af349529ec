"""From the description of a job that ran to the request that runs it again on other data.

What Describe… tells and Create… takes is found in botocore's own model of SageMaker, at every depth; what the two do
not agree on although their shapes do is said here, rule by rule. Pure functions: nothing is asked of AWS.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import RequestError
from automl_retraining.core.trainer_specs import RefitSpec
from automl_retraining.sagemaker import storage, tags
from automl_retraining.sagemaker.jobs import Description, JobKind
from automl_retraining.sagemaker.requests import vpc

_BUILT_IN = frozenset(
    {
        "blazingtext", "factorization-machines", "forecasting-deepar", "image-classification", "ipinsights", "kmeans",
        "knn", "lda", "linear-learner", "mxnet-algorithms", "ntm", "object-detection", "object2vec", "pca",
        "randomcutforest", "sagemaker-xgboost", "semantic-segmentation", "seq2seq", "xgboost",
    }
)  # fmt: skip
"""Repositories of SageMaker's own algorithms (developer guide, "Docker Registry Paths"): their metric definitions are
described, and refused in a request ("You can't override the metric definitions for Amazon SageMaker algorithms")."""
_OF_THE_DATA = frozenset({"feature_dim"})
"""Hyperparameters of those that say what the data are like: the containers find them out when they are left out."""
_DAY = 86400
"""Seconds: the limit of a job whose description names none, which is SageMaker's own default."""
_LEFT_BEHIND = frozenset({"ExperimentConfig", "Tags"})
"""Of the champion's run, not of this one: the trial that the job belonged to, and its tags (see ``carried_tags``)."""


def repository(image: str) -> str:
    """The repository of an image URI: ``sagemaker-xgboost``."""
    return image.rsplit("/", 1)[-1].split("@", 1)[0].split(":", 1)[0]


def arguments(sm: Any, kind: JobKind, description: Description) -> dict[str, Any]:
    """What a job's description has of the arguments of its create operation.

    Members that only an answer has are left out at every depth, and so is what is empty: AWS answers some members
    empty that it refuses to be sent empty.

    Args:
        sm: A SageMaker client; only its service model is read.
        kind: The job's row.
        description: The describe operation's answer.
    """
    model = sm.meta.service_model
    operation = sm.meta.method_to_api_mapping[kind.create]
    taken = _taken(model.operation_model(operation).input_shape, description)
    return {name: value for name, value in taken.items() if name not in _LEFT_BEHIND}


def _taken(shape: Any, value: Any) -> Any:
    if shape.type_name == "structure":
        # A structure without members of its own takes anything (none of SageMaker's jobs has a document type).
        found = {name: _taken(member, value[name]) for name, member in shape.members.items() if name in value}
        return {name: each for name, each in found.items() if not _empty(each)}
    if shape.type_name == "list":
        return [_taken(shape.member, each) for each in value or ()]
    if shape.type_name == "map":
        return dict(value or {})
    return value


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, dict | list) and not value)


def carried_tags(found: Mapping[str, str]) -> list[tags.Tag]:
    """The tags that a job of the champion has from somebody else, for the job that stands in for it.

    Ours are this run's own, and ``aws:`` is AWS's.
    """
    kept = {key: value for key, value in found.items() if not key.lower().startswith(("art:", "aws:"))}
    return [{"Key": key, "Value": value} for key, value in sorted(kept.items())]


def training(
    request: Mapping[str, Any],
    name: str,
    *,
    pipeline: Pipeline,
    role_arn: str,
    channels: Mapping[str, str],
    output_uri: str,
    environment: Mapping[str, str] | None = None,
    spot: bool | None = None,
) -> dict[str, Any]:
    """CreateTrainingJob's arguments: the described training on other data.

    Args:
        request: What ``arguments`` gives.
        name: The new job's.
        pipeline: Its ``refit`` section says what else is new, its ``aws`` section who may and with which key.
        role_arn: The role of this run.
        channels: S3 prefixes by channel name; other channels stay where they are.
        output_uri: Below it go the artifact and, by the job's name, checkpoints.
        environment: Variables that change.
        spot: Interruptible instances or not; None leaves it as it was.

    Raises:
        RequestError: the described job has no channel of that name, or limits that contradict each other.
    """
    spec = pipeline.refit
    again = {**request, "TrainingJobName": name, "RoleArn": role_arn}
    again["InputDataConfig"] = _channels(request, channels)
    again["OutputDataConfig"] = _output(request.get("OutputDataConfig", {}), output_uri, pipeline)
    again["ResourceConfig"] = _resources(request.get("ResourceConfig", {}), pipeline)
    merged = {**request.get("Environment", {}), **(environment or {})}
    if merged:
        again["Environment"] = merged
    image = request["AlgorithmSpecification"].get("TrainingImage", "")
    if repository(image) in _BUILT_IN:
        again["AlgorithmSpecification"] = {
            key: value for key, value in request["AlgorithmSpecification"].items() if key != "MetricDefinitions"
        }
        again["HyperParameters"] = {
            key: value for key, value in request.get("HyperParameters", {}).items() if key not in _OF_THE_DATA
        }
    for member in ("DebugHookConfig", "TensorBoardOutputConfig", "ProfilerConfig"):
        if "S3OutputPath" in request.get(member, {}):
            again[member] = {**request[member], "S3OutputPath": storage.join(output_uri, "debug", name)}
    network = vpc(pipeline.aws.subnets, pipeline.aws.security_group_ids)
    if network:
        again["VpcConfig"] = network
    _limit(again, spec, storage.join(output_uri, "checkpoints", name), spot)
    return again


def processing(
    request: Mapping[str, Any],
    name: str,
    *,
    pipeline: Pipeline,
    role_arn: str,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
) -> dict[str, Any]:
    """CreateProcessingJob's arguments: the described job with other inputs and outputs, by channel name.

    Raises:
        RequestError: the described job has no input or output of that name.
    """
    again = {**request, "ProcessingJobName": name, "RoleArn": role_arn}
    described = request.get("ProcessingInputs", [])
    _known("input", inputs, [each["InputName"] for each in described])
    again["ProcessingInputs"] = [
        {**each, "S3Input": {**each["S3Input"], "S3Uri": inputs[each["InputName"]]}}
        if each["InputName"] in inputs
        else each
        for each in described
    ]
    config = request.get("ProcessingOutputConfig", {})
    _known("output", outputs, [each["OutputName"] for each in config.get("Outputs", [])])
    kms_key = pipeline.aws.kms_key
    again["ProcessingOutputConfig"] = {
        **config,
        "Outputs": [
            {**each, "S3Output": {**each["S3Output"], "S3Uri": outputs[each["OutputName"]]}}
            for each in config["Outputs"]
            # An output that nobody names here would be written over the champion's.
            if each["OutputName"] in outputs
        ],
        **({"KmsKeyId": kms_key} if kms_key else {}),
    }
    cluster = _resources(request["ProcessingResources"]["ClusterConfig"], pipeline)
    again["ProcessingResources"] = {**request["ProcessingResources"], "ClusterConfig": cluster}
    network = vpc(pipeline.aws.subnets, pipeline.aws.security_group_ids)
    if network:
        again["NetworkConfig"] = {**request.get("NetworkConfig", {}), "VpcConfig": network}
    if pipeline.refit.max_run_time is not None:
        again["StoppingCondition"] = {"MaxRuntimeInSeconds": pipeline.refit.max_run_time}
    again.setdefault("StoppingCondition", {"MaxRuntimeInSeconds": _DAY})
    return again


def transform(
    request: Mapping[str, Any], name: str, *, pipeline: Pipeline, model_name: str, input_uri: str, output_uri: str
) -> dict[str, Any]:
    """CreateTransformJob's arguments: the described job with another model, on another prefix."""
    source = request["TransformInput"]["DataSource"]["S3DataSource"]
    resources = dict(request["TransformResources"])
    if pipeline.refit.instance_type:
        resources["InstanceType"] = pipeline.refit.instance_type
    kms_key = pipeline.aws.kms_key
    again = {
        **request,
        "TransformJobName": name,
        "ModelName": model_name,
        "TransformInput": {
            **request["TransformInput"],
            "DataSource": {"S3DataSource": {**source, "S3DataType": "S3Prefix", "S3Uri": input_uri}},
        },
        "TransformOutput": {
            **request["TransformOutput"],
            "S3OutputPath": output_uri,
            **({"KmsKeyId": kms_key} if kms_key else {}),
        },
        "TransformResources": resources,
    }
    capture = request.get("DataCaptureConfig", {})
    if "DestinationS3Uri" in capture:
        again["DataCaptureConfig"] = {**capture, "DestinationS3Uri": storage.join(output_uri, "capture")}
    return again


def prefixes(request: Mapping[str, Any], *, without: Iterable[str]) -> dict[str, str]:
    """The S3 prefixes that a processing or training job reads beside those channels, by channel."""
    found = {}
    for each in request.get("ProcessingInputs", ()):
        source = each.get("S3Input", {})
        if source.get("S3DataType") == "S3Prefix":
            found[each["InputName"]] = source["S3Uri"]
    for each in request.get("InputDataConfig", ()):
        source = each["DataSource"].get("S3DataSource", {})
        if source.get("S3DataType") == "S3Prefix":
            found[each["ChannelName"]] = source["S3Uri"]
    return {name: uri for name, uri in found.items() if name not in set(without)}


def rows_only(chunks: Iterable[bytes]) -> Iterable[bytes]:
    """A CSV file's bytes without its first record, the header; a quoted line break does not end it."""
    head = b""
    passed = False
    for chunk in chunks:
        if passed:
            yield chunk
            continue
        head += chunk
        end = _end_of_record(head)
        if end is not None:
            passed = True
            if head[end:]:
                yield head[end:]


def _end_of_record(text: bytes) -> int | None:
    """Where the second record begins; None where the first has no end yet."""
    at = text.find(b"\n")
    while at >= 0:
        if text.count(b'"', 0, at) % 2 == 0:
            return at + 1
        at = text.find(b"\n", at + 1)
    return None


def _channels(request: Mapping[str, Any], channels: Mapping[str, str]) -> list[dict[str, Any]]:
    described = request.get("InputDataConfig", [])
    _known("channel", channels, [each["ChannelName"] for each in described])
    result = []
    for channel in described:
        uri = channels.get(channel["ChannelName"])
        if uri is None:
            result.append(channel)
            continue
        source = {**channel["DataSource"].get("S3DataSource", {}), "S3DataType": "S3Prefix", "S3Uri": uri}
        result.append({**channel, "DataSource": {"S3DataSource": source}})
    return result


def _known(what: str, wanted: Iterable[str], found: list[str]) -> None:
    missing = [each for each in wanted if each not in found]
    if missing:
        raise RequestError(
            f"expected the champion's job to have the {what} {missing[0]!r}, found {', '.join(found) or 'none'}"
        )


def _output(described: Mapping[str, Any], uri: str, pipeline: Pipeline) -> dict[str, Any]:
    kms_key = pipeline.aws.kms_key
    return {**described, "S3OutputPath": uri, **({"KmsKeyId": kms_key} if kms_key else {})}


def _resources(described: Mapping[str, Any], pipeline: Pipeline) -> dict[str, Any]:
    instance_type, kms_key = pipeline.refit.instance_type, pipeline.aws.kms_key
    resources = dict(described)
    if instance_type and "InstanceGroups" in resources:
        resources["InstanceGroups"] = [{**each, "InstanceType": instance_type} for each in resources["InstanceGroups"]]
    elif instance_type:
        resources["InstanceType"] = instance_type
    return {**resources, **({"VolumeKmsKeyId": kms_key} if kms_key else {})}


def _limit(request: dict[str, Any], spec: RefitSpec, checkpoints: str, spot: bool | None) -> None:
    """Time limits, spot and checkpoints: never the champion's, or the training would go on with the old model."""
    was_spot = bool(request.pop("EnableManagedSpotTraining", False))
    now_spot = was_spot if spot is None else spot
    stopping = dict(request.pop("StoppingCondition", {}))
    if spec.max_run_time is not None:
        stopping["MaxRuntimeInSeconds"] = spec.max_run_time
    stopping.setdefault("MaxRuntimeInSeconds", _DAY)
    waited = stopping.pop("MaxWaitTimeInSeconds", None)
    config = request.pop("CheckpointConfig", None)
    if config or now_spot:
        request["CheckpointConfig"] = {**(config or {}), "S3Uri": checkpoints}
    if now_spot:
        longest = stopping["MaxRuntimeInSeconds"]
        wait = spec.max_wait if spec.max_wait is not None else max(waited or 2 * longest, longest)
        if wait < longest:
            raise RequestError(
                f"refit.max_wait: expected at least the training's own limit, {longest} s, as it bounds waiting and "
                f"training together, found {wait} s: raise it, or set refit.max_run_time"
            )
        stopping["MaxWaitTimeInSeconds"] = wait
        request["EnableManagedSpotTraining"] = True
    request["StoppingCondition"] = stopping
