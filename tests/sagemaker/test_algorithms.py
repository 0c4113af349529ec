"""The algorithms' table: what is fixed, what is searched, by which objective."""

from typing import Any

import pytest

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import RequestError
from automl_retraining.core.section import ProblemType
from automl_retraining.sagemaker import algorithms, images


def pipeline(**tuning: Any) -> Pipeline:
    """A pipeline with that tuning section."""
    return Pipeline.model_validate(
        {"name": "p", "source": "a.csv", "target": "y", "gate": {"metric": "rmse"}, "tuning": tuning}
    )


@pytest.mark.parametrize("algorithm", list(algorithms.VERSIONS))
@pytest.mark.parametrize("problem_type", ["Regression", "BinaryClassification", "MulticlassClassification"])
def test_every_algorithm_can_solve_every_problem(algorithm: str, problem_type: ProblemType) -> None:
    """It has an image, a default objective, fixed hyperparameters and ranges that do not overlap."""
    assert algorithms.VERSIONS[algorithm] in images.versions(algorithm)
    target = algorithms.objective(algorithm, problem_type, None)
    assert target.metric.startswith("validation:")
    assert target.maximize == (problem_type != "Regression")
    fixed, ranges = algorithms.hyperparameters(pipeline(algorithms=[algorithm]), algorithm, problem_type, 3, target)
    assert fixed
    assert ranges
    assert not set(fixed) & set(ranges)


def test_a_metric_that_the_image_does_not_emit_is_refused_with_those_it_does() -> None:
    """Autopilot has objectives that xgboost does not."""
    with pytest.raises(RequestError, match=r"one that xgboost emits for Regression, RMSE, MSE, MAE, found 'R2'"):
        algorithms.objective("xgboost", "Regression", "R2")
    with pytest.raises(RequestError, match=r"found 'RMSE'"):
        algorithms.objective("xgboost", "BinaryClassification", "RMSE")


def test_the_pipeline_replaces_defaults_name_by_name() -> None:
    """What it fixes is not searched; what it searches is not fixed."""
    spec = pipeline(
        ranges={"xgboost": {"eta": {"min": 0.1, "max": 0.2}, "objective": {"values": ["reg:squarederror"]}}},
        static={"xgboost": {"max_depth": 4}},
    )
    target = algorithms.objective("xgboost", "Regression", None)
    fixed, ranges = algorithms.hyperparameters(spec, "xgboost", "Regression", 0, target)
    assert fixed["max_depth"] == "4"
    assert "max_depth" not in ranges
    assert "objective" not in fixed
    assert (ranges["eta"].min, ranges["eta"].max) == (0.1, 0.2)
    assert "subsample" in ranges


def test_without_a_search_nothing_is_left_open() -> None:
    """One training needs values for everything."""
    target = algorithms.objective("xgboost", "Regression", None)
    fixed, ranges = algorithms.hyperparameters(pipeline(search=False), "xgboost", "Regression", 0, target)
    assert ranges == {}
    assert int(fixed["num_round"]) > 0
