"""The tuning job's request: one algorithm in the single form, several as a list."""

from typing import Any

import pytest

from automl_retraining.core.errors import RequestError
from automl_retraining.core.trainer_specs import ParameterRange
from automl_retraining.sagemaker.tuning import TuningDefinition, TuningOptions, create_hyper_parameter_tuning_job
from tests.sagemaker.test_training import options as training
from tests.support.botocore_check import accepted

RANGES = {
    "eta": ParameterRange(min=0.01, max=0.3, scaling="logarithmic"),
    "max_depth": ParameterRange(min=2, max=8),
    "booster": ParameterRange(values=("gbtree", "dart")),
}


def definition(name: str = "xgboost", **changes: Any) -> TuningDefinition:
    """One algorithm."""
    given = {"name": name, "training": training(), "metric": "validation:rmse", "maximize": False, "ranges": RANGES}
    return TuningDefinition(**{**given, **changes})


def options(*definitions: TuningDefinition, **changes: Any) -> TuningOptions:
    """A search."""
    return TuningOptions(definitions=definitions or (definition(),), **changes)


def test_one_algorithm_takes_the_single_form() -> None:
    """Ranges by kind, with their scaling; numbers as texts; the objective in the configuration."""
    request = create_hyper_parameter_tuning_job("art-tuning-x", options(seed=7))
    accepted("create_hyper_parameter_tuning_job", request)
    config = request["HyperParameterTuningJobConfig"]
    assert config["HyperParameterTuningJobObjective"] == {"Type": "Minimize", "MetricName": "validation:rmse"}
    assert config["ParameterRanges"] == {
        "ContinuousParameterRanges": [
            {"Name": "eta", "MinValue": "0.01", "MaxValue": "0.3", "ScalingType": "Logarithmic"}
        ],
        "IntegerParameterRanges": [{"Name": "max_depth", "MinValue": "2", "MaxValue": "8", "ScalingType": "Auto"}],
        "CategoricalParameterRanges": [{"Name": "booster", "Values": ["gbtree", "dart"]}],
    }
    assert (config["RandomSeed"], config["TrainingJobEarlyStoppingType"]) == (7, "Auto")
    assert request["TrainingJobDefinition"]["StaticHyperParameters"] == {"num_round": "10"}
    assert "TrainingJobDefinitions" not in request


def test_several_algorithms_are_a_list_without_early_stopping() -> None:
    """Each with its own objective and ranges; SageMaker stops early, and starts warm, for a single one only."""
    request = create_hyper_parameter_tuning_job(
        "art-tuning-x",
        options(definition(), definition("linear-learner", ranges={"wd": ParameterRange(min=1e-6, max=1.0)})),
    )
    accepted("create_hyper_parameter_tuning_job", request)
    names = [each["DefinitionName"] for each in request["TrainingJobDefinitions"]]
    assert names == ["xgboost", "linear-learner"]
    config = request["HyperParameterTuningJobConfig"]
    assert config["TrainingJobEarlyStoppingType"] == "Off"
    assert "ParameterRanges" not in config
    assert "HyperParameterTuningJobObjective" not in config


def test_a_warm_start_names_its_parent() -> None:
    """New data: what carries over is what was learnt of the hyperparameters."""
    request = create_hyper_parameter_tuning_job("x", options(warm_start_from=("before",)))
    accepted("create_hyper_parameter_tuning_job", request)
    assert request["WarmStartConfig"] == {
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "before"}],
        "WarmStartType": "TransferLearning",
    }


def test_never_more_in_parallel_than_in_all() -> None:
    """SageMaker refuses that."""
    limits = create_hyper_parameter_tuning_job("x", options(max_jobs=1, max_parallel=4))[
        "HyperParameterTuningJobConfig"
    ]["ResourceLimits"]
    assert (limits["MaxNumberOfTrainingJobs"], limits["MaxParallelTrainingJobs"]) == (1, 1)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (options(definition(), definition()), "expected each algorithm once, found xgboost, xgboost"),
        (options(definition(ranges={})), "expected at least one range to search, found none"),
        (
            options(definition(ranges={"num_round": ParameterRange(min=1, max=2)})),
            "either fixed or searched, found num_round both",
        ),
        (options(strategy="Grid"), "strategy Grid: expected lists of values only, found ranges: eta, max_depth"),
        (
            options(definition(), definition("linear-learner"), warm_start_from=("before",)),
            "warm start: expected a single algorithm",
        ),
    ],
)
def test_what_sagemaker_would_refuse_is_said_before(given: TuningOptions, words: str) -> None:
    """In a sentence, before the call."""
    with pytest.raises(RequestError, match=words):
        create_hyper_parameter_tuning_job("x", given)
