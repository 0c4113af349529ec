"""Reading the training table."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from include.local_aws.images.autopilot import table
from include.local_aws.images.autopilot.spec import JobFailure, parse
from tests.local_aws.images.autopilot import jobs


def load(root: Path, frame: pd.DataFrame | str, **options: Any) -> table.Table:
    specification = options.get("specification")
    layout = {name: options.pop(name) for name in ("validation", "specification") if name in options}
    jobs.write(root, frame, **layout, **options)
    return table.load(root, parse(jobs.job(**options), specification))


def test_kinds_and_missing_values_are_inferred(tmp_path: Path) -> None:
    """Numbers, categories, dates and texts are told apart; constants and identifiers are left out, with the reason."""
    frame = jobs.table("BinaryClassification").assign(id=lambda rows: [f"id{index}x" for index in rows.index], empty="")
    schema = load(tmp_path, frame).schema
    kinds = {column.name: column.kind for column in schema.columns}
    assert kinds == {
        "number": "numeric",
        "category": "categorical",
        "when": "datetime",
        "text": "text",
        "constant": "unused",
        "id": "unused",
        "empty": "unused",
    }
    why = {column.name: column.why for column in schema.columns if column.why}
    assert why == {
        "constant": "the same value in every row",
        "id": "nearly every row has a value of its own (an identifier)",
        "empty": "no value in any row",
    }
    assert [column.name for column in schema.used] == ["number", "category", "when", "text"]


def test_a_number_column_with_a_few_other_cells_stays_a_number(tmp_path: Path) -> None:
    """As the horsepower of auto-mpg, whose unknown values are question marks."""
    frame = jobs.table("Regression")
    frame["number"] = [("?" if index % 60 == 0 else str(index)) for index in frame.index]
    loaded = load(tmp_path, frame)
    assert loaded.schema.columns[0].kind == "numeric"
    assert loaded.train.frame["number"].isna().sum() == 10


@pytest.mark.parametrize(
    ("target", "problem", "labels"),
    [
        (["no", "yes"], "BinaryClassification", ("no", "yes")),
        (["1", "0"], "BinaryClassification", ("0", "1")),
        (["10", "9", "8"], "MulticlassClassification", ("8", "9", "10")),
        (["b", "a", "c"], "MulticlassClassification", ("a", "b", "c")),
        ([f"{value}.5" for value in range(50)], "Regression", ()),
        ([str(value) for value in range(50)], "Regression", ()),
    ],
)
def test_the_problem_type_and_the_labels_are_inferred(
    tmp_path: Path, target: list[str], problem: str, labels: tuple[str, ...]
) -> None:
    """Labels stand in the order of numbers where they are numbers, so that the positive class is the second."""
    frame = jobs.table("Regression").assign(y=lambda rows: [target[index % len(target)] for index in rows.index])
    schema = load(tmp_path, frame).schema
    assert (schema.problem_type, schema.labels) == (problem, labels)


def test_a_feature_specification_chooses_columns_and_kinds(tmp_path: Path) -> None:
    """Columns not named are unused but stay part of the row."""
    specification = {"FeatureAttributeNames": ["number", "text"], "FeatureDataTypes": {"text": "categorical"}}
    schema = load(tmp_path, jobs.table("Regression"), specification=specification).schema
    assert {column.name: column.kind for column in schema.used} == {"number": "numeric", "text": "categorical"}
    assert len(schema.columns) == 5


def test_rows_without_target_and_rare_labels_are_left_out_and_said(tmp_path: Path) -> None:
    """The notes give the counts."""
    frame = jobs.table("MulticlassClassification")
    frame.loc[:2, "y"] = None
    frame.loc[3:6, "y"] = "rare"
    loaded = load(tmp_path, frame)
    assert len(loaded.train) == 600 - 3 - 4
    assert "rare" not in loaded.schema.labels
    assert loaded.notes == (
        "3 training rows without a target were left out",
        "4 rows of 1 target values rarer than 10 rows were left out",
    )


def test_sample_weights_are_scaled_and_no_feature(tmp_path: Path) -> None:
    """Rows with a weight of 0 or less, or none, are excluded."""
    frame = jobs.table("Regression").assign(w="2")
    frame.loc[0, "w"] = "-1"
    frame.loc[1, "w"] = None
    loaded = load(tmp_path, frame, Mode="ENSEMBLING", SampleWeightAttributeName="w")
    assert len(loaded.train) == 598
    np.testing.assert_allclose(loaded.train.weight, 1.0)
    assert "w" not in [column.name for column in loaded.schema.used]


def test_files_are_read_as_one_table_gzip_too(tmp_path: Path) -> None:
    """Each file has the header."""
    frame = jobs.table("Regression")
    root = jobs.write(tmp_path, frame[:400])
    (root / "input/data/train/00001-part.csv").write_bytes(gzip.compress(frame[400:].to_csv(index=False).encode()))
    assert len(table.load(root, parse(jobs.job())).train) == 600


def test_a_validation_channel_is_kept_apart(tmp_path: Path) -> None:
    """With the training's schema; its unknown labels are left out."""
    held_out = jobs.table("BinaryClassification", rows=50, seed=9)
    held_out.loc[0, "y"] = "unheard of"
    loaded = load(tmp_path, jobs.table("BinaryClassification"), validation=held_out)
    assert loaded.validation is not None
    assert (len(loaded.train), len(loaded.validation)) == (600, 49)
    assert loaded.notes == ("1 validation rows with a target value unknown to the training were left out",)


def bad(**columns: Any) -> pd.DataFrame:
    return jobs.table("BinaryClassification").assign(**columns)


@pytest.mark.parametrize(
    ("frame", "options", "sentence"),
    [
        (jobs.table("Regression", rows=499), {}, "has 499 rows: Autopilot needs at least 500"),
        (bad(), {"target": "churn"}, "The target column 'churn' is not in the training data; its columns are number,"),
        (bad(y="no"), {}, "has one value only, 'no'"),
        (bad(y=None), {}, "The target column 'y' is empty in every row"),
        (
            bad(y=["yes"] * 3 + ["no"] * 597),
            {},
            "The target value 'yes' is in 3 rows only: at least two values need 10",
        ),
        (bad(y=[f"row {index}" for index in range(600)]), {}, "an identifier or free text cannot be classified"),
        (
            bad(),
            {"ProblemType": "Regression", "request": {"AutoMLJobObjective": {"MetricName": "MSE"}}},
            "Regression needs a numeric target: 'y' holds '(yes|no)'",
        ),
        (
            jobs.table("MulticlassClassification"),
            {"ProblemType": "BinaryClassification", "request": {"AutoMLJobObjective": {"MetricName": "F1"}}},
            "BinaryClassification needs two target values: 'y' has 3",
        ),
        ("a,a,y\n" + "1,2,0\n1,3,1\n" * 300, {}, "has the column 'a' twice"),
        ("a,b,y\n" + "1,2,0\n1,3,1\n" * 300 + "1,2,3,4\n", {}, "not a readable CSV table: .*line 602"),
        ("a,b,y\n" + "1,2,0,7\n1,3,1,7\n" * 300, {}, "not a readable CSV table: Length of header"),
        ("", {}, "The training channel holds no data"),
        ("PAR1" + "x" * 100, {}, "is Parquet: the embedded Autopilot reads CSV only"),
        (bad(), {"specification": {"FeatureAttributeNames": ["age"]}}, "The feature 'age' is not in the training data"),
        (
            bad(),
            {"Mode": "ENSEMBLING", "SampleWeightAttributeName": "w"},
            "The sample weight column 'w' is not in the training data",
        ),
        (
            bad(w="0"),
            {"Mode": "ENSEMBLING", "SampleWeightAttributeName": "w"},
            "No row of the training data has a sample weight 'w' above 0",
        ),
        (
            bad(w=lambda rows: (rows["y"] == "no").astype(int)),
            {"Mode": "ENSEMBLING", "SampleWeightAttributeName": "w"},
            "fewer than two different values of the target 'y'",
        ),
        (
            bad(),
            {"validation": jobs.table("BinaryClassification", rows=20).assign(y="no")},
            r"The usable validation rows \(20\) have fewer than two different values",
        ),
        (
            bad(),
            {"validation": jobs.table("BinaryClassification", rows=20).rename(columns={"number": "n"})},
            "The validation data's columns differ",
        ),
        (
            jobs.table("Regression").assign(y=lambda rows: rows["y"].astype(str).where(rows.index > 0, "1e300")),
            {},
            r"The target column 'y' holds '1e300': expected numbers below 1e\+100",
        ),
        (bad()[["constant", "y"]], {}, "No column of the training data can serve as a feature"),
    ],
)
def test_data_that_cannot_be_trained_on_fail_in_words(
    tmp_path: Path, frame: pd.DataFrame | str, options: dict[str, Any], sentence: str
) -> None:
    """What was expected, what was found."""
    with pytest.raises(JobFailure, match=sentence):
        load(tmp_path, frame, **options)


def test_an_undecodable_byte_fails_in_words(tmp_path: Path) -> None:
    """Latin-1 is not UTF-8."""
    root = jobs.write(tmp_path, jobs.table("Regression"))
    path = root / "input/data/train/00000-part.csv"
    path.write_bytes(path.read_bytes().replace(b"it's", b"it\xe9s"))
    with pytest.raises(JobFailure, match=r"part\.csv of the training channel is not a readable CSV table: .*0xe9"):
        table.load(root, parse(jobs.job()))


def test_the_rule_of_five_hundred_rows_is_autopilots_not_the_searchs(tmp_path: Path) -> None:
    """Whoever calls the search itself may give it fewer."""
    root = jobs.write(tmp_path, jobs.table("Regression", rows=60))
    spec = parse(jobs.job())
    with pytest.raises(JobFailure, match="has 60 rows: Autopilot needs at least 500"):
        table.load(root, spec)
    assert len(table.load(root, spec, minimum_rows=0).train) == 60


def test_numbers_beyond_measure_are_cut_so_that_their_squares_are_finite() -> None:
    """Infinite ones are missing."""
    numbers = table.parse_numbers(pd.Series(["1e308", "-1e200", "inf", "3"], dtype=object))
    np.testing.assert_array_equal(numbers, [table.LARGEST, -table.LARGEST, np.nan, 3])
    assert np.isfinite(np.nansum(numbers**2))
