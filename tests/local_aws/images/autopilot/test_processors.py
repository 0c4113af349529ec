"""The split rows and the generated data processors, and the training job that fits one."""

from __future__ import annotations

import ast
import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from include.local_aws import images
from include.local_aws.images.autopilot import answers, layout, processor_training, recordio, search, serving
from tests.local_aws.images.autopilot import jobs

pytestmark = pytest.mark.usefixtures("own_modules")

JOB = "art-aml-churn"
HEADER = ["number", "y", "category", "when", "text", "constant"]


@pytest.fixture(scope="module")
def defined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Candidate definitions of a table whose target stands in the middle, with newlines in its texts."""
    frame = jobs.table("BinaryClassification")[HEADER]
    frame["text"] = frame["text"].str.replace(" ", "\n", n=1)
    root = jobs.write(tmp_path_factory.mktemp("defined") / "job", frame, GenerateCandidateDefinitionsOnly=True)
    search.run(root)
    return root


def rows(root: Path, path: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO((root / "output" / "artifacts" / path).read_text())))


def test_the_split_rows_are_the_tables_in_its_own_columns(defined: Path) -> None:
    """Without a header, which stands in a file of its own; every row in one part, one line each."""
    assert rows(defined, layout.HEADER) == [HEADER]
    train, validation = rows(defined, layout.TRAIN_ROWS), rows(defined, layout.VALIDATION_ROWS)
    assert (len(train), len(validation)) == (480, 120)
    assert {len(row) for row in train + validation} == {len(HEADER)}
    assert {row[1] for row in train} == {"yes", "no"}
    text = (defined / "output" / "artifacts" / layout.TRAIN_ROWS).read_text()
    assert text.count("\n") == 480


def test_a_generated_module_says_what_its_columns_mean(defined: Path) -> None:
    """As Python that can be read and edited."""
    folder = defined / "output" / "artifacts" / layout.modules_folder(JOB) / layout.MODULES
    assert sorted(path.name for path in folder.iterdir()) == ["__init__.py", *(f"dpp{n}.py" for n in range(7))]
    source = (folder / "dpp0.py").read_text()
    names = {
        node.targets[0].id: node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert list(ast.literal_eval(names["HEADER"])) == HEADER
    assert ast.literal_eval(names["RECIPE"]) == "ordinal"
    assert "unused" in ast.unparse(names["COLUMNS"])


def opt_ml(root: Path, defined: Path, train: bytes, **given: str) -> Path:
    """The directory of a data processor's training job."""
    (root / "input/config").mkdir(parents=True)
    hyperparameters = {"processor_module": f"{layout.MODULES}.dpp3", **given}
    (root / "input/config/hyperparameters.json").write_text(json.dumps(hyperparameters))
    code = root / "input/data/code" / layout.MODULES
    code.mkdir(parents=True)
    for path in (defined / "output" / "artifacts" / layout.modules_folder(JOB) / layout.MODULES).iterdir():
        (code / path.name).write_bytes(path.read_bytes())
    (root / "input/data/train").mkdir()
    (root / "input/data/train/part.csv").write_bytes(train)
    return root


def train_rows(defined: Path) -> bytes:
    return (defined / "output" / "artifacts" / layout.TRAIN_ROWS).read_bytes()


def test_a_data_processor_transforms_training_rows_with_their_labels(defined: Path, tmp_path: Path) -> None:
    """As recordio and as CSV, the label first; class indices for labels."""
    root = opt_ml(tmp_path, defined, train_rows(defined))
    processor_training.run(root)
    container = serving.load(root / "model", {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": answers.RECORDIO})
    body = b"\n".join(train_rows(defined).splitlines()[:20]) + b"\n"
    labels = [row[1] for row in rows(defined, layout.TRAIN_ROWS)][:20]
    encoded, content_type = container.invoke(body, "text/csv", None)
    assert content_type == answers.RECORDIO
    found = recordio.read(encoded)
    assert found.labels is not None
    assert [["no", "yes"][int(label)] for label in found.labels] == labels
    text, _ = container.invoke(body, "text/csv", "text/csv")
    matrix = np.array([line.split(",") for line in text.decode().splitlines()], dtype=np.float32)
    np.testing.assert_array_equal(matrix[:, 0], found.labels)
    np.testing.assert_array_equal(matrix[:, 1:], found.features)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (b"1,maybe,a,2024-01-01,good,x", "target 'y' of row 1 must be one of 'no', 'yes', found 'maybe'"),
        (b"1,,a,2024-01-01,good,x", "target 'y' of row 1 must be one of 'no', 'yes', found nothing"),
        (b"1,a,2024-01-01,good,x", "Row 1 has 5 columns, expected 6, the training data's with the target: number, y,"),
        (b"number,y,category,when,text,constant", "Row 1 is the header"),
    ],
)
def test_training_rows_that_do_not_fit_are_the_callers_fault(
    defined: Path, tmp_path: Path, row: bytes, sentence: str
) -> None:
    """The sentence names the row."""
    root = opt_ml(tmp_path, defined, train_rows(defined))
    processor_training.run(root)
    with pytest.raises(images.BadRequest, match=sentence):
        serving.load(root / "model", {}).invoke(row + b"\n", "text/csv", None)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"processor_module": ""}, "processor_module is missing"),
        ({"processor_module": "dpp99"}, "module candidate_data_processors.dpp99 can't be imported"),
        ({"sagemaker_program": "other.py"}, "sagemaker_program: 'other.py' can't be run here"),
        ({"sagemaker_submit_directory": "s3://b/code.tar.gz"}, "expected the folder of an input channel"),
        ({"sagemaker_submit_directory": "/opt/ml/input/data/elsewhere"}, "There is no folder .*elsewhere"),
        ({"sagemaker_submit_directory": "/opt/ml/input/data/../.."}, "expected the folder of an input channel"),
    ],
)
def test_what_can_not_be_run_fails_in_words(
    defined: Path, tmp_path: Path, given: dict[str, str], sentence: str
) -> None:
    """As the client's error, naming the hyperparameter."""
    root = opt_ml(tmp_path, defined, train_rows(defined), **given)
    with pytest.raises(images.ClientError, match=sentence):
        processor_training.run(root)


@pytest.mark.parametrize(
    ("source", "error", "sentence"),
    [
        ("import nothing_of_this_name", images.ClientError, "can't be imported .*nothing_of_this_name"),
        ("HEADER = ('a',)", images.ClientError, "has no SCHEMA"),
        (None, images.AlgorithmError, r"ValueError: mine"),
    ],
)
def test_an_edited_module_that_fails_says_what_it_raised(
    defined: Path, tmp_path: Path, source: str | None, error: type[Exception], sentence: str, capsys: Any
) -> None:
    """With the traceback in the log."""
    root = opt_ml(tmp_path, defined, train_rows(defined))
    path = root / "input/data/code" / layout.MODULES / "dpp3.py"
    failing = path.read_text().replace("return features.fit(RECIPE, SCHEMA, rows)", "raise ValueError('mine')")
    path.write_text(failing if source is None else source)
    with pytest.raises(error, match=sentence):
        processor_training.run(root)
    assert source == "HEADER = ('a',)" or "Traceback" in capsys.readouterr().err


def test_no_data_fail_in_words(defined: Path, tmp_path: Path) -> None:
    """An empty file is no data."""
    with pytest.raises(images.ClientError, match="The train channel holds no data"):
        processor_training.run(opt_ml(tmp_path, defined, b""))
