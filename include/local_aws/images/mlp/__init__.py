"""The multi-layer perceptron of Autopilot's tuned candidates: an algorithm image (training) and its inference image.

On AWS it is an MXNet network. Here scikit-learn's stands in, with its own set of hyperparameters
(`hyperparameters.TABLE`); one that only the other network has is refused by name. Kept light: whoever only asks which
images exist imports no library for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from include.local_aws.images import Container

TRAINING = "mxnet-algorithms:training-cpu"
INFERENCE = "mxnet-algorithms:inference-cpu"

PATTERNS: tuple[str, ...] = tuple(re.escape(name) for name in (INFERENCE, TRAINING))


def train(root: Path) -> None:
    """Train as ``root``, a job's ``/opt/ml``, says; see `training.run`."""
    from include.local_aws.images.mlp import training

    training.run(root)


def serve(model_dir: Path, environment: Mapping[str, str]) -> Container:
    """Load a network; see `serving.load`."""
    from include.local_aws.images.mlp import serving

    return serving.load(model_dir, environment)


def metric_definitions(request: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """The metrics that a training of this problem type logs for its validation channel."""
    from include.local_aws.images.mlp import hyperparameters

    problem_type = request.get("HyperParameters", {}).get("problem_type", "")
    return tuple((name, rf"{re.escape(name)}=(\S+)") for name in hyperparameters.METRICS.get(problem_type, ()))
