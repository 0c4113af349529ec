"""The request of a tuning job over one algorithm or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from automl_retraining.core.errors import RequestError
from automl_retraining.core.trainer_specs import ParameterRange
from automl_retraining.sagemaker.requests import Options
from automl_retraining.sagemaker.training import TrainingOptions, definition

Strategy = Literal["Bayesian", "Random", "Grid", "Hyperband"]
WarmStart = Literal["IdenticalDataAndAlgorithm", "TransferLearning"]
_SCALINGS = {
    "auto": "Auto",
    "linear": "Linear",
    "logarithmic": "Logarithmic",
    "reverse_logarithmic": "ReverseLogarithmic",
}


class TuningDefinition(Options):
    """One algorithm of a tuning job: a training whose ranges are searched for its own objective."""

    name: str
    training: TrainingOptions
    metric: str
    maximize: bool
    ranges: Mapping[str, ParameterRange]


class TuningOptions(Options):
    """A tuning job. ``max_run_time`` (seconds) bounds the whole search, each training has its own limit."""

    definitions: tuple[TuningDefinition, ...]
    strategy: Strategy = "Bayesian"
    max_jobs: int = Field(20, ge=1)
    max_parallel: int = Field(2, ge=1)
    max_run_time: int = Field(3600, ge=120)
    early_stopping: bool = True
    warm_start_from: tuple[str, ...] = ()
    warm_start: WarmStart = "TransferLearning"
    seed: int | None = None


def create_hyper_parameter_tuning_job(
    name: str, options: TuningOptions, tags: Sequence[Mapping[str, str]] = ()
) -> dict[str, Any]:
    """The arguments of ``create_hyper_parameter_tuning_job``: one definition in the single form, several as a list.

    Raises:
        RequestError: options that SageMaker refuses together; see `check`.
    """
    check(options)
    several = len(options.definitions) > 1
    config: dict[str, Any] = {
        "Strategy": options.strategy,
        "ResourceLimits": {
            "MaxNumberOfTrainingJobs": options.max_jobs,
            "MaxParallelTrainingJobs": min(options.max_parallel, options.max_jobs),
            "MaxRuntimeInSeconds": options.max_run_time,
        },
        "TrainingJobEarlyStoppingType": "Auto" if _stops_early(options) else "Off",
    }
    if options.seed is not None:
        config["RandomSeed"] = options.seed
    request: dict[str, Any] = {"HyperParameterTuningJobName": name, "HyperParameterTuningJobConfig": config}
    if several:
        request["TrainingJobDefinitions"] = [
            {
                "DefinitionName": each.name,
                "TuningObjective": _objective(each),
                "HyperParameterRanges": _ranges(each.ranges),
                **_definition(each),
            }
            for each in options.definitions
        ]
    else:
        only = options.definitions[0]
        config["HyperParameterTuningJobObjective"] = _objective(only)
        config["ParameterRanges"] = _ranges(only.ranges)
        request["TrainingJobDefinition"] = _definition(only)
    if options.warm_start_from:
        request["WarmStartConfig"] = {
            "ParentHyperParameterTuningJobs": [
                {"HyperParameterTuningJobName": parent} for parent in options.warm_start_from
            ],
            "WarmStartType": options.warm_start,
        }
    if tags:
        request["Tags"] = [dict(tag) for tag in tags]
    return request


def check(options: TuningOptions) -> None:
    """The rules between options that botocore does not know.

    Source: developer guide, "Create a Hyperparameter Optimization Tuning Job for One or More Algorithms" (warm start is
    for a single algorithm) and the API reference of HyperParameterTuningJobConfig.

    Raises:
        RequestError: naming the algorithm and the option.
    """
    if not options.definitions:
        raise RequestError("tuning: expected at least one algorithm, found none")
    names = [each.name for each in options.definitions]
    if len(set(names)) < len(names):
        raise RequestError(f"tuning: expected each algorithm once, found {', '.join(names)}")
    for each in options.definitions:
        _check_ranges(each, options.strategy)
    if options.warm_start_from and len(options.definitions) > 1:
        raise RequestError(
            f"tuning: warm start: expected a single algorithm, found {', '.join(names)}: SageMaker starts several cold"
        )
    if len(options.warm_start_from) > 5:
        raise RequestError(f"tuning: warm start: expected at most 5 parents, found {len(options.warm_start_from)}")


def _check_ranges(each: TuningDefinition, strategy: Strategy) -> None:
    if not each.ranges:
        raise RequestError(f"tuning {each.name}: expected at least one range to search, found none")
    both = sorted(set(each.ranges) & set(each.training.hyperparameters))
    if both:
        raise RequestError(
            f"tuning {each.name}: expected each hyperparameter either fixed or searched, found {', '.join(both)} both"
        )
    numbers = [name for name, each_range in each.ranges.items() if each_range.values is None]
    if strategy == "Grid" and numbers:
        raise RequestError(
            f"tuning {each.name}: strategy Grid: expected lists of values only, found ranges: {', '.join(numbers)}"
        )


def _stops_early(options: TuningOptions) -> bool:
    """Early stopping is for a single algorithm, and Hyperband has its own."""
    return options.early_stopping and len(options.definitions) == 1 and options.strategy != "Hyperband"


def _objective(each: TuningDefinition) -> dict[str, str]:
    return {"Type": "Maximize" if each.maximize else "Minimize", "MetricName": each.metric}


def _definition(each: TuningDefinition) -> dict[str, Any]:
    return {"StaticHyperParameters": dict(each.training.hyperparameters), **definition(each.training)}


def _ranges(ranges: Mapping[str, ParameterRange]) -> dict[str, Any]:
    request: dict[str, list[dict[str, Any]]] = {
        "IntegerParameterRanges": [],
        "ContinuousParameterRanges": [],
        "CategoricalParameterRanges": [],
    }
    for name, each in ranges.items():
        if each.values is not None:
            request["CategoricalParameterRanges"].append({"Name": name, "Values": list(each.values)})
            continue
        whole = isinstance(each.min, int) and isinstance(each.max, int)
        request["IntegerParameterRanges" if whole else "ContinuousParameterRanges"].append(
            {
                "Name": name,
                "MinValue": str(each.min),
                "MaxValue": str(each.max),
                "ScalingType": _SCALINGS[each.scaling],
            }
        )
    return request
