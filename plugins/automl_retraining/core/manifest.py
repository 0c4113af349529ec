"""Writes down a split as the run's manifest, and holds it against the last run's."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from pydantic import Field

from automl_retraining.core.changes import Changes, compare
from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import DataError
from automl_retraining.core.layout import Roles
from automl_retraining.core.metric_table import metric_spec
from automl_retraining.core.records import Manifest, Part, Record, SourceFacts, SplitFacts, SplitResult
from automl_retraining.core.split import PartFacts, SplitOutcome
from automl_retraining.core.trainer_specs import SplitSpec


class SplitState(Record):
    """state/split.json: fixed at the pipeline's first run and never written again."""

    salt: str = Field(pattern=r"^([0-9a-f]{2}){16,64}$")
    cutoff: str | None = None


class LastRun(Record):
    """state/last_run.json: the last run whose split was written whole."""

    run_id: str
    run_folder: str


@dataclass(frozen=True)
class DataFiles:
    """Where a run's tables lie, below its folder."""

    folder: str

    @property
    def manifest(self) -> str:
        """manifest.json."""
        return f"{self.folder}/manifest.json"

    @property
    def keys(self) -> str:
        """Hashes of the train and validation rows' keys."""
        return f"{self.folder}/data/keys.bin"

    @property
    def transform(self) -> str:
        """Batch transform's input."""
        return f"{self.folder}/data/transform/test.csv"

    @property
    def truth(self) -> str:
        """What the test rows' predictions are held against."""
        return f"{self.folder}/data/truth.csv"

    def part(self, name: str) -> str:
        """One part's table; each lies alone in its folder, because a training channel is a folder."""
        return f"{self.folder}/data/{name}/{name}.csv"


def roles_of(pipeline: Pipeline) -> Roles:
    """The columns that the pipeline names."""
    return Roles(
        target=pipeline.target,
        spec=pipeline.split,
        drop=pipeline.drop,
        slices=pipeline.gate.slices,
        sample_weight=pipeline.search.sample_weight,
        feature_types=tuple(pipeline.search.feature_types),
    )


def make_manifest(
    pipeline: Pipeline,
    outcome: SplitOutcome,
    *,
    run_id: str,
    source_uri: str,
    created: datetime,
    salt: str,
    cutoff: str | None,
    files: DataFiles,
    previous: Manifest | None,
) -> Manifest:
    """The run's manifest.

    Raises:
        DataError: the table's columns differ from the last run's and the pipeline says to stop then.
        ConfigError: the gate's metric does not fit the problem that the table turns out to be.
    """
    for metric in (pipeline.gate.metric, *pipeline.gate.floors):
        metric_spec(metric, outcome.problem.type)
    changes = Changes((), ())
    warnings = list(outcome.warnings)
    if previous is not None:
        changes = compare(previous, outcome, ignored=pipeline.drop)
        _judge(pipeline, outcome, previous, changes, source_uri)
        warnings.extend(_split_changes(pipeline.split, previous.split.spec))
    train, validation, test = (
        _part(facts, files.part(name))
        for facts, name in zip(outcome.parts, ("train", "validation", "test"), strict=True)
    )
    layout = outcome.layout
    return Manifest(
        pipeline=pipeline.name,
        run_id=run_id,
        created=created,
        source=SourceFacts(
            uri=source_uri,
            bytes=outcome.size,
            sha256=outcome.sha256,
            rows=outcome.rows,
            dropped_missing_target=outcome.dropped,
        ),
        target=pipeline.target,
        problem_type=outcome.problem.type,
        labels=outcome.problem.labels,
        positive_class=outcome.problem.positive_class,
        columns=outcome.columns,
        features=layout.named(layout.features),
        split=SplitFacts(
            spec=pipeline.split,
            salt=salt,
            by=layout.by,
            columns=layout.named(layout.hashed),
            cutoff=cutoff,
            train=train,
            validation=validation,
            test=test,
            keys_uri=files.keys,
            keys_sha256=hashlib.sha256(outcome.keys).hexdigest(),
        ),
        transform_input_uri=files.transform,
        truth_uri=files.truth,
        changes=(*changes.schema, *changes.other),
        warnings=tuple(warnings),
        previous_run=previous.run_id if previous else None,
        unchanged=previous is not None and same_data(pipeline, previous, outcome.sha256),
    )


def same_data(pipeline: Pipeline, previous: Manifest, sha256: str) -> bool:
    """Whether these bytes, split by this pipeline, give what the last run was given."""
    hidden = {*pipeline.drop, *pipeline.split.key, *pipeline.split.group, pipeline.split.time, pipeline.target,
              pipeline.search.sample_weight}  # fmt: skip
    features = tuple(column.name for column in previous.columns if column.name not in hidden)
    return (
        previous.source.sha256 == sha256
        and previous.split.spec == pipeline.split
        and previous.target == pipeline.target
        and previous.features == features
        and pipeline.problem_type in (None, previous.problem_type)
    )


def split_result(manifest: Manifest, files: DataFiles) -> SplitResult:
    """What the tasks that follow need to know."""
    return SplitResult(
        run_folder=files.folder,
        manifest_uri=files.manifest,
        train_uri=manifest.split.train.uri,
        validation_uri=manifest.split.validation.uri,
        transform_input_uri=manifest.transform_input_uri,
        problem_type=manifest.problem_type,
        target=manifest.target,
        n_features=len(manifest.features),
        labels=manifest.labels,
        rows=manifest.source.rows,
    )


def summary(manifest: Manifest) -> list[str]:
    """The manifest in a few lines, for the task's log."""
    split = manifest.split
    lines = [
        f"{manifest.source.uri}: {manifest.source.rows:,} rows, {len(manifest.columns)} columns, "
        f"{manifest.source.bytes:,} bytes, sha256 {manifest.source.sha256[:12]}…",
        f"{manifest.problem_type} of {manifest.target!r} from {len(manifest.features)} features",
    ]
    for name, part in (("train", split.train), ("validation", split.validation), ("test", split.test)):
        balance = ", ".join(f"{label}: {count:,}" for label, count in list(part.class_counts.items())[:8])
        mean = "" if part.target_mean is None else f"mean {part.target_mean:.4g}"
        lines.append(f"{name}: {part.rows:,} rows ({balance or mean})")
    if split.cutoff is not None:
        lines.append(f"test rows are from {split.cutoff} on")
    lines.extend(f"changed: {sentence}" for sentence in manifest.changes)
    lines.extend(f"warning: {sentence}" for sentence in manifest.warnings)
    return lines


def _judge(pipeline: Pipeline, outcome: SplitOutcome, previous: Manifest, changes: Changes, source: str) -> None:
    found = list(changes.schema)
    if previous.target != pipeline.target:
        found.append(f"the target is now {pipeline.target!r}, {previous.target!r} before")
    elif previous.problem_type != outcome.problem.type:
        found.append(f"the problem is now {outcome.problem.type}, {previous.problem_type} before")
    if found and pipeline.on_schema_change == "stop":
        raise DataError(
            f"source {source}: expected the columns of the last run ({previous.run_id}), found: {'; '.join(found)}. "
            "Correct the table; or, where this is meant, say on_schema_change: accept in the pipeline's YAML once"
        )


def _split_changes(now: SplitSpec, before: SplitSpec) -> list[str]:
    changed = [
        f"{key} {getattr(before, key)!r} -> {getattr(now, key)!r}"
        for key in SplitSpec.model_fields
        if getattr(now, key) != getattr(before, key)
    ]
    if not changed:
        return []
    moved = any((getattr(now, key) != getattr(before, key)) for key in ("key", "group", "time"))
    consequence = (
        ": rows are assigned anew, so the champion may have been trained on rows that are test rows now, which "
        "flatters it and cannot be detected"
        if moved
        else ": some rows changed their part"
    )
    return [f"the split differs from the last run's ({'; '.join(changed)}){consequence}"]


def _part(facts: PartFacts, uri: str) -> Part:
    return Part(
        uri=uri,
        rows=facts.rows,
        bytes=facts.size,
        sha256=facts.sha256,
        class_counts=facts.class_counts,
        target_mean=facts.target_mean,
    )
