"""What the predictions say: every metric of challenger, champion and baseline with its interval, without judging it."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pandas as pd

from automl_retraining.core.comparison import Comparison
from automl_retraining.core.errors import EvidenceError
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.intervals import tidy
from automl_retraining.core.metric_table import METRICS, MetricSpec, metrics_for, number
from automl_retraining.core.metrics import Answers, Task, encode
from automl_retraining.core.records import Evaluation, Manifest, MetricResult, ModelRef, SliceResult
from automl_retraining.core.resampling import Settings, Units, units_by_group, units_by_row, units_by_time

MOST_SLICES = 20
"""Values of one slice column that are judged: the most frequent; numbers with more values are cut into quarters."""
FEWEST_SLICE_ROWS = 30
_ALWAYS_POSITIVE = "baseline (always positive)"


def evaluate(
    *,
    manifest: Manifest,
    policy: GatePolicy,
    challenger: ModelRef,
    challenger_scores: pd.DataFrame,
    champion: ModelRef | None,
    champion_scores: pd.DataFrame | None,
    champion_error: str | None,
    leaked: Collection[int] = (),
) -> Evaluation:
    """Hold challenger and champion against the truth and each other, on the same test rows.

    Args:
        challenger_scores, champion_scores: scores tables as ``core.predictions.join`` makes them.
        champion: what the endpoint serves; None where nothing is served yet.
        champion_error: why the champion could not be scored on these rows; then it has no scores.
        leaked: row ids that are in the champion's training or validation part: they are dropped and counted.

    Raises:
        EvidenceError: the two tables are not on the same rows with the same truth, or hold what is no class or number.
    """
    task = Task(manifest.problem_type, manifest.labels, manifest.positive_class)
    if champion_scores is not None:
        champion_scores = _aligned(challenger_scores, champion_scores)
    # Some test rows may be known to an old champion only; without one to judge, nothing has leaked.
    known = challenger_scores.index.isin(list(leaked)) if champion_scores is not None else None
    scores = challenger_scores if known is None else challenger_scores[~known]
    models = {"challenger": encode(scores, task)}
    if champion_scores is not None:
        models["champion"] = encode(champion_scores.loc[scores.index], task)
    warnings = []
    baselines = _baselines(manifest, task, models["challenger"])
    if not baselines:
        warnings.append("The manifest holds no target mean or class counts of the training part: there is no baseline.")
    units = _units(manifest, scores, warnings)
    settings = Settings(policy.confidence, policy.resamples, policy.seed)
    specs = metrics_for(manifest.problem_type)
    comparison = Comparison(models | baselines, task, units, settings, specs)
    return Evaluation(
        pipeline=manifest.pipeline,
        run_id=manifest.run_id,
        problem_type=manifest.problem_type,
        target=manifest.target,
        labels=manifest.labels,
        positive_class=task.positive_label if manifest.problem_type == "BinaryClassification" else None,
        rows=len(scores),
        rows_dropped=len(challenger_scores) - len(scores),
        class_counts=_class_counts(models["challenger"], task),
        unit=units.kind,
        units=units.count,
        confidence=policy.confidence,
        resamples=policy.resamples,
        seed=policy.seed,
        challenger=challenger,
        champion=champion,
        champion_error=champion_error,
        metrics=tuple(_results(comparison, specs, baselines)),
        slices=tuple(_slices(policy, scores, models, task, settings, manifest, warnings)),
        discordant=_discordant(models, task),
        warnings=tuple(warnings),
    )


def _aligned(challenger: pd.DataFrame, champion: pd.DataFrame) -> pd.DataFrame:
    if set(challenger.index) != set(champion.index):
        apart = challenger.index.symmetric_difference(champion.index)
        raise EvidenceError(
            f"scores: expected challenger and champion on the same test rows, found {len(apart):,} that only one of "
            f"them has, row_id {apart[0]} among them: score the champion on this run's test part"
        )
    champion = champion.loc[challenger.index]
    different = (challenger["truth"] != champion["truth"]).to_numpy()
    if different.any():
        raise EvidenceError(
            f"scores: expected the same truth beside both models, found {int(different.sum()):,} rows that differ, "
            f"row_id {challenger.index[different][0]} among them: one of the files is of another run"
        )
    return champion


def _units(manifest: Manifest, scores: pd.DataFrame, warnings: list[str]) -> Units:
    by = manifest.split.by
    if by in ("group", "time") and len(scores):
        if by in scores:
            return units_by_group(scores[by]) if by == "group" else units_by_time(scores[by])
        warnings.append(f"The split was by {by} but the scores have no column {by}: rows are taken as independent.")
    return units_by_row(len(scores))


def _baselines(manifest: Manifest, task: Task, challenger: Answers) -> dict[str, Answers]:
    """What knows nothing but the training part's target: its mean, or its majority class and class shares."""
    rows, train = len(challenger.truth), manifest.split.train
    if task.problem_type == "Regression":
        if train.target_mean is None:
            return {}
        return {"baseline": Answers(challenger.truth, np.full(rows, train.target_mean))}
    counts = np.array([train.class_counts.get(label, 0) for label in task.labels], dtype=np.float64)
    if not counts.sum():
        return {}
    shares = np.tile(counts / counts.sum(), (rows, 1))
    found = {"baseline": Answers(challenger.truth, np.full(rows, counts.argmax()), shares)}
    if task.problem_type == "BinaryClassification":
        # The majority is seldom the positive class, and precision has no value where nothing is called positive.
        found[_ALWAYS_POSITIVE] = Answers(challenger.truth, np.full(rows, task.positive), shares)
    return found


def _results(comparison: Comparison, specs: Sequence[MetricSpec], baselines: Collection[str]) -> Iterator[MetricResult]:
    champion = "champion" if "champion" in comparison.models else None
    for spec in specs:
        baseline = _ALWAYS_POSITIVE if spec.name == "precision" else "baseline"
        yield comparison.result(spec, champion, baseline if baseline in baselines else None)


def _class_counts(answers: Answers, task: Task) -> dict[str, int]:
    if task.problem_type == "Regression":
        return {}
    counts = np.bincount(answers.truth.astype(np.int64), minlength=len(task.labels))
    return dict(zip(task.labels, counts.tolist(), strict=True))


def _discordant(models: dict[str, Answers], task: Task) -> int | None:
    if task.problem_type == "Regression" or "champion" not in models:
        return None
    right = [answers.prediction == answers.truth for answers in models.values()]
    return int((right[0] != right[1]).sum())


# ---------------------------------------------------------------- slices


def _slices(
    policy: GatePolicy,
    scores: pd.DataFrame,
    models: dict[str, Answers],
    task: Task,
    settings: Settings,
    manifest: Manifest,
    warnings: list[str],
) -> Iterator[SliceResult]:
    spec = METRICS.get(policy.metric)
    if spec is None or task.problem_type not in spec.problem_types:
        return  # the gate says so; there is nothing to compute
    champion = "champion" if "champion" in models else None
    stream = 1
    for column in policy.slices:
        if column not in scores:
            warnings.append(f"The scores have no slice column {column}: it was not judged.")
            continue
        for value, inside in _cut(column, scores[column], warnings):
            part = {role: answers.take(inside) for role, answers in models.items()}
            comparison = Comparison(part, task, _units(manifest, scores[inside], []), settings, [spec], stream)
            stream += 1
            against = comparison.pair(spec, "challenger", champion) if champion else None
            yield SliceResult(
                column=column,
                value=value,
                rows=int(inside.sum()),
                metric=comparison.result(spec, champion, None),
                p_harm=tidy(against.p_negative) if against else None,
            )


def _cut(
    column: str, values: pd.Series, warnings: list[str]
) -> Iterator[tuple[str, np.ndarray[tuple[int], np.dtype[np.bool_]]]]:
    texts = values.astype(str)
    numbers = pd.to_numeric(values, errors="coerce")
    if texts.nunique() > MOST_SLICES and numbers.notna().mean() > 0.9:
        ends = np.unique(np.quantile(numbers.dropna(), [0, 0.25, 0.5, 0.75, 1]))
        codes = np.searchsorted(ends[1:-1], numbers.to_numpy(np.float64), side="left")
        names = [f"{_short(low)} to {_short(high)}" for low, high in itertools.pairwise(ends)]
        texts = pd.Series([names[code] for code in codes], index=values.index).where(numbers.notna(), "(missing)")
    counts = texts.value_counts()
    judged = counts[counts >= FEWEST_SLICE_ROWS].sort_index().sort_values(ascending=False, kind="stable")
    left = len(counts) - min(len(judged), MOST_SLICES)
    if left:
        warnings.append(
            f"Slices by {column}: {left} of {len(counts)} values were not judged (fewer than {FEWEST_SLICE_ROWS} rows, "
            f"or beyond the {MOST_SLICES} most frequent)."
        )
    for value in judged.index[:MOST_SLICES]:
        yield str(value) or "(empty)", (texts == value).to_numpy()


def _short(value: float) -> str:
    return number(value, 0 if float(value).is_integer() else 2)
