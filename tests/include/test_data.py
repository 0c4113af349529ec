"""The data sets of the project are what their packages carry."""

from __future__ import annotations

import csv

import pytest

from include.data import make


@pytest.mark.parametrize("name", sorted(make.FILES))
def test_the_file_is_byte_for_byte_what_its_package_gives(name: str) -> None:
    """``python -m include.data.make`` changes nothing."""
    assert (make.HERE / name).read_bytes() == make.FILES[name]()


def test_the_tables_have_the_rows_that_their_description_says() -> None:
    """5,000 customers of whom 707 left; 398 cars, six without horsepower."""
    with (make.HERE / "churn.csv").open(newline="") as file:
        churn = list(csv.DictReader(file))
    with (make.HERE / "auto_mpg.csv").open(newline="") as file:
        cars = list(csv.DictReader(file))
    assert (len(churn), sum(row["churn"] == "yes" for row in churn), len(churn[0])) == (5000, 707, 20)
    assert (len(cars), sum(row["horsepower"] == "" for row in cars)) == (398, 6)
    assert all(float(row["mpg"]) > 0 for row in cars)


def test_each_file_has_its_source_and_licence() -> None:
    """In the folder's README."""
    text = (make.HERE / "README.md").read_text(encoding="utf-8")
    for path in make.HERE.glob("*.csv"):
        (line,) = [line for line in text.splitlines() if line.startswith(f"| `{path.name}`")]
        assert "MIT" in line
