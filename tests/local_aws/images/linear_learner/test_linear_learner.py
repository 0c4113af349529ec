"""Linear Learner trains each kind of predictor and answers for it."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression, QuantileRegressor

from include.local_aws.images import BadRequest, ClientError, answers
from include.local_aws.images.autopilot import recordio
from include.local_aws.images.linear_learner import declared, losses, measuring
from tests.support.algorithms import csv, last_values, opt_ml, serve, train

IMAGE = "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"


def table(rows: int, seed: int) -> tuple[Any, Any]:
    """Three features on very different scales and a number that depends on them."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(rows, 3)) * [1, 100, 0.01] + [0, 5, 3]
    return features, 50 + 3 * features[:, 0] - 0.02 * features[:, 1] + 40 * features[:, 2] + rng.normal(size=rows) * 0.5


X, Y = table(600, 1)
VX, VY = table(200, 2)
MIDDLE = float(np.median(Y))
EXACT = {"l1": 0, "wd": 0}


def predictions(model: Path, environment: dict[str, str] | None = None, rows: Any = VX) -> list[dict[str, Any]]:
    body, kind = serve(IMAGE, model, environment).invoke(csv(rows).encode(), "text/csv", "application/json")
    assert kind == "application/json"
    found: list[dict[str, Any]] = json.loads(body)["predictions"]
    return found


def test_a_regressor_without_penalty_is_the_least_squares_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"predictor_type": "regressor", **EXACT}
    model = train(IMAGE, opt_ml(tmp_path, given, {"train": csv(Y, X), "validation": csv(VY, VX)}))
    reference = LinearRegression().fit(X, Y).predict(VX)
    np.testing.assert_allclose([each["score"] for each in predictions(model)], reference, atol=2e-3)
    found = last_values(capsys.readouterr().out, {"HyperParameters": given}, IMAGE)
    assert found["validation:rmse"] == pytest.approx(float(np.sqrt(((reference - VY) ** 2).mean())), abs=1e-3)
    assert found["validation:mse"] == pytest.approx(found["validation:rmse"] ** 2)
    assert found["validation:objective_loss"] == pytest.approx(found["validation:mse"])


def test_a_quantile_regressor_is_the_quantile_fit(tmp_path: Path) -> None:
    given = {"predictor_type": "regressor", "loss": "quantile_loss", "quantile": 0.9, **EXACT}
    model = train(IMAGE, opt_ml(tmp_path, given, {"train": csv(Y, X)}))
    reference = QuantileRegressor(quantile=0.9, alpha=0).fit(X / X.std(axis=0), Y).predict(VX / X.std(axis=0))
    np.testing.assert_allclose([each["score"] for each in predictions(model)], reference, atol=0.05)


@pytest.mark.parametrize("loss", declared.LOSSES["regressor"])
def test_every_loss_of_a_regressor_finds_the_line(tmp_path: Path, loss: str) -> None:
    given = {"predictor_type": "regressor", "loss": loss, "quantile": 0.5, **EXACT}
    found = predictions(train(IMAGE, opt_ml(tmp_path, given, {"train": csv(Y, X)})))
    error = np.array([each["score"] for each in found]) - VY
    assert np.sqrt((error**2).mean()) < 0.6


@pytest.mark.parametrize("loss", [*declared.LOSSES["regressor"], *declared.LOSSES["binary_classifier"], "softmax_loss"])
def test_the_slopes_of_the_losses_are_their_derivatives(loss: str) -> None:
    kind = next(name for name, each in declared.LOSSES.items() if loss in each)
    values = declared.read({"predictor_type": kind, "loss": loss, "num_classes": "3", "quantile": "0.3"})
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 3 if kind == "multiclass_classifier" else 2, 40).astype(float)
    scores = rng.normal(size=(40, 3 if kind == "multiclass_classifier" else 1)) * 3
    measure = losses.of(values)
    _, slope = measure(scores, labels)
    for column in range(scores.shape[1]):
        step = np.zeros_like(scores)
        step[:, column] = 1e-6
        numeric = (measure(scores + step, labels)[0] - measure(scores - step, labels)[0]) / 2e-6
        np.testing.assert_allclose(slope[:, column], numeric, atol=1e-4)


def test_a_binary_classifier_without_penalty_is_the_logistic_fit(tmp_path: Path) -> None:
    labels = (Y + np.random.default_rng(1).normal(size=len(Y)) * 3 > MIDDLE).astype(float)
    model = train(IMAGE, opt_ml(tmp_path, {"predictor_type": "binary_classifier", **EXACT}, {"train": csv(labels, X)}))
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    reference = LogisticRegression(C=np.inf).fit(scaled, labels)
    expected = reference.predict_proba((VX - X.mean(axis=0)) / X.std(axis=0))[:, 1]
    np.testing.assert_allclose([each["score"] for each in predictions(model)], expected, atol=2e-3)


@pytest.mark.parametrize("loss", ["logistic", "hinge_loss"])
def test_a_binary_classifier_answers_score_and_label_and_tells_its_measures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], loss: str
) -> None:
    given = {"predictor_type": "binary_classifier", "loss": loss}
    data: dict[str, str | bytes] = {"train": csv(Y > MIDDLE, X), "validation": csv(VY > MIDDLE, VX)}
    found = predictions(train(IMAGE, opt_ml(tmp_path, given, data)))
    assert {tuple(each) for each in found} == {("score", "predicted_label")}
    right = np.mean([each["predicted_label"] == (label > MIDDLE) for each, label in zip(found, VY, strict=True)])
    told = last_values(capsys.readouterr().out, {"HyperParameters": given}, IMAGE)
    assert told["validation:binary_classification_accuracy"] == pytest.approx(right)
    assert right > 0.93
    assert {name.partition(":")[2] for name in told} == set(declared.MEASURES["binary_classifier"])


def test_several_classes_are_told_apart_and_answered_with_all_their_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    classes, vclasses = np.digitize(Y, [MIDDLE - 3, MIDDLE + 3]), np.digitize(VY, [MIDDLE - 3, MIDDLE + 3])
    given = {"predictor_type": "multiclass_classifier", "num_classes": 3, "accuracy_top_k": 2}
    data: dict[str, str | bytes] = {"train": csv(classes, X), "test": csv(vclasses, VX)}
    model = train(IMAGE, opt_ml(tmp_path, given, data))
    found = predictions(model)
    right = np.mean([each["predicted_label"] == label for each, label in zip(found, vclasses, strict=True)])
    assert right > 0.85
    assert all(sum(each["score"]) == pytest.approx(1) for each in found)
    told = last_values(capsys.readouterr().out, {"HyperParameters": given}, IMAGE)
    assert told["test:multiclass_accuracy"] == pytest.approx(right)
    assert told["test:multiclass_top_k_accuracy"] >= right
    selected = predictions(model, {"SAGEMAKER_INFERENCE_OUTPUT": "predicted_label,probabilities"})
    assert list(selected[0]) == ["predicted_label", "probabilities"]


def test_the_strengths_left_to_the_algorithm_are_chosen_on_the_validation_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(3)
    noise, vnoise = rng.normal(size=(60, 40)), rng.normal(size=(400, 40))
    labels, vlabels = noise[:, 0] + rng.normal(size=60), vnoise[:, 0] + rng.normal(size=400)
    data: dict[str, str | bytes] = {"train": csv(labels, noise), "validation": csv(vlabels, vnoise)}
    errors = {}
    for name, strengths in (("chosen", {}), ("none", EXACT)):
        train(IMAGE, opt_ml(tmp_path / name, {"predictor_type": "regressor", **strengths}, data))
        told = last_values(capsys.readouterr().out, {"HyperParameters": {"predictor_type": "regressor"}}, IMAGE)
        errors[name] = told["validation:rmse"]
    assert errors["chosen"] < 0.95 * errors["none"]


@pytest.mark.parametrize(
    ("criterion", "holds"),
    [
        ("precision_at_target_recall", lambda precision, recall: recall >= 0.9),
        ("recall_at_target_precision", lambda precision, recall: precision >= 0.9),
    ],
)
def test_the_threshold_keeps_the_target_that_it_is_chosen_by(criterion: str, holds: Any) -> None:
    rng = np.random.default_rng(2)
    scores = rng.uniform(size=500)
    labels = (rng.uniform(size=500) < scores).astype(float)
    values = declared.read(
        {
            "predictor_type": "binary_classifier",
            "binary_classifier_model_selection_criteria": criterion,
            "target_recall": "0.9",
            "target_precision": "0.9",
        }
    )
    chosen = scores > measuring.threshold(scores, labels, values, default=0.5)
    hits = float((chosen * labels).sum())
    assert holds(hits / chosen.sum(), hits / labels.sum())
    assert 0.05 < chosen.mean() < 0.95


def test_rows_may_come_in_json_and_recordio_and_answers_go_out_in_csv_and_json_lines(tmp_path: Path) -> None:
    model = train(IMAGE, opt_ml(tmp_path, {"predictor_type": "regressor"}, {"train": csv(Y, X)}))
    served = serve(IMAGE, model)
    expected = [each["score"] for each in predictions(model, rows=VX[:2])]
    a, b = VX[:2].tolist()
    bodies = {
        "application/json": json.dumps(
            {"instances": [{"features": a}, {"data": {"features": {"values": b}}}]}
        ).encode(),
        "application/jsonlines": f"{json.dumps({'features': a})}\n{json.dumps({'features': b})}\n".encode(),
        "application/x-recordio-protobuf": recordio.encode(VX[:2].astype("f4")),
    }
    for content_type, body in bodies.items():
        lines = served.invoke(body, content_type, "text/csv")[0].decode().splitlines()
        np.testing.assert_allclose([float(line) for line in lines], expected, rtol=1e-5)
    last = served.invoke(bodies["application/json"], "application/json", "application/jsonlines")[0].splitlines()
    assert json.loads(last[1]) == {"score": pytest.approx(expected[1])}
    sparse = {"data": {"features": {"keys": [1], "shape": [3], "values": [2.0]}}}
    dense = served.invoke(b"0,2,0\n", "text/csv", "text/csv")[0]
    assert served.invoke(json.dumps({"instances": [sparse]}).encode(), "application/json", "text/csv")[0] == dense


def test_recordio_is_what_a_channel_without_content_type_holds(tmp_path: Path) -> None:
    records = recordio.encode(X.astype("f4"), labels=Y.astype("f4"))
    train(IMAGE, opt_ml(tmp_path / "a", {"predictor_type": "regressor"}, {"train": records}, None))
    with pytest.raises(ClientError, match=r"Unable to read data channel 'train'. Requested content-type is 'applicat"):
        train(IMAGE, opt_ml(tmp_path / "b", {"predictor_type": "regressor"}, {"train": csv(Y, X)}, None))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Missing required hyperparameter: predictor_type"),
        ({"predictor_type": "forest"}, "Hyperparameter predictor_type: value forest not in range ['regressor',"),
        ({"predictor_type": "regressor", "alpha": "1"}, "Extraneous hyperparameter found: alpha"),
        ({"predictor_type": "regressor", "loss": "logistic"}, "Hyperparameter loss: value logistic not in range"),
        ({"predictor_type": "regressor", "wd": "-1"}, "Hyperparameter wd: value -1 not in range [0, +inf) or auto"),
        ({"predictor_type": "regressor", "use_bias": "maybe"}, "Hyperparameter use_bias: value maybe not in range"),
        ({"predictor_type": "multiclass_classifier"}, "num_classes is required when predictor_type is 'multiclass"),
    ],
)
def test_hyperparameters_that_can_not_be_used_are_told_by_name(given: dict[str, str], said: str) -> None:
    with pytest.raises(ClientError, match=re.escape(said)):
        declared.read(given)


@pytest.mark.parametrize(
    ("given", "labels", "features", "said"),
    [
        ({"predictor_type": "binary_classifier"}, Y, X, "must be whole numbers from 0 to 1, the train channel has"),
        ({"predictor_type": "regressor", "feature_dim": 9}, Y, X, "has 3 features, expected 9"),
        ({"predictor_type": "regressor"}, Y, np.where(X > 200, np.nan, X), "has missing or infinite values"),
    ],
)
def test_data_that_do_not_fit_fail_the_training(
    tmp_path: Path, given: dict[str, object], labels: Any, features: Any, said: str
) -> None:
    with pytest.raises(ClientError, match=said):
        train(IMAGE, opt_ml(tmp_path, given, {"train": csv(labels, features)}))


def test_what_is_no_model_does_not_come_up_and_wrong_requests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(answers.Unusable, match="hold no file model_algo-1"):
        serve(IMAGE, tmp_path)
    (tmp_path / "model_algo-1").write_bytes(b"not a zip")
    with pytest.raises(answers.Unusable, match="was not written by the embedded AWS's Linear Learner"):
        serve(IMAGE, tmp_path)
    served = serve(IMAGE, train(IMAGE, opt_ml(tmp_path / "it", {"predictor_type": "regressor"}, {"train": csv(Y, X)})))
    for body, content_type in ((b"1,2\n", "text/csv"), (b"{}", "application/json"), (b"1", "image/png")):
        with pytest.raises(BadRequest):
            served.invoke(body, content_type, None)
