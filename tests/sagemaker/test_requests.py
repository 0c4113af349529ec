"""Request builders: golden files, botocore's validator, and the rules between options that botocore does not know."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from automl_retraining.core.errors import RequestError
from automl_retraining.core.records import ContainerSpec
from automl_retraining.sagemaker import requests, tags
from tests.support.fake_sagemaker import problems, service_model

GOLDEN = Path(__file__).parent / "golden"
ROLE = "arn:aws:iam::123456789012:role/automl-retraining"
TAGS = tags.own_tags(
    pipeline="churn", run_id="manual__1", run_folder="s3://b/churn/runs/manual__1", deployment="default"
)
BASE: dict[str, Any] = {
    "train_uri": "s3://b/churn/runs/1/data/train/train.csv",
    "validation_uri": "s3://b/churn/runs/1/data/validation/validation.csv",
    "target": "churn",
    "output_uri": "s3://b/churn/runs/1/autopilot",
    "role_arn": ROLE,
    "problem_type": "BinaryClassification",
    "metric": "AUC",
    "mode": "ENSEMBLING",
}
FULL: dict[str, Any] = {
    **BASE,
    "algorithms": ("lightgbm", "xgboost"),
    "max_candidates": 25,
    "max_run_time": 900,
    "max_training_job_run_time": 300,
    "sample_weight": "weight",
    "feature_specification_uri": "s3://b/churn/runs/1/data/feature_specification.json",
    "kms_key": "alias/data",
    "volume_kms_key": "alias/volumes",
    "encrypt_traffic": True,
    "subnets": ("subnet-1", "subnet-2"),
    "security_group_ids": ("sg-1",),
}
INFERRED: dict[str, Any] = {
    key: value for key, value in BASE.items() if key not in ("problem_type", "metric", "mode", "validation_uri")
} | {"validation_fraction": 0.25, "max_run_time": 60}
CANDIDATES: dict[str, Any] = {**BASE, "mode": "HYPERPARAMETER_TUNING", "candidate_definitions_only": True}
CHAIN = (
    ContainerSpec(image="1.dkr.ecr.us-east-1.amazonaws.com/features:1", model_data_url="s3://b/f/model.tar.gz"),
    ContainerSpec(
        image="1.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1",
        model_data_url="s3://b/x/model.tar.gz",
        environment={"SAGEMAKER_INFERENCE_OUTPUT": "predicted_label"},
    ),
)
SCORING: dict[str, Any] = {
    "model_name": "art-model-churn-abc",
    "input_uri": "s3://b/churn/runs/1/data/transform/test.csv",
    "output_uri": "s3://b/churn/runs/1/transform/challenger",
}


def automl(name: str = "art-automl-churn-abc", **options: Any) -> dict[str, Any]:
    """A search's request."""
    return requests.create_auto_ml_job_v2(name, requests.AutoMLOptions(**options), TAGS)


CASES: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "automl_full": ("create_auto_ml_job_v2", lambda: automl(**FULL)),
    "automl_inferred": ("create_auto_ml_job_v2", lambda: automl(**INFERRED)),
    "automl_candidate_definitions": ("create_auto_ml_job_v2", lambda: automl(**CANDIDATES)),
    "model_chain": ("create_model", lambda: requests.create_model("art-model-churn-abc", CHAIN, ROLE, TAGS)),
    "model_single": (
        "create_model",
        lambda: requests.create_model(
            "art-model-churn-abc",
            CHAIN[:1],
            ROLE,
            subnets=["subnet-1"],
            security_group_ids=["sg-1"],
            network_isolation=True,
        ),
    ),
    "transform_classification": (
        "create_transform_job",
        lambda: requests.create_transform_job(
            "art-transform-x", requests.TransformOptions(**SCORING, classification=True, kms_key="alias/data"), TAGS
        ),
    ),
    "transform_regression": (
        "create_transform_job",
        lambda: requests.create_transform_job(
            "art-transform-x",
            requests.TransformOptions(**SCORING, classification=False, max_payload_mb=1, max_concurrent_transforms=2),
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_request_is_as_written_down(name: str) -> None:
    """The request equals its golden file, and botocore's validator has nothing against it."""
    method, build = CASES[name]
    request = build()
    assert not problems(method, request)
    assert request == json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"metric": None}, "problem type BinaryClassification without a metric"),
        ({"problem_type": None}, "metric AUC without a problem type"),
        ({"metric": "RMSE"}, "expected one of F1, Accuracy, AUC.*found 'RMSE'"),
        ({"mode": "AUTO", "algorithms": ("xgboost",)}, "expected none with mode AUTO"),
        ({"mode": "HYPERPARAMETER_TUNING", "algorithms": ("lightgbm",)}, "linear-learner, mlp, xgboost.*lightgbm"),
        ({"algorithms": ("mlp",)}, "for mode ENSEMBLING, found mlp"),
        ({"algorithms": ("xgboost", "xgboost")}, "each once"),
        ({"mode": "AUTO", "sample_weight": "w"}, "expected mode ENSEMBLING"),
        ({"sample_weight": "churn"}, "other than the target"),
        ({"validation_fraction": 0.2}, "found both"),
        ({"validation_uri": None, "validation_fraction": 1.0}, "less than 1, found 1.0"),
        ({"candidate_definitions_only": True}, "ensembles have no candidate definitions"),
        ({"model_deploy_config": {"EndpointName": "x"}}, "through the gate only"),
        ({"max_candidates": 0}, "1 to 750, found 0"),
        ({"max_candidates": 751}, "1 to 750, found 751"),
        ({"max_run_time": 0}, "at least 1 second"),
        ({"subnets": ("subnet-1",)}, "subnets without security groups"),
        ({"security_group_ids": ("sg-1",)}, "security groups without subnets"),
        ({"train_uri": "/data/train.csv"}, "train location: expected an S3 URI"),
    ],
)
def test_options_that_contradict_each_other_are_refused(change: dict[str, Any], sentence: str) -> None:
    """Each rule has its sentence, before anything is sent."""
    with pytest.raises(RequestError, match=sentence):
        automl(**{**BASE, **change})


def test_metrics_and_algorithms_are_the_services() -> None:
    """Every name in the tables is in the service's enum, so a typo cannot hide."""
    metrics = {metric for group in requests.METRICS.values() for metric in group}
    assert metrics < set(service_model().shape_for("AutoMLMetricEnum").enum)
    algorithms = {name for group in requests.ALGORITHMS.values() for name in group}
    assert algorithms < set(service_model().shape_for("AutoMLAlgorithm").enum)


def test_a_candidate_never_gets_more_time_than_the_search() -> None:
    """The inner limit is cut to the outer one."""
    criteria = automl(**INFERRED)["AutoMLProblemTypeConfig"]["TabularJobConfig"]["CompletionCriteria"]
    assert criteria["MaxRuntimePerTrainingJobInSeconds"] == criteria["MaxAutoMLJobRuntimeInSeconds"] == 60


@pytest.mark.parametrize("count", [0, 16])
def test_a_chain_has_one_to_fifteen_containers(count: int) -> None:
    """SageMaker's own limit, said before the call."""
    with pytest.raises(RequestError, match="1 to 15"):
        requests.create_model("m", CHAIN[:1] * count, ROLE)
