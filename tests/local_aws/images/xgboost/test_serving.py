"""A served XGBoost model answers as the real image does."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import xgboost

from include.local_aws.images import BadRequest, Container, answers
from include.local_aws.images.autopilot import recordio
from tests.support.algorithms import serve

IMAGE = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0"
RNG = np.random.default_rng(1)
X = RNG.normal(size=(200, 3))
LABELS = {
    "reg:squarederror": X[:, 0],
    "binary:logistic": (X[:, 0] > 0).astype(float),
    "multi:softprob": np.digitize(X[:, 0], [-0.5, 0.5]).astype(float),
}


def booster(objective: str) -> xgboost.Booster:
    extra = {"num_class": 3} if objective.startswith("multi") else {}
    data = xgboost.DMatrix(X, label=LABELS[objective])
    return xgboost.train({"objective": objective, "max_depth": 3, **extra}, data, 20)


def container(folder: Path, objective: str, environment: dict[str, str] | None = None) -> Container:
    (folder / "xgboost-model").write_bytes(booster(objective).save_raw("ubj"))
    return serve(IMAGE, folder, environment)


def rows(count: int) -> bytes:
    return "".join(",".join(map(repr, row)) + "\n" for row in X[:count].tolist()).encode()


def test_a_number_a_row_is_the_answer_in_csv_and_a_score_in_json(tmp_path: Path) -> None:
    served = container(tmp_path, "reg:squarederror")
    expected = booster("reg:squarederror").predict(xgboost.DMatrix(X[:3]))
    body, kind = served.invoke(rows(3), "text/csv", None)
    assert kind == "text/csv"
    np.testing.assert_allclose([float(line) for line in body.decode().splitlines()], expected, rtol=1e-6)
    body, kind = served.invoke(rows(3), "text/csv; charset=utf-8", "application/json")
    assert kind == "application/json"
    np.testing.assert_allclose([each["score"] for each in json.loads(body)["predictions"]], expected, rtol=1e-6)


def test_the_same_rows_in_every_content_type_get_the_same_answer(tmp_path: Path) -> None:
    served = container(tmp_path, "reg:squarederror")
    reference = np.array(served.invoke(rows(4), "text/csv", None)[0].split(), dtype=float)
    sparse = "".join(" ".join(f"{n}:{value!r}" for n, value in enumerate(row)) + "\n" for row in X[:4].tolist())
    for body, content_type in (
        (sparse.encode(), "text/libsvm"),
        (("0 " + sparse.replace("\n", "\n0 ")).removesuffix("0 ").encode(), "text/x-libsvm"),
        (recordio.encode(X[:4].astype("f4")), "application/x-recordio-protobuf"),
    ):
        found = np.array(served.invoke(body, content_type, None)[0].split(), dtype=float)
        np.testing.assert_allclose(found, reference, rtol=1e-4)


def test_the_probabilities_of_several_classes_are_a_row(tmp_path: Path) -> None:
    served = container(tmp_path, "multi:softprob")
    first = served.invoke(rows(2), "text/csv", None)[0].decode().splitlines()[0]
    assert sum(float(cell) for cell in first.split(",")) == pytest.approx(1, abs=1e-5)
    batch = container(tmp_path, "multi:softprob", {"SAGEMAKER_BATCH": "true"})
    assert json.loads(batch.invoke(rows(2), "text/csv", None)[0].decode().splitlines()[0]) == pytest.approx(
        [float(cell) for cell in first.split(",")]
    )


@pytest.mark.parametrize("objective", ["binary:logistic", "multi:softprob"])
def test_the_environment_selects_what_is_answered(tmp_path: Path, objective: str) -> None:
    keys = "predicted_label,probability,probabilities"
    served = container(tmp_path, objective, {"SAGEMAKER_INFERENCE_OUTPUT": keys})
    answer = json.loads(served.invoke(rows(20), "text/csv", "application/json")[0])["predictions"]
    for each, label in zip(answer, LABELS[objective], strict=False):
        assert list(each) == keys.split(",")
        assert each["predicted_label"] == label
        assert sum(each["probabilities"]) == pytest.approx(1, abs=1e-5)
        chosen = 1 if objective == "binary:logistic" else int(label)
        assert each["probability"] == pytest.approx(each["probabilities"][chosen])
    lines = served.invoke(rows(20), "text/csv", None)[0].decode().splitlines()
    assert lines[0].startswith(f"{answer[0]['predicted_label']},")
    assert lines[0].endswith(']"')
    assert len(served.invoke(rows(20), "text/csv", "application/jsonlines")[0].splitlines()) == 20


def test_a_pickled_booster_is_served_too(tmp_path: Path) -> None:
    (tmp_path / "xgboost-model").write_bytes(pickle.dumps(booster("reg:squarederror")))
    assert len(serve(IMAGE, tmp_path).invoke(rows(2), "text/csv", None)[0].splitlines()) == 2


@pytest.mark.parametrize(
    ("files", "environment", "said"),
    [
        ({}, {}, "The model data hold no model"),
        ({"xgboost-model": b"nonsense"}, {}, "can't be loaded, neither by xgboost"),
        ({"a": b"1", "b": b"2"}, {}, "several files and none is called xgboost-model"),
        ({"xgboost-model": pickle.dumps([1])}, {}, "a pickled list, expected a booster"),
        (
            None,
            {"SAGEMAKER_INFERENCE_OUTPUT": "probability"},
            "names 'probability': this container supports pred",
        ),
    ],
)
def test_what_can_not_be_served_does_not_come_up(
    tmp_path: Path, files: dict[str, bytes] | None, environment: dict[str, str], said: str
) -> None:
    model = booster("reg:squarederror").save_raw("ubj")
    for name, content in ({"xgboost-model": bytes(model)} if files is None else files).items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(answers.Unusable, match=said):
        serve(IMAGE, tmp_path, environment)


@pytest.mark.parametrize(
    ("body", "content_type", "accept", "said"),
    [
        (b"1,2\n", "text/csv", None, "Feature size of csv inference data 2 is not consistent with feature size"),
        (b"1,2,x\n", "text/csv", None, "row 1, column 3 is 'x'"),
        (b"", "text/csv", None, "it has no rows"),
        (b"0:1 7:1\n", "text/libsvm", None, "Feature size of libsvm inference data 8"),
        (b"{}", "application/json", None, "Content-type application/json is not supported"),
        (b"1,2,3\n", "text/csv", "image/png", "Accept type image/png is not supported"),
    ],
)
def test_requests_that_can_not_be_answered_are_the_callers_fault(
    tmp_path: Path, body: bytes, content_type: str, accept: str | None, said: str
) -> None:
    with pytest.raises(BadRequest, match=said):
        container(tmp_path, "reg:squarederror").invoke(body, content_type, accept)
