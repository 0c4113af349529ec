"""Rules about the progress of a tuning job: when a training job is not worth going on, when the whole job is done."""

from collections.abc import Sequence
from statistics import fmean, median

ENOUGH = 3
"""Training jobs that must have come as far before another is held against them; AWS does not say how many it takes."""
IMPROVEMENT = 0.01
"""A best value that gains less than this share of itself has not improved (API reference, BestObjectiveNotImproving).
"""
CONVERGED_AFTER = 20
"""Training jobs in a row without improvement that count as convergence; AWS's own criteria are not public."""


def is_hopeless(values: Sequence[float], earlier: Sequence[Sequence[float]]) -> bool:
    """Whether a training job that has printed these values is to be stopped. More is better here.

    The median stopping rule: its last value is worse than the median, over the training jobs that ended before, of
    their averages up to the same step (developer guide, "How early stopping works").
    """
    step = len(values)
    averages = [fmean(each[:step]) for each in earlier if len(each) >= step > 0]
    return len(averages) >= ENOUGH and values[-1] < median(averages)


def not_improving(values: Sequence[float]) -> int:
    """How many values there are after the last one that was better than all before it by 1 % or more.

    More is better here; the values are those of ended training jobs, in the order of their end.
    """
    best: float | None = None
    since = 0
    for value in values:
        if best is None or (value > best and value - best >= IMPROVEMENT * abs(best)):
            best, since = value, 0
        else:
            since += 1
    return since
