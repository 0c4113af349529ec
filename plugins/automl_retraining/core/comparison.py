"""Two models on the same test rows: every metric with its interval, and the interval of their difference.

The difference is paired: both models are scored on the same resamples, so that what makes a row hard for both cancels.
Which interval a metric gets, and why (docs/gate.md has the simulations behind it):

- errors averaged over rows (rmse, mae, mape, r2, log_loss): the **studentised** bootstrap, second-order correct for
  skewed errors where percentiles are not (Hall 1988; Davison and Hinkley 1997, chapter 5); for differences each end is
  the further one of it and of ± the bootstrap's standard error (r2: the linearised one), which holds better under
  heavy tails. Single values are studentised on the logarithm (r2 on log(1 - r2)), so that no end leaves the metric's
  range.
- rates and ranks (f1, balanced_accuracy, roc_auc, …): the value ± the **bootstrap's standard error**, single values on
  the logit scale. Resampling is stratified by class for roc_auc, balanced_accuracy and recall, whose definitions
  condition on the class; elsewhere that would lose coverage.
- accuracy, precision, recall of one model on independent rows: Wilson's score interval (Wilson 1927).
- accuracy and recall of two models that disagree on fewer than 25 rows: McNemar's **exact** conditional interval
  (Clopper and Pearson 1934 on the discordant rows), no shorter than Tango's score interval (Tango 1998): a bootstrap
  of so few disagreements "proves" whatever they happen to say.

Above ``EXACT_ROWS`` the AUC is replaced by its linear part and rows are resampled in random buckets; both differ from
the plain bootstrap by terms of order 1/n. Results depend on the seed alone, and are rounded to 12 digits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from automl_retraining.core.intervals import (
    Estimate,
    further,
    interval,
    logit,
    mcnemar,
    normal,
    perfect,
    studentised,
    symmetric,
    tidy,
    wilson,
)
from automl_retraining.core.metric_table import FEW_DISCORDANT, MetricSpec
from automl_retraining.core.metrics import (
    VALUES,
    Answers,
    Floats,
    Task,
    auc_of_weights,
    undefined_reason,
    value_of_sums,
)
from automl_retraining.core.records import Interval, MetricResult
from automl_retraining.core.resampling import EXACT_ROWS, Resampling, Settings, Units

STUDENTISED: dict[str, tuple[int, ...]] = {
    "rmse": (0, 2),
    "mae": (0, 1),
    "mape": (0, 3),
    "r2": (0, 2, 4, 5),
    "log_loss": (0, 1),
}
"""Metrics with a studentised interval, and the columns (of their row columns) that they are made of."""
STRATIFIED = frozenset({"roc_auc", "roc_auc_ovr", "balanced_accuracy", "recall", "recall_macro"})


class Comparison:
    """All that the metrics need of some models on the same rows; computed once, on first use."""

    def __init__(
        self,
        models: Mapping[str, Answers],
        task: Task,
        units: Units,
        settings: Settings,
        metrics: Sequence[MetricSpec],
        stream: int = 0,
    ) -> None:
        """``models``: answers by the model's role, all on the same rows. ``metrics``: those asked for."""
        self.models, self.task, self.units, self.settings = models, task, units, settings
        self.metrics = {spec.name: spec for spec in metrics}
        self.truth = next(iter(models.values())).truth
        by_class = units.kind == "row" and task.problem_type != "Regression"
        classes = self.truth.astype(np.int64) if by_class else None
        self.plain = Resampling(units, None, settings, 2 * stream)
        self.stratified = Resampling(units, classes, settings, 2 * stream + 1) if by_class else self.plain
        self._undefined: dict[tuple[str, str], str | None] = {}
        self._columns: dict[tuple[object, str, int], Floats] = {}

    def undefined(self, spec: MetricSpec, role: str) -> str | None:
        """Why this model has no value of the metric, or None where it has one."""
        key = spec.name, role
        if key not in self._undefined:
            who = f"the {role}"
            reason = undefined_reason(spec, self.models[role], self.task, who)
            if reason is None and not np.isfinite(self._value(spec, role)):
                reason = f"{who}'s value is not finite on these rows"
            self._undefined[key] = reason
        return self._undefined[key]

    def resampling_of(self, name: str) -> Resampling:
        """The resampling that this metric is judged on."""
        return self.stratified if name in STRATIFIED else self.plain

    def columns(self, name: str, role: str) -> Floats:
        """Unit columns of a metric and a role, shared between the metrics that are made of the same columns."""
        resampling, make = self.resampling_of(name), VALUES[name][0]
        key = make, role, resampling.stream
        if key not in self._columns:
            self._columns[key] = resampling.by_unit(make(self.models[role], self.task), len(self.truth))
        return self._columns[key]

    @cached_property
    def draws(self) -> dict[tuple[str, ...], Floats]:
        """Per (metric, role) the sums of each resample, B × k; per (metric, role, "auc") its exact AUC, B long;
        per (metric, role, role) the sums of products of a studentised metric's columns."""
        collected: dict[tuple[str, ...], Floats] = {}
        defined = [
            (name, role)
            for name, spec in self.metrics.items()
            for role in self.models
            if self.undefined(spec, role) is None
        ]
        for resampling in {id(one): one for one in (self.plain, self.stratified)}.values():
            sums: dict[tuple[str, ...], Floats] = {}
            exact: list[tuple[str, str]] = []
            for name, role in defined:
                if self.resampling_of(name) is not resampling:
                    continue
                if name.startswith("roc_auc") and len(self.truth) <= EXACT_ROWS:
                    exact.append((name, role))
                else:
                    sums[name, role] = self.columns(name, role)
                if name in STUDENTISED:
                    for other in {role, "challenger"}:
                        if (name, other) in defined:
                            sums[name, other, role] = _products(*self._studentised_columns(name, other, role))
            collected |= self._draw(resampling, sums, exact)
        return collected

    def _draw(
        self, resampling: Resampling, sums: Mapping[tuple[str, ...], Floats], exact: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, ...], Floats]:
        if not sums and not exact:
            return {}
        distinct = {id(matrix): matrix for matrix in sums.values()}
        wide = np.hstack([np.empty((resampling.count, 0)), *distinct.values()])
        parts: list[Floats] = []
        aucs: dict[tuple[str, str], list[Floats]] = {key: [] for key in exact}
        for weights in resampling.weights():
            parts.append(weights @ wide)
            rows = resampling.row_weights(weights) if exact else weights
            for name, role in exact:
                aucs[name, role].append(auc_of_weights(self.models[role], self.task, rows))
        tall = np.vstack(parts)
        ends = np.cumsum([matrix.shape[1] for matrix in distinct.values()])
        blocks = dict(zip(distinct, np.split(tall, ends[:-1], axis=1), strict=True)) if distinct else {}
        found: dict[tuple[str, ...], Floats] = {key: blocks[id(matrix)] for key, matrix in sums.items()}
        return found | {(*key, "auc"): np.concatenate(values) for key, values in aucs.items()}

    def _studentised_columns(self, name: str, role: str, other: str) -> tuple[Floats, Floats]:
        used = list(STUDENTISED[name])
        return self.columns(name, role)[:, used], self.columns(name, other)[:, used]

    # ------------------------------------------------------------ one metric

    def single(self, spec: MetricSpec, role: str) -> Interval | None:
        """One model's value with its interval; None where it is undefined."""
        if self.undefined(spec, role) is not None:
            return None
        if spec.name in STUDENTISED:
            return self._studentised(spec, role, None).interval
        if self.units.kind == "row" and spec.name in ("accuracy", "precision", "recall"):
            return wilson(*self._trials(spec.name, role), self.settings.confidence)
        value = self._value(spec, role)
        if 0 < value < 1:
            return logit(value, self._drawn(spec, role), self._behind(spec.name), self.settings.confidence)
        return perfect(value, self._fewest, self.settings.tail)

    def pair(self, spec: MetricSpec, role: str, other: str) -> Estimate | None:
        """How much better ``role`` is than ``other``, positive when better; None where either is undefined."""
        if self.undefined(spec, role) is not None or self.undefined(spec, other) is not None:
            return None
        if _same(self.models[role], self.models[other], spec):
            return Estimate(Interval(value=0.0, low=0.0, high=0.0), 1.0, "identical answers")
        if spec.name in STUDENTISED:
            return self._studentised(spec, role, other)
        if self.units.kind == "row" and spec.name in ("accuracy", "recall"):
            better, worse, rows = self._discordant(spec.name, role, other)
            if better + worse < FEW_DISCORDANT:
                return mcnemar(better, worse, rows, self.settings.confidence)
        sign = 1 if spec.greater_is_better else -1
        value = sign * (self._value(spec, role) - self._value(spec, other))
        drawn = sign * (self._drawn(spec, role) - self._drawn(spec, other))
        by_class = len(self.resampling_of(spec.name).strata) > 1
        method = "bootstrap standard error" + (", stratified by class" if by_class else "")
        return normal(value, drawn, self._behind(spec.name), self.settings.confidence, method)

    def _sums(self, spec: MetricSpec, role: str) -> Floats:
        total: Floats = self.columns(spec.name, role).sum(axis=0)
        return total

    def _value(self, spec: MetricSpec, role: str) -> float:
        return float(value_of_sums(spec.name, self._sums(spec, role), self.task))

    def _drawn(self, spec: MetricSpec, role: str) -> Floats:
        exact = self.draws.get((spec.name, role, "auc"))
        return exact if exact is not None else value_of_sums(spec.name, self.draws[spec.name, role], self.task)

    def _studentised(self, spec: MetricSpec, role: str, other: str | None) -> Estimate:
        used = STUDENTISED[spec.name]

        def slopes(sums: Floats, log: bool) -> Floats:
            """Derivatives of the metric by its columns' sums, by complex steps: exact to the last digit."""
            steps = []
            for column in used:
                moved = sums.astype(np.complex128)
                step = 1e-30 * np.maximum(np.abs(sums[..., column]), 1e-30)
                moved[..., column] += 1j * step
                with np.errstate(invalid="ignore", divide="ignore"):
                    value = VALUES[spec.name][1](moved, self.task)  # type: ignore[arg-type]
                    steps.append(np.imag(_to_log(spec, value) if log else value) / step)
            return np.stack(steps, axis=-1)

        def value_and_error(sums: Sequence[Floats], products: Floats) -> tuple[Floats, Floats]:
            with np.errstate(invalid="ignore", divide="ignore"):
                values = [value_of_sums(spec.name, one, self.task) for one in sums]
                picked = np.concatenate([one[..., list(used)] for one in sums], axis=-1)
                if other is None:
                    value, slope = _to_log(spec, values[0]), slopes(sums[0], True)
                else:
                    value = sign * (values[0] - values[1])
                    slope = sign * np.concatenate([slopes(sums[0], False), -slopes(sums[1], False)], axis=-1)
                units = self.plain.count
                spread = products - picked[..., :, None] * picked[..., None, :] / units
                variance = np.einsum("...i,...ij,...j->...", slope, spread, slope) * units / max(units - 1, 1)
                return value, np.sqrt(np.maximum(variance, 0))

        sign = 1 if spec.greater_is_better else -1
        roles = (role,) if other is None else (role, other)
        units = [self.columns(spec.name, one)[:, list(used)] for one in roles]
        wide = np.hstack(units)
        value, error = value_and_error([self._sums(spec, one) for one in roles], wide.T @ wide)
        drawn = [self.draws[spec.name, one] for one in roles]
        values, errors = value_and_error(drawn, self._drawn_products(spec.name, roles))
        estimate = studentised(float(value), float(error), values, errors, self.settings.tail)
        if other is not None:
            plain = self._plain(spec, float(value), float(error), values)
            return further(estimate, plain) if plain else estimate
        ends = sorted(_from_log(spec, end) for end in (estimate.interval.low, estimate.interval.high))
        found = interval(self._value(spec, role), ends[0], ends[1])
        return Estimate(found, estimate.p_negative, estimate.method)

    def _plain(self, spec: MetricSpec, value: float, error: float, drawn: Floats) -> Estimate | None:
        """What the studentised interval of a difference is no shorter than."""
        units, confidence = self.units.count, self.settings.confidence
        if spec.name == "r2":
            # Resampled few rows move its denominator as well, and the bootstrap's standard error is too large.
            return symmetric(value, error, units, confidence, "")
        return normal(value, drawn, units, confidence, "")

    def _drawn_products(self, name: str, roles: tuple[str, ...]) -> Floats:
        size = len(STUDENTISED[name])

        def block(one: str, two: str) -> Floats:
            found: Floats = self.draws[name, one, two].reshape(-1, size, size)
            return found

        if len(roles) == 1:
            return block(roles[0], roles[0])
        one, two = roles
        across = block(one, two)
        return np.block([[block(one, one), across], [across.transpose(0, 2, 1), block(two, two)]])

    def _trials(self, name: str, role: str) -> tuple[int, int]:
        answers = self.models[role]
        right = answers.prediction == answers.truth
        if name == "accuracy":
            asked = np.ones(len(right), bool)
        else:
            asked = (answers.prediction if name == "precision" else answers.truth) == self.task.positive
        return int((right & asked).sum()), int(asked.sum())

    def _discordant(self, name: str, role: str, other: str) -> tuple[int, int, int]:
        asked = self.truth == self.task.positive if name == "recall" else np.ones(len(self.truth), bool)
        one, two = (self.models[model].prediction == self.truth for model in (role, other))
        return int((one & ~two & asked).sum()), int((two & ~one & asked).sum()), int(asked.sum())

    def _behind(self, name: str) -> int:
        """Units whose number makes the quantile Student's: of the smallest class, where each class has its own share.

        The bootstrap's standard error is short by a factor (1 - 1/m) for m rows of a class, and known to m - 1 degrees:
        with 25 positive rows and the normal quantile, the interval of an AUC held it in 92 % of our simulations.
        """
        return self._fewest if len(self.resampling_of(name).strata) > 1 else self.units.count

    @cached_property
    def _fewest(self) -> int:
        """Independent units behind a rate: rows of the smallest class, or groups or blocks."""
        counts = np.bincount(self.truth.astype(np.int64))
        return int(counts[counts > 0].min()) if self.units.kind == "row" else self.units.count

    def result(self, spec: MetricSpec, champion: str | None, baseline: str | None) -> MetricResult:
        """The metric of the challenger, beside the champion's and the baseline's where there are such roles."""
        reasons = [self.undefined(spec, role) for role in ("challenger", champion) if role is not None]
        against = self.pair(spec, "challenger", champion) if champion else None
        against_baseline = self.pair(spec, "challenger", baseline) if baseline else None
        known = baseline is not None and self.undefined(spec, baseline) is None
        mine, its = self.single(spec, "challenger"), self.single(spec, champion) if champion else None
        undefined = next((reason for reason in reasons if reason is not None), None)
        if undefined is None and (mine is None or (champion is not None and against is None)):
            undefined = "too few rows: more than 5 % of the resamples have no value"
        return MetricResult(
            name=spec.name,
            greater_is_better=spec.greater_is_better,
            challenger=mine,
            champion=its,
            baseline=tidy(self._value(spec, baseline)) if known and baseline else None,
            difference=_difference(spec, against),
            against_baseline=_difference(spec, against_baseline),
            undefined=undefined,
            method=against.method if against else None,
        )


def _products(one: Floats, two: Floats) -> Floats:
    """Per unit the products of each column of one with each of the other, flat."""
    return np.asarray((one[:, :, None] * two[:, None, :]).reshape(len(one), -1))


def _same(one: Answers, two: Answers, spec: MetricSpec) -> bool:
    if spec.needs_probabilities:
        assert one.probabilities is not None
        assert two.probabilities is not None
        return bool(np.array_equal(one.probabilities, two.probabilities))
    return bool(np.array_equal(one.prediction, two.prediction))


def _to_log(spec: MetricSpec, value: Floats) -> Floats:
    return np.asarray(np.log(1 - value if spec.name == "r2" else value))


def _from_log(spec: MetricSpec, value: float) -> float:
    with np.errstate(over="ignore"):
        power = float(np.exp(value))
    return 1 - power if spec.name == "r2" else power


def _difference(spec: MetricSpec, improvement: Estimate | None) -> Interval | None:
    """Challenger minus the other, from how much better it is."""
    if improvement is None:
        return None
    found = improvement.interval
    if spec.greater_is_better:
        return found
    return interval(-found.value, -found.high, -found.low)
