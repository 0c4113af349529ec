"""What another policy would have decided about a run: the replay, with other values for some of its policy's keys."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from automl_retraining.core.effects import effects, metric_lines
from automl_retraining.core.errors import ConfigError
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.yaml_errors import sentences
from automl_retraining.sagemaker import storage

if TYPE_CHECKING:
    from automl_retraining.ui.folder import Entry, Folder

MOST_WORK = 400_000_000
"""Rows times resamples that a page may ask for: some ten seconds on one core."""


@dataclass(frozen=True)
class Asked:
    """What the page's controls say; None leaves the recorded policy's value."""

    mode: str | None = None
    margin: float | None = None
    confidence: float | None = None


def policy(recorded: GatePolicy, asked: Asked) -> GatePolicy:
    """The recorded policy with what was asked in place.

    Raises:
        ConfigError: the values make no policy, a sentence for each.
    """
    given = {
        key: value
        for key, value in (("mode", asked.mode), ("margin", asked.margin), ("confidence", asked.confidence))
        if value is not None
    }
    try:
        # All of it is said, so that a margin of 0 counts as stated.
        return GatePolicy.model_validate({**recorded.model_dump(), **given})
    except ValidationError as error:
        raise ConfigError(" ".join(sentences(error, GatePolicy))) from error


def files(folder: Folder, entries: Mapping[str, Entry]) -> dict[str, bytes]:
    """The files that a replay reads, as far as the run has them."""
    from automl_retraining.core.replay import FILES

    found = {}
    for name in FILES:
        if name in entries:
            try:
                found[name] = folder.read(name)
            except storage.ObjectMissing:
                continue  # removed between the listing and now
    return found


def replayed(found: Mapping[str, bytes], asked: GatePolicy) -> dict[str, Any]:
    """Decide again under that policy. EvidenceError where the files cannot be replayed."""
    from automl_retraining.core.replay import replay

    began = time.perf_counter()
    again = replay(found, asked)
    decision = again.decision
    return {
        "policy": asked,
        "recorded": None
        if again.recorded is None
        else {
            "verdict": again.recorded.verdict,
            "sentence": again.recorded.sentence,
            "policy": again.recorded.policy,
        },
        "equal": again.equal,
        "verdict": decision.verdict,
        "sentence": decision.sentence,
        "reasons": decision.reasons,
        "rules": decision.rules,
        "differences": again.differences(),
        "effects": effects(again.evaluation, decision),
        "metrics": metric_lines(again.evaluation, decision.policy.metric),
        "seconds": round(time.perf_counter() - began, 3),
    }
