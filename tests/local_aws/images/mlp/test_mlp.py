"""The multi-layer perceptron's image: trained from channels, kept, and asked."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from include.local_aws import images
from include.local_aws.images import answers, mlp
from include.local_aws.images.autopilot import recordio
from include.local_aws.images.mlp import hyperparameters, network
from include.local_aws.images.mlp.hyperparameters import HyperparameterError

RECORDIO = "application/x-recordio-protobuf"
REQUIRED = {
    "binary_classification": {"problem_type": "binary_classification"},
    "multiclass_classification": {"problem_type": "multiclass_classification", "num_classes": "3"},
    "regression": {"problem_type": "regression"},
}
SMALL = {"layers": "16", "epochs": "40", "learning_rate": "0.01", "mini_batch_size": "32"}


def rows(problem_type: str, count: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features that say something about the label."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 4)).astype(np.float32)
    signal = 2 * x[:, 0] - x[:, 1]
    if problem_type == "regression":
        return x, (100 + 10 * signal).astype(np.float32)
    cuts = [0.0] if problem_type == "binary_classification" else [-1.0, 1.0]
    return x, np.digitize(signal, cuts).astype(np.float32)


def opt_ml(root: Path, problem_type: str, content_type: str = RECORDIO, **given: str) -> Path:
    """A job's directory with both channels."""
    (root / "input/config").mkdir(parents=True)
    (root / "input/config/hyperparameters.json").write_text(json.dumps({**REQUIRED[problem_type], **SMALL, **given}))
    channels = {}
    for name, seed in (("train", 0), ("validation", 1)):
        x, y = rows(problem_type, seed=seed)
        (root / "input/data" / name).mkdir(parents=True)
        content = recordio.encode(x, labels=y)
        if content_type == "text/csv":
            content = "".join(f"{label},{','.join(map(str, row))}\n" for label, row in zip(y, x, strict=True)).encode()
        (root / "input/data" / name / "part-0").write_bytes(content)
        channels[name] = {"ContentType": content_type}
    (root / "input/config/inputdataconfig.json").write_text(json.dumps(channels))
    return root


def logged(request: dict[str, Any], log: str) -> dict[str, float]:
    """What the image's metric definitions find in a log."""
    return {
        name: float(found[-1]) for name, regex in mlp.metric_definitions(request) if (found := re.findall(regex, log))
    }


@pytest.mark.parametrize("content_type", [RECORDIO, "text/csv"])
@pytest.mark.parametrize("problem_type", list(REQUIRED))
def test_a_training_learns_and_logs_all_its_metrics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], problem_type: str, content_type: str
) -> None:
    """Each of the problem type's metrics is found once by its regular expression, and is a good one."""
    root = opt_ml(tmp_path, problem_type, content_type)
    mlp.train(root)
    found = logged({"HyperParameters": REQUIRED[problem_type]}, capsys.readouterr().out)
    assert set(found) == set(hyperparameters.METRICS[problem_type])
    good = {"regression": "validation:r2"}.get(problem_type, "validation:accuracy")
    assert found[good] > 0.85


@pytest.mark.parametrize("problem_type", list(REQUIRED))
def test_what_serves_is_what_was_trained(tmp_path: Path, problem_type: str) -> None:
    """The container's numbers are the network's, for recordio as for CSV."""
    root = opt_ml(tmp_path, problem_type)
    mlp.train(root)
    environment = {"SAGEMAKER_INFERENCE_OUTPUT": "predicted_label,probability,probabilities"}
    container = mlp.serve(root / "model", {} if problem_type == "regression" else environment)
    x, _ = rows(problem_type, 20, seed=2)
    expected = network.load(root / "model").predict(x)
    text = "".join(",".join(repr(float(value)) for value in row) + "\n" for row in x).encode()
    told = {container.invoke(body, kind, None) for body, kind in ((recordio.encode(x), RECORDIO), (text, "text/csv"))}
    ((body, kind),) = told
    assert kind == "text/csv"
    lines = body.decode().splitlines()
    if problem_type == "regression":
        assert [float(line) for line in lines] == pytest.approx(list(expected))
        return
    for line, chances in zip(lines, expected, strict=True):
        label, probability, listed = line.split(",", 2)
        assert int(label) == chances.argmax()
        assert ast.literal_eval(listed.strip('"')) == pytest.approx(list(chances))
        binary = problem_type == "binary_classification"
        assert float(probability) == pytest.approx(chances[1] if binary else chances.max())


def test_the_label_alone_is_the_default_answer(tmp_path: Path) -> None:
    """Of a classification."""
    mlp.train(opt_ml(tmp_path, "binary_classification"))
    body, _ = mlp.serve(tmp_path / "model", {}).invoke(b"5,0,0,0\n-5,0,0,0\n", "text/csv", None)
    assert body == b"1\n0\n"


@pytest.mark.parametrize(
    ("body", "content_type", "sentence"),
    [
        (b"1,2\n", "text/csv", "Expected 4 features a row, found 2"),
        (b"1,2,3,\n", "text/csv", "missing or infinite values"),
        (b"1,2,3,x\n", "text/csv", "'x', expected a number"),
        (b"{}", "application/json", "application/json is not an accepted ContentType"),
        (b"1.5,2.5,3.5,4.5", RECORDIO, "magic number"),
    ],
)
def test_bad_features_are_the_callers_fault(tmp_path: Path, body: bytes, content_type: str, sentence: str) -> None:
    """HTTP 400, in words."""
    mlp.train(opt_ml(tmp_path, "regression"))
    with pytest.raises(images.BadRequest, match=sentence):
        mlp.serve(tmp_path / "model", {}).invoke(body, content_type, None)


def test_a_container_that_is_asked_for_what_it_can_not_give_does_not_come_up(tmp_path: Path) -> None:
    """The sentence names the key."""
    mlp.train(opt_ml(tmp_path, "binary_classification"))
    with pytest.raises(answers.Unusable, match="'labels'"):
        mlp.serve(tmp_path / "model", {"SAGEMAKER_INFERENCE_OUTPUT": "labels"})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "problem_type is missing"),
        ({"problem_type": "ranking"}, "problem_type: expected one of binary_classification, .*found 'ranking'"),
        ({"problem_type": "multiclass_classification"}, "num_classes is missing"),
        ({"problem_type": "regression", "layers": "64;32"}, "layers: expected the widths .*found '64;32'"),
        ({"problem_type": "regression", "layers": "0"}, "layers: expected the widths"),
        ({"problem_type": "regression", "epochs": "0"}, "epochs: expected a whole number from 1 to 10000, found '0'"),
        ({"problem_type": "regression", "epochs": "ten"}, "epochs: expected a whole number"),
        ({"problem_type": "regression", "learning_rate": "0"}, "learning_rate: expected a number above 0 to 1"),
        ({"problem_type": "regression", "weight_decay": "nan"}, "weight_decay: expected a number from 0"),
        ({"problem_type": "regression", "colour": "red"}, "colour is unknown to mlp: it has problem_type, "),
        ({"problem_type": "regression", "dropout_prob": "0.25"}, "dropout_prob: '0.25' is not available"),
    ],
)
def test_hyperparameters_are_checked_by_name(given: dict[str, str], sentence: str) -> None:
    """Each sentence names the hyperparameter, what was expected and what was found."""
    with pytest.raises(HyperparameterError, match=sentence):
        hyperparameters.read(given)


def test_hyperparameters_of_sagemaker_itself_are_passed_over() -> None:
    """Those that begin with an underscore, such as a tuning job's objective."""
    settings = hyperparameters.read({"problem_type": "regression", "_tuning_objective_metric": "validation:mse"})
    assert settings.layers == (256,)


@pytest.mark.parametrize(
    ("problem_type", "labels", "sentence"),
    [
        ("binary_classification", [0, 1, 2], "Expected labels from 0 to 1, the class indices, found 2"),
        ("binary_classification", [1, 1, 1], "labels of one class only"),
        ("regression", [1, np.nan, 2], "labels that are missing or infinite"),
    ],
)
def test_labels_that_do_not_fit_fail_the_training(
    tmp_path: Path, problem_type: str, labels: list[float], sentence: str
) -> None:
    """As the client's error."""
    root = opt_ml(tmp_path, problem_type)
    content = recordio.encode(np.ones((3, 4), dtype=np.float32), labels=np.array(labels, dtype=np.float32))
    (root / "input/data/train/part-0").write_bytes(content)
    with pytest.raises(images.ClientError, match=sentence):
        mlp.train(root)


def test_a_job_without_a_train_channel_fails_in_words(tmp_path: Path) -> None:
    """Which channel is missing."""
    root = opt_ml(tmp_path, "regression")
    (root / "input/config/inputdataconfig.json").write_text(json.dumps({"validation": {"ContentType": RECORDIO}}))
    with pytest.raises(images.ClientError, match="Missing required channel: train"):
        mlp.train(root)


def test_a_foreign_artifact_is_refused(tmp_path: Path) -> None:
    """It holds no network, or one of another format."""
    with pytest.raises(network.UnusableNetwork, match=r"has no mlp\.json"):
        mlp.serve(tmp_path, {})
    (tmp_path / "mlp.json").write_text('{"format": 99}')
    with pytest.raises(network.UnusableNetwork, match="not of format 1"):
        mlp.serve(tmp_path, {})


def test_both_of_its_images_are_known() -> None:
    """The one that trains and the one that serves."""
    for name in (mlp.TRAINING, mlp.INFERENCE):
        assert images.find(f"382416733822.dkr.ecr.us-east-1.amazonaws.com/{name}") is mlp
