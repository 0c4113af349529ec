"""Containers of a candidate become those of a model."""

from __future__ import annotations

import pytest

from automl_retraining.core.errors import RequestError
from automl_retraining.core.records import ContainerSpec
from automl_retraining.sagemaker.inference import answering, containers

KEYS = "predicted_label,probability,probabilities"


def spec(image: str, **environment: str) -> ContainerSpec:
    """A container."""
    return ContainerSpec(image=image, model_data_url=f"s3://b/{image}.tar.gz", environment=environment)


def test_mode_is_left_behind() -> None:
    """AWS refuses a chain whose containers carry Mode."""
    made = containers([{"Image": "i", "ModelDataUrl": "s3://b/m", "Mode": "SingleModel", "Environment": {"A": "1"}}])
    assert made == (ContainerSpec(image="i", model_data_url="s3://b/m", environment={"A": "1"}),)


def test_a_tuned_chain_passes_what_it_has_along() -> None:
    """Features say nothing; the algorithm gives what it can; the label container gets that and gives all."""
    features, algorithm, labels = answering(
        [
            spec("features", AUTOML_TRANSFORM_MODE="feature-transform"),
            spec("xgboost", SAGEMAKER_INFERENCE_SUPPORTED=KEYS, SAGEMAKER_INFERENCE_OUTPUT="predicted_label"),
            spec("labels", SAGEMAKER_INFERENCE_SUPPORTED=KEYS + ",labels", SAGEMAKER_INFERENCE_INPUT="predicted_label"),
        ],
        "BinaryClassification",
    )
    assert features.environment == {"AUTOML_TRANSFORM_MODE": "feature-transform"}
    assert algorithm.environment["SAGEMAKER_INFERENCE_OUTPUT"] == "predicted_label,probabilities"
    assert "SAGEMAKER_INFERENCE_INPUT" not in algorithm.environment
    assert labels.environment["SAGEMAKER_INFERENCE_INPUT"] == "predicted_label,probabilities"
    assert labels.environment["SAGEMAKER_INFERENCE_OUTPUT"] == "predicted_label,probabilities,labels"


def test_an_ensemble_answers_alone() -> None:
    """One container: only its output is set."""
    (only,) = answering([spec("ensemble", SAGEMAKER_INFERENCE_SUPPORTED=KEYS + ",labels")], "MulticlassClassification")
    assert only.environment["SAGEMAKER_INFERENCE_OUTPUT"] == "predicted_label,probabilities,labels"
    assert "SAGEMAKER_INFERENCE_INPUT" not in only.environment


def test_regression_is_left_alone() -> None:
    """One number needs no keys."""
    chain = [spec("features"), spec("xgboost")]
    assert answering(chain, "Regression") == tuple(chain)


def test_a_model_that_cannot_answer_is_refused() -> None:
    """Without labels and probabilities nothing can be judged; the sentence names what is missing."""
    with pytest.raises(RequestError, match="without probabilities, labels"):
        answering([spec("old", SAGEMAKER_INFERENCE_SUPPORTED="predicted_label")], "BinaryClassification")
    with pytest.raises(RequestError, match="lists nothing"):
        answering([spec("bare")], "BinaryClassification")


def test_a_candidate_without_containers_is_refused() -> None:
    """A failed candidate has none."""
    with pytest.raises(RequestError, match="cannot serve"):
        answering([], "Regression")
