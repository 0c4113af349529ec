"""What Linear Learner declares: its hyperparameters and its metrics.

Source: developer guide, "Linear learner hyperparameters" and "Tune a linear learner model". Those that steer the
stochastic optimiser of the real algorithm (learning rate, batch size, epochs, …) are checked and change nothing here:
the models are fitted to convergence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from include.local_aws.images import ClientError, hyperparameters
from include.local_aws.images.hyperparameters import choice, flag, integer, number

AUTO = ("auto",)
REGRESSOR, BINARY, MULTICLASS = "regressor", "binary_classifier", "multiclass_classifier"
LOSSES: Mapping[str, tuple[str, ...]] = {
    REGRESSOR: ("squared_loss", "absolute_loss", "quantile_loss", "huber_loss", "eps_insensitive_squared_loss",
                "eps_insensitive_absolute_loss"),
    BINARY: ("logistic", "hinge_loss"),
    MULTICLASS: ("softmax_loss",),
}  # fmt: skip
"""The losses of each predictor_type, the first the one that ``auto`` takes."""
SELECTION = ("accuracy", "f_beta", "precision_at_target_recall", "recall_at_target_precision", "loss_function",
             "cross_entropy_loss")  # fmt: skip

MEASURES: Mapping[str, Mapping[str, str]] = {
    REGRESSOR: {"objective_loss": "loss", "mse": "loss", "rmse": "loss", "absolute_loss": "loss"},
    BINARY: {
        "objective_loss": "loss",
        "binary_classification_accuracy": "score",
        "binary_f_beta": "score",
        "precision": "score",
        "recall": "score",
        "roc_auc_score": "score",
    },
    MULTICLASS: {
        "objective_loss": "loss",
        "multiclass_accuracy": "score",
        "multiclass_top_k_accuracy": "score",
        "dcg": "score",
        "macro_f_beta": "score",
        "macro_precision": "score",
        "macro_recall": "score",
    },
}
"""What is measured of each predictor_type, and whether less (loss) or more (score) is better."""

TABLE = (
    choice("predictor_type", *LOSSES, required=True),
    integer("num_classes", 3, 1_000_000),
    integer("feature_dim", 1, 100_000_000, words=AUTO),
    integer("accuracy_top_k", 1),
    flag("balance_multiclass_weights", default=False),
    number("beta_1", 0, 1, open_high=True, words=AUTO),
    number("beta_2", 0, 1, open_high=True, words=AUTO),
    number("bias_lr_mult", 0, open_low=True, words=AUTO),
    number("bias_wd_mult", 0, words=AUTO),
    choice("binary_classifier_model_selection_criteria", *SELECTION, default="accuracy"),
    integer("early_stopping_patience", 1),
    number("early_stopping_tolerance", 0, open_low=True),
    integer("epochs", 1),
    number("f_beta", 0, open_low=True, default=1.0),
    number("huber_delta", 0, open_low=True, default=1.0),
    number("init_bias"),
    choice("init_method", "uniform", "normal"),
    number("init_scale", 0, open_low=True),
    number("init_sigma", 0, open_low=True),
    number("l1", 0, words=AUTO, default="auto"),
    number("learning_rate", 0, open_low=True, words=AUTO),
    choice("loss", *AUTO, *(loss for each in LOSSES.values() for loss in each), default="auto"),
    number("loss_insensitivity", 0, open_low=True, default=0.01),
    number("lr_scheduler_factor", 0, 1, open_low=True, open_high=True, words=AUTO),
    number("lr_scheduler_minimum_lr", 0, open_low=True, words=AUTO),
    integer("lr_scheduler_step", 1, words=AUTO),
    number("margin", 0, open_low=True, default=1.0),
    integer("mini_batch_size", 1),
    number("momentum", 0, 1, open_high=True, words=AUTO),
    flag("normalize_data", words=AUTO, default="auto"),
    flag("normalize_label", words=AUTO),
    integer("num_calibration_samples", 1, words=AUTO),
    integer("num_models", 1, words=AUTO, default="auto"),
    integer("num_point_for_scaler", 1),
    choice("optimizer", "auto", "sgd", "adam", "rmsprop"),
    number("positive_example_weight_mult", 0, open_low=True, words=("balanced", "auto"), default=1.0),
    number("quantile", 0, 1, open_low=True, open_high=True, default=0.5),
    number("target_precision", 0, 1, open_low=True, open_high=True, default=0.8),
    number("target_recall", 0, 1, open_low=True, open_high=True, default=0.8),
    flag("unbias_data", words=AUTO),
    flag("unbias_label", words=AUTO),
    flag("use_bias", default=True),
    flag("use_lr_scheduler"),
    number("wd", 0, words=AUTO, default="auto"),
    choice(
        "_tuning_objective_metric",
        *(
            f"{channel}:{measure}"
            for channel in ("validation", "test")
            for measure in dict.fromkeys(name for each in MEASURES.values() for name in each)
        ),
    ),
)


def read(given: Mapping[str, str]) -> dict[str, Any]:
    """The algorithm's hyperparameters from their texts; raises `ClientError` that names the one at fault."""
    values = hyperparameters.read(TABLE, given)
    kind = values["predictor_type"]
    if kind == MULTICLASS and "num_classes" not in values:
        raise ClientError("num_classes is required when predictor_type is 'multiclass_classifier'")
    if values["loss"] == "auto":
        values["loss"] = LOSSES[kind][0]
    elif values["loss"] not in LOSSES[kind]:
        raise ClientError(
            f"Hyperparameter loss: value {values['loss']} not in range {['auto', *LOSSES[kind]]} for predictor_type "
            f"{kind!r}"
        )
    return values


def line(channel: str, measure: str, kind: str, value: float) -> str:
    """How the log tells a measure."""
    return f"#quality_metric: host=algo-1, {channel} {measure} <{kind}>={value!r}"


def metric_definitions(given: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    """Name and regular expression of the algorithm's metrics, for a job with these hyperparameters."""
    kind = given.get("predictor_type", "")
    measures = MEASURES.get(kind) or {name: to for each in MEASURES.values() for name, to in each.items()}
    channels = ("validation", "test", "train") if kind in MEASURES else ("validation", "test")
    return [
        (f"{channel}:{name}", rf"#quality_metric: host=\S+, {channel} {name} <{to}>=(\S+)")
        for channel in channels
        for name, to in measures.items()
    ]
