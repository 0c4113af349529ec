"""The textbook's paired tests that the gate's power is held against; one-sided p of "the challenger is no better"."""

from __future__ import annotations

import numpy as np
from scipy import stats

from automl_retraining.core.metrics import Answers, Floats


def delong(challenger: Answers, champion: Answers) -> float:
    """Two AUCs on the same rows (DeLong, DeLong and Clarke-Pearson 1988), by placements."""
    positive = challenger.truth == 1
    among_positive, among_negative = [], []
    for answers in (challenger, champion):
        assert answers.probabilities is not None
        score = answers.probabilities[:, 1]
        among_positive.append(_share_below(score[positive], score[~positive]))
        among_negative.append(1 - _share_below(score[~positive], score[positive]))
    gains = [one[0] - one[1] for one in (among_positive, among_negative)]
    error = np.sqrt(sum(gain.var(ddof=1) / len(gain) for gain in gains))
    # A perfect ranking by both, or one row of a class: nothing varies, so nothing is shown.
    return float(stats.norm.sf(gains[0].mean() / error)) if error > 0 else 1.0


def mcnemar(challenger: Answers, champion: Answers) -> float:
    """Two accuracies on the same rows: the exact test of the discordant rows (McNemar 1947)."""
    one, two = challenger.prediction == challenger.truth, champion.prediction == champion.truth
    better, worse = int((one & ~two).sum()), int((two & ~one).sum())
    return float(stats.binom.sf(better - 1, better + worse, 0.5)) if better + worse else 1.0


def paired_t(losses: Floats, champions: Floats) -> float:
    """Two mean losses on the same rows: Student's paired t-test."""
    return float(stats.ttest_rel(losses, champions, alternative="less").pvalue)


def _share_below(scores: Floats, others: Floats) -> Floats:
    ordered = np.sort(others)
    below = np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")
    return np.asarray(below / (2.0 * len(ordered)))
