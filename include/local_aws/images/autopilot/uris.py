"""Names of the images that Autopilot's candidates serve from.

Repository names, tags and the layout of the environment were taken from candidates that real Autopilot jobs produced,
as shown in the SageMaker developer guide ("Batch forecasting", "Deploy models":
sagemaker-sklearn-automl:2.5-1-cpu-py3, sagemaker-xgboost:1.3-1-cpu-py3) and published by users
(autogluon-inference:0.4.3-cpu-py38-ubuntu20.04 for ensembles, mxnet-algorithms:inference-cpu for mlp). The accounts
are those seen there and in the SageMaker SDK; in a region that is not listed us-east-1's stand in, since the embedded
AWS finds an image by repository and tag.
"""

from __future__ import annotations

from collections.abc import Mapping

_FRAMEWORK_ACCOUNTS: Mapping[str, str] = {
    "us-east-1": "683313688378",
    "us-west-2": "246618743249",
    "eu-west-1": "141502667606",
}
_ALGORITHM_ACCOUNTS: Mapping[str, str] = {
    "us-east-1": "382416733822",
    "us-west-2": "174872318107",
    "eu-west-1": "438346466558",
}
_DEEP_LEARNING_ACCOUNT = "763104351884"

FEATURES = "sagemaker-sklearn-automl:2.5-1-cpu-py3"
ENSEMBLE = "autogluon-inference:0.4.3-cpu-py38-ubuntu20.04"
ALGORITHM: Mapping[str, str] = {
    "xgboost": "sagemaker-xgboost:1.3-1-cpu-py3",
    "linear-learner": "linear-learner:inference-cpu-1",
    "mlp": "mxnet-algorithms:inference-cpu",
}

_TRAINING: Mapping[str, str] = {
    "xgboost": "sagemaker-xgboost:1.3-1-cpu-py3",
    "linear-learner": "linear-learner:training-cpu-1",
    "mlp": "mxnet-algorithms:training-cpu",
}
ENSEMBLE_TRAINING = "autogluon-training:0.4.3-cpu-py38-ubuntu20.04"


def _uri(account: str, region: str, repository_and_tag: str) -> str:
    return f"{account}.dkr.ecr.{region}.amazonaws.com/{repository_and_tag}"


def features(region: str) -> str:
    """The image of the feature engineering and the inverse label container."""
    return _uri(_FRAMEWORK_ACCOUNTS.get(region, _FRAMEWORK_ACCOUNTS["us-east-1"]), region, FEATURES)


def ensemble(region: str) -> str:
    """The image of an ensembling candidate's only container."""
    return _uri(_DEEP_LEARNING_ACCOUNT, region, ENSEMBLE)


def algorithm(name: str, region: str) -> str:
    """The image of a tuned candidate's algorithm container."""
    accounts = _FRAMEWORK_ACCOUNTS if name == "xgboost" else _ALGORITHM_ACCOUNTS
    return _uri(accounts.get(region, accounts["us-east-1"]), region, ALGORITHM[name])


def training(name: str, region: str) -> str:
    """The image of the training job that makes a tuned candidate's algorithm."""
    accounts = _FRAMEWORK_ACCOUNTS if name == "xgboost" else _ALGORITHM_ACCOUNTS
    return _uri(accounts.get(region, accounts["us-east-1"]), region, _TRAINING[name])


def ensemble_training(region: str) -> str:
    """The image of the training job that makes an ensembling candidate."""
    return _uri(_DEEP_LEARNING_ACCOUNT, region, ENSEMBLE_TRAINING)
