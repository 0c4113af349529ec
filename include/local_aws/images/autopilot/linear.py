"""The linear learner as tuned candidates use it: the built-in algorithm's hyperparameters, fit and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from include.local_aws.images.autopilot.algorithm import Algorithm, Data, Range, Trained, written
from include.local_aws.images.autopilot.families import Floats
from include.local_aws.images.autopilot.features import Matrix
from include.local_aws.images.autopilot.spec import ProblemType
from include.local_aws.images.linear_learner import declared, fitting, losses
from include.local_aws.images.linear_learner.model import Model
from include.local_aws.images.tables import Table


def _static(problem_type: ProblemType, classes: int) -> dict[str, str]:
    predictor = {
        "Regression": declared.REGRESSOR,
        "BinaryClassification": declared.BINARY,
        "MulticlassClassification": declared.MULTICLASS,
    }[problem_type]
    return {
        "predictor_type": predictor,
        "l1": "0",
        # The label is the likelier one, as with the other algorithms, and not by a threshold of its own.
        **({"binary_classifier_model_selection_criteria": "loss_function"} if predictor == declared.BINARY else {}),
        **({"num_classes": str(classes)} if predictor == declared.MULTICLASS else {}),
    }


def _metrics(problem_type: ProblemType) -> dict[str, str]:
    names = {
        "Regression": {"MSE": "mse", "RMSE": "rmse", "MAE": "absolute_loss"},
        "BinaryClassification": {
            "Accuracy": "binary_classification_accuracy",
            "F1": "binary_f_beta",
            "Precision": "precision",
            "Recall": "recall",
            "AUC": "roc_auc_score",
            "LogLoss": "objective_loss",
        },
        "MulticlassClassification": {
            "Accuracy": "multiclass_accuracy",
            "BalancedAccuracy": "macro_recall",
            "F1macro": "macro_f_beta",
            "PrecisionMacro": "macro_precision",
            "RecallMacro": "macro_recall",
            "LogLoss": "objective_loss",
        },
    }[problem_type]
    return {standard: f"validation:{name}" for standard, name in names.items()}


@dataclass(frozen=True)
class _Linear:
    """The image's model, asked as the search asks."""

    model: Model

    def predict(self, x: Matrix) -> Floats:
        scores = self.model.scores(x)
        return np.column_stack([1 - scores, scores]) if self.model.kind == declared.BINARY else scores


def _fit(data: Data, given: Mapping[str, str]) -> Trained:
    """Fit as the image's training does; the strength of the penalty is given, so validation rows decide nothing."""
    values = declared.read(given)
    rows = np.ones(len(data.y))
    outputs = data.classes if values["predictor_type"] == declared.MULTICLASS else 1
    weights = fitting.fit(Table(data.x, data.y), None, rows, losses.of(values), outputs, values, fitting.Interrupt())
    model = Model(values["predictor_type"], values["loss"], weights)
    return Trained(_Linear(model), written(model.save), given)


ALGORITHM = Algorithm(
    name="linear-learner",
    title="LinearModel",
    ranges={"wd": Range("Continuous", 1e-7, 1.0, "Logarithmic")},
    start={"wd": 1e-3},
    static=_static,
    metrics=_metrics,
    fit=_fit,
)
