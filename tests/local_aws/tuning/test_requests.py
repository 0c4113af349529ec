"""Tuning requests: the rules between their members, and the plan."""

from typing import Any

import pytest

from include.local_aws.tuning.requests import Objective, plan_of
from include.local_aws.wire.errors import AwsError, NotImplementedHere, ResourceLimitExceeded, ValidationException
from tests.support.tuning_requests import definition, ranges, request

OBJECTIVE = {"Type": "Minimize", "MetricName": "validation:rmse"}
GRID = ranges(categorical={"booster": ["gbtree", "dart"], "max_depth": ["2", "3", "4"]})


def _limits(number: int | None = None, parallel: int = 1, seconds: int | None = None) -> dict[str, Any]:
    found = {"MaxNumberOfTrainingJobs": number, "MaxParallelTrainingJobs": parallel, "MaxRuntimeInSeconds": seconds}
    return {"ResourceLimits": {key: value for key, value in found.items() if value is not None}}


def _many(*names: str | None, **changed: Any) -> dict[str, Any]:
    """A request with several definitions."""
    own = {"TuningObjective": OBJECTIVE, "HyperParameterRanges": ranges(continuous={"eta": (0.1, 0.5)}), **changed}
    return request(
        "t",
        tuning={"HyperParameterTuningJobObjective": None, "ParameterRanges": None},
        TrainingJobDefinition=None,
        TrainingJobDefinitions=[definition(DefinitionName=name, **own) for name in names],
    )


def _refused(given: dict[str, Any]) -> AwsError:
    with pytest.raises(AwsError) as caught:
        plan_of(given)
    return caught.value


def test_a_plan_holds_what_the_request_says() -> None:
    """Objective, ranges and limits of the one definition."""
    plan = plan_of(request("t"))
    (only,) = plan.definitions
    assert (plan.strategy, plan.seed, plan.max_jobs, plan.parallel) == ("Random", 1, 4, 2)
    assert only.objective == Objective("validation:rmse", maximize=False)
    assert [each.name for each in only.ranges] == ["max_depth", "eta"]


def test_several_definitions_have_names_objectives_and_ranges_of_their_own() -> None:
    """And the configuration has none."""
    assert [each.name for each in plan_of(_many("a", "b")).definitions] == ["a", "b"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (request("t", TrainingJobDefinition=None), "either TrainingJobDefinition or TrainingJobDefinitions"),
        (request("t", tuning={"ParameterRanges": None}), "either ParameterRanges of"),
        (request("t", tuning={"HyperParameterTuningJobObjective": None}), "either HyperParameterTuningJobObjective of"),
        (_many("a", "a"), "Each DefinitionName must be unique, found a, a"),
        (_many(None), "TrainingJobDefinitions[0] must have a DefinitionName"),
        (_many("a", TuningObjective=None), "TrainingJobDefinitions[0] must have a TuningObjective"),
        (_many("a", HyperParameterRanges=None), "TrainingJobDefinitions[0] must have a HyperParameterRanges"),
        (
            {**_many("a"), "HyperParameterTuningJobConfig": request("t")["HyperParameterTuningJobConfig"]},
            "can't be given together with TrainingJobDefinitions",
        ),
        (
            request("t", TrainingJobDefinition=definition(StaticHyperParameters={"eta": "0.1"})),
            "[eta] is both in StaticHyperParameters of TrainingJobDefinition and in the ranges",
        ),
        (request("t", TrainingJobDefinition=definition(ResourceConfig=None)), "either ResourceConfig or"),
        (request("t", tuning=_limits(2, 3)), "MaxParallelTrainingJobs [3] must be less than or equal to"),
        (request("t", tuning=_limits()), "Specify MaxNumberOfTrainingJobs or MaxRuntimeInSeconds"),
        (
            request("t", tuning={"ParameterRanges": ranges(integer={"max_depth": (1, 3)}), **_limits(10)}),
            "The total number of hyperparameter combinations for the provided ranges [3]",
        ),
        (request("t", tuning={"Strategy": "Grid"}), "supports categorical hyperparameter ranges only"),
        (
            request("t", tuning={"Strategy": "Grid", "ParameterRanges": GRID, **_limits(5)}),
            "[5] must equal the total number of hyperparameter combinations [6]",
        ),
        (
            request("t", tuning={"StrategyConfig": {"HyperbandStrategyConfig": {"MaxResource": 9}}}),
            "for the Hyperband strategy only",
        ),
        (request("t", tuning={"Strategy": "Hyperband"}), "MaxResource of HyperbandStrategyConfig is missing"),
        (
            request(
                "t",
                tuning={
                    "Strategy": "Hyperband",
                    "StrategyConfig": {"HyperbandStrategyConfig": {"MaxResource": 9}},
                    "TrainingJobEarlyStoppingType": "Auto",
                },
            ),
            "must be Off to use the Hyperband strategy",
        ),
        (
            request(
                "t",
                tuning={
                    "Strategy": "Hyperband",
                    "StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 10, "MaxResource": 9}},
                },
            ),
            "found 10 and 9",
        ),
    ],
)
def test_what_aws_refuses_is_refused(given: dict[str, Any], sentence: str) -> None:
    """As a ValidationException that says what was expected and what was found."""
    said = _refused(given)
    assert isinstance(said, ValidationException)
    assert sentence in said.message


@pytest.mark.parametrize("member", ["WarmStartConfig", "TrainingJobEarlyStoppingType"])
def test_warm_start_and_early_stopping_need_a_single_definition(member: str) -> None:
    """The developer guide offers them for one algorithm only."""
    given = _many("a", "b")
    if member == "WarmStartConfig":
        given[member] = {"ParentHyperParameterTuningJobs": [], "WarmStartType": "TransferLearning"}
    else:
        given["HyperParameterTuningJobConfig"][member] = "Auto"
    assert "only for tuning jobs with one training job definition" in _refused(given).message


def test_definitions_that_pull_in_different_directions_are_refused() -> None:
    """A value to be minimized can't be compared with one to be maximized."""
    given = _many("a", "b")
    given["TrainingJobDefinitions"][0]["TuningObjective"] = {"Type": "Maximize", "MetricName": "validation:auc"}
    assert "must be of the same Type" in _refused(given).message


def test_limits_of_the_service_are_kept() -> None:
    """750 training jobs, 100 at a time."""
    assert isinstance(_refused(request("t", tuning=_limits(751))), ResourceLimitExceeded)
    assert isinstance(_refused(request("t", tuning=_limits(700, 101))), ResourceLimitExceeded)


def test_autotune_is_not_implemented() -> None:
    """It leaves every choice to AWS."""
    assert isinstance(_refused(request("t", Autotune={"Mode": "Enabled"})), NotImplementedHere)


def test_a_grid_counts_its_training_jobs_itself() -> None:
    """All combinations, with or without MaxNumberOfTrainingJobs."""
    for limits in (_limits(), _limits(6)):
        assert plan_of(request("t", tuning={"Strategy": "Grid", "ParameterRanges": GRID, **limits})).max_jobs == 6


def test_without_a_number_of_training_jobs_a_criterion_ends_the_job() -> None:
    """Then as many are started as there are combinations, or as the service takes."""
    few = ranges(integer={"max_depth": (1, 5)})
    assert plan_of(request("t", tuning={"ParameterRanges": few, **_limits(seconds=300)})).max_jobs == 5
    criteria = {"TuningJobCompletionCriteria": {"TargetObjectiveMetricValue": 0.5}}
    plan = plan_of(request("t", tuning={**criteria, **_limits()}))
    assert (plan.max_jobs, plan.target) == (750, 0.5)


def test_hyperband_finds_its_resource_among_the_static_hyperparameters() -> None:
    """Where the request does not say MaxResource."""
    body = definition(StaticHyperParameters={"epochs": "27"})
    assert plan_of(request("t", tuning={"Strategy": "Hyperband"}, TrainingJobDefinition=body)).resources == (1, 27)
