"""The image of XGBoost: its built-in algorithm, and script mode where a script is given.

Kept light: whoever only asks which images exist imports no library for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from include.local_aws.images import Container
from include.local_aws.images.xgboost import declared

PATTERNS: tuple[str, ...] = (r"sagemaker-xgboost:(1\.2-1|1\.2-2|1\.3-1|1\.5-1|1\.7-1|3\.0-5|3\.2-0)(-cpu-py3)?",)
"""Their tags; whichever it is, the xgboost that is installed here does the work."""

PROCESSING = True
"""It runs processing jobs, whose command the request gives."""

_SCRIPT = "sagemaker_program"


def train(root: Path) -> None:
    """Train as the hyperparameters say: with the script that they name, or with the algorithm."""
    given = json.loads((root / "input" / "config" / "hyperparameters.json").read_text("utf-8"))
    if _SCRIPT in given:
        from include.local_aws.images.xgboost import scripted

        scripted.train(root)
    else:
        from include.local_aws.images.xgboost import training

        training.run(root)


def serve(model_dir: Path, environment: Mapping[str, str]) -> Container:
    """Load the model, and the user's handlers where the environment names some."""
    if environment.get("SAGEMAKER_PROGRAM"):
        from include.local_aws.images.xgboost import scripted

        return scripted.serve(model_dir, environment)
    from include.local_aws.images.xgboost import serving

    return serving.load(model_dir, environment)


def metric_definitions(request: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """The algorithm's metrics; none for a script, whose metrics the request defines."""
    hyperparameters = request.get("HyperParameters", {})
    return () if _SCRIPT in hyperparameters else declared.metric_definitions(hyperparameters)
