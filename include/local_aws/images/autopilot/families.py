"""Model families: how each algorithm is fitted, its starting hyperparameters and the space that Optuna searches.

Every fit is single-threaded and seeded, so that the same request gives the same model; the search runs several fits
at once instead. ``nn-torch`` and ``mlp`` are scikit-learn's multi-layer perceptron. ``catboost`` and ``fastai`` are
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

from include.local_aws.images.autopilot.features import Matrix

Floats = NDArray[np.float64]
Parameters = Mapping[str, Any]

_MAX_ROUNDS = 2000
_PATIENCE = 40


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
    """Time (``time.monotonic``) after which boosting stops with the rounds it has."""


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
        kind = classifier if data.classes else regressor
        estimator = kind(
            bootstrap=True, oob_score=len(data.x_held_out) == 0, random_state=data.seed, n_jobs=1, **parameters
        )
        with warnings.catch_warnings():
            # Rows that no tree left out get no out-of-bag score; `fitting` gives them the average one.
            warnings.filterwarnings("ignore", message="Some inputs do not have OOB scores")
            estimator.fit(data.x, data.y.astype(np.int64) if data.classes else data.y, sample_weight=data.weight)
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


def _fit_mlp(data: Fit, parameters: Parameters) -> Model:
    layers = (parameters["units"],) * parameters["layers"]
    settings = {
        "hidden_layer_sizes": layers,
        "alpha": parameters["alpha"],
        "learning_rate_init": parameters["learning_rate"],
        "max_iter": parameters["epochs"],
        "batch_size": min(parameters["batch_size"], len(data.y)),
        "random_state": data.seed,
    }
    if data.classes:
        estimator: Any = MLPClassifier(**settings)
        _fit_quietly(estimator, data.x, data.y.astype(np.int64), data.weight)
        return Model("mlp", estimator, data.classes)
    offset, scale = _standard(data)
    estimator = MLPRegressor(**settings)
    _fit_quietly(estimator, data.x, (data.y - offset) / scale, data.weight)
    return Model("mlp", estimator, 0, offset, scale)


def _fit_quietly(estimator: Any, x: Matrix, y: NDArray[Any], weight: Floats) -> None:
    with warnings.catch_warnings():
        # The number of iterations is a hyperparameter here: reaching it is not a fault.
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(x, y, sample_weight=weight)


def _standard(data: Fit) -> tuple[float, float]:
    offset = float(np.average(data.y, weights=data.weight))
    return offset, float(np.sqrt(np.average((data.y - offset) ** 2, weights=data.weight))) or 1.0


def _lightgbm_space(trial: optuna.Trial) -> dict[str, Any]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.03, 0.15, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 7, 63, log=True),
        "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 3, 60, log=True),
        "feature_fraction": trial.suggest_float("feature_fraction", 0.4, 1.0),
        "bagging_fraction": trial.suggest_float("bagging_fraction", 0.6, 1.0),
        "bagging_freq": 1,
        "lambda_l2": trial.suggest_float("lambda_l2", 1e-3, 10.0, log=True),
        "categories": trial.suggest_categorical("categories", ["ordinal", "native"]),
    }


def _xgboost_space(trial: optuna.Trial) -> dict[str, Any]:
    return {
        "eta": trial.suggest_float("eta", 0.03, 0.2, log=True),
        "max_depth": trial.suggest_int("max_depth", 3, 9),
        "min_child_weight": trial.suggest_float("min_child_weight", 0.5, 20.0, log=True),
        "subsample": trial.suggest_float("subsample", 0.6, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.4, 1.0),
        "lambda": trial.suggest_float("lambda", 1e-3, 10.0, log=True),
        "gamma": trial.suggest_float("gamma", 1e-4, 2.0, log=True),
    }


def _forest_space(trial: optuna.Trial) -> dict[str, Any]:
    return {
        "n_estimators": 200,
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 10, log=True),
        "max_features": trial.suggest_float("max_features", 0.15, 0.9),
    }


def _linear_space(trial: optuna.Trial) -> dict[str, Any]:
    return {"l2": trial.suggest_float("l2", 1e-3, 1e3, log=True)}


def _mlp_space(trial: optuna.Trial) -> dict[str, Any]:
    return {
        "units": trial.suggest_int("units", 16, 128, log=True),
        "layers": trial.suggest_int("layers", 1, 2),
        "alpha": trial.suggest_float("alpha", 1e-4, 3.0, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 1e-3, 1e-2, log=True),
        "epochs": trial.suggest_int("epochs", 15, 60),
        "batch_size": 128,
    }


_MLP_START: Parameters = {
    "units": 64,
    "layers": 1,
    "alpha": 0.1,
    "learning_rate": 3e-3,
    "epochs": 30,
}
_FOREST_START: Parameters = {"min_samples_leaf": 2, "max_features": 0.4}
_EXTRA_TREES_START: Parameters = {"min_samples_leaf": 2, "max_features": 0.5}
_LIGHTGBM_START: Parameters = {
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.9,
    "lambda_l2": 1.0,
    "categories": "ordinal",
}
_XGBOOST_START: Parameters = {
    "eta": 0.08,
    "max_depth": 6,
    "min_child_weight": 1.0,
    "subsample": 0.9,
    "colsample_bytree": 0.8,
    "lambda": 1.0,
    "gamma": 1e-3,
}

FAMILIES: Mapping[str, Family] = {
    family.algorithm: family
    for family in (
        Family("lightgbm", "LightGBM", "ordinal", _fit_lightgbm, _LIGHTGBM_START, _lightgbm_space),
        Family("xgboost", "XGBoost", "ordinal", _fit_xgboost, _XGBOOST_START, _xgboost_space),
        Family(
            "extra-trees",
            "ExtraTrees",
            "ordinal",
            _forest("extra-trees", ExtraTreesClassifier, ExtraTreesRegressor),
            _EXTRA_TREES_START,
            _forest_space,
            out_of_bag=True,
        ),
        Family(
            "randomforest",
            "RandomForest",
            "ordinal",
            _forest("randomforest", RandomForestClassifier, RandomForestRegressor),
            _FOREST_START,
            _forest_space,
            out_of_bag=True,
        ),
        Family("nn-torch", "NeuralNet", "quantile", _fit_mlp, _MLP_START, _mlp_space),
        Family("mlp", "MLP", "quantile", _fit_mlp, _MLP_START, _mlp_space),
        Family("linear-learner", "LinearModel", "one-hot", _fit_linear, {"l2": 1.0}, _linear_space),
    )
}
