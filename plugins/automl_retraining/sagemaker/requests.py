"""Request builders: pure functions from typed options to what boto3 sends.

The rules between options that botocore does not check (it knows names, types and ranges only) are checked here,
before the call, in sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from automl_retraining.core.errors import RequestError
from automl_retraining.core.records import ContainerSpec
from automl_retraining.core.section import ProblemType, SearchMode

METRICS: Mapping[str, tuple[str, ...]] = {
    "Regression": ("MSE", "RMSE", "MAE", "R2"),
    "BinaryClassification": ("F1", "Accuracy", "AUC", "BalancedAccuracy", "Precision", "Recall"),
    "MulticlassClassification": ("Accuracy", "BalancedAccuracy", "F1macro", "PrecisionMacro", "RecallMacro"),
}
"""Objectives by problem type, Autopilot's default first (API reference, AutoMLJobObjective)."""

ALGORITHMS: Mapping[str, tuple[str, ...]] = {
    "ENSEMBLING": (
        "catboost", "extra-trees", "fastai", "lightgbm", "linear-learner", "nn-torch", "randomforest", "xgboost",
    ),
    "HYPERPARAMETER_TUNING": ("linear-learner", "mlp", "xgboost"),
}  # fmt: skip
"""Algorithms by mode (API reference, AutoMLAlgorithmConfig). AUTO takes no list."""

_MOST_CANDIDATES = 750


class Options(BaseModel):
    """Base of every request's typed options."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AutoMLOptions(Options):
    """Everything CreateAutoMLJobV2 takes for a table. Durations are in seconds; None leaves AWS's default."""

    train_uri: str
    target: str
    output_uri: str
    role_arn: str
    validation_uri: str | None = None
    validation_fraction: float | None = None
    content_type: str = "text/csv;header=present"
    compression: Literal["None", "Gzip"] = "None"
    data_type: Literal["S3Prefix", "ManifestFile"] = "S3Prefix"
    problem_type: ProblemType | None = None
    metric: str | None = None
    mode: SearchMode = "AUTO"
    algorithms: tuple[str, ...] = ()
    max_candidates: int = 10
    max_run_time: int = 3600
    max_training_job_run_time: int = 1800
    sample_weight: str | None = None
    feature_specification_uri: str | None = None
    candidate_definitions_only: bool = False
    kms_key: str | None = None
    volume_kms_key: str | None = None
    encrypt_traffic: bool = False
    subnets: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()
    model_deploy_config: Mapping[str, Any] | None = None


class TransformOptions(Options):
    """A batch transform of lines ``row_id,feature,feature,...`` that returns ``row_id,output,...``."""

    model_name: str
    input_uri: str
    output_uri: str
    classification: bool
    instance_type: str = "ml.m5.large"
    instance_count: int = Field(1, ge=1)
    max_payload_mb: int = Field(6, ge=1, le=100)
    max_concurrent_transforms: int | None = None
    kms_key: str | None = None


def create_auto_ml_job_v2(name: str, options: AutoMLOptions, tags: Sequence[Mapping[str, str]] = ()) -> dict[str, Any]:
    """The arguments of ``create_auto_ml_job_v2``.

    Raises:
        RequestError: options that SageMaker would refuse, or silently ignore, together.
    """
    _check(options)
    channels = [_channel("training", options.train_uri, options)]
    if options.validation_uri is not None:
        channels.append(_channel("validation", options.validation_uri, options))
    tabular: dict[str, Any] = {
        "TargetAttributeName": options.target,
        "Mode": options.mode,
        "CompletionCriteria": {
            "MaxCandidates": options.max_candidates,
            "MaxRuntimePerTrainingJobInSeconds": min(options.max_training_job_run_time, options.max_run_time),
            "MaxAutoMLJobRuntimeInSeconds": options.max_run_time,
        },
    }
    if options.problem_type is not None:
        tabular["ProblemType"] = options.problem_type
    if options.algorithms:
        tabular["CandidateGenerationConfig"] = {"AlgorithmsConfig": [{"AutoMLAlgorithms": list(options.algorithms)}]}
    if options.sample_weight is not None:
        tabular["SampleWeightAttributeName"] = options.sample_weight
    if options.feature_specification_uri is not None:
        tabular["FeatureSpecificationS3Uri"] = options.feature_specification_uri
    if options.candidate_definitions_only:
        tabular["GenerateCandidateDefinitionsOnly"] = True
    request: dict[str, Any] = {
        "AutoMLJobName": name,
        "AutoMLJobInputDataConfig": channels,
        "OutputDataConfig": {"S3OutputPath": options.output_uri, **optional(KmsKeyId=options.kms_key)},
        "AutoMLProblemTypeConfig": {"TabularJobConfig": tabular},
        "RoleArn": options.role_arn,
    }
    if options.metric is not None:
        request["AutoMLJobObjective"] = {"MetricName": options.metric}
    if options.validation_fraction is not None:
        request["DataSplitConfig"] = {"ValidationFraction": options.validation_fraction}
    security = optional(
        VolumeKmsKeyId=options.volume_kms_key, VpcConfig=vpc(options.subnets, options.security_group_ids)
    )
    if options.encrypt_traffic:
        security["EnableInterContainerTrafficEncryption"] = True
    if security:
        request["SecurityConfig"] = security
    if tags:
        request["Tags"] = [dict(tag) for tag in tags]
    return request


def create_model(
    name: str,
    containers: Sequence[ContainerSpec],
    role_arn: str,
    tags: Sequence[Mapping[str, str]] = (),
    *,
    subnets: Sequence[str] = (),
    security_group_ids: Sequence[str] = (),
    network_isolation: bool = False,
) -> dict[str, Any]:
    """The arguments of ``create_model``: one container as the primary one, several as a chain.

    ``Mode`` is never sent: with several containers AWS answers "More than one container in MultiModel mode".

    Raises:
        RequestError: no container, or more than SageMaker chains (15).
    """
    if not 1 <= len(containers) <= 15:
        raise RequestError(f"model {name}: expected 1 to 15 containers, found {len(containers)}")
    definitions = [
        {
            "Image": container.image,
            **optional(ModelDataUrl=container.model_data_url),
            **({"Environment": dict(container.environment)} if container.environment else {}),
        }
        for container in containers
    ]
    request: dict[str, Any] = {"ModelName": name, "ExecutionRoleArn": role_arn}
    if len(definitions) == 1:
        request["PrimaryContainer"] = definitions[0]
    else:
        request["Containers"] = definitions
    network = vpc(subnets, security_group_ids)
    if network:
        request["VpcConfig"] = network
    if network_isolation:
        request["EnableNetworkIsolation"] = True
    if tags:
        request["Tags"] = [dict(tag) for tag in tags]
    return request


def create_transform_job(
    name: str, options: TransformOptions, tags: Sequence[Mapping[str, str]] = ()
) -> dict[str, Any]:
    """The arguments of ``create_transform_job``.

    The first field of each line is the row's id: ``InputFilter`` hides it from the model, ``JoinSource`` puts the
    whole input line before the outputs and ``OutputFilter`` keeps the id and the outputs: one for regression, three
    (label, probabilities, labels) for classification.
    """
    request: dict[str, Any] = {
        "TransformJobName": name,
        "ModelName": options.model_name,
        "BatchStrategy": "MultiRecord",
        "MaxPayloadInMB": options.max_payload_mb,
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": options.input_uri}},
            "ContentType": "text/csv",
            "CompressionType": "None",
            "SplitType": "Line",
        },
        "TransformOutput": {
            "S3OutputPath": options.output_uri,
            "Accept": "text/csv",
            "AssembleWith": "Line",
            **optional(KmsKeyId=options.kms_key),
        },
        "TransformResources": {"InstanceType": options.instance_type, "InstanceCount": options.instance_count},
        "DataProcessing": {
            "InputFilter": "$[1:]",
            "JoinSource": "Input",
            "OutputFilter": "$[0,-3,-2,-1]" if options.classification else "$[0,-1]",
        },
    }
    if options.max_concurrent_transforms is not None:
        request["MaxConcurrentTransforms"] = options.max_concurrent_transforms
    if tags:
        request["Tags"] = [dict(tag) for tag in tags]
    return request


def vpc(subnets: Sequence[str], security_group_ids: Sequence[str]) -> dict[str, list[str]] | None:
    """VpcConfig, or None without a VPC; RequestError where only one half is given."""
    if bool(subnets) != bool(security_group_ids):
        given, missing = ("subnets", "security groups") if subnets else ("security groups", "subnets")
        raise RequestError(f"VPC: expected subnets and security groups together, found {given} without {missing}")
    if not subnets:
        return None
    return {"Subnets": list(subnets), "SecurityGroupIds": list(security_group_ids)}


def _check(options: AutoMLOptions) -> None:
    """The rules of FACTS between Autopilot's options, each with its sentence."""
    locations = {
        "train": options.train_uri,
        "validation": options.validation_uri,
        "output": options.output_uri,
        "feature specification": options.feature_specification_uri,
    }
    for what, uri in locations.items():
        if uri is not None and not uri.startswith("s3://"):
            raise RequestError(f"Autopilot's {what} location: expected an S3 URI (s3://bucket/key), found {uri!r}")
    if options.model_deploy_config is not None:
        raise RequestError(
            "ModelDeployConfig: expected none, since a model is deployed through the gate only; "
            "found one: take it out and let the pipeline's endpoint section say where to deploy"
        )
    _check_objective(options)
    _check_mode(options)
    if options.validation_uri is not None and options.validation_fraction is not None:
        raise RequestError(
            "validation: expected a validation channel or a validation fraction, found both: drop one of them"
        )
    if options.validation_fraction is not None and not 0 < options.validation_fraction < 1:
        raise RequestError(
            f"validation fraction: expected more than 0 and less than 1, found {options.validation_fraction}"
        )
    for key, value, most in (
        ("max_candidates", options.max_candidates, _MOST_CANDIDATES),
        ("max_run_time", options.max_run_time, None),
        ("max_training_job_run_time", options.max_training_job_run_time, None),
    ):
        if value < 1 or (most is not None and value > most):
            expected = f"1 to {most}" if most else "at least 1 second"
            raise RequestError(f"{key}: expected {expected}, found {value}")


def _check_objective(options: AutoMLOptions) -> None:
    if (options.problem_type is None) != (options.metric is None):
        found = (
            f"problem type {options.problem_type} without a metric"
            if options.problem_type
            else f"metric {options.metric} without a problem type"
        )
        raise RequestError(f"objective: expected problem type and metric together, or neither; found {found}")
    if options.problem_type is not None and options.metric not in METRICS[options.problem_type]:
        raise RequestError(
            f"metric: expected one of {', '.join(METRICS[options.problem_type])} for {options.problem_type}, "
            f"found {options.metric!r}"
        )


def _check_mode(options: AutoMLOptions) -> None:
    if options.algorithms and options.mode == "AUTO":
        raise RequestError(
            f"algorithms: expected none with mode AUTO, found {', '.join(options.algorithms)}: "
            "say mode ENSEMBLING or HYPERPARAMETER_TUNING, or drop the list"
        )
    unknown = [name for name in options.algorithms if name not in ALGORITHMS[options.mode]]
    if unknown:
        raise RequestError(
            f"algorithms: expected some of {', '.join(ALGORITHMS[options.mode])} for mode {options.mode}, "
            f"found {', '.join(unknown)}"
        )
    if len(set(options.algorithms)) != len(options.algorithms):
        raise RequestError(f"algorithms: expected each once, found {', '.join(options.algorithms)}")
    if options.sample_weight is not None and options.mode != "ENSEMBLING":
        raise RequestError(
            f"sample weight {options.sample_weight!r}: expected mode ENSEMBLING, the only one that uses weights, "
            f"found {options.mode}"
        )
    if options.sample_weight is not None and options.sample_weight == options.target:
        raise RequestError(f"sample weight: expected a column other than the target, found {options.sample_weight!r}")
    if options.candidate_definitions_only and options.mode == "ENSEMBLING":
        raise RequestError(
            "candidate definitions only: expected mode AUTO or HYPERPARAMETER_TUNING, since ensembles have no "
            "candidate definitions; found ENSEMBLING"
        )


def _channel(kind: str, uri: str, options: AutoMLOptions) -> dict[str, Any]:
    return {
        "ChannelType": kind,
        "ContentType": options.content_type,
        "CompressionType": options.compression,
        "DataSource": {"S3DataSource": {"S3DataType": options.data_type, "S3Uri": uri}},
    }


def optional(**members: Any) -> dict[str, Any]:
    """The members that have a value."""
    return {key: value for key, value in members.items() if value is not None}
