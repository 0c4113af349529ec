"""A small, fixed share of the simulations of docs/gate-evidence.md."""

from __future__ import annotations

import pytest
from scipy import stats

from benchmarks import reference_tests
from benchmarks.gate_simulation import Job, run
from benchmarks.simulated_models import FAMILIES
from benchmarks.year_of_gates import MARGIN, MODES, QUALITY, year

NORMAL, HEAVY, BALANCED, RARE, THREE = range(len(FAMILIES))
TABLES = 80
TOO_MANY = int(stats.binom.isf(0.001, TABLES, 0.025))
"""One in a thousand seeds has more false promotions than this, where 2.5 % are allowed."""


def _job(family: int, rows: int, better: bool = False, last: int = TABLES) -> Job:
    names = dict.fromkeys(("rmse", "mae", "r2", "mape", "roc_auc", "roc_auc_ovr", "log_loss", "accuracy"), (0.0, 0.0))
    names |= dict.fromkeys(("balanced_accuracy", "f1", "f1_macro", "f1_weighted", "precision", "recall"), (0.0, 0.0))
    names |= dict.fromkeys(("precision_macro", "recall_macro"), (0.0, 0.0))
    return Job(family, rows, better, 0, last, seed=3, resamples=200, truths=names)


@pytest.mark.parametrize(("family", "rows"), [(HEAVY, 50), (HEAVY, 250), (RARE, 600), (THREE, 50)])
def test_equal_models_are_promoted_no_more_often_than_the_confidence_allows(family: int, rows: int) -> None:
    _, tally = run(_job(family, rows))
    promoted = {name: count for (name, what), count in tally.items() if what == "promote"}
    assert max(promoted.values(), default=0) <= TOO_MANY, promoted


@pytest.mark.parametrize("family", [NORMAL, BALANCED])
def test_the_interval_of_a_difference_holds_the_truth_about_as_often_as_it_says(family: int) -> None:
    _, tally = run(_job(family, 250))
    for name in {name for name, _ in tally}:
        what = "difference, enough"
        # Half of these rows are positive: few of them are discordant, of which recall's interval is the exact one.
        assert tally[name, what] > (0 if name == "recall" else 0.9 * TABLES)
        missed = tally[name, f"{what}: below"] + tally[name, f"{what}: above"]
        assert missed <= stats.binom.isf(0.001, TABLES, 0.05), name


def test_a_better_model_is_found_about_as_often_as_by_the_textbooks_tests() -> None:
    """The exact McNemar test is more cautious; two numbers beside each other "find" half of all equal models, too."""
    for family, names in ((NORMAL, ("mae", "rmse")), (BALANCED, ("accuracy", "log_loss", "roc_auc"))):
        _, tally = run(_job(family, 400, better=True, last=40))
        for name in names:
            assert -5 <= tally[name, "promote"] - tally[name, "reference"] <= 8, name
            assert tally[name, "plain"] >= tally[name, "promote"] > 4, name


def test_the_tables_do_not_hang_on_how_they_are_cut_into_jobs() -> None:
    whole = run(_job(BALANCED, 60, last=8))[1]
    first = run(_job(BALANCED, 60, last=5))[1]
    rest = Job(**{**_job(BALANCED, 60).__dict__, "first": 5, "last": 8})
    first.update(run(rest)[1])
    assert first == whole


def test_a_year_of_not_much_worse_ends_within_the_margin_of_the_reference() -> None:
    """Challengers lose 0.026 a year: without the reference, which stays, the champion goes down with them."""
    alone, held = (year(mode, (3,), -0.0005).last for mode in MODES[1:])
    assert alone < QUALITY - 2 * MARGIN
    assert held > QUALITY - MARGIN


def test_the_reference_tests_are_scipys() -> None:
    import numpy as np

    pair = FAMILIES[BALANCED].draw(np.random.default_rng(0), 300, True)
    one, two = pair["challenger"], pair["champion"]
    right = [answers.prediction == answers.truth for answers in (one, two)]
    better, worse = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    expected = stats.binomtest(better, better + worse, alternative="greater").pvalue
    assert reference_tests.mcnemar(one, two) == pytest.approx(expected)
    assert 0 < reference_tests.delong(one, two) < 0.5
    assert reference_tests.delong(one, two) == pytest.approx(1 - reference_tests.delong(two, one))
