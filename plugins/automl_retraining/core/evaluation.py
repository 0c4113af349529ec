"""What the predictions say: every metric of challenger, champion and baseline with its interval, without judging it."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from automl_retraining.core.comparison import Comparison
from automl_retraining.core.errors import EvidenceError
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.intervals import tidy
from automl_retraining.core.measures import calibration, prediction_drift
from automl_retraining.core.metric_table import METRICS, MetricSpec, metrics_for, number
from automl_retraining.core.metrics import Answers, Task, encode
from automl_retraining.core.records import CheckResult, Evaluation, Manifest, MetricResult, ModelRef, SliceResult
from automl_retraining.core.resampling import Settings, Units, units_by_group, units_by_row, units_by_time
from automl_retraining.core.subject import Subject

MOST_SLICES = 20
"""Values of one slice column that are judged: the most frequent; numbers with more values are cut into quarters."""
FEWEST_SLICE_ROWS = 30
_ALWAYS_POSITIVE = "baseline (always positive)"
_NO_BASELINE = "The training part's target mean or class counts are not known: there is no baseline."


def evaluate(
    *,
    manifest: Manifest | Subject,
    policy: GatePolicy,
    challenger: ModelRef,
    challenger_scores: pd.DataFrame,
    champion: ModelRef | None,
    champion_scores: pd.DataFrame | None,
    champion_error: str | None,
    leaked: Collection[int] = (),
    leakage_unknown: str | None = None,
    reference: ModelRef | None = None,
    reference_scores: pd.DataFrame | None = None,
    reference_error: str | None = None,
    checks: tuple[CheckResult, ...] = (),
    notes: tuple[str, ...] = (),
) -> Evaluation:
    """Hold challenger, champion and reference against the truth and each other, on the same test rows.

    Args:
        manifest: what was split, or the same facts of predictions from elsewhere.
        policy: which metric slices are judged by, and how intervals are made.
        challenger, challenger_scores: scores tables are as ``core.predictions.join`` makes them.
        champion: what the endpoint serves; None where nothing is served yet.
        champion_scores: None where there is no champion, or it could not be scored.
        champion_error: why the champion could not be scored on these rows; then it has no scores.
        leaked: row ids that are in the training or validation part of the champion (or the reference): they are
            dropped and counted.
        leakage_unknown: why that cannot be told.
        reference: the last model promoted by superiority; often the champion itself.
        reference_scores: where the reference is another model than the champion and was scored.
        reference_error: why it is not known, or was not scored.
        checks: what was found in the data.
        notes: further warnings, of the run.

    Raises:
        EvidenceError: the tables are not on the same rows with the same truth, or hold what is no class or number.
    """
    subject = manifest if isinstance(manifest, Subject) else Subject.of_manifest(manifest)
    task = Task(subject.problem_type, subject.labels, subject.positive_class)
    if champion_scores is not None:
        champion_scores = _aligned(challenger_scores, champion_scores, "champion")
    if reference_scores is not None:
        reference_scores = _aligned(challenger_scores, reference_scores, "reference")
    # Some test rows may be known to an old champion only; without one to judge, nothing has leaked.
    compared = champion_scores is not None or reference_scores is not None
    known = challenger_scores.index.isin(list(leaked)) if compared and len(leaked) else None
    scores = challenger_scores if known is None else challenger_scores[~known]
    models = {"challenger": encode(scores, task)}
    if champion_scores is not None:
        models["champion"] = encode(champion_scores if known is None else champion_scores.loc[scores.index], task)
    warnings: list[str] = []
    baselines = _baselines(subject, task, models["challenger"])
    if not baselines:
        warnings.append(_NO_BASELINE)
    units = _units(subject, scores, warnings)
    settings = Settings(policy.confidence, policy.resamples, policy.seed)
    specs = metrics_for(subject.problem_type)
    comparison = Comparison(models | baselines, task, units, settings, specs)
    metrics = list(_results(comparison, specs, baselines))
    apart = None
    if reference_scores is not None:
        pair = {"challenger": models["challenger"], "reference": encode(reference_scores.loc[scores.index], task)}
        apart = _discordant(pair, task)
        if policy.metric in comparison.metrics:
            against = Comparison(pair, task, units, settings, [METRICS[policy.metric]])
            metrics = [_beside_reference(one, against) if one.name == policy.metric else one for one in metrics]
    return Evaluation(
        pipeline=subject.pipeline,
        run_id=subject.run_id,
        problem_type=subject.problem_type,
        target=subject.target,
        labels=subject.labels,
        positive_class=task.positive_label if subject.problem_type == "BinaryClassification" else None,
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
        reference=reference,
        reference_error=reference_error,
        leakage_unknown=leakage_unknown,
        metrics=tuple(metrics),
        slices=tuple(_slices(policy, scores, models, task, settings, subject, warnings)),
        discordant=_discordant(models, task) if "champion" in models else None,
        reference_discordant=apart,
        calibration=calibration(models["challenger"], task, units, policy.confidence) if task.labels else None,
        prediction_drift=prediction_drift(models["challenger"], models["champion"], task, units, policy.confidence)
        if "champion" in models
        else None,
        checks=checks,
        warnings=(*warnings, *notes),
        notes=notes,
    )


def _beside_reference(metric: MetricResult, against: Comparison) -> MetricResult:
    """The primary metric with the reference's value and the difference from it."""
    found = against.result(METRICS[metric.name], "reference", None)
    return metric.model_copy(
        update={
            "reference": found.champion,
            "against_reference": found.difference,
            "reference_undefined": found.undefined,
            "reference_method": found.method,
        }
    )


def _aligned(challenger: pd.DataFrame, other: pd.DataFrame, role: str) -> pd.DataFrame:
    if not challenger.index.equals(other.index):
        other = _reordered(challenger, other, role)
    different = np.asarray(_plain(challenger["truth"]) != _plain(other["truth"]))
    if different.any():
        raise EvidenceError(
            f"scores: expected the same truth beside both models, found {int(different.sum()):,} rows that differ, "
            f"row_id {challenger.index[different][0]} among them: one of the files is of another run"
        )
    return other


def _plain(values: pd.Series) -> np.ndarray[tuple[int], np.dtype[np.generic]]:
    # Two columns of classes may hold different ones, which pandas will not compare.
    return (values.astype(object) if isinstance(values.dtype, pd.CategoricalDtype) else values).to_numpy()


def _reordered(challenger: pd.DataFrame, other: pd.DataFrame, role: str) -> pd.DataFrame:
    apart = challenger.index.symmetric_difference(other.index)
    if len(apart):
        raise EvidenceError(
            f"scores: expected challenger and {role} on the same test rows, found {len(apart):,} that only one of "
            f"them has, row_id {apart[0]} among them: score the {role} on this run's test part"
        )
    return other.loc[challenger.index]


def _units(subject: Subject, scores: pd.DataFrame, warnings: list[str]) -> Units:
    by = subject.split_by
    if by in ("group", "time") and len(scores):
        if by in scores:
            return units_by_group(scores[by]) if by == "group" else units_by_time(scores[by])
        warnings.append(f"The split was by {by} but the scores have no column {by}: rows are taken as independent.")
    return units_by_row(len(scores))


def _baselines(subject: Subject, task: Task, challenger: Answers) -> dict[str, Answers]:
    """What knows nothing but the training part's target: its mean, or its majority class and class shares."""
    rows = len(challenger.truth)
    if task.problem_type == "Regression":
        if subject.target_mean is None:
            return {}
        return {"baseline": Answers(challenger.truth, np.broadcast_to(np.float64(subject.target_mean), rows))}
    counts = np.array([subject.class_counts.get(label, 0) for label in task.labels], dtype=np.float64)
    if not counts.sum():
        return {}
    # Broadcast: the same answer for every row takes no memory, however many rows there are.
    shares = np.broadcast_to(counts / counts.sum(), (rows, len(counts)))
    found = {"baseline": Answers(challenger.truth, np.broadcast_to(np.int64(counts.argmax()), rows), shares)}
    if task.problem_type == "BinaryClassification":
        # The majority is seldom the positive class, and precision has no value where nothing is called positive.
        found[_ALWAYS_POSITIVE] = Answers(challenger.truth, np.broadcast_to(np.int64(task.positive), rows), shares)
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


def _discordant(models: Mapping[str, Answers], task: Task) -> int | None:
    """Of the first two models; None for a regression."""
    if task.problem_type == "Regression":
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
    subject: Subject,
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
            comparison = Comparison(part, task, _units(subject, scores[inside], []), settings, [spec], stream)
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
