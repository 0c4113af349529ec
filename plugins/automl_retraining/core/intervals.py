"""Interval formulas, each with its source. Pure functions of numbers and of bootstrap draws."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from automl_retraining.core.metrics import Floats
from automl_retraining.core.records import Interval

MOST_UNDEFINED = 0.05
"""Share of resamples without a value above which there is no interval."""

_NORMAL = NormalDist()


@dataclass(frozen=True)
class Estimate:
    """A value with its interval, the one-sided p of "it is truly 0 or more", and how they were computed."""

    interval: Interval
    p_negative: float
    method: str


def tidy(value: float) -> float:
    """Round to 12 significant digits, so that results do not hang on the order in which a processor adds."""
    return float(f"{value:.12g}") + 0.0


def interval(value: float, low: float, high: float) -> Interval:
    """An interval of tidy numbers whose ends never cross its value."""
    return Interval(value=tidy(value), low=tidy(min(low, value)), high=tidy(max(high, value)))


def normal(value: float, drawn: Floats, units: int, confidence: float, method: str) -> Estimate | None:
    """Value ± quantile × standard error of the resamples (Davison and Hinkley 1997, chapter 5), for a difference.

    A paired difference is symmetric where it matters, around zero, and there the bootstrap's percentiles and BCa reject
    too often, BCa up to three times as often as it may among equal models (docs/gate.md).

    Args:
        value: the statistic on the rows themselves.
        drawn: the statistic on each resample; NaN where it has none.
        units: number of units resampled: few make the quantile Student's.

    Returns:
        None where more than 5 % of the resamples have no value.
    """
    error = _standard_error(drawn, units)
    return None if error is None else symmetric(value, error, units, confidence, method)


def symmetric(value: float, error: float, units: int, confidence: float, method: str) -> Estimate:
    """Value ± Student's quantile for so many units × that standard error, for a difference."""
    quantile = student_quantile((1 + confidence) / 2, units - 1)
    if error <= 1e-12 * max(abs(value), 1.0):
        return Estimate(interval(value, value, value), float(value >= 0), method)
    p_negative = _NORMAL.cdf(value / error * _NORMAL.inv_cdf((1 + confidence) / 2) / quantile)
    half = quantile * error
    return Estimate(interval(value, value - half, value + half), tidy(p_negative), method)


def logit(value: float, drawn: Floats, units: int, confidence: float) -> Interval | None:
    """The normal interval on the scale log(v / (1 - v)), for a value strictly between 0 and 1 (Pepe 2003).

    Returns:
        None where more than 5 % of the resamples have no value.
    """
    error = _standard_error(drawn, units)
    if error is None:
        return None
    if units < 2:
        return interval(value, 0.0, 1.0)  # a single unit does not say how much units differ
    half = student_quantile((1 + confidence) / 2, units - 1) * error / (value * (1 - value))
    half = min(half, 600.0)  # beyond it the ends are 0 and 1 in any case, and exp has no more numbers
    middle = math.log(value / (1 - value))
    return interval(value, 1 / (1 + math.exp(half - middle)), 1 / (1 + math.exp(-half - middle)))


def perfect(value: float, trials: int, tail: float) -> Interval:
    """A perfect (1) or hopeless (0) score: what so many answers that all agree exclude (Clopper and Pearson 1934)."""
    least, most = tail ** (1 / trials), 1 - tail ** (1 / trials)
    return interval(value, least, 1.0) if value >= 1 else interval(value, 0.0, most)


def student_quantile(level: float, degrees: int) -> float:
    """Quantile of Student's t by its expansion around the normal one (Abramowitz and Stegun 26.7.5)."""
    z = _NORMAL.inv_cdf(level)
    if degrees < 1:
        return math.inf
    terms = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + math.fsum(term / float(degrees) ** power for power, term in enumerate(terms, start=1))


def _standard_error(drawn: Floats, units: int) -> float | None:
    kept = drawn[np.isfinite(drawn)]
    if len(kept) < (1 - MOST_UNDEFINED) * len(drawn) or len(kept) < 2:
        return None
    return float(kept.std(ddof=1)) * math.sqrt(units / max(units - 1, 1))


def studentised(value: float, error: float, drawn: Floats, errors: Floats, tail: float) -> Estimate:
    """Bootstrap-t interval (Davison and Hinkley 1997, Bootstrap Methods and their Application, chapter 5).

    Args:
        value, error: the statistic on the rows themselves and its standard error.
        drawn, errors: both on each resample.
    """
    method = "studentised bootstrap"
    if not error > 0:
        return Estimate(interval(value, value, value), 1.0 if value >= 0 else 0.0, method)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = (drawn - value) / errors
    ratios = np.sort(ratios[~np.isnan(ratios)])
    if not len(ratios):
        return Estimate(Interval(value=tidy(value), low=-math.inf, high=math.inf), 0.5, method)
    # Order statistics, not interpolated: an infinite ratio (a resample of equal rows) must not spread.
    rank = min(max(round((len(ratios) + 1) * tail), 1), len(ratios))
    low, high = value - float(ratios[-rank]) * error, value - float(ratios[rank - 1]) * error
    p_negative = (1 + np.count_nonzero(ratios <= value / error)) / (1 + len(ratios))
    return Estimate(interval(value, low, high), tidy(float(p_negative)), method)


def further(one: Estimate, other: Estimate) -> Estimate:
    """The first estimate with the further end of the two on each side, and the larger p."""
    low, high = min(one.interval.low, other.interval.low), max(one.interval.high, other.interval.high)
    return Estimate(interval(one.interval.value, low, high), max(one.p_negative, other.p_negative), one.method)


def wilson(hits: int, trials: int, confidence: float) -> Interval:
    """Score interval of a share of independent trials (Wilson 1927)."""
    z = _NORMAL.inv_cdf((1 + confidence) / 2)
    share = hits / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / (1 + z * z / trials)
    return interval(share, middle - half if hits else 0.0, middle + half if hits < trials else 1.0)


def mcnemar(better: int, worse: int, rows: int, confidence: float) -> Estimate:
    """Difference of two shares of right answers on the same rows, from the few rows where exactly one model is right.

    Exact given the number of such rows (McNemar 1947 with the interval of Clopper and Pearson 1934), and no shorter
    than Tango's unconditional score interval (Tango 1998), as five disagreements do not make two models equal.
    """
    tail, discordant = (1 - confidence) / 2, better + worse
    least, most = clopper_pearson(better, discordant, tail)
    score_low, score_high = _tango(better, worse, rows, confidence)
    low = min((2 * least - 1) * discordant / rows, score_low)
    high = max((2 * most - 1) * discordant / rows, score_high)
    p_negative = _binomial_at_most(better, discordant, 0.5)
    return Estimate(interval((better - worse) / rows, low, high), tidy(p_negative), "exact (McNemar)")


def clopper_pearson(hits: int, trials: int, tail: float) -> tuple[float, float]:
    """Ends of the exact interval of a share, for few trials (Clopper and Pearson 1934)."""
    low = _root(lambda p: 1 - _binomial_at_most(hits - 1, trials, p) - tail, 0.0, 1.0) if hits else 0.0
    high = _root(lambda p: tail - _binomial_at_most(hits, trials, p), 0.0, 1.0) if hits < trials else 1.0
    return low, high


def _binomial_at_most(hits: int, trials: int, share: float) -> float:
    terms = (math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(hits + 1))
    return min(math.fsum(terms), 1.0)


def _tango(better: int, worse: int, rows: int, confidence: float) -> tuple[float, float]:
    """Score interval of a paired difference (Tango 1998, Statistics in Medicine 17, 891–908)."""
    z = _NORMAL.inv_cdf((1 + confidence) / 2)

    def score(delta: float) -> float:
        linear = -better - worse + (2 * rows - better + worse) * delta
        constant = -worse * delta * (1 - delta)
        rest = (math.sqrt(max(linear**2 - 8 * rows * constant, 0.0)) - linear) / (4 * rows)
        variance = rows * (2 * rest + delta * (1 - delta))
        top = better - worse - rows * delta
        return top / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, top) if top else 0.0

    value = (better - worse) / rows
    low = _root(lambda delta: z - score(delta), -1.0, value)
    high = _root(lambda delta: -z - score(delta), value, 1.0)
    return low, high


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function crosses zero, by bisection to the last digits that doubles hold."""
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2
