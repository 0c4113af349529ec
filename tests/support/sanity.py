"""From a table's bytes to what the checks of its data find."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from automl_retraining.core.config import Pipeline
from automl_retraining.core.gate_policy import ChecksPolicy
from automl_retraining.core.manifest import DataFiles, make_manifest
from automl_retraining.core.records import CheckResult, Manifest
from automl_retraining.core.sanity import look
from automl_retraining.core.sanity_looked import Looked
from automl_retraining.core.sanity_sample import Copies, draw
from tests.support.splits import SALT, run_split

SEED = 7


def csv_of(columns: Mapping[str, Any]) -> bytes:
    """A table of these columns."""
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    return ("\n".join(lines) + "\n").encode()


def looked_at(data: bytes, target: str = "y", *, rows: int = 20_000, seed: int = SEED, drop: Sequence[str] = (),
              problem_type: Any = None, champion: Manifest | None = None, spoil: Any = None,
              **spec: Any) -> Looked:  # fmt: skip
    """Split a table and draw from its parts; ``spoil`` changes the bytes of (train, test) before they are looked at."""
    done = run_split(data, target, drop=drop, problem_type=problem_type, **spec)
    pipeline = Pipeline.model_validate(
        {"name": "p", "source": "t.csv", "target": target, "drop": drop, "split": spec,
         "gate": {"metric": "rmse" if done.outcome.problem.type == "Regression" else "log_loss"}}
    )  # fmt: skip
    manifest = make_manifest(
        pipeline, done.outcome, run_id="r2", source_uri="t.csv", created=datetime(2026, 1, 1, tzinfo=UTC), salt=SALT,
        cutoff=None, files=DataFiles("s3://b/p/runs/r2"), previous=None,
    )  # fmt: skip
    parts = {"train": done.train, "test": done.test}
    if spoil is not None:
        parts["train"], parts["test"] = spoil(done.train, done.test)
        counts = {name: part.count(b"\n") - 1 for name, part in parts.items()}
        split = manifest.split
        manifest = manifest.model_copy(
            update={"split": split.model_copy(
                update={name: getattr(split, name).model_copy(update={"rows": rows}) for name, rows in counts.items()}
            )}
        )  # fmt: skip
    group = manifest.split.spec.group
    test = draw(io.BytesIO(parts["test"]), "test.csv", manifest.split.test, manifest,
                rows=rows, seed=[seed, 1], keep=group, records=True)  # fmt: skip
    copies = Copies(test.records)
    train = draw(io.BytesIO(parts["train"]), "train.csv", manifest.split.train, manifest,
                 rows=rows, seed=[seed, 0], copies=copies)  # fmt: skip
    return Looked(manifest, train, test, copies, champion)


def results(looked: Looked, *, seed: int = SEED, **policy: Any) -> dict[str, CheckResult]:
    """What each check says."""
    checks = look(looked, ChecksPolicy(**policy), run_id="r2", seed=seed)
    return {result.name: result for result in checks.results}


def found(looked: Looked) -> set[str]:
    """The names of the checks that found something."""
    return {name for name, result in results(looked).items() if result.found}


def as_champion(looked: Looked, **changes: Any) -> Manifest:
    """The manifest of an earlier run, as the champion's."""
    return looked.manifest.model_copy(update={"run_id": "r1", **changes})


def with_champion(looked: Looked, champion: Manifest | None, unknown: str | None = None) -> Looked:
    """The same rows beside another champion."""
    return replace(looked, champion=champion, champion_unknown=unknown)
