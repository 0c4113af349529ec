"""The network's hyperparameters: which there are, of what type and in which range."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

PROBLEM_TYPES = ("binary_classification", "multiclass_classification", "regression")

METRICS: Mapping[str, tuple[str, ...]] = {
    "binary_classification": (
        "validation:accuracy",
        "validation:balanced_accuracy",
        "validation:f1",
        "validation:precision",
        "validation:recall",
        "validation:auc",
        "validation:log_loss",
    ),
    "multiclass_classification": (
        "validation:accuracy",
        "validation:balanced_accuracy",
        "validation:f1_macro",
        "validation:precision_macro",
        "validation:recall_macro",
        "validation:log_loss",
    ),
    "regression": ("validation:mse", "validation:rmse", "validation:mae", "validation:r2"),
}
"""What a training logs of its validation channel, by problem type."""

STANDARD = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "BalancedAccuracy",
    "f1": "F1",
    "f1_macro": "F1macro",
    "precision": "Precision",
    "precision_macro": "PrecisionMacro",
    "recall": "Recall",
    "recall_macro": "RecallMacro",
    "auc": "AUC",
    "log_loss": "LogLoss",
    "mse": "MSE",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R2",
}
"""SageMaker's names of these metrics."""


class HyperparameterError(ValueError):
    """A hyperparameter is unknown, missing or out of its range; the sentence names it."""


@dataclass(frozen=True)
class Hyperparameters:
    """A network to train. ``weight_decay`` is the strength of the L2 penalty, ``epochs`` passes over the rows."""

    problem_type: str
    layers: tuple[int, ...]
    activation: str
    learning_rate: float
    weight_decay: float
    mini_batch_size: int
    epochs: int
    seed: int
    num_classes: int | None

    @property
    def classification(self) -> bool:
        """Whether labels are class indices."""
        return self.problem_type != "regression"


def _choice(*values: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in values:
            raise ValueError(f"one of {', '.join(values)}")
        return text

    return check


def _integer(low: int, high: int) -> Callable[[str], int]:
    def check(text: str) -> int:
        wanted = f"a whole number from {low} to {high}"
        try:
            value = int(text)
        except ValueError as error:
            raise ValueError(wanted) from error
        if not low <= value <= high:
            raise ValueError(wanted)
        return value

    return check


def _number(low: float, high: float, *, above: bool = False) -> Callable[[str], float]:
    def check(text: str) -> float:
        wanted = f"a number {'above' if above else 'from'} {low:g} to {high:g}"
        try:
            value = float(text)
        except ValueError as error:
            raise ValueError(wanted) from error
        if not low <= value <= high or (above and value == low):
            raise ValueError(wanted)
        return value

    return check


def _layers(text: str) -> tuple[int, ...]:
    wanted = "the widths of the hidden layers, such as '64' or '100, 50', of at most 8 layers up to 4096 wide"
    try:
        widths = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError(wanted) from error
    if not 1 <= len(widths) <= 8 or not all(1 <= width <= 4096 for width in widths):
        raise ValueError(wanted)
    return widths


TABLE: Mapping[str, tuple[Callable[[str], object], str | None]] = {
    "problem_type": (_choice(*PROBLEM_TYPES), None),
    "num_classes": (_integer(2, 10_000), ""),
    "layers": (_layers, "256"),
    "activation": (_choice("relu", "tanh", "logistic"), "relu"),
    "learning_rate": (_number(0, 1, above=True), "0.001"),
    "weight_decay": (_number(0, 1000), "0.0001"),
    "mini_batch_size": (_integer(1, 100_000), "128"),
    "epochs": (_integer(1, 10_000), "30"),
    "seed": (_integer(0, 2**31 - 1), "1"),
}
"""Each hyperparameter's check and its default: None where it must be given, empty where it may be left out."""

_NEUTRAL: Mapping[str, tuple[str, ...]] = {
    "network_type": ("feedforward",),
    "dropout_prob": ("0", "0.0"),
    "use_batchnorm": ("false",),
    "ml_application": ("mlp",),
}
"""Hyperparameters of the network on AWS that this one has in one value only."""


def read(given: Mapping[str, str]) -> Hyperparameters:
    """The hyperparameters of a training job; those that begin with an underscore are SageMaker's own.

    Raises:
        HyperparameterError: the sentence names the hyperparameter, its value and what is expected.
    """
    values: dict[str, object] = {}
    for name, value in given.items():
        if name.startswith("_"):
            continue
        if name in _NEUTRAL:
            if value not in _NEUTRAL[name]:
                raise HyperparameterError(
                    f"Hyperparameter {name}: {value!r} is not available in the embedded mlp, which is a plain "
                    f"feed-forward network: it takes {_NEUTRAL[name][0]!r} only."
                )
        elif name not in TABLE:
            raise HyperparameterError(
                f"Hyperparameter {name} is unknown to mlp: it has {', '.join((*TABLE, *_NEUTRAL))}."
            )
    for name, (check, default) in TABLE.items():
        text: str | None = dict[str, str | None](given).get(name, default)
        if text is None:
            raise HyperparameterError(f"Hyperparameter {name} is missing: mlp can't train without it.")
        if text == "" and name not in given:
            values[name] = None
            continue
        try:
            values[name] = check(text)
        except ValueError as error:
            raise HyperparameterError(f"Hyperparameter {name}: expected {error}, found {text!r}.") from error
    if values["problem_type"] == "multiclass_classification" and values["num_classes"] is None:
        raise HyperparameterError("Hyperparameter num_classes is missing: multiclass_classification needs it.")
    return Hyperparameters(**values)  # type: ignore[arg-type]  # the table's checks give the fields' types
