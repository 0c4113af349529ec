"""The preprocessing container's scripts as the container runs them: a process of their own, files in, files out."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from include.local_aws.archives import unpack
from tests.support.local_aws import ROOT

SOURCE = ROOT / "include" / "containers" / "preprocessing"
SPEC = {
    "target": "y",
    "features": [
        {"name": "n", "kind": "number"},
        {"name": "c", "kind": "category"},
        {"name": "d", "kind": "datetime"},
    ],
    "classes": [],
}


def table(rows: int, seed: int) -> pd.DataFrame:
    """Numbers, categories and dates, with gaps."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "n": rng.normal(size=rows),
            "c": rng.choice(["red", "green", 'bl,"ue'], rows),
            "d": pd.date_range("2024-01-01", periods=rows, freq="h").strftime("%Y-%m-%dT%H:%M:%S"),
            "y": rng.normal(size=rows),
        }
    )
    frame["n"] = frame["n"].mask(frame.index % 7 == 0)
    frame["c"] = frame["c"].mask(frame.index % 11 == 0)
    return frame


def run(root: Path, train: pd.DataFrame, validation: pd.DataFrame, spec: dict[str, Any] = SPEC, *arguments: str) -> Any:
    """Run the script on these parts."""
    for name, frame in (("train", train), ("validation", validation)):
        (root / "input" / name).mkdir(parents=True, exist_ok=True)
        frame.to_csv(root / "input" / name / f"{name}.csv", index=False)
    (root / "input" / "spec").mkdir(exist_ok=True)
    (root / "input" / "spec" / "spec.json").write_text(json.dumps(spec))
    return subprocess.run(
        [sys.executable, SOURCE / "preprocess.py", "--input", root / "input", "--output", root / "output", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def serve(root: Path, body: str, **environment: str) -> str:
    """The fitted preprocessor's answer, from its archive alone."""
    model = root / "served"
    unpack(root / "output" / "model" / "model.tar.gz", model)
    script = (
        "import sys, inference; text = inference.input_fn(sys.stdin.read(), 'text/csv; charset=utf-8'); "
        f"sys.stdout.write(inference.output_fn(inference.predict_fn(text, inference.model_fn({str(model)!r})), '')[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=model / "code", input=body, capture_output=True, text=True, check=True,
        env=environment,
    )  # fmt: skip
    return done.stdout


def test_features_come_out_label_first_and_serving_makes_the_same_ones(tmp_path: Path) -> None:
    """CSV without a header; gaps filled; the served pipeline gives the validation part's features again."""
    validation = table(40, seed=2)
    done = run(tmp_path, table(200, seed=1), validation)
    assert done.returncode == 0, done.stderr
    written = np.loadtxt(tmp_path / "output" / "validation" / "validation.csv", delimiter=",")
    names = json.loads((tmp_path / "output" / "model" / "features.json").read_text())["outputs"]
    assert written.shape == (40, 1 + len(names))
    np.testing.assert_allclose(written[:, 0], validation["y"], rtol=1e-6)
    assert np.isfinite(written).all()
    body = validation[["n", "c", "d"]].to_csv(index=False, header=False)
    served = np.loadtxt(io.StringIO(serve(tmp_path, body)), delimiter=",")
    np.testing.assert_array_equal(served, written[:, 1:])


def test_the_train_part_alone_is_fitted(tmp_path: Path) -> None:
    """The validation part's mean and categories leave no trace: numbers are scaled by the train part's."""
    run(tmp_path, table(200, seed=1), table(40, seed=2).assign(n=1000.0, c="violet"))
    written = np.loadtxt(tmp_path / "output" / "validation" / "validation.csv", delimiter=",")
    names = json.loads((tmp_path / "output" / "model" / "features.json").read_text())["outputs"]
    assert (written[:, 1 + names.index("n")] > 100).all()
    assert not any("violet" in name for name in names)


def test_npy_holds_the_same_numbers(tmp_path: Path) -> None:
    """For scripts that read arrays."""
    done = run(tmp_path, table(100, seed=1), table(40, seed=2), SPEC, "--format", "npy")
    assert done.returncode == 0, done.stderr
    assert np.load(tmp_path / "output" / "train" / "train.npy").shape[0] == 100


def test_classes_become_places_and_come_back_as_labels(tmp_path: Path) -> None:
    """As Autopilot's models answer: label, probabilities and labels, the lists quoted."""
    spec = {**SPEC, "classes": ["no", "yes"]}
    train, validation = (
        table(rows, seed=rows).assign(y=lambda frame: np.where(frame["n"].fillna(0) > 0, "yes", "no"))
        for rows in (120, 30)
    )
    done = run(tmp_path, train, validation, spec)
    assert done.returncode == 0, done.stderr
    labels = np.loadtxt(tmp_path / "output" / "validation" / "validation.csv", delimiter=",")[:, 0]
    assert labels.tolist() == [float(value == "yes") for value in validation["y"]]
    answer = serve(
        tmp_path, '1,"[0.25, 0.75]"\n0,"[0.9, 0.1]"\n', ART_TRANSFORM="labels",
        SAGEMAKER_INFERENCE_INPUT="predicted_label,probabilities",
        SAGEMAKER_INFERENCE_OUTPUT="predicted_label,probabilities,labels",
    )  # fmt: skip
    rows = list(csv.reader(io.StringIO(answer)))
    assert [row[0] for row in rows] == ["yes", "no"]
    assert json.loads(rows[0][1]) == [0.25, 0.75]
    assert json.loads(rows[1][2]) == ["no", "yes"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda frame: frame.drop(columns="c"), "c is missing, found n, d, y"),
        (lambda frame: frame.assign(y="many"), "column y: expected numbers, found 'many' in data row 1"),
    ],
)
def test_a_table_that_does_not_fit_the_spec_is_refused_in_a_sentence(tmp_path: Path, change: Any, words: str) -> None:
    """The last line of the log says it, and nothing else does."""
    done = run(tmp_path, change(table(50, seed=1)), table(20, seed=2))
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_records_of_another_width_are_refused(tmp_path: Path) -> None:
    """A client that sends the target too."""
    run(tmp_path, table(50, seed=1), table(20, seed=2))
    with pytest.raises(subprocess.CalledProcessError) as error:
        serve(tmp_path, "1,red,2024-01-01,7\n")
    assert "expected 3 fields in each record (n, c, d), found 4" in error.value.stderr
