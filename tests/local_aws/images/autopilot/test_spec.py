"""Reading a request."""

from __future__ import annotations

from typing import Any

import pytest

from include.local_aws.images.autopilot.spec import METRICS, JobFailure, parse
from tests.local_aws.images.autopilot.jobs import job

OBJECTIVE = {"AutoMLJobObjective": {"MetricName": "AUC"}}


def algorithms(*names: str) -> dict[str, Any]:
    return {"CandidateGenerationConfig": {"AlgorithmsConfig": [{"AutoMLAlgorithms": list(names)}]}}


def test_defaults_are_autopilots() -> None:
    """AUTO, a fifth for validation, metrics by problem type, ten ensembling candidates."""
    spec = parse(job())
    assert (spec.mode, spec.validation_fraction, spec.max_job_seconds) == ("AUTO", 0.2, None)
    assert [spec.resolved_metric(problem) for problem in METRICS] == ["F1", "Accuracy", "MSE"]
    assert spec.resolved_max_candidates("ENSEMBLING") == 10
    assert spec.inputs == ("s3://data/churn/train/",)


@pytest.mark.parametrize(("size", "mode"), [(100 * 2**20 - 1, "ENSEMBLING"), (100 * 2**20, "HYPERPARAMETER_TUNING")])
def test_auto_is_decided_by_the_size_of_the_data(size: int, mode: str) -> None:
    """ENSEMBLING below 100 MB."""
    assert parse(job()).resolved_mode(size) == mode


def test_limits_are_read() -> None:
    """All three completion criteria."""
    criteria = {
        "MaxCandidates": 7,
        "MaxRuntimePerTrainingJobInSeconds": 60,
        "MaxAutoMLJobRuntimeInSeconds": 600,
    }
    spec = parse(job(CompletionCriteria=criteria))
    assert (spec.max_candidates, spec.max_fit_seconds, spec.max_job_seconds) == (7, 60, 600)


def test_algorithms_keep_the_modes_order() -> None:
    """Whatever order they were asked for in."""
    spec = parse(job(Mode="ENSEMBLING", **algorithms("linear-learner", "lightgbm")))
    assert spec.resolved_algorithms("ENSEMBLING") == ("lightgbm", "linear-learner")


@pytest.mark.parametrize(
    ("tabular", "request_", "specification", "sentence"),
    [
        ({"ProblemType": "Regression"}, {}, {}, "must be given together"),
        ({}, OBJECTIVE, {}, "must be given together"),
        (algorithms("xgboost"), {}, {}, "AlgorithmsConfig must not be given with Mode AUTO"),
        (
            {"Mode": "HYPERPARAMETER_TUNING", "SampleWeightAttributeName": "w"},
            {},
            {},
            "supported in ENSEMBLING mode only",
        ),
        ({}, {"DataSplitConfig": {"ValidationFraction": 1.0}}, {}, "greater than 0 and less than 1"),
        ({}, {}, {"FeatureAttributeNames": ["a", "y"]}, "names the target column 'y'"),
        ({}, {}, {"FeatureAttributeNames": ["a", "a"]}, "lists a column twice"),
        ({}, {}, {"FeatureDataTypes": {"a": "sequence"}}, "gives 'a' the type 'sequence'"),
        ({}, {}, {"FeatureAttributeNames": ["a"], "FeatureDataTypes": {"b": "numeric"}}, "names 'b', which is not"),
        ({}, {"AutoMLProblemTypeConfig": {"TextClassificationJobConfig": {}}}, {}, "trains TabularJobConfig only"),
    ],
)
def test_broken_rules_are_said(
    tabular: dict[str, Any], request_: dict[str, Any], specification: dict[str, Any], sentence: str
) -> None:
    """Each rule between options has its sentence."""
    with pytest.raises(JobFailure, match=sentence):
        parse(job(request=request_, **tabular), specification)


def test_a_metric_of_another_problem_type_is_refused() -> None:
    """AUC is not a metric of a regression; the sentence names those that are."""
    spec = parse(job(ProblemType="Regression", request=OBJECTIVE))
    with pytest.raises(JobFailure, match="AUC does not fit Regression: expected one of MAE, MSE, R2, RMSE"):
        spec.resolved_metric("Regression")


def test_an_algorithm_of_the_other_mode_is_refused() -> None:
    """LightGBM is an algorithm of ensembles."""
    spec = parse(job(Mode="HYPERPARAMETER_TUNING", **algorithms("lightgbm")))
    with pytest.raises(JobFailure, match="lightgbm is not an algorithm of HYPERPARAMETER_TUNING"):
        spec.resolved_algorithms("HYPERPARAMETER_TUNING")
