"""What the sections of a pipeline's YAML share: their base, durations, and the words with a closed list."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

Trainer = Literal["autopilot", "candidates", "tuned", "refit"]
ProblemType = Literal["BinaryClassification", "MulticlassClassification", "Regression"]
SearchMode = Literal["AUTO", "ENSEMBLING", "HYPERPARAMETER_TUNING"]

INSTANCE_TYPE = r"^ml\.[a-z0-9-]+\.[a-z0-9]+$"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _seconds(value: object) -> object:
    """Read ``90``, ``"90s"``, ``"30m"``, ``"2h"`` or ``"1d"`` as seconds."""
    if isinstance(value, str) and (match := re.fullmatch(r"\s*(\d+)\s*([smhd])\s*", value)):
        return int(match[1]) * _UNITS[match[2]]
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(
            f'expected a duration such as "90s", "30m", "2h" or a whole number of seconds, found {value!r}'
        )
    return value


Seconds = Annotated[int, BeforeValidator(_seconds)]


class Section(BaseModel):
    """Base: frozen, and a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
