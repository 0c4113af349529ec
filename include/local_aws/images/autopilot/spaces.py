"""What is searched of each family: the point that is tried first, and the space that Optuna searches around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna

Parameters = Mapping[str, Any]

LIGHTGBM_START: Parameters = {
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.9,
    "lambda_l2": 1.0,
    "extra_trees": False,
    "categories": "ordinal",
}
XGBOOST_START: Parameters = {
    "eta": 0.08,
    "max_depth": 5,
    "min_child_weight": 1.0,
    "subsample": 0.9,
    "colsample_bytree": 0.8,
    "lambda": 1.0,
    "gamma": 1e-3,
}
FOREST_START: Parameters = {"min_samples_leaf": 2, "max_features": 0.4}
EXTRA_TREES_START: Parameters = {"min_samples_leaf": 2, "max_features": 0.5}
LINEAR_START: Parameters = {"l2": 1.0}
PERCEPTRON_START: Parameters = {
    "solver": "adam",
    "units": 64,
    "layers": 1,
    "alpha": 0.1,
    "learning_rate": 3e-3,
    "epochs": 30,
}

# What of a starting point is different in some openings of a search.
RANDOM_THRESHOLDS: Parameters = {"extra_trees": True, "categories": "native"}
SMALL_TREES: Parameters = {"num_leaves": 15}
SLOW_SMALL_TREES: Parameters = {**SMALL_TREES, "min_data_in_leaf": 5, "learning_rate": 0.04, "categories": "native"}
FLAT_TREES: Parameters = {"max_depth": 4}
FULL_BATCHES: Parameters = {"solver": "lbfgs", "layers": 2, "alpha": 3.0}
"""With hundreds of rows a stochastic solver takes too few steps."""


def lightgbm(trial: optuna.Trial) -> dict[str, Any]:
    """LightGBM's names."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.15, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 5, 63, log=True),
        "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 3, 60, log=True),
        "feature_fraction": trial.suggest_float("feature_fraction", 0.4, 1.0),
        "bagging_fraction": trial.suggest_float("bagging_fraction", 0.6, 1.0),
        "bagging_freq": 1,
        "lambda_l2": trial.suggest_float("lambda_l2", 1e-3, 10.0, log=True),
        "extra_trees": trial.suggest_categorical("extra_trees", [False, True]),
        "categories": trial.suggest_categorical("categories", ["ordinal", "native"]),
    }


def xgboost(trial: optuna.Trial) -> dict[str, Any]:
    """XGBoost's names."""
    return {
        "eta": trial.suggest_float("eta", 0.02, 0.2, log=True),
        "max_depth": trial.suggest_int("max_depth", 2, 9),
        "min_child_weight": trial.suggest_float("min_child_weight", 0.5, 20.0, log=True),
        "subsample": trial.suggest_float("subsample", 0.6, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.4, 1.0),
        "lambda": trial.suggest_float("lambda", 1e-3, 10.0, log=True),
        "gamma": trial.suggest_float("gamma", 1e-4, 2.0, log=True),
    }


def forest(trial: optuna.Trial) -> dict[str, Any]:
    """scikit-learn's names, of random forests and extremely randomised trees."""
    return {
        "n_estimators": 200,
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 10, log=True),
        "max_features": trial.suggest_float("max_features", 0.15, 0.9),
    }


def linear(trial: optuna.Trial) -> dict[str, Any]:
    """The strength of the penalty on squared coefficients."""
    return {"l2": trial.suggest_float("l2", 1e-3, 1e3, log=True)}


def perceptron(trial: optuna.Trial) -> dict[str, Any]:
    """Of scikit-learn's multi-layer perceptron; rate, epochs and batches are the stochastic solver's."""
    return {
        "solver": trial.suggest_categorical("solver", ["adam", "lbfgs"]),
        "units": trial.suggest_int("units", 16, 128, log=True),
        "layers": trial.suggest_int("layers", 1, 2),
        "alpha": trial.suggest_float("alpha", 1e-4, 10.0, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 1e-3, 1e-2, log=True),
        "epochs": trial.suggest_int("epochs", 15, 60),
        "batch_size": 128,
    }
