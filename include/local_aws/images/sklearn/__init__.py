"""The scikit-learn framework image: processing, training and serving with the user's own script.

Kept light: whoever only asks which images exist imports no library for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from include.local_aws.images import Container

PATTERNS = (r"sagemaker-scikit-learn:(?:0\.20\.0|0\.23-1|1\.0-1|1\.2-1|1\.4-2|1\.4-2-py312|1\.9-0)(?:-cpu-py3)?",)
"""Tags as AWS publishes them (sagemaker 3.27's image table); what runs is the scikit-learn that is installed here."""

PROCESSING = True
"""It runs processing jobs, whose command the request gives."""


def train(root: Path) -> None:
    """Script mode; see `scripting.training.train`."""
    from include.local_aws.scripting import training

    training.train(root, framework="sagemaker_sklearn_container.training:main")


def serve(model_dir: Path, environment: Mapping[str, str]) -> Container:
    """Serve with the handlers of the user's inference script; see `scripting.serving.load`."""
    from include.local_aws.images.sklearn import serving

    return serving.load(model_dir, environment)
