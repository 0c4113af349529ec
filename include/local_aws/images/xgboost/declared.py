"""What the XGBoost algorithm declares: its hyperparameters and its metrics.

Source: developer guide, "XGBoost hyperparameters" and "Tune an XGBoost model"; the open-source container
aws/sagemaker-xgboost-container. Which are required, the ranges and the dependencies are those of its version 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from include.local_aws.images import ClientError, hyperparameters
from include.local_aws.images.hyperparameters import Interval, choice, integer, nested, number, words

MAXIMIZED = ("accuracy", "auc", "aucpr", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "map", "ndcg",
             "precision", "precision_macro", "precision_micro", "r2", "recall", "recall_macro",
             "recall_micro")  # fmt: skip
MINIMIZED = ("aft-nloglik", "cox-nloglik", "error", "gamma-deviance", "gamma-nloglik", "interval-regression-accuracy",
             "logloss", "mae", "mape", "merror", "mlogloss", "mphe", "mse", "poisson-nloglik", "rmse", "rmsle",
             "tweedie-nloglik")  # fmt: skip
METRICS = (*MAXIMIZED, *MINIMIZED)

_WITH_THRESHOLD = ("error", "ndcg", "map")
_UPDATERS = ("grow_colmaker", "distcol", "grow_histmaker", "grow_skmaker", "grow_quantile_histmaker", "sync", "refresh",
             "prune", "shotgun", "coord_descent")  # fmt: skip
OBJECTIVES = ("binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson", "multi:softmax", "multi:softprob",
              "rank:pairwise", "rank:ndcg", "rank:map", "reg:linear", "reg:squarederror", "reg:logistic", "reg:gamma",
              "reg:pseudohubererror", "reg:squaredlogerror", "reg:absoluteerror", "reg:tweedie", "survival:aft",
              "survival:cox")  # fmt: skip
_DEFAULT_METRIC = {
    "binary:logistic": "logloss",
    "binary:logitraw": "logloss",
    "binary:hinge": "error",
    "count:poisson": "poisson-nloglik",
    "multi:softmax": "mlogloss",
    "multi:softprob": "mlogloss",
    "rank:pairwise": "ndcg",
    "rank:ndcg": "ndcg",
    "rank:map": "map",
    "reg:gamma": "gamma-nloglik",
    "reg:pseudohubererror": "mphe",
    "reg:squaredlogerror": "rmsle",
    "reg:absoluteerror": "mae",
    "survival:aft": "aft-nloglik",
    "survival:cox": "cox-nloglik",
}


class _Metrics(tuple[str, ...]):
    """Metrics that eval_metric takes: those with a name, and some with a threshold too, such as ``error@0.4``."""

    def __contains__(self, metric: object) -> bool:
        name, _, threshold = str(metric).partition("@")
        if not threshold:
            return super().__contains__(name)
        try:
            float(threshold.removesuffix("-"))
        except ValueError:
            return False
        return name in _WITH_THRESHOLD


_TRAIN_DEFINITIONS = 7
"""With the 33 of the validation channel these are the 40 that DescribeTrainingJob can tell."""

TABLE = (
    integer("num_round", 1, required=True),
    integer("csv_weights", 0, 1),
    integer("early_stopping_rounds", 1),
    choice("booster", "gbtree", "gblinear", "dart"),
    integer("verbosity", 0, 3),
    integer("nthread", 1),
    number("eta", 0, 1),
    number("gamma", 0),
    integer("max_depth", 0),
    number("min_child_weight", 0),
    number("max_delta_step", 0),
    number("subsample", 0, 1, open_low=True),
    number("colsample_bytree", 0, 1, open_low=True),
    number("colsample_bylevel", 0, 1, open_low=True),
    number("colsample_bynode", 0, 1, open_low=True),
    number("lambda", 0),
    number("alpha", 0),
    choice("tree_method", "auto", "exact", "approx", "hist", "gpu_hist"),
    number("sketch_eps", 0, 1, open_low=True, open_high=True),
    number("scale_pos_weight", 0, open_low=True),
    words("updater", _UPDATERS),
    choice("dsplit", "row", "col"),
    integer("refresh_leaf", 0, 1),
    choice("process_type", "default", "update"),
    choice("grow_policy", "depthwise", "lossguide"),
    integer("max_leaves", 0),
    integer("max_bin", 0),
    choice("predictor", "auto", "cpu_predictor", "gpu_predictor"),
    nested("monotone_constraints", (-1, 0, 1)),
    nested("interaction_constraints", Interval(0)),
    choice("sample_type", "uniform", "weighted"),
    choice("normalize_type", "tree", "forest"),
    number("rate_drop", 0, 1),
    integer("one_drop", 0, 1),
    number("skip_drop", 0, 1),
    number("lambda_bias", 0, 1),
    number("tweedie_variance_power", 1, 2, open_low=True, open_high=True),
    choice("objective", *OBJECTIVES),
    integer("num_class", 2),
    number("base_score", 0),
    integer("_kfold", 2),
    integer("_num_cv_round", 1),
    choice("_tuning_objective_metric", *(f"validation:{metric}" for metric in METRICS)),
    words("eval_metric", _Metrics(METRICS)),
    integer("seed", -(2**31) + 1, 2**31 - 2),
    integer("num_parallel_tree", 1),
    choice("save_model_on_termination", "true", "false"),
    choice("aft_loss_distribution", "normal", "logistic", "extreme"),
    number("aft_loss_distribution_scale", 0),
    choice("deterministic_histogram", "true", "false"),
    choice("sampling_method", "uniform", "gradient_based"),
    integer("prob_buffer_row", 2),
    choice("use_dask_gpu_training", "true", "false"),
)
ALIASES = {"learning_rate": "eta", "min_split_loss": "gamma", "reg_lambda": "lambda", "reg_alpha": "alpha"}


def read(given: Mapping[str, str]) -> dict[str, Any]:
    """The algorithm's hyperparameters from their texts; raises `ClientError` that names the one at fault."""
    values = hyperparameters.read(TABLE, given, ALIASES)
    _check_objective(values)
    _check_metrics(values)
    _check_updater(values)
    for name, methods in (
        ("monotone_constraints", ("exact", "hist")),
        ("interaction_constraints", ("exact", "hist", "approx")),
    ):
        if name in values and values.get("tree_method") not in methods:
            allowed = " or ".join(repr(method) for method in methods)
            raise ClientError(f"{name} can be used only when the tree_method parameter is set to {allowed}.")
    return values


def _check_objective(values: Mapping[str, Any]) -> None:
    objective = values.get("objective")
    if objective in ("multi:softmax", "multi:softprob") and "num_class" not in values:
        raise ClientError("Require input for parameter 'num_class' for multi-classification")
    if objective is None and "num_class" in values:
        raise ClientError(
            "Do not need to setup parameter 'num_class' for learning task other than multi-classification."
        )


def _check_metrics(values: Mapping[str, Any]) -> None:
    objective = str(values.get("objective", "reg:squarederror"))
    for metric in values.get("eval_metric", ()):
        if metric == "auc" and not objective.startswith(("binary:", "rank:")):
            raise ClientError("Metric 'auc' can only be applied for classification and ranking problems.")
        if metric == "aft-nloglik" and objective != "survival:aft":
            raise ClientError("Metric 'aft-nloglik' can only be applied for 'survival:aft' objective.")


def _check_updater(values: Mapping[str, Any]) -> None:
    updaters = values.get("updater")
    if updaters is None:
        return
    if values.get("booster") == "gblinear":
        if len(updaters) != 1 or updaters[0] not in ("shotgun", "coord_descent"):
            raise ClientError("Linear updater should be one of these options: 'shotgun', 'coord_descent'.")
    elif values.get("process_type") == "update":
        if not set(updaters) <= {"refresh", "prune"}:
            raise ClientError("process_type 'update' can only be used with updater 'refresh' and 'prune'")
    elif sum(each.startswith("grow_") or each == "distcol" for each in updaters) > 1:
        raise ClientError("Only one tree grow plugin can be selected.")


def metric_definitions(given: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    """Name and regular expression of the algorithm's metrics, for a job with these hyperparameters."""
    objective = given.get("objective", "reg:squarederror")
    evaluated = [each.strip() for each in given.get("eval_metric", "").split(",")]
    told = [*evaluated, given.get("_tuning_objective_metric", "").partition(":")[2]]
    told.append(_DEFAULT_METRIC.get(objective, "rmse"))
    train = [each for each in dict.fromkeys(told) if each in METRICS][:_TRAIN_DEFINITIONS]
    names = [f"validation:{each}" for each in METRICS] + [f"train:{each}" for each in train]
    return [(name, _REGEX.format(name.replace(":", "-"))) for name in names]


_REGEX = r".*\[[0-9]+\].*#011{}:([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?).*"
