"""Autopilot: the search (`search.run`) and the containers that its candidates serve from.

Kept light: whoever only asks which images exist imports no library for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from include.local_aws.images import Container, repository_and_tag
from include.local_aws.images.autopilot import uris
from include.local_aws.wire.errors import not_implemented

PATTERNS: tuple[str, ...] = tuple(re.escape(name) for name in (uris.FEATURES, uris.ENSEMBLE, uris.ENSEMBLE_TRAINING))


def train(root: Path) -> None:
    """Fit one of Autopilot's data processors; see `processor_training.run`."""
    from include.local_aws.images.autopilot import processor_training

    processor_training.run(root)


def check_training(request: Mapping[str, Any]) -> None:
    """Data processors can be trained; what ensembles are trained in can't be used outside of AutoML jobs."""
    image = request["AlgorithmSpecification"]["TrainingImage"]
    if repository_and_tag(image) != uris.FEATURES:
        raise not_implemented(f"training jobs with the image {image}, which AutoML jobs use themselves,")


def serve(model_dir: Path, environment: Mapping[str, str]) -> Container:
    """Load a candidate's container; see `serving.load`."""
    from include.local_aws.images.autopilot import serving

    return serving.load(model_dir, environment)
