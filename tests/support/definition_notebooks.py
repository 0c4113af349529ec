"""Candidate definition notebooks as Autopilot writes them, small and with room for what is wrong."""

from __future__ import annotations

import json
from typing import Any

URI = "s3://bucket/out/job/sagemaker-automl-candidates/job-pr-1-x/notebooks/CandidateDefinition.ipynb"
MACHINE = {"instance_type": "ml.m5.4xlarge", "instance_count": 1, "volume_size_in_gb": 50}
BASE: dict[str, Any] = {
    "automl_job_name": "job",
    "automl_output_s3_base_path": "s3://bucket/out",
    "data_transformer_image_uri": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-sklearn-automl:2.5-1-cpu-py3",
    "algo_image_uris": {"xgboost": "training/xgboost", "linear-learner": "training/linear-learner"},
    "algo_inference_image_uris": {"xgboost": "serving/xgboost", "linear-learner": "serving/linear-learner"},
}
VERSIONS: dict[str, Any] = {
    "automl_job_name": "job",
    "automl_output_s3_base_path": "s3://bucket/out",
    "data_transformer_image_repo_version": "2.5-1-cpu-py3",
    "algo_image_repo_versions": {"xgboost": "1.3-1-cpu-py3", "linear-learner": "training-cpu-1"},
    "algo_inference_image_repo_versions": {"xgboost": "1.3-1-cpu-py3", "linear-learner": "inference-cpu-1"},
}
RANGES = """ALGORITHM_TUNABLE_HYPERPARAMETER_RANGES = {
    "xgboost": {
        "num_round": IntegerParameter(2, 1024, scaling_type="Logarithmic"),
        "eta": ContinuousParameter(1e-3, 1, scaling_type="Logarithmic"),
        "booster": CategoricalParameter(["gbtree", "dart"]),
    },
    "linear-learner": {"wd": ContinuousParameter(min_value=1e-7, max_value=1.0)},
}"""


def candidate(number: int, algorithm: str) -> str:
    """The cell that selects a candidate."""
    definition = {
        "data_transformer": {
            "name": f"dpp{number}",
            "training_resource_config": MACHINE,
            "transform_resource_config": {"instance_type": "ml.m5.4xlarge", "instance_count": 1},
            "transforms_label": True,
            "transformed_data_format": "application/x-recordio-protobuf",
            "sparse_encoding": number % 2 == 1,
        },
        "algorithm": {"name": algorithm, "training_resource_config": MACHINE},
    }
    return f"automl_interactive_runner.select_candidate({definition!r})"


CODE = {
    "setup": "%matplotlib inline\n!pip install -q something\nimport sagemaker",
    "base": f"BASE_AUTOML_JOB_CONFIG = {BASE!r}",
    "dpp0": candidate(0, "xgboost"),
    "dpp1": candidate(1, "linear-learner"),
    "dpp2": candidate(2, "xgboost"),
    "metrics": "ALGORITHM_OBJECTIVE_METRICS = "
    "{'xgboost': 'validation:auc', 'linear-learner': 'validation:roc_auc_score'}",
    "static": "STATIC_HYPERPARAMETERS = {'xgboost': {'objective': 'binary:logistic', "
    "'save_model_on_termination': True}, 'linear-learner': {'predictor_type': 'binary_classifier'}}",
    "ranges": RANGES,
    "tuner": "tuner = HyperparameterTuner.create(\n    strategy='Bayesian', objective_type='Maximize', max_jobs=250)",
}


def notebook(**changed: str | None) -> str:
    """The notebook with these cells changed, or left out where they are None."""
    cells: list[dict[str, Any]] = []
    for name, source in {**CODE, **changed}.items():
        if source is not None:
            cells.append({"cell_type": "markdown", "source": f"### {name}\n", "metadata": {}})
            cells.append({"cell_type": "code", "source": source.splitlines(keepends=True), "outputs": []})
    return json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}})
