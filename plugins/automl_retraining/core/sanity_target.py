"""Whether a target is of one kind in two sets of rows.

Every test asks for both, an effect of some size and evidence that it is not chance: large tables differ significantly
by nothing, and small ones differ much by chance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from automl_retraining.core.sanity_sample import Floats

SIGNIFICANCE = 0.001
EFFECT = 0.2
"""A small effect (Cohen 1988) of h (shares: 10 % and 17 %, 50 % and 60 %) and of d (means, in deviations)."""
DISTANCE = 0.1
"""Of two distribution functions (Kolmogorov and Smirnov): two normal ones 0.25 deviations apart."""


@dataclass(frozen=True)
class Shift:
    """How far two sets are apart. ``effect`` is in the unit that ``said`` names, ``found`` where it is no chance."""

    effect: float
    limit: float
    p: float
    said: str

    @property
    def found(self) -> bool:
        """Large enough to matter, and not by chance."""
        return self.effect > self.limit and self.p < SIGNIFICANCE


def classes(then: Mapping[str, int], now: Mapping[str, int], where: str, share: float = 1.0) -> Shift | None:
    """The largest difference of a class's share as Cohen's h, and a chi-square test of all shares.

    Args:
        then: rows of each class in one set.
        now: the same in the other.
        where: what the first set is, for the sentence: "in the train part".
        share: independent rows per row, where rows come in groups.

    Returns:
        None where one of the sets is empty.
    """
    from scipy.special import chdtrc

    labels = sorted({*then, *now})
    counts = np.array([[side.get(label, 0) for label in labels] for side in (then, now)], dtype=np.float64)
    rows = counts.sum(axis=1)
    if not rows.all():
        return None
    shares = counts / rows[:, None]
    effects = np.abs(np.diff(2 * np.arcsin(np.sqrt(shares)), axis=0))[0]
    expected = np.outer(rows, counts.sum(axis=0) / counts.sum())
    seen = expected > 0
    chi2 = share * float((np.square(counts - expected)[seen] / expected[seen]).sum())
    worst = int(effects.argmax())
    p = float(chdtrc(max(1, int((counts.sum(axis=0) > 0).sum()) - 1), chi2))
    said = f"class {labels[worst]!r} is {shares[1, worst]:.1%} of the rows, {shares[0, worst]:.1%} {where}"
    return Shift(float(effects[worst]), EFFECT, p, f"{said} (Cohen's h {effects[worst]:.2f}, limit {EFFECT:g})")


def means(then: tuple[float, float, int], now: tuple[float, int], where: str) -> Shift | None:
    """The difference of two means in standard deviations of the earlier set (Cohen's d), and a z test of it.

    Args:
        then: mean, standard deviation and rows.
        now: mean and rows.
        where: what the first set is.

    Returns:
        None where the deviation is 0.
    """
    mean, deviation, rows = then
    if not deviation > 0:
        return None
    effect = abs(now[0] - mean) / deviation
    p = math.erfc(effect / math.sqrt(1 / rows + 1 / now[1]) / math.sqrt(2))
    said = f"its mean is {now[0]:.4g}, {mean:.4g} {where} (Cohen's d {effect:.2f}, limit {EFFECT:g})"
    return Shift(effect, EFFECT, p, said)


def distributions(then: Floats, now: Floats, where: str, share: float = 1.0) -> Shift:
    """The largest distance of two samples' distribution functions, with the asymptotic p of Kolmogorov and Smirnov."""
    from scipy.special import kolmogorov

    both = np.sort(np.concatenate([then, now]))
    apart = [np.searchsorted(np.sort(side), both, side="right") / len(side) for side in (then, now)]
    distance = float(np.abs(apart[0] - apart[1]).max())
    rows = share * len(then) * len(now) / (len(then) + len(now))
    said = (
        f"its median is {np.median(now):.4g}, {np.median(then):.4g} {where} (largest distance of the distribution "
        f"functions {distance:.2f}, limit {DISTANCE:g})"
    )
    return Shift(distance, DISTANCE, float(kolmogorov(distance * math.sqrt(rows))), said)
