"""The image of the built-in algorithm Linear Learner.

Kept light: whoever only asks which images exist imports no library for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from include.local_aws.images import Container
from include.local_aws.images.linear_learner import declared

PATTERNS: tuple[str, ...] = (r"linear-learner:(1|latest|inference-cpu-1|training-cpu-1)",)


def train(root: Path) -> None:
    """Train as the hyperparameters say."""
    from include.local_aws.images.linear_learner import training

    training.run(root)


def serve(model_dir: Path, environment: Mapping[str, str]) -> Container:
    """Load the model; see `serving.load`."""
    from include.local_aws.images.linear_learner import serving

    return serving.load(model_dir, environment)


def metric_definitions(request: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """The algorithm's metrics, for the kind of predictor that the request asks for."""
    return declared.metric_definitions(request.get("HyperParameters", {}))
