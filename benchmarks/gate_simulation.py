"""Many tables of simulated predictions through the gate: what it decides, and how often its intervals miss the truth.

One job is some tables of one family, size and pair of models; its tallies add up. Random numbers depend on the seed,
the job's family and size and the table's number alone, so that any split into jobs gives the same tables.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from automl_retraining.core.comparison import Comparison
from automl_retraining.core.gate import decide, improvement
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.gate_rules import FEW_CLASS_ROWS, FEW_ROWS, is_exact
from automl_retraining.core.metric_table import FEW_DISCORDANT, MetricSpec, metrics_for
from automl_retraining.core.metrics import Answers
from automl_retraining.core.records import Evaluation, Interval, ModelRef
from automl_retraining.core.resampling import Settings, units_by_row
from benchmarks import reference_tests
from benchmarks.simulated_models import FAMILIES, Family, Pair

CONFIDENCE = 0.95
Tally = Counter[tuple[str, str]]
"""How often: (metric, what)."""
Truths = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Job:
    """Tables ``first`` to ``last`` (exclusive) of one family and size."""

    family: int
    rows: int
    better: bool
    first: int
    last: int
    seed: int
    resamples: int
    truths: Truths


def run(job: Job) -> tuple[Job, Tally]:
    """Simulate and judge the job's tables."""
    family, tally = FAMILIES[job.family], Tally()
    for table in range(job.first, job.last):
        rng = np.random.default_rng((job.seed, job.family, job.rows, job.better, table))
        pair = family.draw(rng, job.rows, job.better)
        _judge(family, pair, job, table, tally)
    return job, tally


def evaluation_of(family: Family, pair: Pair, metrics: tuple[MetricSpec, ...], settings: Settings) -> Evaluation:
    """What ``core.evaluation`` says of these answers, without slices and baseline."""
    truth = pair["challenger"].truth
    comparison = Comparison(pair, family.task, units_by_row(len(truth)), settings, metrics)
    right = [answers.prediction == answers.truth for answers in pair.values()]
    labels = family.task.labels
    counts = np.bincount(truth.astype(np.int64), minlength=len(labels)).tolist() if labels else []
    return Evaluation(
        pipeline="simulated",
        run_id="simulated",
        problem_type=family.task.problem_type,
        target="target",
        labels=labels,
        rows=len(truth),
        class_counts=dict(zip(labels, counts, strict=True)),
        units=len(truth),
        confidence=settings.confidence,
        resamples=settings.resamples,
        seed=settings.seed,
        challenger=ModelRef(model_name="challenger"),
        champion=ModelRef(model_name="champion"),
        metrics=tuple(comparison.result(spec, "champion", None) for spec in metrics),
        discordant=int((right[0] != right[1]).sum()) if labels else None,
    )


def _judge(family: Family, pair: Pair, job: Job, table: int, tally: Tally) -> None:
    specs = metrics_for(family.task.problem_type)
    settings = Settings(CONFIDENCE, job.resamples, table)
    evaluation = evaluation_of(family, pair, specs, settings)
    enough_rows = job.rows >= FEW_ROWS and min(evaluation.class_counts.values(), default=FEW_ROWS) >= FEW_CLASS_ROWS
    policy = GatePolicy(metric=specs[0].name, confidence=CONFIDENCE, resamples=job.resamples, seed=table)
    for spec in specs:
        name, result = spec.name, evaluation.metric(spec.name)
        assert result is not None
        decision = decide(evaluation, policy.model_copy(update={"metric": name}))
        tally[name, "tables"] += 1
        tally[name, decision.verdict] += 1
        if result.difference is not None:
            gain = improvement(spec, result.difference)
            tally[name, "plain"] += gain.value > 0
            # Whether the gate may say "too few" on these rows, whatever the interval.
            many_apart = (evaluation.discordant or 0) >= FEW_DISCORDANT
            apart = not spec.label_based or (many_apart and not is_exact(result.method))
            where = "enough" if enough_rows and apart else "few"
            true = [value if spec.greater_is_better else -value for value in job.truths[name]]
            _count(tally, name, f"difference, {where}", gain, true[0] - true[1])
        if result.challenger is not None:
            where = "enough" if enough_rows else "few"
            own = improvement(spec, result.challenger)
            value = job.truths[name][0]
            _count(tally, name, f"single, {where}", own, value if spec.greater_is_better else -value)
    for name, p in _references(family, pair).items():
        tally[name, "reference"] += p <= (1 - CONFIDENCE) / 2


def _count(tally: Tally, name: str, what: str, gain: Interval, true: float) -> None:
    tally[name, what] += 1
    tally[name, f"{what}: below"] += gain.high < true
    tally[name, f"{what}: above"] += gain.low > true


def _references(family: Family, pair: Pair) -> dict[str, float]:
    one, two = pair["challenger"], pair["champion"]
    if family.task.problem_type == "Regression":
        errors = [np.asarray(answers.prediction - answers.truth, np.float64) for answers in (one, two)]
        return {
            "mae": reference_tests.paired_t(np.abs(errors[0]), np.abs(errors[1])),
            "rmse": reference_tests.paired_t(errors[0] ** 2, errors[1] ** 2),
        }
    found = {
        "accuracy": reference_tests.mcnemar(one, two),
        "log_loss": reference_tests.paired_t(_log_losses(one), _log_losses(two)),
    }
    both_classes = family.task.problem_type == "BinaryClassification" and 1 < one.truth.sum() < len(one.truth) - 1
    return found | ({"roc_auc": reference_tests.delong(one, two)} if both_classes else {})


def _log_losses(answers: Answers) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    assert answers.probabilities is not None
    return np.asarray(-np.log(answers.probabilities[np.arange(len(answers.truth)), answers.truth.astype(np.int64)]))
