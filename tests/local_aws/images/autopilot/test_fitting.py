"""Folds and fits."""

from __future__ import annotations

import time

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesRegressor

from include.local_aws.images.autopilot import fitting
from include.local_aws.images.autopilot.families import FAMILIES, Fit, Model
from include.local_aws.images.autopilot.studies import Line, Planner
from include.local_aws.images.autopilot.table import Rows


def rows(y: np.ndarray) -> Rows:
    return Rows(pd.DataFrame(index=range(len(y))), y.astype(np.float64), np.ones(len(y)))


@given(counts=st.lists(st.integers(2, 40), min_size=2, max_size=4), seed=st.integers(0, 5))
def test_every_row_is_held_out_once_and_no_fold_lacks_a_class_to_train_on(counts: list[int], seed: int) -> None:
    """Class shares differ by a row at most between the folds."""
    y = np.repeat(np.arange(len(counts)), counts)
    splits = fitting.folds(rows(y), len(counts), 5, seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([split.held_out for split in splits])), np.arange(len(y)))
    for split in splits:
        assert not set(split.train) & set(split.held_out)
        assert set(y[split.train]) == set(range(len(counts)))
    for label, count in enumerate(counts):
        held = [int((y[split.held_out] == label).sum()) for split in splits]
        assert max(held) - min(held) <= 1
        assert sum(held) == count


def test_regression_folds_have_like_targets() -> None:
    """Sorted targets are dealt out."""
    y = np.random.default_rng(0).normal(size=503)
    means = [float(y[split.held_out].mean()) for split in fitting.folds(rows(y), 0, 5, 1)]
    assert max(means) - min(means) < 0.05


@given(counts=st.lists(st.integers(10, 60), min_size=2, max_size=3), fraction=st.floats(0.05, 0.5))
def test_a_held_out_part_has_the_classes_in_their_shares(counts: list[int], fraction: float) -> None:
    """And both parts have every class."""
    y = np.repeat(np.arange(len(counts)), counts)
    split = fitting.holdout(rows(y), len(counts), fraction, seed=3)
    assert len(split.train) + len(split.held_out) == len(y)
    for label, count in enumerate(counts):
        held = int((y[split.held_out] == label).sum())
        assert held == min(max(1, round(fraction * count)), count - 1)


def signal(problem_classes: int) -> tuple[np.ndarray, Rows]:
    random = np.random.default_rng(1)
    x = random.normal(size=(400, 4)).astype(np.float32)
    value = x[:, 0] + 0.5 * x[:, 1] + random.normal(size=400) * 0.3
    if problem_classes == 0:
        return x, rows(10 + 100 * value)
    return x, rows(np.digitize(value, [0.0] if problem_classes == 2 else [-0.5, 0.5]))


@pytest.mark.parametrize("classes", [0, 2, 3])
@pytest.mark.parametrize("algorithm", FAMILIES)
def test_each_family_learns_and_its_models_predict_as_it_scored(algorithm: str, classes: int) -> None:
    """Held-out predictions beat the constant one by far, and a fold's model gives the same again; twice the same."""
    x, data = signal(classes)
    splits = [fitting.holdout(data, classes, 0.25, seed=1)]
    parameters = Planner([Line(algorithm, "ordinal")], seed=1).ask().parameters
    fits = [
        fitting.fit(algorithm, parameters, x, data, splits, classes=classes, categorical=(), seed=1, seconds=60)
        for _ in range(2)
    ]
    predicted, held_out = fits[0].predicted, np.sort(splits[0].held_out)
    np.testing.assert_array_equal(predicted, fits[1].predicted)
    np.testing.assert_array_equal(predicted, fits[0].models[0].predict(x[held_out]))
    y = data.y[held_out]
    if classes == 0:
        assert predicted.shape == (100,)
        assert np.mean((predicted - y) ** 2) < 0.5 * np.var(y)
    else:
        assert predicted.shape == (100, classes)
        np.testing.assert_allclose(predicted.sum(axis=1), 1)
        assert np.mean(predicted.argmax(axis=1) == y) > 0.7


def test_a_bag_averages_a_model_for_each_fold() -> None:
    """Out-of-fold predictions come from the model that has not seen the row."""
    x, data = signal(2)
    splits = fitting.folds(data, 2, 5, seed=1)
    parameters = Planner([Line("xgboost", "ordinal")], seed=1).ask().parameters
    fitted = fitting.fit("xgboost", parameters, x, data, splits, classes=2, categorical=(), seed=1, seconds=60)
    assert len(fitted.models) == 5
    for split, model in zip(splits, fitted.models, strict=True):
        np.testing.assert_array_equal(fitted.predicted[split.held_out], model.predict(x[split.held_out]))


def test_a_fit_that_diverges_is_an_error_not_a_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be compared with the others by a number that is none."""
    x, data = signal(0)
    splits = [fitting.holdout(data, 0, 0.25, seed=1)]
    monkeypatch.setattr(Model, "predict", lambda _, x: np.full(len(x), np.nan))
    with pytest.raises(FloatingPointError, match="the fit diverged"):
        fitting.fit("linear-learner", {"l2": 1.0}, x, data, splits, classes=0, categorical=(), seed=1, seconds=60)


@pytest.mark.parametrize("algorithm", ["lightgbm", "xgboost", "extra-trees", "randomforest", "nn-torch"])
def test_what_grows_stops_when_its_time_is_over(algorithm: str) -> None:
    """With the rounds, trees or epochs that it has by then: a model all the same, and a smaller one."""
    x, data = signal(2)
    splits = fitting.folds(data, 2, 5, seed=1)
    parameters = Planner([Line(algorithm, "ordinal")], seed=1).ask().parameters

    def fit(seconds: float) -> fitting.Fitted:
        return fitting.fit(algorithm, parameters, x, data, splits, classes=2, categorical=(), seed=1, seconds=seconds)

    short, long = fit(0), fit(60)
    assert short.predicted.shape == (400, 2)
    assert short.predicted.std() > 0
    assert grown(short) < grown(long)


def grown(fitted: fitting.Fitted) -> int:
    """Trees of the first model, or rows that it has learned from."""
    estimator = fitted.models[0].estimator
    if isinstance(estimator, lightgbm.Booster):
        return int(estimator.num_trees())
    if isinstance(estimator, xgboost.Booster):
        return int(estimator.num_boosted_rounds())
    return len(estimator.estimators_) if hasattr(estimator, "estimators_") else int(estimator.t_)


def test_a_grown_forest_is_the_one_of_a_single_fit() -> None:
    """Looking at the clock in between changes nothing."""
    x, data = signal(0)
    parameters = {"n_estimators": 60, "min_samples_leaf": 2, "max_features": 0.5}
    nothing = np.zeros(0)
    whole = ExtraTreesRegressor(bootstrap=True, oob_score=True, random_state=7, **parameters)
    whole.fit(x, data.y, sample_weight=data.weight)
    fit = Fit(x, data.y, data.weight, x[:0], nothing, nothing, 0, (), 7, time.monotonic() + 60)
    model = FAMILIES["extra-trees"].fit(fit, parameters)
    np.testing.assert_array_equal(model.predict(x), whole.predict(x))
    np.testing.assert_array_equal(model.estimator.oob_prediction_, whole.oob_prediction_)
