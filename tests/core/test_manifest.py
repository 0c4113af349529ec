"""The manifest, and what it says differs from the last run's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import ConfigError, DataError
from automl_retraining.core.manifest import DataFiles, make_manifest, split_result, summary
from automl_retraining.core.records import Manifest
from tests.support.splits import SALT, binary_rows, run_split, table

FOLDER = "s3://bucket/shop/runs/r"
HEADER = "id,a,b,y"


def pipeline(**settings: Any) -> Pipeline:
    """A pipeline on the column y."""
    return Pipeline.model_validate(
        {"name": "shop", "source": "t.csv", "target": "y", "gate": {"metric": "f1"}, **settings}
    )


def manifest(data: bytes, previous: Manifest | None = None, run_id: str = "r", **settings: Any) -> Manifest:
    """The manifest of that table."""
    of = pipeline(**settings)
    done = run_split(data, key=of.split.key, validation=of.split.validation, test=of.split.test, drop=of.drop)
    return make_manifest(
        of, done.outcome, run_id=run_id, source_uri="t.csv", created=datetime(2026, 1, 1, tzinfo=UTC), salt=SALT,
        cutoff=None, files=DataFiles(FOLDER), previous=previous,
    )  # fmt: skip


def rows(n: int = 600, **columns: Any) -> bytes:
    """A table of binary_rows, with functions of the row number put in for some columns."""
    names = HEADER.split(",")
    lines = []
    for number, line in enumerate(binary_rows(n)):
        cells = line.split(",")
        for name, value in columns.items():
            cells[names.index(name)] = str(value(number))
        lines.append(",".join(cells))
    return table(HEADER, lines)


def test_a_manifest_reads_back_as_it_was_written() -> None:
    """JSON there and back."""
    one = manifest(rows())
    assert Manifest.model_validate_json(one.to_json()) == one
    assert one.features == ("id", "a", "b")
    assert one.split.by == "features"
    assert one.split.columns == ("a", "b", "id")
    assert one.split.train.uri == f"{FOLDER}/data/train/train.csv"
    assert split_result(one, DataFiles(FOLDER)).n_features == 3


def test_the_same_table_changes_nothing() -> None:
    """And is unchanged."""
    again = manifest(rows(), manifest(rows()), "r2")
    assert again.changes == ()
    assert again.unchanged
    assert again.previous_run == "r"


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"a": lambda n: n / 2}, "column 'a' is now number, integer before"),
        ({"a": lambda n: "" if n % 4 else n}, "column 'a' has 75.0% missing, 0.0% before"),
        ({"b": lambda n: n + 1000}, "column 'b' has mean"),
        ({"y": lambda n: "yes" if n % 10 else "no"}, "class 'no' is 10.0% of the rows, 33.3% before"),
    ],
)
def test_what_moved_is_said_but_does_not_stop(columns: dict[str, Any], sentence: str) -> None:
    """Whole numbers that become broken ones, missing values, means, classes."""
    found = manifest(rows(**columns), manifest(rows())).changes
    assert any(change.startswith(sentence) for change in found), found


def test_classes_that_come_and_go_are_said() -> None:
    """Where the pipeline accepts that two classes became three."""
    settings: dict[str, Any] = {"gate": {"metric": "accuracy"}, "on_schema_change": "accept"}
    two, three = rows(), rows(y=lambda n: ("yes", "no", "perhaps")[n % 3])
    assert "class 'perhaps' is new" in manifest(three, manifest(two, **settings), **settings).changes
    assert "class 'perhaps' is gone" in manifest(two, manifest(three, **settings), **settings).changes


@pytest.mark.parametrize(
    ("columns", "settings", "sentence"),
    [
        ({"a": lambda n: f"x{n}"}, {}, "column 'a' is now text, integer before"),
        ({"a": lambda n: ""}, {}, "column 'a' is now empty, integer before"),
        ({"id": lambda n: f"{n}.5"}, {"split": {"key": ["id"]}}, "column 'id' is now number, text before"),
        (
            {"y": lambda n: ("yes", "no", "perhaps")[n % 3]},
            {"gate": {"metric": "accuracy"}},
            "the problem is now Multi",
        ),
    ],
)
def test_what_no_earlier_model_can_take_stops_the_run(
    columns: dict[str, Any], settings: dict[str, Any], sentence: str
) -> None:
    """Unless it is accepted in the YAML."""
    before = manifest(rows(), **settings)
    with pytest.raises(DataError, match=f"the last run \\(r\\), found: {sentence}.*on_schema_change: accept"):
        manifest(rows(**columns), before, **settings)
    accepted = manifest(rows(**columns), before, on_schema_change="accept", **settings)
    assert accepted.previous_run == "r"


def test_a_dropped_column_may_change_as_it_likes() -> None:
    """The model never sees it."""
    before = manifest(rows(), drop=["a"])
    assert manifest(rows(a=lambda n: f"x{n}"), before, drop=["a"]).features == ("id", "b")


def test_another_split_is_a_warning_with_its_consequence() -> None:
    """Another key assigns every row anew, which no comparison of keys can detect."""
    before = manifest(rows())
    shares = manifest(rows(), before, split={"test": 0.3})
    assert any("test 0.2 -> 0.3" in warning and "some rows changed" in warning for warning in shares.warnings)
    assert not shares.unchanged
    keyed = manifest(rows(), before, split={"key": ["id"]})
    assert any("cannot be detected" in warning for warning in keyed.warnings)


def test_a_gate_metric_of_another_problem_is_refused() -> None:
    """When the problem was inferred, the YAML alone could not tell."""
    with pytest.raises(ConfigError, match="found 'rmse'"):
        manifest(rows(), gate={"metric": "rmse"})


def test_the_summary_names_rows_classes_changes_and_warnings() -> None:
    """What a person reads in the task's log."""
    lines = "\n".join(summary(manifest(rows(700), manifest(rows()))))
    assert "700 rows, 4 columns" in lines
    assert "BinaryClassification of 'y' from 3 features" in lines
    assert "train: " in lines
    assert "changed: 700 rows, 600 before" in lines
    assert "warning: split has neither key nor group" in lines
