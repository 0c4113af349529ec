"""Calibration and drift: free of what sampling noise adds, with intervals that hold what they say."""

from __future__ import annotations

import numpy as np
import pytest

from automl_retraining.core.measures import calibration, prediction_drift
from automl_retraining.core.metrics import Answers, Floats
from automl_retraining.core.records import Interval, Measure
from automl_retraining.core.resampling import Units, units_by_row
from tests.support.evidence import BINARY, MULTICLASS, REGRESSION, multiclass


def _stated(rng: np.random.Generator, rows: int, shift: float = 0.0) -> Answers:
    """Probabilities that are too far from one half by ``shift`` on each side; truthful without."""
    share = rng.choice([0.2, 0.3, 0.6, 0.7], rows)
    truth = (rng.random(rows) < share).astype(np.int64)
    stated = share + shift * np.where(share > 0.5, 1, -1)
    return Answers(truth, (stated > 0.5).astype(np.int64), np.column_stack([1 - stated, stated]))


def _ends(measure: Measure) -> Interval:
    assert measure.interval is not None
    return measure.interval


@pytest.mark.parametrize("rows", [200, 2000])
def test_noise_alone_shows_no_calibration_error_more_often_than_it_may(rows: int) -> None:
    """Of 400 truthful models 2.5 % are expected to look otherwise; 5 % would be five standard errors away."""
    rng = np.random.default_rng(1)
    found = [_ends(calibration(_stated(rng, rows), BINARY, units_by_row(rows), 0.95)) for _ in range(400)]
    assert sum(one.low > 0 for one in found) <= 20
    # The plain root mean square of ten bins' errors would be about .1 at 200 rows.
    assert np.mean([one.value for one in found]) < 0.5 / np.sqrt(rows)


@pytest.mark.parametrize("rows", [500, 5000])
def test_the_interval_holds_the_true_calibration_error(rows: int) -> None:
    """Every stated share is .1 off."""
    rng = np.random.default_rng(2)
    found = [_ends(calibration(_stated(rng, rows, 0.1), BINARY, units_by_row(rows), 0.95)) for _ in range(300)]
    held = np.mean([one.low <= 0.1 <= one.high for one in found])
    assert 0.91 <= held <= 0.985
    assert np.median([one.value for one in found]) == pytest.approx(0.1, abs=0.01)


def test_of_more_classes_the_predicted_ones_probability_is_judged() -> None:
    rng = np.random.default_rng(0)
    honest = multiclass(rng, 20_000)
    assert _ends(calibration(honest, MULTICLASS, units_by_row(20_000), 0.95)).high < 0.2
    assert honest.probabilities is not None
    sure = Answers(honest.truth, honest.prediction, np.eye(3)[honest.prediction])
    wrong = float((honest.truth != honest.prediction).mean())
    assert _ends(calibration(sure, MULTICLASS, units_by_row(20_000), 0.95)).value == pytest.approx(wrong, abs=0.01)


def test_rows_of_one_group_count_as_one_for_the_interval() -> None:
    """Ten copies of each row are no further evidence."""
    answers = _stated(np.random.default_rng(0), 300, 0.1)
    once = _ends(calibration(answers, BINARY, units_by_row(300), 0.95))
    copies = answers.take(np.repeat(np.arange(300), 10))
    grouped = _ends(calibration(copies, BINARY, Units("group", 300, np.repeat(np.arange(300), 10)), 0.95))
    plain = _ends(calibration(copies, BINARY, units_by_row(3000), 0.95))
    assert (grouped.low, grouped.high) == pytest.approx((once.low, once.high), abs=0.005)
    assert plain.high - plain.low < 0.6 * (once.high - once.low)


def test_models_without_probabilities_have_no_calibration_and_say_so() -> None:
    answers = _stated(np.random.default_rng(0), 50)
    plain = Answers(answers.truth, answers.prediction)
    assert calibration(plain, BINARY, units_by_row(50), 0.95).undefined == "the challenger answers no probabilities"
    nothing = answers.take(np.arange(0))
    assert calibration(nothing, BINARY, units_by_row(0), 0.95).undefined == "no test rows are left"
    assert prediction_drift(nothing, nothing, BINARY, units_by_row(0), 0.95).interval is None


def _pair(rng: np.random.Generator, rows: int, shift: float) -> tuple[Answers, Answers]:
    shared = rng.normal(size=rows)
    one, other = (0.8 * shared + 0.6 * rng.normal(size=rows) for _ in range(2))
    return Answers(shared, one + shift), Answers(shared, other)


def test_equal_distributions_drift_no_more_often_than_they_may() -> None:
    rng = np.random.default_rng(3)
    found = [_ends(prediction_drift(*_pair(rng, 500, 0.0), REGRESSION, units_by_row(500), 0.95)) for _ in range(400)]
    assert sum(one.low > 0 for one in found) <= 20
    assert np.mean([one.value for one in found]) < 0.02


def test_the_drift_of_shifted_predictions_is_their_stability_index() -> None:
    """Of two normal distributions half a standard deviation apart, Jeffreys's divergence is .25, of bins a bit less."""
    challenger, champion = _pair(np.random.default_rng(4), 200_000, 0.5)
    found = _ends(prediction_drift(challenger, champion, REGRESSION, units_by_row(200_000), 0.95))
    assert 0.22 < found.low < found.value < found.high < 0.25
    edges = np.quantile(np.concatenate([challenger.prediction, champion.prediction]), np.arange(1, 10) / 10)

    def shares(values: Floats) -> Floats:
        return np.bincount(np.searchsorted(edges, values), minlength=10) / len(values)

    p, q = shares(np.asarray(challenger.prediction)), shares(np.asarray(champion.prediction))
    assert found.value == pytest.approx(float(((p - q) * np.log(p / q)).sum()), rel=0.01)


def test_a_model_that_stops_saying_yes_has_drifted_without_limit_being_infinite() -> None:
    champion = _stated(np.random.default_rng(0), 1000)
    never = np.zeros(1000, np.int64)
    said, says = (Answers(champion.truth, prediction) for prediction in (never, champion.prediction))
    assert 1 < _ends(prediction_drift(said, says, BINARY, units_by_row(1000), 0.95)).low < 100
    constant = Answers(champion.truth, never, np.tile([0.9, 0.1], (1000, 1)))
    assert _ends(prediction_drift(constant, champion, BINARY, units_by_row(1000), 0.95)).low > 1


def test_the_very_same_predictions_do_not_drift() -> None:
    answers = _stated(np.random.default_rng(0), 300)
    assert _ends(prediction_drift(answers, answers, BINARY, units_by_row(300), 0.95)) == Interval(
        value=0, low=0, high=0
    )
