"""How many examples a fuzz test tries: few and always the same ones by default, as many as asked in ``make fuzz``."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_ASKED = int(os.environ.get("FUZZ_EXAMPLES", "0"))


def tries(examples: int) -> settings:
    """Settings of a test: so many fixed examples, or ``FUZZ_EXAMPLES`` that follow from pytest's --hypothesis-seed."""
    return settings(
        max_examples=_ASKED or examples,
        derandomize=not _ASKED,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
