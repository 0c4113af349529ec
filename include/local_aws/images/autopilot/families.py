"""Model families: how each algorithm is fitted, its starting hyperparameters and the space that Optuna searches.

Every fit is single-threaded and seeded, so that the same request gives the same model; the search runs several fits
at once instead. ``nn-torch`` is scikit-learn's multi-layer perceptron. ``catboost`` and ``fastai`` are
Autopilot's too, but not available here: ``FAMILIES`` does not have them, and a search that asks for them says so.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import optuna
import xgboost
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor

from include.local_aws.images.autopilot import spaces
from include.local_aws.images.autopilot.features import Matrix
from include.local_aws.images.autopilot.spaces import Parameters

Floats = NDArray[np.float64]

_MAX_ROUNDS = 2000
_PATIENCE = 40
_TREES_AT_ONCE = 25
_TREES_AT_ONCE_CELLS = 10_000_000
"""Trees times cells of the table between two looks at the clock."""
_FOREST_LEAVES = 4000
"""Leaves of a tree, about, at most: a forest of 200 trees then stays near 100 MB, whatever the table."""
_SOLVER_ROUNDS = 300
_SOLVER_ROWS = 4_000_000
"""Of the full-batch solver, which can't be stopped in time: rounds times rows."""


@dataclass(frozen=True)
class Fit:
    """What a fit works on. ``classes`` is 0 for regression; the held-out rows stop boosting when they no longer
    gain.
    """

    x: Matrix
    y: Floats
    weight: Floats
    x_held_out: Matrix
    y_held_out: Floats
    weight_held_out: Floats
    classes: int
    categorical: tuple[int, ...]
    seed: int
    deadline: float
    """Time (``time.monotonic``) after which boosting, forests and the stochastic solver stop with what they have."""


@dataclass
class Model:
    """A fitted model: class probabilities of shape (rows, classes), or numbers of shape (rows,)."""

    algorithm: str
    estimator: Any
    classes: int
    offset: float = 0.0
    scale: float = 1.0

    def predict(self, x: Matrix) -> Floats:
        """Predict for features of shape (rows, width)."""
        if isinstance(self.estimator, lightgbm.Booster):
            raw = self.estimator.predict(x, num_threads=1)
        elif isinstance(self.estimator, xgboost.Booster):
            raw = self.estimator.inplace_predict(x, iteration_range=_best_rounds(self.estimator))
        elif self.classes:
            raw = self.estimator.predict_proba(x)
        else:
            raw = self.estimator.predict(x)
        values = np.asarray(raw, dtype=np.float64)
        if self.classes == 0:
            return np.asarray(values * self.scale + self.offset)
        if values.ndim == 1:
            values = np.column_stack([1 - values, values])
        return np.asarray(values / values.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Family:
    """One algorithm. ``recipe`` is the feature pipeline that suits it, ``start`` the point of ``space`` tried first."""

    algorithm: str
    title: str
    recipe: str
    fit: Callable[[Fit, Parameters], Model]
    start: Parameters
    space: Callable[[optuna.Trial], dict[str, Any]]
    out_of_bag: bool = False
    """Scored on the rows that each tree left out, so that one fit stands for all folds."""


def _best_rounds(booster: Any) -> tuple[int, int]:
    best = booster.attr("best_iteration")
    return (0, 0 if best is None else int(best) + 1)


def _fit_lightgbm(data: Fit, parameters: Parameters) -> Model:
    objective = {0: "regression", 2: "binary"}.get(data.classes, "multiclass")
    settings = {
        "objective": objective,
        "metric": {"regression": "l2", "binary": "binary_logloss", "multiclass": "multi_logloss"}[objective],
        "num_threads": 1,
        "seed": data.seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
        "feature_pre_filter": False,
        **({"num_class": data.classes} if objective == "multiclass" else {}),
        **{name: value for name, value in parameters.items() if name != "categories"},
    }
    native = list(data.categorical) if parameters["categories"] == "native" else []
    train = lightgbm.Dataset(data.x, data.y, weight=data.weight, categorical_feature=native, free_raw_data=False)
    held_out = lightgbm.Dataset(data.x_held_out, data.y_held_out, weight=data.weight_held_out, reference=train)

    def stop_in_time(state: Any) -> None:
        if time.monotonic() > data.deadline:
            raise lightgbm.callback.EarlyStopException(state.iteration, state.evaluation_result_list)

    booster = lightgbm.train(
        settings,
        train,
        num_boost_round=_MAX_ROUNDS,
        valid_sets=[held_out],
        callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False), stop_in_time],
    )
    # Keep what serving needs, without the training data.
    kept = lightgbm.Booster(model_str=booster.model_to_string(num_iteration=booster.best_iteration))
    return Model("lightgbm", kept, data.classes)


class _StopInTime(xgboost.callback.TrainingCallback):  # type: ignore[misc]  # xgboost ships no types
    def __init__(self, deadline: float) -> None:
        super().__init__()
        self._deadline = deadline

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002  # xgboost's signature
        return time.monotonic() > self._deadline


def _fit_xgboost(data: Fit, parameters: Parameters) -> Model:
    objective = {0: "reg:squarederror", 2: "binary:logistic"}.get(data.classes, "multi:softprob")
    settings = {
        "objective": objective,
        "nthread": 1,
        "seed": data.seed,
        "tree_method": "hist",
        "verbosity": 0,
        **({"num_class": data.classes} if data.classes > 2 else {}),
        **parameters,
    }
    train = xgboost.DMatrix(data.x, data.y, weight=data.weight, nthread=1)
    held_out = xgboost.DMatrix(data.x_held_out, data.y_held_out, weight=data.weight_held_out, nthread=1)
    booster = xgboost.train(
        settings,
        train,
        num_boost_round=_MAX_ROUNDS,
        evals=[(held_out, "validation")],
        early_stopping_rounds=_PATIENCE,
        callbacks=[_StopInTime(data.deadline)],
        verbose_eval=False,
    )
    return Model("xgboost", booster, data.classes)


def _forest(algorithm: str, classifier: type[Any], regressor: type[Any]) -> Callable[[Fit, Parameters], Model]:
    def fit(data: Fit, parameters: Parameters) -> Model:
        wanted = parameters["n_estimators"]
        out_of_bag = len(data.x_held_out) == 0
        at_once = max(1, min(_TREES_AT_ONCE, _TREES_AT_ONCE_CELLS // max(1, data.x.size)))
        settings = {
            **parameters,
            "min_samples_leaf": max(parameters["min_samples_leaf"], len(data.y) // _FOREST_LEAVES),
            "n_estimators": 0,
        }
        kind = classifier if data.classes else regressor
        estimator = kind(bootstrap=True, warm_start=True, random_state=data.seed, n_jobs=1, **settings)
        y = data.y.astype(np.int64) if data.classes else data.y
        with warnings.catch_warnings():
            # Rows that no tree left out get no out-of-bag score; `fitting` gives them the average one.
            warnings.filterwarnings("ignore", message="Some inputs do not have OOB scores")
            while estimator.n_estimators < wanted:
                estimator.n_estimators = min(wanted, estimator.n_estimators + at_once)
                last = estimator.n_estimators == wanted or time.monotonic() > data.deadline
                estimator.set_params(oob_score=out_of_bag and last)
                estimator.fit(data.x, y, sample_weight=data.weight)
                if last:
                    break
        return Model(algorithm, estimator, data.classes)

    return fit


def _fit_linear(data: Fit, parameters: Parameters) -> Model:
    if data.classes:
        estimator = LogisticRegression(C=1 / parameters["l2"], max_iter=300, random_state=data.seed)
        _fit_quietly(estimator, data.x, data.y.astype(np.int64), data.weight)
        return Model("linear-learner", estimator, data.classes)
    offset, scale = _standard(data)
    estimator = Ridge(alpha=parameters["l2"], random_state=data.seed)
    estimator.fit(data.x, (data.y - offset) / scale, sample_weight=data.weight)
    return Model("linear-learner", estimator, 0, offset, scale)


def _fit_perceptron(data: Fit, parameters: Parameters) -> Model:
    settings = {
        "hidden_layer_sizes": (parameters["units"],) * parameters["layers"],
        "alpha": parameters["alpha"],
        "learning_rate_init": parameters["learning_rate"],
        "batch_size": min(parameters["batch_size"], len(data.y)),
    }
    offset, scale = (0.0, 1.0) if data.classes else _standard(data)
    y = data.y.astype(np.int64) if data.classes else (data.y - offset) / scale
    kind = MLPClassifier if data.classes else MLPRegressor
    if parameters["solver"] == "lbfgs":
        rounds = max(1, min(_SOLVER_ROUNDS, _SOLVER_ROWS // len(y)))
        estimator = kind(solver="lbfgs", max_iter=rounds, random_state=data.seed, **settings)
        _fit_quietly(estimator, data.x, y, data.weight)
    else:
        # One generator for all epochs: from a seed every epoch would have the same order of rows.
        estimator = kind(random_state=np.random.RandomState(data.seed), **settings)
        classes = {"classes": np.arange(data.classes)} if data.classes else {}
        for _ in range(parameters["epochs"]):
            estimator.partial_fit(data.x, y, sample_weight=data.weight, **classes)
            if time.monotonic() > data.deadline:
                break
    return Model("nn-torch", estimator, data.classes, offset, scale)


def _fit_quietly(estimator: Any, x: Matrix, y: NDArray[Any], weight: Floats) -> None:
    with warnings.catch_warnings():
        # The number of iterations is a hyperparameter here: reaching it is not a fault.
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(x, y, sample_weight=weight)


def _standard(data: Fit) -> tuple[float, float]:
    offset = float(np.average(data.y, weights=data.weight))
    return offset, float(np.sqrt(np.average((data.y - offset) ** 2, weights=data.weight))) or 1.0


FAMILIES: Mapping[str, Family] = {
    family.algorithm: family
    for family in (
        Family("lightgbm", "LightGBM", "ordinal", _fit_lightgbm, spaces.LIGHTGBM_START, spaces.lightgbm),
        Family("xgboost", "XGBoost", "ordinal", _fit_xgboost, spaces.XGBOOST_START, spaces.xgboost),
        Family(
            "extra-trees",
            "ExtraTrees",
            "ordinal",
            _forest("extra-trees", ExtraTreesClassifier, ExtraTreesRegressor),
            spaces.EXTRA_TREES_START,
            spaces.forest,
            out_of_bag=True,
        ),
        Family(
            "randomforest",
            "RandomForest",
            "ordinal",
            _forest("randomforest", RandomForestClassifier, RandomForestRegressor),
            spaces.FOREST_START,
            spaces.forest,
            out_of_bag=True,
        ),
        Family("nn-torch", "NeuralNet", "quantile", _fit_perceptron, spaces.PERCEPTRON_START, spaces.perceptron),
        Family("linear-learner", "LinearModel", "one-hot", _fit_linear, spaces.LINEAR_START, spaces.linear),
    )
}
