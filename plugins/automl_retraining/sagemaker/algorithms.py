"""The built-in algorithms that a tuned pipeline searches: fixed hyperparameters, ranges, objectives and outputs.

Ranges start from the developer guide's "Tune an XGBoost Model" and "Tune a linear learner model", narrowed where those
are wider than a table of thousands of rows needs. A pipeline's YAML replaces them name by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import RequestError
from automl_retraining.core.section import ProblemType
from automl_retraining.core.trainer_specs import ParameterRange

Algorithm = str
VERSIONS: Mapping[Algorithm, str] = {"xgboost": "3.0-5", "linear-learner": "1"}
"""The image's version by algorithm."""

_RANGES: Mapping[Algorithm, Mapping[str, ParameterRange]] = {
    "xgboost": {
        "eta": ParameterRange(min=0.01, max=0.5, scaling="logarithmic"),
        "max_depth": ParameterRange(min=2, max=10),
        "min_child_weight": ParameterRange(min=0.5, max=20.0, scaling="logarithmic"),
        "subsample": ParameterRange(min=0.5, max=1.0),
        "colsample_bytree": ParameterRange(min=0.4, max=1.0),
        "lambda": ParameterRange(min=0.01, max=100.0, scaling="logarithmic"),
        "num_round": ParameterRange(min=50, max=500),
    },
    "linear-learner": {
        "wd": ParameterRange(min=1e-7, max=1.0, scaling="logarithmic"),
        "l1": ParameterRange(min=1e-7, max=1.0, scaling="logarithmic"),
        "learning_rate": ParameterRange(min=1e-5, max=1.0, scaling="logarithmic"),
    },
}
_DEFAULTS: Mapping[Algorithm, Mapping[str, str]] = {
    "xgboost": {"num_round": "200", "eta": "0.1", "max_depth": "5", "subsample": "0.8", "colsample_bytree": "0.8"},
    "linear-learner": {},
}
"""Where nothing is searched: a sound start for a table of thousands of rows."""

_METRICS: Mapping[Algorithm, Mapping[str, str]] = {
    "xgboost": {
        "RMSE": "validation:rmse", "MSE": "validation:mse", "MAE": "validation:mae",
        "F1": "validation:f1", "Accuracy": "validation:accuracy", "AUC": "validation:auc",
    },
    "linear-learner": {
        "RMSE": "validation:rmse", "MSE": "validation:mse",
        "F1": "validation:binary_f_beta", "Accuracy": "validation:binary_classification_accuracy",
        "AUC": "validation:roc_auc_score", "Precision": "validation:precision", "Recall": "validation:recall",
    },
}  # fmt: skip
"""Objectives by ``search.metric``: of what each image emits, what means the same (developer guide, "Metrics computed by
the XGBoost algorithm" and "... by the linear learner algorithm")."""
_MULTICLASS: Mapping[Algorithm, Mapping[str, str]] = {
    "xgboost": {"Accuracy": "validation:accuracy", "F1macro": "validation:f1"},
    "linear-learner": {"Accuracy": "validation:multiclass_accuracy", "F1macro": "validation:macro_f_beta"},
}
_MINIMIZED = frozenset({"RMSE", "MSE", "MAE"})
_DEFAULT_METRIC: Mapping[ProblemType, str] = {
    "Regression": "RMSE", "BinaryClassification": "F1", "MulticlassClassification": "Accuracy",
}  # fmt: skip


class Objective(NamedTuple):
    """What a search optimises: the pipeline's word for it, the image's, and the direction."""

    word: str
    metric: str
    maximize: bool


def objective(algorithm: Algorithm, problem_type: ProblemType, metric: str | None) -> Objective:
    """The image's name for ``search.metric``.

    Raises:
        RequestError: the image emits nothing that means it; says what it emits.
    """
    word = metric or _DEFAULT_METRIC[problem_type]
    known = (_MULTICLASS if problem_type == "MulticlassClassification" else _METRICS)[algorithm]
    if problem_type != "MulticlassClassification":
        known = {
            name: emitted for name, emitted in known.items() if (name in _MINIMIZED) == (problem_type == "Regression")
        }
    if word not in known:
        raise RequestError(
            f"search.metric: expected one that {algorithm} emits for {problem_type}, {', '.join(known)}, found {word!r}"
        )
    return Objective(word, known[word], word not in _MINIMIZED)


def static(algorithm: Algorithm, problem_type: ProblemType, classes: int, target: Objective) -> dict[str, str]:
    """The hyperparameters that the problem fixes: objective, number of classes, what is measured."""
    if algorithm == "xgboost":
        if problem_type == "Regression":
            fixed = {"objective": "reg:squarederror"}
        elif problem_type == "BinaryClassification":
            fixed = {"objective": "binary:logistic"}
        else:
            fixed = {"objective": "multi:softprob", "num_class": str(classes)}
        emitted = target.metric.removeprefix("validation:")
        return {**fixed, "eval_metric": emitted}
    kinds = {
        "Regression": "regressor",
        "BinaryClassification": "binary_classifier",
        "MulticlassClassification": "multiclass_classifier",
    }
    fixed = {"predictor_type": kinds[problem_type]}
    if problem_type == "MulticlassClassification":
        fixed["num_classes"] = str(classes)
    return fixed


def hyperparameters(
    pipeline: Pipeline, algorithm: Algorithm, problem_type: ProblemType, classes: int, target: Objective
) -> tuple[dict[str, str], dict[str, ParameterRange]]:
    """Fixed and searched hyperparameters of one algorithm, the pipeline's own over the defaults.

    One that the pipeline fixes is not searched, and the other way round. Where nothing is searched the second is empty.
    """
    spec = pipeline.tuning
    own = {name: str(value) for name, value in spec.static.get(algorithm, {}).items()}
    fixed = {**static(algorithm, problem_type, classes, target), **own}
    if not spec.search:
        return {**_DEFAULTS[algorithm], **fixed}, {}
    searched = {**_RANGES[algorithm], **spec.ranges.get(algorithm, {})}
    searched = {name: each for name, each in searched.items() if name not in own}
    return {name: value for name, value in fixed.items() if name not in searched}, searched


def answer_environment(algorithm: Algorithm, problem_type: ProblemType) -> dict[str, str]:
    """What the algorithm's container is told in a pipeline model.

    As in Autopilot's own chains (developer guide, "Batch forecasting"): one record a line, and of a classification the
    label's place and the probabilities of all classes. xgboost's regression answers several records on one line unless
    it is asked for a key.
    """
    environment = {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"}
    if problem_type == "Regression":
        if algorithm == "xgboost":
            environment["SAGEMAKER_INFERENCE_OUTPUT"] = "predicted_score"
        return environment
    return {
        **environment,
        "SAGEMAKER_INFERENCE_SUPPORTED": "predicted_label,probability,probabilities",
        "SAGEMAKER_INFERENCE_OUTPUT": "predicted_label",
    }
