"""Training with XGBoost's algorithm mode: channels in, ``model/xgboost-model`` out, metrics in the log.

A line of the log is ``[3]#011train-rmse:2.51234#011validation-rmse:2.71234``: ``#011`` is how CloudWatch Logs shows the
tabulator that xgboost prints, and what the metrics' regular expressions look for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xgboost

from include.local_aws.images import AlgorithmError, ClientError, tables
from include.local_aws.images.xgboost import declared, measures
from include.local_aws.images.xgboost.callbacks import Printer, Saver, Termination
from include.local_aws.images.xgboost.checkpoints import Checkpoints

MODEL = "xgboost-model"
_CONTENTS = (tables.CSV, tables.LIBSVM, tables.PARQUET, tables.RECORDIO)
_NOT_FOR_XGBOOST = ("num_round", "csv_weights", "early_stopping_rounds", "save_model_on_termination", "eval_metric",
                    "_tuning_objective_metric", "nthread", "use_dask_gpu_training", "dsplit", "predictor",
                    "sketch_eps", "prob_buffer_row", "deterministic_histogram")  # fmt: skip
"""Ours, those of machines that are not here, and those that xgboost no longer has."""


def run(root: Path) -> None:
    """Train in `root`, which stands for ``/opt/ml``; raises `AlgorithmError`."""
    config = root / "input" / "config"
    given: dict[str, str] = json.loads((config / "hyperparameters.json").read_text("utf-8"))
    values = declared.read(given)
    if "_kfold" in values or values.get("use_dask_gpu_training") == "true":
        raise AlgorithmError("The embedded AWS does not implement _kfold and use_dask_gpu_training of XGBoost")
    channels: dict[str, dict[str, str]] = json.loads((config / "inputdataconfig.json").read_text("utf-8"))
    train, validation = _load(root, channels, weights=values.get("csv_weights") == 1)
    print(f"Train matrix has {train.num_row()} rows and {train.num_col()} columns", flush=True)
    if validation is not None:
        print(f"Validation matrix has {validation.num_row()} rows", flush=True)
    checkpoints = root / "checkpoints"
    checkpoint_config = config / "checkpointconfig.json"
    if checkpoint_config.exists():
        path = json.loads(checkpoint_config.read_text("utf-8"))["LocalPath"]
        checkpoints = root / path.removeprefix("/opt/ml/").strip("/")
    booster = _fit(values, train, validation, Checkpoints(checkpoints) if checkpoint_config.exists() else None)
    if booster is None:
        print("Stopped before the first round: there is no model to save", flush=True)
        return
    (root / "model" / MODEL).write_bytes(booster.save_raw("ubj"))


def _load(
    root: Path, channels: Mapping[str, Mapping[str, str]], *, weights: bool
) -> tuple[xgboost.DMatrix, xgboost.DMatrix | None]:
    for name in channels:
        if name not in ("train", "validation", "code"):
            raise ClientError(f"Extraneous channel found: {name}")
    if "train" not in channels:
        raise ClientError("Missing required channel: train")
    found: dict[str, xgboost.DMatrix] = {}
    width = 0
    for name in ("train", "validation"):
        if name not in channels:
            continue
        kind = tables.content_type(channels[name].get("ContentType", "text/libsvm"), _CONTENTS)
        table = tables.channel(root / "input" / "data" / name, kind, weights=weights)
        if table is None:
            raise ClientError(f"No data in {'training' if name == 'train' else name} channel path")
        if kind == tables.LIBSVM:
            table.features.resize((table.rows, max(width, table.columns)))
        if width and table.columns != width and kind != tables.LIBSVM:
            raise ClientError(
                f"The validation channel has {table.columns} features, the train channel {width}: expected the same."
            )
        width = width or table.columns
        found[name] = xgboost.DMatrix(table.features, label=table.labels, weight=table.weights)
    return found["train"], found.get("validation")


def _fit(
    values: Mapping[str, Any],
    train: xgboost.DMatrix,
    validation: xgboost.DMatrix | None,
    checkpoints: Checkpoints | None,
) -> xgboost.Booster | None:
    """The model of all rounds, or of those until SIGTERM; None where that came before the first one was over."""
    start, done = checkpoints.latest() if checkpoints else (None, 0)
    if start is not None:
        print(f"Resuming from iteration {done}", flush=True)
    if values["num_round"] <= done:
        return start
    metrics = _metrics(values)
    own = [each for each in metrics if each in measures.OWN]
    callbacks: list[xgboost.callback.TrainingCallback] = [Printer(done)]
    if checkpoints is not None:
        callbacks.append(Saver(checkpoints))
    # Behind those, because the first callback that wants to end is the last one that is asked.
    callbacks.append(Termination(saves=values.get("save_model_on_termination") != "false"))
    if metrics and validation is not None and "early_stopping_rounds" in values:
        callbacks.append(_early_stopping(metrics[-1], values["early_stopping_rounds"]))
    try:
        booster = xgboost.train(
            _parameters(values, [each for each in metrics if each not in own], own),
            train,
            num_boost_round=values["num_round"] - done,
            evals=[(train, "train")] + ([(validation, "validation")] if validation is not None else []),
            custom_metric=measures.of(own, values.get("objective", "")) if own else None,
            xgb_model=start,
            callbacks=callbacks,
            verbose_eval=False,
        )
    except (xgboost.core.XGBoostError, ValueError) as error:
        raise _explained(error) from error
    return booster if booster.num_boosted_rounds() else None


def _early_stopping(metric: str, rounds: int) -> xgboost.callback.TrainingCallback:
    return xgboost.callback.EarlyStopping(
        rounds=rounds,
        metric_name=metric,
        data_name="validation",
        maximize=metric.partition("@")[0] in declared.MAXIMIZED,
        save_best=True,
    )


def _parameters(values: Mapping[str, Any], native: Sequence[str], own: Sequence[str]) -> dict[str, Any]:
    """The hyperparameters as xgboost wants them, with the metrics that it measures itself."""
    parameters = {key: value for key, value in values.items() if key not in _NOT_FOR_XGBOOST}
    if native:
        parameters["eval_metric"] = list(native)
    elif own:
        parameters["disable_default_eval_metric"] = 1
    if "updater" in parameters:
        parameters["updater"] = ",".join(parameters["updater"])
    for name in ("monotone_constraints", "interaction_constraints"):
        if name in parameters:
            parameters[name] = str(parameters[name])
    if parameters.get("objective") == "reg:linear":  # its old name
        parameters["objective"] = "reg:squarederror"
    return parameters


def _metrics(values: Mapping[str, Any]) -> list[str]:
    """What is evaluated: eval_metric and the tuning objective, as the real image joins them."""
    evaluated = list(values.get("eval_metric", ()))
    if "_tuning_objective_metric" not in values:
        return evaluated
    objective = values["_tuning_objective_metric"].partition(":")[2]
    return [each for each in sorted(set(evaluated)) if each != objective] + [objective]


_DATA_AT_FAULT = ("label must be", "num_class", "Label contains", "base_score", "nonnegative",
                  "only contains pos or neg", "Target is multiclass", "should be greater equal",
                  "number of classes")  # fmt: skip


def _explained(error: Exception) -> AlgorithmError:
    """xgboost's own words, without where in its source they are and without its stack trace."""
    said = " ".join(str(error).split("Stack trace:")[0].split())
    said = re.sub(r"^\[[\d:]+\] \S+:\d+: ", "", said)
    kind = ClientError if any(each.lower() in said.lower() for each in _DATA_AT_FAULT) else AlgorithmError
    return kind(f"XGB train call failed with exception: {said}")
