from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from automl_retraining.core.intervals import (
    clopper_pearson,
    logit,
    mcnemar,
    normal,
    perfect,
    student_quantile,
    studentised,
    tidy,
    wilson,
)


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (3, 10), (10, 10), (41, 50)])
def test_wilson_equals_scipys(hits: int, trials: int) -> None:
    expected = stats.binomtest(hits, trials).proportion_ci(0.95, method="wilson")
    found = wilson(hits, trials, 0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(("hits", "trials"), [(0, 7), (3, 10), (24, 24), (12, 20)])
def test_clopper_pearson_equals_scipys(hits: int, trials: int) -> None:
    expected = stats.binomtest(hits, trials).proportion_ci(0.95, method="exact")
    assert clopper_pearson(hits, trials, 0.025) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize("degrees", [9, 19, 199])
def test_the_student_quantile_equals_scipys(degrees: int) -> None:
    assert student_quantile(0.975, degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=1e-3)


def test_mcnemars_verdict_is_that_of_the_exact_test() -> None:
    """The interval excludes zero just when the two-sided binomial test on the discordant rows rejects."""
    for discordant in range(1, 25):
        for better in range(discordant + 1):
            estimate = mcnemar(better, discordant - better, 200, 0.95)
            rejects = stats.binomtest(better, discordant).pvalue <= 0.05
            excludes = estimate.interval.low > 0 or estimate.interval.high < 0
            assert excludes <= rejects, (better, discordant)
            exact = stats.binomtest(better, discordant, alternative="less").pvalue
            assert estimate.p_negative == pytest.approx(exact)
    assert mcnemar(8, 1, 200, 0.95).interval.low > 0


def test_no_disagreement_at_all_does_not_prove_two_models_equal() -> None:
    found = mcnemar(0, 0, 100, 0.95).interval
    z2 = stats.norm.ppf(0.975) ** 2
    assert (found.low, found.high) == pytest.approx((-z2 / (100 + z2), z2 / (100 + z2)), abs=1e-9)


def test_the_interval_of_few_disagreements_is_no_shorter_than_tangos_score_interval() -> None:
    """At each end the score statistic, solved here anew, is at least the normal quantile."""
    found = mcnemar(12, 2, 50, 0.95).interval
    for delta in (found.low, found.high):
        linear = -14 + (100 - 10) * delta
        rest = (math.sqrt(linear**2 + 8 * 50 * 2 * delta * (1 - delta)) - linear) / 200
        score = (10 - 50 * delta) / math.sqrt(50 * (2 * rest + delta * (1 - delta)))
        assert abs(score) >= stats.norm.ppf(0.975) - 1e-6


def test_the_normal_interval_of_a_mean_is_students() -> None:
    rng = np.random.default_rng(0)
    sample = rng.normal(1.0, 2.0, 30)
    drawn = rng.choice(sample, (20_000, 30)).mean(axis=1)
    found = normal(float(sample.mean()), drawn, 30, 0.95, "")
    assert found is not None
    expected = stats.t.interval(0.95, 29, sample.mean(), stats.sem(sample))
    assert (found.interval.low, found.interval.high) == pytest.approx(expected, rel=0.02)
    assert found.p_negative == pytest.approx(1.0, abs=0.02)


def test_a_difference_clearly_below_zero_has_a_small_p() -> None:
    drawn = np.random.default_rng(0).normal(-3.0, 1.0, 4000)
    found = normal(-3.0, drawn, 500, 0.95, "")
    assert found is not None
    assert found.p_negative == pytest.approx(stats.norm.cdf(-3), rel=0.2)


def test_more_than_one_resample_in_twenty_without_a_value_gives_no_interval() -> None:
    drawn = np.random.default_rng(0).normal(size=100)
    drawn[:6] = np.nan
    assert normal(0.0, drawn, 50, 0.95, "") is None
    assert logit(0.5, drawn, 50, 0.95) is None


def test_a_logit_interval_stays_between_zero_and_one() -> None:
    drawn = np.clip(np.random.default_rng(0).normal(0.99, 0.02, 500), 0, 1)
    found = logit(0.99, drawn, 500, 0.95)
    assert found is not None
    assert 0.8 < found.low < 0.99 < found.high < 1


def test_a_perfect_score_on_few_rows_is_not_certain() -> None:
    assert perfect(1.0, 30, 0.025).low == pytest.approx(stats.binomtest(30, 30).proportion_ci(0.95).low)
    assert perfect(0.0, 30, 0.025).high == pytest.approx(stats.binomtest(0, 30).proportion_ci(0.95).high)


def test_the_studentised_interval_of_a_skewed_mean_leans_to_the_long_tail() -> None:
    rng = np.random.default_rng(0)
    sample = rng.exponential(size=60)
    again = rng.choice(sample, (4000, 60))
    error = sample.std() / math.sqrt(60)
    found = studentised(float(sample.mean()), error, again.mean(axis=1), again.std(axis=1) / math.sqrt(60), 0.025)
    assert found.interval.high - found.interval.value > 1.1 * (found.interval.value - found.interval.low)


def test_a_statistic_without_spread_has_an_interval_of_one_point() -> None:
    found = studentised(0.0, 0.0, np.zeros(100), np.zeros(100), 0.025)
    assert (found.interval.low, found.interval.high) == (0.0, 0.0)


def test_tidy_keeps_twelve_digits_and_no_minus_zero() -> None:
    assert tidy(0.1 + 0.2) == 0.3
    assert math.copysign(1, tidy(-0.0)) == 1
