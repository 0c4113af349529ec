"""Autopilot: the search (`search.run`) and the containers that its candidates serve from.

Kept light: whoever only asks which images exist imports no library for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from include.local_aws.images import Container
from include.local_aws.images.autopilot import uris

PATTERNS: tuple[str, ...] = tuple(re.escape(name) for name in (uris.FEATURES, uris.ENSEMBLE, *uris.ALGORITHM.values()))


def serve(model_dir: Path, environment: Mapping[str, str]) -> Container:
    """Load a candidate's container; see `serving.load`."""
    from include.local_aws.images.autopilot import serving

    return serving.load(model_dir, environment)
