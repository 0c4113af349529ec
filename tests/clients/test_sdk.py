"""The SageMaker SDK, unmodified and in an environment of its own, walks through what it is used for."""

from collections.abc import Mapping

import pytest

from tests.support.clients import Script, clients_python

pytestmark = pytest.mark.local_aws

STEPS = {
    "role": "a role in IAM that SageMaker may assume",
    "image_uris": "image_uris.retrieve names images that are here",
    "upload_data": "Session.upload_data, read_s3_file, list_s3_files",
    "framework_processor": "FrameworkProcessor with a source directory and requirements, its log followed",
    "model_trainer_algorithm": "ModelTrainer with XGBoost's algorithm, its log followed",
    "model_trainer_script": "ModelTrainer with a script of the user's on the scikit-learn image",
    "model_trainer_failing_script": "a failing script fails the SDK's wait, and its log says why",
    "hyperparameter_tuner": "HyperparameterTuner of one algorithm",
    "transformer": "Model.create and Transformer, with good predictions",
    "endpoint": "EndpointConfig, Endpoint, invoke, delete",
    "model_builder": "ModelBuilder builds and deploys a model with the user's inference script",
    "automl_job_v2": "AutoMLJobV2 until its best candidate",
}
"""What each step proves."""


@pytest.fixture(scope="module")
def sdk_results(scripts: Mapping[str, Script]) -> dict[str, str | None]:
    """By step: None where it passed, how it failed otherwise."""
    clients_python()
    return scripts["sdk_walk"].results(list(STEPS))


@pytest.mark.parametrize("step", STEPS)
def test_sdk(sdk_results: dict[str, str | None], step: str) -> None:
    """The step of the SDK's walk passes."""
    failed = sdk_results[step]
    assert failed is None, f"{STEPS[step]}: {failed}"


def test_the_sdk_leaves_the_users_home_alone(scripts: Mapping[str, Script], sdk_results: dict[str, str | None]) -> None:
    """Nothing is read from it either: it was empty."""
    home = scripts["sdk_walk"].output.parent / "home"
    assert list(home.iterdir()) == []
