from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from automl_retraining.core.errors import EvidenceError
from automl_retraining.core.predictions import join, read_outputs, read_truth, scores_from_csv, scores_to_csv

TRUTH = b"row_id,key_hash,truth,group\n3,00000000000000aa,no,x\n7,00000000000000ab,yes,y\n"
LABELS = ("no", "yes")


def _classes(text: str) -> pd.DataFrame:
    return read_outputs([text.encode()], problem_type="BinaryClassification", labels=LABELS)


def _numbers(text: str) -> pd.DataFrame:
    return read_outputs([text.encode()], problem_type="Regression")


@pytest.mark.parametrize(
    "labels",
    [
        "\"['no', 'yes']\"",
        '"[""no"", ""yes""]"',
        '"[\\"no\\", \\"yes\\"]"',
        '"[no, yes]"',
    ],
)
def test_lists_in_a_field_are_read_however_they_are_quoted(labels: str) -> None:
    outputs = _classes(f'3,no,"[0.9, 0.1]",{labels}\n7,yes,"[0.25, 0.75]",{labels}\n')
    assert outputs["prediction"].tolist() == ["no", "yes"]
    assert outputs["p:yes"].tolist() == [0.1, 0.75]
    assert outputs.index.tolist() == [3, 7]


def test_each_rows_own_order_of_labels_is_followed() -> None:
    outputs = _classes("3,no,\"[0.9, 0.1]\",\"['no', 'yes']\"\n7,no,\"[0.2, 0.8]\",\"['yes', 'no']\"\n")
    assert outputs["p:no"].tolist() == [0.9, 0.8]


def test_labels_and_predictions_that_are_numbers_are_matched_however_they_are_written() -> None:
    text = b'1,1.0,"[0.3, 0.7]","[0, 1.0]"\n'
    outputs = read_outputs([text], problem_type="BinaryClassification", labels=("0", "1"))
    assert outputs["prediction"].tolist() == ["1"]
    assert outputs["p:1"].tolist() == [0.7]


def test_labels_may_hold_commas_and_quotes() -> None:
    text = "1,\"a, b\",\"[0.3, 0.7]\",\"['it''s', 'a, b']\"\n".replace("it''s", "its")
    outputs = read_outputs([text.encode()], problem_type="BinaryClassification", labels=("its", "a, b"))
    assert outputs["p:a, b"].tolist() == [0.7]


def test_parts_are_read_as_one_whether_or_not_they_end_in_a_newline() -> None:
    outputs = read_outputs([b"1,2.5", b"", b"2,3.5\n"], problem_type="Regression")
    assert outputs["prediction"].tolist() == [2.5, 3.5]


def test_numbers_are_read_to_the_last_digit() -> None:
    assert _numbers("1,0.1234567890123456789\n")["prediction"].iloc[0] == 0.1234567890123456789
    assert _numbers("1,1e-05\n")["prediction"].iloc[0] == 1e-05


def test_a_model_that_answers_labels_only_has_no_probabilities() -> None:
    assert _classes("3,no\n7,yes\n").columns.tolist() == ["prediction"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found no line at all"),
        ("3,no,0.9\n", r"lines of the form row_id,label"),
        ("x,no,\"[0.9, 0.1]\",\"['no', 'yes']\"\n", "whole number as row_id, found 'x'"),
        (
            "3,no,\"[0.9]\",\"['no', 'yes']\"\n",
            r"expected 2 probabilities \('no', 'yes'\), found '\[0.9\]' for row_id 3",
        ),
        ("3,no,\"[0.9, nan]\",\"['no', 'yes']\"\n", "finite number in every row, found ' ?nan' for row_id 3"),
        ("3,no,\"[0.9, 0.9]\",\"['no', 'yes']\"\n", r"add up to 1, found \[0.9, 0.9\] for row_id 3"),
        ("3,no,\"[0.9, 0.1]\",\"['no', 'maybe']\"\n", "expected the labels 'no', 'yes', found 'no', 'maybe'"),
        ('3,no,"[0.9, 0.1]",no\n', "expected a list of labels, found 'no' for row_id 3"),
        ("3,perhaps\n", "as prediction, found 'perhaps' for row_id 3"),
    ],
)
def test_an_output_that_cannot_be_read_says_what_was_expected_and_where(text: str, message: str) -> None:
    with pytest.raises(EvidenceError, match=message):
        _classes(text)


@pytest.mark.parametrize("value", ["nan", "inf", "", "high"])
def test_a_regression_answer_that_is_no_number_is_refused(value: str) -> None:
    with pytest.raises(EvidenceError, match=r"finite number in every row, found .* for row_id 2 and 0 more"):
        _numbers(f"1,2.5\n2,{value}\n")


def test_scores_stand_in_the_truths_order_with_what_the_truth_carries() -> None:
    truth = read_truth(TRUTH)
    scores = join(truth, _classes("7,yes,\"[0.2, 0.8]\",\"['no', 'yes']\"\n3,no,\"[0.9, 0.1]\",\"['no', 'yes']\"\n"))
    assert scores.index.tolist() == [3, 7]
    assert scores.columns.tolist() == ["truth", "prediction", "p:no", "p:yes", "group"]
    assert scores.loc[[7]].to_numpy().tolist()[0] == ["yes", "yes", 0.2, 0.8, "y"]


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ("3,no\n", r"1 row ids \(7\) not answered"),
        ("3,no\n7,no\n7,yes\n", r"1 row ids \(7\) answered more than once"),
        ("3,no\n7,no\n8,yes\n", r"1 row ids \(8\) that the test rows do not have"),
        ("8,no\n8,no\n", r"answered more than once; 2 row ids \(3, 7\) not answered; 1 row ids \(8\) that"),
    ],
)
def test_ids_that_are_missing_double_or_unknown_are_named(outputs: str, message: str) -> None:
    with pytest.raises(EvidenceError, match=message):
        join(read_truth(TRUTH), _classes(outputs))


def test_a_regression_truth_that_is_no_number_is_refused() -> None:
    truth = read_truth(b"row_id,key_hash,truth\n1,aa,2.5\n2,ab,many\n")
    with pytest.raises(EvidenceError, match="found 'many' for row_id 2"):
        join(truth, _numbers("1,2\n2,3\n"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"row_id,key_hash\n1,aa\n", "expected a column truth"),
        (b"row_id,truth,truth\n1,a,a\n", "each column once, found 'truth' more than once"),
        (b"row_id,truth,prediction\n1,a,a\n", "no column named 'prediction'"),
        (b"row_id,truth,p:x\n1,a,a\n", "no column named 'p:x'"),
        (b"row_id,truth\n1,a\n1,b\n", r"each row id once, found 1 row ids \(1\)"),
        (b"", "expected a CSV file with a header"),
    ],
)
def test_a_truth_file_that_cannot_be_joined_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(EvidenceError, match=message):
        read_truth(data)


def test_scores_read_back_as_they_were_written() -> None:
    truth = read_truth(TRUTH)
    classes = join(truth, _classes("3,no,\"[0.7, 0.3]\",\"['no', 'yes']\"\n7,no,\"[0.1, 0.9]\",\"['no', 'yes']\"\n"))
    pd.testing.assert_frame_equal(scores_from_csv(scores_to_csv(classes)), classes, check_dtype=False)
    numbers = join(read_truth(b"row_id,truth\n1,0.1\n2,1e300\n"), _numbers("1,0.30000000000000004\n2,7\n"))
    pd.testing.assert_frame_equal(scores_from_csv(scores_to_csv(numbers)), numbers)


def test_text_that_looks_missing_stays_text() -> None:
    outputs = read_outputs([b"1,NA\n"], problem_type="BinaryClassification", labels=("NA", "yes"))
    scores = join(read_truth(b"row_id,truth,group\n1,NA,null\n"), outputs)
    again = scores_from_csv(scores_to_csv(scores))
    assert again.loc[[1]].to_numpy().tolist()[0] == ["NA", "NA", "null"]


def test_scores_without_a_needed_column_are_refused() -> None:
    with pytest.raises(EvidenceError, match="expected a column prediction"):
        scores_from_csv(b"row_id,truth\n1,2\n")


def test_a_hundred_thousand_rows_join_completely() -> None:
    ids = np.random.default_rng(0).permutation(100_000)
    outputs = "".join(f"{one},no,\"[0.75, 0.25]\",\"['no', 'yes']\"\n" for one in ids)
    truth = read_truth(b"row_id,truth\n" + b"".join(b"%d,no\n" % one for one in range(100_000)))
    scores = join(truth, _classes(outputs))
    assert (scores["p:no"] == 0.75).all()
    assert scores.index.is_monotonic_increasing


def test_scores_of_classes_that_look_like_numbers_or_truth_values_stay_texts() -> None:
    numbered = scores_from_csv(b"row_id,truth,prediction,p:1,p:2\n1,1,2,.5,.5\n2,2,1.0,.1,.9\n")
    assert numbered["prediction"].tolist() == ["2", "1.0"]
    answered = scores_from_csv(b"row_id,truth,prediction\n1,True,False\n")
    assert answered["truth"].tolist() == ["True"]


def test_scores_that_are_all_numbers_are_read_to_the_very_double() -> None:
    found = scores_from_csv(b"row_id,truth,prediction,group\n1,0.30000000000000004,1e-7,007\n2,3,4,\n")
    assert found["truth"].tolist() == [0.30000000000000004, 3.0]
    assert found["group"].tolist() == ["007", ""]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (b"1,2,3,4\n", "expected a CSV file"),
        (b"1,2,3\n1,2,3\n", "each row id once"),
        (b"x,2,3\n", "a whole number as row_id, found 'x'"),
    ],
)
def test_a_scores_file_that_is_wrong_says_where(lines: bytes, words: str) -> None:
    with pytest.raises(EvidenceError, match=words):
        scores_from_csv(b"row_id,truth,prediction\n" + lines)
