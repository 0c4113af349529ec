"""AutoML requests: the rules between their options, and version 1 read as version 2."""

from collections.abc import Mapping
from typing import Any

from include.local_aws.wire.errors import ValidationException, not_implemented

METRICS = {
    "BinaryClassification": ("Accuracy", "AUC", "BalancedAccuracy", "F1", "Precision", "Recall"),
    "MulticlassClassification": ("Accuracy", "BalancedAccuracy", "F1macro", "PrecisionMacro", "RecallMacro"),
    "Regression": ("InferenceLatency", "MAE", "MSE", "R2", "RMSE"),
}
"""Objective metrics of each problem type (SageMaker developer guide, "Metrics and validation")."""

ALGORITHMS = {
    "ENSEMBLING": frozenset(
        {"lightgbm", "catboost", "xgboost", "randomforest", "extra-trees", "linear-learner", "nn-torch", "fastai"}
    ),
    "HYPERPARAMETER_TUNING": frozenset({"linear-learner", "mlp", "xgboost"}),
}
"""Algorithms of each training mode (API reference, AutoMLAlgorithmConfig)."""

CONTENT_TYPES = ("text/csv;header=present",)


def from_v1(request: Mapping[str, Any]) -> dict[str, Any]:
    """A CreateAutoMLJob request as the CreateAutoMLJobV2 request that asks for the same."""
    channels = request["InputDataConfig"]
    config = request.get("AutoMLJobConfig", {})
    targets = {channel["TargetAttributeName"] for channel in channels}
    weights = {channel.get("SampleWeightAttributeName") for channel in channels}
    if len(targets) > 1 or len(weights) > 1:
        raise ValidationException("All channels must have the same TargetAttributeName and SampleWeightAttributeName.")
    generation = config.get("CandidateGenerationConfig", {})
    tabular = {
        "TargetAttributeName": targets.pop(),
        "SampleWeightAttributeName": weights.pop(),
        "ProblemType": request.get("ProblemType"),
        "Mode": config.get("Mode"),
        "CompletionCriteria": config.get("CompletionCriteria"),
        "FeatureSpecificationS3Uri": generation.get("FeatureSpecificationS3Uri"),
        "GenerateCandidateDefinitionsOnly": request.get("GenerateCandidateDefinitionsOnly"),
        "CandidateGenerationConfig": (
            {"AlgorithmsConfig": generation["AlgorithmsConfig"]} if "AlgorithmsConfig" in generation else None
        ),
    }
    only_v1 = ("TargetAttributeName", "SampleWeightAttributeName")
    converted = {
        "AutoMLJobName": request["AutoMLJobName"],
        "AutoMLJobInputDataConfig": [
            {key: value for key, value in channel.items() if key not in only_v1} for channel in channels
        ],
        "OutputDataConfig": request["OutputDataConfig"],
        "RoleArn": request["RoleArn"],
        "AutoMLJobObjective": request.get("AutoMLJobObjective"),
        "AutoMLProblemTypeConfig": {
            "TabularJobConfig": {key: value for key, value in tabular.items() if value is not None}
        },
        "SecurityConfig": config.get("SecurityConfig"),
        "DataSplitConfig": config.get("DataSplitConfig"),
        "ModelDeployConfig": request.get("ModelDeployConfig"),
    }
    return {key: value for key, value in converted.items() if value is not None}


def tabular_of(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """The tabular configuration of a version 2 request; raises for the problem types that aren't here."""
    problem: Mapping[str, Any] = request["AutoMLProblemTypeConfig"]
    if "TabularJobConfig" not in problem:
        raise not_implemented(f"AutoMLProblemTypeConfig.{', '.join(problem)} of CreateAutoMLJobV2")
    tabular: Mapping[str, Any] = problem["TabularJobConfig"]
    return tabular


def check(request: Mapping[str, Any]) -> None:
    """The rules between the options of a version 2 request, which the service model does not state."""
    for option in ("ModelDeployConfig", "AutoMLComputeConfig"):
        if request.get(option):
            raise not_implemented(f"{option} of CreateAutoMLJob and CreateAutoMLJobV2")
    _check_channels(request["AutoMLJobInputDataConfig"])
    tabular = tabular_of(request)
    _check_objective(tabular.get("ProblemType"), request.get("AutoMLJobObjective"))
    mode = tabular.get("Mode", "AUTO")
    _check_algorithms(mode, tabular.get("CandidateGenerationConfig", {}).get("AlgorithmsConfig", []))
    if "SampleWeightAttributeName" in tabular:
        if mode == "HYPERPARAMETER_TUNING":
            raise ValidationException("SampleWeightAttributeName is supported in ENSEMBLING mode only.")
        if tabular["SampleWeightAttributeName"] == tabular["TargetAttributeName"]:
            raise ValidationException("SampleWeightAttributeName and TargetAttributeName must be different columns.")
    if tabular.get("GenerateCandidateDefinitionsOnly") and mode == "ENSEMBLING":
        raise ValidationException("GenerateCandidateDefinitionsOnly is not supported in ENSEMBLING mode.")


def _check_channels(channels: list[Mapping[str, Any]]) -> None:
    types = [channel.get("ChannelType", "training") for channel in channels]
    if sorted(types) not in (["training"], ["training", "validation"]):
        raise ValidationException(
            f"Expected one training channel and at most one validation channel, found {', '.join(types)}."
        )
    for channel in channels:
        if "DataSource" not in channel:
            raise ValidationException("Every channel must have a DataSource.")
        source = channel["DataSource"]["S3DataSource"]
        if source["S3DataType"] == "AugmentedManifestFile":
            raise ValidationException("S3DataType AugmentedManifestFile is not supported for tabular problem types.")
        content = channel.get("ContentType", CONTENT_TYPES[0]).replace(" ", "").lower()
        if content == "x-application/vnd.amazon+parquet":
            raise not_implemented("Parquet input (ContentType x-application/vnd.amazon+parquet) of AutoML jobs")
        if content not in CONTENT_TYPES:
            raise ValidationException(f"Expected ContentType {CONTENT_TYPES[0]}, found {channel['ContentType']!r}.")


def _check_objective(problem_type: str | None, objective: Mapping[str, Any] | None) -> None:
    if (problem_type is None) != (objective is None):
        raise ValidationException("Both ProblemType and AutoMLJobObjective must be provided, or neither.")
    if problem_type is not None and objective is not None and objective["MetricName"] not in METRICS[problem_type]:
        raise ValidationException(
            f"Objective metric {objective['MetricName']} is not supported for {problem_type}. "
            f"It must be one of {', '.join(METRICS[problem_type])}."
        )


def _check_algorithms(mode: str, configs: list[Mapping[str, Any]]) -> None:
    asked = [algorithm for config in configs for algorithm in config["AutoMLAlgorithms"]]
    if not asked:
        return
    if mode == "AUTO":
        raise ValidationException("AlgorithmsConfig can't be given with Mode AUTO: choose a mode first.")
    wrong = sorted(set(asked) - ALGORITHMS[mode])
    if wrong:
        raise ValidationException(
            f"Algorithm {wrong[0]} is not supported in {mode} mode. It takes {', '.join(sorted(ALGORITHMS[mode]))}."
        )
