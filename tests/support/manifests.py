"""Small manifests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from automl_retraining.core.records import Manifest, Part, SourceFacts, SplitFacts
from automl_retraining.core.trainer_specs import SplitSpec


def regression(transform_input_uri: str = "s3://runs/t.csv", **changes: Any) -> Manifest:
    """A regression on one number and one word."""
    part = Part(uri="s3://runs/part.csv", rows=1, bytes=10, sha256="0" * 64, target_mean=150.0)
    facts = SplitFacts(
        spec=SplitSpec(), salt="00", by="features", columns=("a", "b"), train=part, validation=part, test=part,
        keys_uri="s3://runs/keys.bin", keys_sha256="0" * 64,
    )  # fmt: skip
    fields: dict[str, Any] = {
        "pipeline": "churn", "run_id": "r", "created": datetime(2026, 1, 1, tzinfo=UTC),
        "source": SourceFacts(uri="x.csv", bytes=10, sha256="0" * 64, rows=3), "target": "y",
        "problem_type": "Regression", "labels": (), "columns": (), "features": ("a", "b"), "split": facts,
        "transform_input_uri": transform_input_uri, "truth_uri": "s3://runs/truth.csv",
    }  # fmt: skip
    return Manifest(**{**fields, **changes})
