"""The containers of candidates, one by one and as a chain."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from include.local_aws import images
from include.local_aws.images.autopilot import answers, recordio, serving
from tests.local_aws.images.autopilot import jobs
from tests.local_aws.images.autopilot.conftest import MODES

Searched = dict[tuple[str, str], Path]
LENGTH = {"ENSEMBLING": (1, 1), "HYPERPARAMETER_TUNING": (3, 2)}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("problem", ["BinaryClassification", "MulticlassClassification"])
def test_a_classification_answers_with_the_label_alone_by_default(searched: Searched, mode: str, problem: str) -> None:
    """Three containers when tuned, one in an ensemble; labels as the table wrote them, commas and all."""
    root = searched[mode, problem]
    containers = jobs.chain(root, jobs.best(root))
    assert len(containers) == LENGTH[mode][0]
    frame = jobs.table(problem, rows=200, seed=5)
    answers = jobs.ask(containers, jobs.rows_of(frame))
    assert {len(answer) for answer in answers} == {1}
    assert np.mean([answer[0] for answer in answers] == frame["y"]) > 0.75


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("problem", ["BinaryClassification", "MulticlassClassification"])
def test_asked_for_everything_a_classification_gives_quoted_lists(searched: Searched, mode: str, problem: str) -> None:
    """`probability` is the positive class's in tuned binary models and the predicted label's elsewhere."""
    root = searched[mode, problem]
    frame = jobs.table(problem, rows=50, seed=6)
    answers = jobs.ask(jobs.chain(root, jobs.best(root), jobs.ALL_KEYS), jobs.rows_of(frame))
    assert len(answers) == 50
    for label, probability, probabilities, labels in answers:
        values, names = ast.literal_eval(probabilities), ast.literal_eval(labels)
        assert names == sorted(set(jobs.table(problem)["y"]))
        assert sum(values) == pytest.approx(1)
        assert label == names[int(np.argmax(values))]
        positive = mode == "HYPERPARAMETER_TUNING" and problem == "BinaryClassification"
        assert float(probability) == (values[1] if positive else max(values))


@pytest.mark.parametrize("mode", MODES)
def test_a_regression_answers_with_a_number(searched: Searched, mode: str) -> None:
    """Two containers when tuned, one in an ensemble."""
    root = searched[mode, "Regression"]
    containers = jobs.chain(root, jobs.best(root))
    assert len(containers) == LENGTH[mode][1]
    frame = jobs.table("Regression", rows=200, seed=5)
    predicted = np.array(jobs.ask(containers, jobs.rows_of(frame)), dtype=np.float64)[:, 0]
    assert np.mean((predicted - frame["y"]) ** 2) < 0.5 * frame["y"].var()


@pytest.mark.parametrize("mode", MODES)
def test_rows_answer_alone_as_together(searched: Searched, mode: str) -> None:
    """An endpoint and a batch transform agree to 1e-6."""
    root = searched[mode, "BinaryClassification"]
    containers = jobs.chain(root, jobs.best(root), ("probabilities",))
    body = jobs.rows_of(jobs.table("BinaryClassification", rows=20, seed=7))
    together = [ast.literal_eval(answer[0]) for answer in jobs.ask(containers, body)]
    alone = [ast.literal_eval(jobs.ask(containers, line)[0][0]) for line in body.splitlines()]
    np.testing.assert_allclose(alone, together, atol=1e-6)


def test_features_travel_as_recordio_or_csv_alike(searched: Searched) -> None:
    """The algorithm's answer is the same."""
    root = searched["HYPERPARAMETER_TUNING", "Regression"]
    features, algorithm = jobs.chain(root, jobs.best(root))
    body = jobs.rows_of(jobs.table("Regression", rows=20, seed=8))
    told = set()
    for accept in (None, answers.RECORDIO, "text/csv"):
        matrix, content_type = features.invoke(body, "text/csv", accept)
        assert content_type == (accept or answers.RECORDIO)
        told.add(algorithm.invoke(matrix, content_type, None))
    assert len(told) == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("body", "content_type", "sentence"),
    [
        (
            b"1,a,2024-01-01,good,x\n1,a,good\n",
            "text/csv",
            r"Row 2 has 3 columns, expected 5: .*'number' to 'constant'",
        ),
        (b"number,category,when,text,constant\n1,a,2024-01-01,good,x\n", "text/csv", "Row 1 is the header"),
        (b"", "text/csv", "The body holds no row"),
        (b"1,\xff,2024-01-01,good,x\n", "text/csv", "The body is not UTF-8: byte 2"),
        (b'1,"a,2024-01-01,good,x\n', "text/csv", "The body is not CSV"),
        (b"{}", "application/json", "Content type 'application/json' is not supported: expected text/csv"),
    ],
)
def test_bad_rows_are_the_callers_fault(
    searched: Searched, mode: str, body: bytes, content_type: str, sentence: str
) -> None:
    """HTTP 400 with the row's number, where a row is bad."""
    root = searched[mode, "Regression"]
    with pytest.raises(images.BadRequest, match=sentence):
        jobs.chain(root, jobs.best(root))[0].invoke(body, content_type, None)


def test_missing_cells_unknown_words_and_blank_ends_are_no_fault(searched: Searched) -> None:
    """As in training."""
    root = searched["ENSEMBLING", "Regression"]
    body = b",,,,\n?,new,yesterday,xyzzy,z\n\n"
    assert len(jobs.ask(jobs.chain(root, jobs.best(root)), body)) == 2


def test_an_answer_in_json_is_refused(searched: Searched) -> None:
    """By name, not by sending CSV under another type."""
    root = searched["ENSEMBLING", "Regression"]
    with pytest.raises(images.BadRequest, match="Accept 'application/json' is not supported"):
        jobs.chain(root, jobs.best(root))[0].invoke(b"1,a,2024-01-01,good,x\n", "text/csv", "application/json")


def test_a_key_that_a_container_cannot_give_keeps_it_from_coming_up(searched: Searched) -> None:
    """The sentence names the variable and what is supported."""
    root = searched["HYPERPARAMETER_TUNING", "BinaryClassification"]
    candidate = jobs.best(root)
    candidate["InferenceContainers"][2]["Environment"]["SAGEMAKER_INFERENCE_OUTPUT"] = "colour"
    with pytest.raises(answers.UnusableModel, match=r"SAGEMAKER_INFERENCE_OUTPUT names 'colour'.*predicted_label"):
        jobs.chain(root, candidate)


def test_a_chain_whose_variables_do_not_meet_is_refused(searched: Searched) -> None:
    """The last container is asked for what the one before does not send."""
    root = searched["HYPERPARAMETER_TUNING", "BinaryClassification"]
    candidate = jobs.best(root)
    candidate["InferenceContainers"][2]["Environment"]["SAGEMAKER_INFERENCE_OUTPUT"] = "probability"
    with pytest.raises(answers.UnusableModel, match="asks for probability, which SAGEMAKER_INFERENCE_INPUT"):
        jobs.chain(root, candidate)


def test_the_algorithm_refuses_features_of_another_width(searched: Searched) -> None:
    """As happens when containers of two candidates are mixed."""
    root = searched["HYPERPARAMETER_TUNING", "Regression"]
    algorithm = jobs.chain(root, jobs.best(root))[1]
    body = recordio.encode(np.ones((1, 2), dtype=np.float32))
    with pytest.raises(images.BadRequest, match=r"Expected \d+ features a row, found 2"):
        algorithm.invoke(body, answers.RECORDIO, None)


def test_a_foreign_artifact_is_refused(tmp_path: Path) -> None:
    """It has no manifest, or one of another format."""
    with pytest.raises(answers.UnusableModel, match=r"has no manifest\.json"):
        serving.load(tmp_path, {})
    (tmp_path / "manifest.json").write_text('{"format": 99, "kind": "ensemble"}')
    with pytest.raises(answers.UnusableModel, match="has format 99, expected 1"):
        serving.load(tmp_path, {})
