"""Arguments and environment variables of training scripts."""

import json
from pathlib import Path
from typing import Any

import pytest

from include.local_aws.scripting import source, variables


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"max-depth": "5"}, ["--max-depth", "5"]),
        ({"n": "5"}, ["-n", "5"]),
        ({"name": '"two words"'}, ["--name", "two words"]),
        ({"name": "no json"}, ["--name", "no json"]),
        ({"flag": "true", "nothing": "null"}, ["--flag", "True", "--nothing", ""]),
        ({"rate": "1e-3"}, ["--rate", "0.001"]),
        ({"map": '{"b": 2, "a": 1}'}, ["--map", "a=1,b=2"]),
        ({"list": "[1, 2]"}, ["--list", "[1, 2]"]),
        ({"b": "1", "a": "2"}, ["-a", "2", "-b", "1"]),
        ({"sagemaker_program": '"train.py"', "_tuning_objective_metric": "rmse"}, []),
    ],
)
def test_hyperparameters_are_arguments_by_name(given: dict[str, str], words: list[str]) -> None:
    assert variables.arguments(source.decoded(given)) == words


@pytest.fixture
def told(tmp_path: Path) -> dict[str, str]:
    files: dict[str, Any] = {
        "resourceconfig.json": {
            "current_host": "algo-1",
            "current_instance_type": "ml.m5.large",
            "current_group_name": "homogeneousCluster",
            "hosts": ["algo-2", "algo-1"],
            "network_interface_name": "eth0",
        },
        "inputdataconfig.json": {"train": {"TrainingInputMode": "File"}, "val-set": {"TrainingInputMode": "File"}},
    }
    for name, document in files.items():
        (tmp_path / name).write_text(json.dumps(document))
    hyperparameters = {"max-depth": 5, "name": "x", "sagemaker_program": "train.py", "sagemaker_region": "us-east-1"}
    return variables.variables(tmp_path, hyperparameters, "train.py", "container.training:main")


def test_channels_hyperparameters_and_hosts_are_in_the_environment(told: dict[str, str]) -> None:
    expected = {
        "SM_MODEL_DIR": "/opt/ml/model",
        "SM_OUTPUT_DATA_DIR": "/opt/ml/output/data",
        "SM_CHANNEL_TRAIN": "/opt/ml/input/data/train",
        "SM_CHANNEL_VAL-SET": "/opt/ml/input/data/val-set",
        "SM_CHANNELS": '["train", "val-set"]',
        "SM_HP_MAX_DEPTH": "5",
        "SM_HPS": '{"max-depth": 5, "name": "x"}',
        "SM_HOSTS": '["algo-1", "algo-2"]',
        "SM_CURRENT_HOST": "algo-1",
        "SM_NUM_GPUS": "0",
        "SM_USER_ENTRY_POINT": "train.py",
        "SM_MODULE_NAME": "train",
        "SM_MODULE_DIR": "/opt/ml/code",
        "SM_FRAMEWORK_MODULE": "container.training:main",
    }
    assert {name: told[name] for name in expected} == expected
    assert json.loads(told["SM_USER_ARGS"]) == ["--max-depth", "5", "--name", "x"]
    assert json.loads(told["SM_FRAMEWORK_PARAMS"]) == {
        "sagemaker_program": "train.py",
        "sagemaker_region": "us-east-1",
    }


def test_the_whole_of_it_is_one_json_document_too(told: dict[str, str]) -> None:
    whole = json.loads(told["SM_TRAINING_ENV"])
    assert whole["hyperparameters"] == {"max-depth": 5, "name": "x"}
    assert whole["channel_input_dirs"]["train"] == "/opt/ml/input/data/train"
    assert whole["is_master"] is True
