"""Two variants against labels that arrived: joined by inference id, measured apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import root_mean_squared_error

from automl_retraining.core.ab_quality import Answered, compare, read_labels, scored
from automl_retraining.core.ab_records import Quality
from automl_retraining.core.ab_spec import ABQualitySpec
from automl_retraining.core.errors import EvidenceError
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.metrics import Task

REGRESSION, CLASSES = Task("Regression"), Task("BinaryClassification", ("no", "yes"), "yes")
SPEC = ABQualitySpec(labels="s3://b/l.csv", min_labels=20)


def quality(champion: list[Answered], challenger: list[Answered], labels: dict[str, str], **more: Any) -> Quality:
    """The comparison of a regression by RMSE, unless said otherwise."""
    arguments = {"spec": SPEC, "gate": GatePolicy(metric="rmse", resamples=300), "task": REGRESSION, **more}
    spec, gate, task = (arguments.pop(name) for name in ("spec", "gate", "task"))
    return compare(
        spec, gate, task, labels, champion=champion, challenger=challenger, **{"confidence": 0.95, **arguments}
    )


def test_labels_are_read_from_every_file_and_the_first_of_an_id_counts() -> None:
    """Other columns, a byte order mark, empty labels."""
    files = [("a", b"\xef\xbb\xbfwhen,inference_id,label\n1,x,3\n2,y,\n"), ("b", b"label,inference_id\n4,x\n5,z\n")]
    assert read_labels(files) == {"x": "3", "z": "5"}


@pytest.mark.parametrize(("data", "words"), [(b"id,label\n1,2\n", "found id, label"), (b"", "found none"),
                                             (b"inference_id,label\n\xff,1\n", "CSV in UTF-8")])  # fmt: skip
def test_labels_that_are_none_are_refused_in_words(data: bytes, words: str) -> None:
    """Naming the file."""
    with pytest.raises(EvidenceError, match=r"s3://b/l.csv: ") as caught:
        read_labels([("s3://b/l.csv", data)])
    assert words in str(caught.value)


def test_what_cannot_be_joined_is_counted_and_left_out() -> None:
    """No id, several rows under one id, an id used twice, an id without a label."""
    answers = [Answered("a", b"1.5\n"), Answered(None, b"1\n"), Answered("b", b"1\n2\n"), Answered("a", b"9\n"),
               Answered("unlabelled", b"3\n")]  # fmt: skip
    scores, left_out = scored(answers, {"a": "2", "b": "3"}, REGRESSION)
    assert scores is not None
    assert (scores["truth"].tolist(), scores["prediction"].tolist()) == ([2.0], [1.5])
    assert left_out == {
        "had no inference id": 1, "were not of one row": 1, "had an inference id that was used before": 1
    }  # fmt: skip


def test_each_variant_is_measured_on_its_own_answers_and_better_is_positive() -> None:
    """The values are scikit-learn's; a smaller error is a gain."""
    rng = np.random.default_rng(4)
    truth = rng.normal(0, 5, 400)
    labels = {str(number): repr(float(value)) for number, value in enumerate(truth)}
    noise = {"champion": 3.0, "challenger": 1.0}
    parts = {"champion": range(0, 400, 2), "challenger": range(1, 400, 2)}
    said = {role: {n: truth[n] + rng.normal(0, noise[role]) for n in part} for role, part in parts.items()}
    answers = {role: [Answered(str(n), b"%r\n" % float(v)) for n, v in each.items()] for role, each in said.items()}
    found = quality(answers["champion"], answers["challenger"], labels)
    assert found.undefined is None
    assert found.champion is not None
    assert found.improvement is not None
    expected = root_mean_squared_error([truth[n] for n in parts["champion"]], list(said["champion"].values()))
    assert found.champion.value == pytest.approx(expected)
    assert found.improvement.low > 1.0
    assert (found.labelled_champion, found.labelled_challenger) == (200, 200)
    swapped = quality(answers["challenger"], answers["champion"], labels)
    assert swapped.improvement is not None
    assert swapped.improvement.high < -1.0


def test_the_interval_of_two_equal_models_holds_zero_as_often_as_it_says() -> None:
    """Accuracy, unpaired, 60 pairs of 300 answers each: between 53 and 60 of them at 95 %."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(60):
        labels, answers = {}, []
        for number in range(600):
            right = rng.random() < 0.8
            labels[str(number)] = "yes" if rng.random() < 0.5 else "no"
            said = labels[str(number)] if right else ("no" if labels[str(number)] == "yes" else "yes")
            answers.append(Answered(str(number), said.encode()))
        gate = GatePolicy(metric="accuracy", resamples=200)
        found = quality(answers[:300], answers[300:], labels, gate=gate, task=CLASSES)
        assert found.improvement is not None
        held += found.improvement.low <= 0 <= found.improvement.high
    assert held >= 53


def test_too_few_labels_and_answers_that_are_no_answers_are_said() -> None:
    """Neither is an error: the judgement doubts."""
    few = quality([Answered("a", b"1\n")], [], {"a": "1"})
    assert few.improvement is None
    assert str(few.undefined).startswith("expected labels of 20 of the champion's answers, found 1; expected labels")
    bad = quality([Answered("a", b"tall\n")], [], {"a": "1"})
    assert "the champion's captured answers: " in str(bad.undefined)
