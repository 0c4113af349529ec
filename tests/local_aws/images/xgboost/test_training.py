"""XGBoost's algorithm mode trains on what stands in its channels."""

import importlib.util
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost

from include.local_aws.images import AlgorithmError, ClientError
from include.local_aws.images.autopilot import recordio
from tests.support.algorithms import booster_of, csv, last_values, opt_ml, train

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"


def table(rows: int, seed: int = 1) -> tuple[Any, Any]:
    """Features of three columns and a number that depends on them."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(rows, 3))
    return features, 2 * features[:, 0] - features[:, 1] + rng.normal(size=rows) * 0.1


X, Y = table(300)
VX, VY = table(100, seed=2)
CLASSES = (Y > 0).astype(float) + (Y > 2)


def channels() -> dict[str, str | bytes]:
    return {"train": csv(Y, X), "validation": csv(VY, VX)}


def test_the_model_is_a_file_that_any_xgboost_opens_and_predicts_what_it_learned(tmp_path: Path) -> None:
    model = train(IMAGE, opt_ml(tmp_path, {"num_round": 60, "eta": 0.2, "max_depth": 4}, channels()))
    assert [path.name for path in model.iterdir()] == ["xgboost-model"]
    booster = booster_of(model)
    assert booster.num_boosted_rounds() == 60
    error = booster.predict(xgboost.DMatrix(VX)) - VY
    assert np.sqrt((error**2).mean()) < 0.25 * VY.std()


def test_the_log_tells_each_round_as_the_real_image_does_and_metrics_are_found_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"num_round": 3, "eval_metric": "mae,rmse"}
    train(IMAGE, opt_ml(tmp_path, given, channels()))
    log = capsys.readouterr().out
    lines = [line for line in log.splitlines() if line.startswith("[")]
    assert [line.split("#011")[0] for line in lines] == ["[0]", "[1]", "[2]"]
    assert [part.split(":")[0] for part in lines[0].split("#011")[1:]] == [
        "train-mae",
        "train-rmse",
        "validation-mae",
        "validation-rmse",
    ]
    request = {"HyperParameters": {name: str(value) for name, value in given.items()}}
    found = last_values(log, request, IMAGE)
    assert set(found) == {"train:mae", "train:rmse", "validation:mae", "validation:rmse"}
    assert f"validation-rmse:{found['validation:rmse']:.5f}" in lines[-1]


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("text/csv;label_size=1", csv(Y, X)),
        (
            "libsvm",
            "".join(f"{y!r} 0:{a!r} 1:{b!r} 2:{c!r}\n" for y, (a, b, c) in zip(Y.tolist(), X.tolist(), strict=True)),
        ),
        ("application/x-recordio-protobuf", recordio.encode(X.astype("f4"), labels=Y.astype("f4"))),
        ("application/x-recordio-protobuf", recordio.encode(X.astype("f4"), labels=Y.astype("f4"), sparse=True)),
    ],
)
def test_every_content_type_gives_the_same_model(tmp_path: Path, content_type: str, content: str | bytes) -> None:
    given = {"num_round": 5}
    model = train(IMAGE, opt_ml(tmp_path / "it", given, {"train": content}, content_type))
    reference = train(IMAGE, opt_ml(tmp_path / "csv", given, {"train": csv(Y, X)}))
    it, other = (booster_of(each) for each in (model, reference))
    np.testing.assert_allclose(it.predict(xgboost.DMatrix(VX)), other.predict(xgboost.DMatrix(VX)), rtol=1e-4)


def test_libsvm_is_what_a_channel_without_content_type_holds(tmp_path: Path) -> None:
    root = opt_ml(tmp_path, {"num_round": 1}, {"train": "1 0:2 3:1\n0 1:1\n"}, None)
    booster = booster_of(train(IMAGE, root))
    assert booster.num_features() == 4


def test_parquet_is_read_where_pyarrow_is_installed_and_refused_in_words_where_not(tmp_path: Path) -> None:
    if importlib.util.find_spec("pyarrow") is None:
        with pytest.raises(ClientError, match="reads Parquet with the package pyarrow, which is not installed"):
            train(IMAGE, opt_ml(tmp_path, {"num_round": 5}, {"train": b"PAR1"}, "application/x-parquet"))
        return
    frame = pd.DataFrame(np.column_stack([Y, X]), columns=pd.Index(list("yabc")))
    content = io.BytesIO()
    frame.to_parquet(content)
    root = opt_ml(tmp_path / "it", {"num_round": 5}, {"train": content.getvalue()}, "application/x-parquet")
    it = booster_of(train(IMAGE, root))
    other = booster_of(train(IMAGE, opt_ml(tmp_path / "csv", {"num_round": 5}, {"train": csv(Y, X)})))
    np.testing.assert_allclose(it.predict(xgboost.DMatrix(VX)), other.predict(xgboost.DMatrix(VX)), rtol=1e-4)


def test_weights_in_the_second_column_count(tmp_path: Path) -> None:
    labels, weights = np.array([0.0, 10.0] * 50), np.array([1.0, 3.0] * 50)
    root = opt_ml(
        tmp_path,
        {"num_round": 50, "csv_weights": 1, "lambda": 0, "base_score": 0},
        {"train": csv(labels, weights, np.ones(100))},
    )
    booster = booster_of(train(IMAGE, root))
    assert booster.predict(xgboost.DMatrix(np.ones((1, 1))))[0] == pytest.approx(7.5, abs=0.01)


def test_early_stopping_keeps_the_best_round(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = {"train": csv(np.random.default_rng(3).normal(size=300), X), "validation": csv(VY, VX)}
    given = {"num_round": 200, "early_stopping_rounds": 3, "eval_metric": "rmse", "eta": 1}
    booster = booster_of(train(IMAGE, opt_ml(tmp_path, given, noise)))
    rounds = sum(line.startswith("[") for line in capsys.readouterr().out.splitlines())
    assert rounds < 200
    assert booster.num_boosted_rounds() == rounds - 3


def test_measures_that_xgboost_has_not_are_measured_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = {
        "num_round": 10,
        "objective": "multi:softprob",
        "num_class": 3,
        "eval_metric": "mlogloss",
        "_tuning_objective_metric": "validation:f1",
    }
    root = opt_ml(tmp_path, given, {"train": csv(CLASSES, X), "validation": csv(CLASSES, X)})
    train(IMAGE, root)
    found = last_values(capsys.readouterr().out, {"HyperParameters": {"objective": "multi:softprob"}}, IMAGE)
    assert 0.8 < found["validation:f1"] <= 1
    assert found["validation:mlogloss"] < 0.7


def test_a_training_goes_on_from_its_last_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given: dict[str, object] = {"num_round": 6, "eval_metric": "rmse"}
    whole = train(IMAGE, opt_ml(tmp_path / "whole", given, channels()))
    first = opt_ml(tmp_path / "first", {**given, "num_round": 4}, channels(), checkpoints=True)
    train(IMAGE, first)
    kept = sorted(path.name for path in (first / "checkpoints").iterdir())
    assert kept == [f"xgboost-checkpoint.{number}" for number in range(4)]
    second = opt_ml(tmp_path / "second", given, channels(), checkpoints=True)
    (first / "checkpoints").rename(second / "checkpoints")
    capsys.readouterr()
    resumed = train(IMAGE, second)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
    assert [line.partition("]")[0] for line in lines] == ["[4", "[5"]
    assert len(list((second / "checkpoints").iterdir())) == 5
    a, b = (booster_of(each) for each in (whole, resumed))
    np.testing.assert_allclose(a.predict(xgboost.DMatrix(VX)), b.predict(xgboost.DMatrix(VX)), rtol=1e-5)


@pytest.mark.parametrize(
    ("content", "content_type", "said"),
    [
        ("label,a\n1,2\n", "text/csv", "row 1, column 1 is 'label', expected a number. There must be no header"),
        ("1,2\n1,x\n", "text/csv", "file part-0 of channel train: row 2, column 2 is 'x', expected a number"),
        ("1,2\n1,2,3\n", "text/csv", "row 2 has 3 columns, the first has 2"),
        ("1\n2\n", "text/csv", "expected the label and features, found one column"),
        ("", "text/csv", "No data in training channel path"),
        ("1,2\n", "libsvm", "line 1 is not in LIBSVM format"),
        ("1,2\n", "image/png", "image/png is not an accepted ContentType: csv, text/csv, libsvm"),
        ("1,2\n", "text/csv;label_size=2", "label_size must be equal to 1"),
        ("1,2\n", "application/x-recordio-protobuf", "recordio-protobuf data: file part-0 of channel train: "),
        (b"\xff\xfe1,2\n", "text/csv", "it is not UTF-8: byte 0"),
    ],
)
def test_data_that_can_not_be_read_are_named(
    tmp_path: Path, content: str | bytes, content_type: str, said: str
) -> None:
    with pytest.raises(ClientError) as caught:
        train(IMAGE, opt_ml(tmp_path, {"num_round": 1}, {"train": content}, content_type))
    assert said in str(caught.value)


def test_labels_that_the_objective_can_not_have_fail_in_xgboosts_words_without_its_stack(tmp_path: Path) -> None:
    with pytest.raises(AlgorithmError) as caught:
        train(IMAGE, opt_ml(tmp_path, {"num_round": 1, "objective": "binary:logistic"}, {"train": csv(Y, X)}))
    assert caught.value.code == "ClientError"
    assert "label must be in (0, 1) for logistic regression" in str(caught.value)
    assert "Stack trace" not in str(caught.value)


def test_channels_of_other_widths_or_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ClientError, match="The validation channel has 2 features, the train channel 3"):
        train(IMAGE, opt_ml(tmp_path / "a", {"num_round": 1}, {"train": csv(Y, X), "validation": csv(Y, X[:, :2])}))
    with pytest.raises(ClientError, match="Extraneous channel found: test"):
        train(IMAGE, opt_ml(tmp_path / "b", {"num_round": 1}, {"train": csv(Y, X), "test": csv(Y, X)}))
    with pytest.raises(ClientError, match="Missing required channel: train"):
        train(IMAGE, opt_ml(tmp_path / "c", {"num_round": 1}, {"validation": csv(Y, X)}))
