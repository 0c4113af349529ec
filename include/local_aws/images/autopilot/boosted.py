"""XGBoost as tuned candidates use it: the built-in algorithm's hyperparameters, objectives and metrics."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost

from include.local_aws.images.autopilot.algorithm import Algorithm, Data, Range, Trained
from include.local_aws.images.autopilot.families import Floats
from include.local_aws.images.autopilot.features import Matrix
from include.local_aws.images.autopilot.spec import ProblemType

_PATIENCE = 40
"""Rounds without a gain on the validation rows after which boosting stops."""


def _static(problem_type: ProblemType, classes: int) -> dict[str, str]:
    objective = {
        "Regression": "reg:squarederror",
        "BinaryClassification": "binary:logistic",
        "MulticlassClassification": "multi:softprob",
    }[problem_type]
    return {
        "objective": objective,
        "eval_metric": ",".join(name.removeprefix("validation:") for name in _metrics(problem_type).values()),
        "tree_method": "hist",
        "lambda": "1.0",
        "gamma": "0.001",
        "seed": "1",
        "save_model_on_termination": "true",
        **({"num_class": str(classes)} if problem_type == "MulticlassClassification" else {}),
    }


def _metrics(problem_type: ProblemType) -> dict[str, str]:
    names = {
        "Regression": {"MSE": "mse", "RMSE": "rmse", "MAE": "mae", "R2": "r2"},
        "BinaryClassification": {
            "Accuracy": "accuracy",
            "BalancedAccuracy": "balanced_accuracy",
            "F1": "f1_binary",
            "Precision": "precision",
            "Recall": "recall",
            "AUC": "auc",
            "LogLoss": "logloss",
        },
        "MulticlassClassification": {
            "Accuracy": "accuracy",
            "BalancedAccuracy": "balanced_accuracy",
            "F1macro": "f1_macro",
            "PrecisionMacro": "precision_macro",
            "RecallMacro": "recall_macro",
            "LogLoss": "mlogloss",
        },
    }[problem_type]
    return {standard: f"validation:{name}" for standard, name in names.items()}


@dataclass(frozen=True)
class _Boosted:
    """A booster cut to its best rounds. Its trees travel between processes, not the library's object."""

    raw: bytes
    classes: int

    def predict(self, x: Matrix) -> Floats:
        booster = xgboost.Booster({"nthread": 1})
        booster.load_model(bytearray(self.raw))
        values = np.asarray(booster.inplace_predict(x), dtype=np.float64)
        if not self.classes:
            return values
        if values.ndim == 1:
            values = np.column_stack([1 - values, values])
        return np.asarray(values / values.sum(axis=1, keepdims=True))


class _StopInTime(xgboost.callback.TrainingCallback):  # type: ignore[misc]  # xgboost ships no types
    def __init__(self, deadline: float) -> None:
        super().__init__()
        self._deadline = deadline

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002  # xgboost's signature
        return time.monotonic() > self._deadline


_NOT_BOOSTERS = ("eval_metric", "save_model_on_termination", "num_round")


def _fit(data: Data, given: Mapping[str, str]) -> Trained:
    """Boost until the validation rows no longer gain; the rounds kept become ``num_round``."""
    settings = {name: value for name, value in given.items() if name not in _NOT_BOOSTERS}
    train = xgboost.DMatrix(data.x, data.y, nthread=1)
    validation = xgboost.DMatrix(data.x_validation, data.y_validation, nthread=1)
    booster = xgboost.train(
        {**settings, "nthread": 1, "verbosity": 0},
        train,
        num_boost_round=int(_RANGES["num_round"].high),
        evals=[(validation, "validation")],
        early_stopping_rounds=_PATIENCE,
        callbacks=[_StopInTime(data.deadline)],
        verbose_eval=False,
    )
    best = booster.attr("best_iteration")  # there is none where the time was over in the first round
    rounds = booster.num_boosted_rounds() if best is None else int(best) + 1
    kept = booster[:rounds]
    kept.set_attr(best_iteration=None, best_score=None)
    raw = bytes(kept.save_raw("ubj"))
    return Trained(_Boosted(raw, data.classes), {"xgboost-model": raw}, {**given, "num_round": str(rounds)})


_RANGES = {
    "num_round": Range("Integer", 16, 2000, "Logarithmic"),
    "eta": Range("Continuous", 0.03, 0.2, "Logarithmic"),
    "max_depth": Range("Integer", 3, 9),
    "min_child_weight": Range("Continuous", 0.5, 20.0, "Logarithmic"),
    "subsample": Range("Continuous", 0.6, 1.0),
    "colsample_bytree": Range("Continuous", 0.4, 1.0),
}
_START = {
    "eta": 0.08,
    "max_depth": 6,
    "min_child_weight": 1.0,
    "subsample": 0.9,
    "colsample_bytree": 0.8,
}

ALGORITHM = Algorithm(
    name="xgboost",
    title="XGBoost",
    ranges=_RANGES,
    start=_START,
    static=_static,
    metrics=_metrics,
    fit=_fit,
    searched_elsewhere=frozenset({"num_round"}),
)
