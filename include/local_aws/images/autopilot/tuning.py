"""HYPERPARAMETER_TUNING: feature pipelines times algorithms, tuned by Optuna on a held-out validation part."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from include.local_aws.images.autopilot import artifacts, layout, objective, processors, recordio, steps, trials, uris
from include.local_aws.images.autopilot.algorithm import Data, Trained
from include.local_aws.images.autopilot.algorithms import ALGORITHMS
from include.local_aws.images.autopilot.candidates import Candidate, describe, describe_failure
from include.local_aws.images.autopilot.context import Context
from include.local_aws.images.autopilot.families import Floats
from include.local_aws.images.autopilot.features import Matrix
from include.local_aws.images.autopilot.predictor import Member, Predictor
from include.local_aws.images.autopilot.processor_training import artifact
from include.local_aws.images.autopilot.steps import Done
from include.local_aws.images.autopilot.studies import Line, Planner, Trial
from include.local_aws.images.autopilot.trials import Material
from include.local_aws.images.autopilot.workers import Job, Outcome, Workers

DEFINITIONS = (
    Line("xgboost", "ordinal"),
    Line("mlp", "quantile"),
    Line("linear-learner", "one-hot"),
    Line("xgboost", "one-hot"),
    Line("linear-learner", "quantile"),
    Line("mlp", "one-hot"),
    Line("xgboost", "pca"),
)
"""All candidate definitions. The candidate definition notebook tunes them in one job, which limits how many there can
be (10) and how many hyperparameters all of them can search (30).
"""
_BOOSTING_SHARE = 0.7
"""Of a fit's time limit; boosting then stops with the rounds it has, and what is left is for predicting and writing."""


def lines(context: Context) -> list[Line]:
    """The candidate definitions; number i of them is Autopilot's data processing pipeline ``dpp<i>`` and its
    algorithm.
    """
    return [line for line in DEFINITIONS if line.algorithm in context.algorithms]


def static_hyperparameters(context: Context, algorithm: str) -> dict[str, str]:
    """What all candidates of an algorithm have in common, the objective among it."""
    classes = len(context.table.schema.labels)
    fixed = ALGORITHMS[algorithm].static(context.problem_type, classes)
    return {**fixed, "_tuning_objective_metric": objective_metric(context, algorithm)}


def objective_metric(context: Context, algorithm: str) -> str:
    """The objective as the algorithm's image logs it; of what it does not log, the accuracy.

    R2 orders models of the same rows as MSE does, which all log: so that an objective of several algorithms is to be
    minimised or maximised for all of them.
    """
    logged = ALGORITHMS[algorithm].metrics(context.problem_type)
    return logged.get("MSE" if context.metric == "R2" else context.metric) or logged["Accuracy"]


def search(context: Context, lines: Sequence[Line]) -> tuple[list[Candidate], Material]:
    """Tune the definitions until the number of candidates or the time is used up."""
    began = time.time()
    material = trials.prepare(context, [line.recipe for line in lines], bagged=False)
    tuning = _Tuning(context, tuple(lines), material, Done(began, time.time()))
    context.output.emit("status", secondary_status="ModelTuning")
    planner = Planner(lines, context.spec.seed, ALGORITHMS)
    done: dict[int, Candidate] = {}
    asked = 0

    def ask() -> Job[Trial] | None:
        nonlocal asked
        if asked >= context.max_candidates or context.seconds_left() <= 0:
            return None
        asked += 1
        trial = planner.ask()
        return Job(trial, functools.partial(tuning.fit, trial), context.fit_seconds)

    def tell(trial: Trial, outcome: Outcome) -> None:
        if outcome.failure is not None:
            planner.tell(trial, None)
            context.report_failure(tuning.failed(trial, outcome))
            return
        candidate = tuning.candidate(trial, outcome)
        planner.tell(trial, candidate.rank(context.metric))
        done[trial.number] = candidate
        context.report(candidate, describe(candidate, context.metric), trial.number)

    with Workers() as workers:
        workers.stream(ask, tell)
    return list(done.values()), material


@dataclass(frozen=True)
class _Fitted:
    """What a trial's process gives back: the model, its predictions of the validation rows, and seconds a row."""

    trained: Trained
    predicted: Floats
    latency: float


class _Tuning:
    """The work on one search's definitions, and the steps that it is reported as."""

    def __init__(self, context: Context, lines: tuple[Line, ...], material: Material, prepared: Done) -> None:
        self._context = context
        self._spec = context.spec
        self._lines = lines
        self._material = material
        self._prepared = prepared
        self._header = processors.header(context)
        self._applied: set[int] = set()
        (self._split,) = material.splits
        steps.preprocessing(self._spec, context.output, prepared)

    def fit(self, trial: Trial, seconds: float) -> _Fitted:
        """Fit a candidate; runs in a child process."""
        x, y = self._material.matrices[trial.line.recipe], self._material.rows.y.astype(np.float32)
        train, held_out = self._split.train, self._split.held_out
        data = Data(
            x=x[train],
            y=y[train],
            x_validation=x[held_out],
            y_validation=y[held_out],
            classes=len(self._context.table.schema.labels),
            deadline=time.monotonic() + _BOOSTING_SHARE * seconds,
        )
        trained = ALGORITHMS[trial.line.algorithm].fit(data, self._hyperparameters(trial))
        began = time.perf_counter()
        predicted = trained.model.predict(data.x_validation)
        return _Fitted(trained, predicted, (time.perf_counter() - began) / max(1, len(predicted)))

    def candidate(self, trial: Trial, outcome: Outcome) -> Candidate:
        """A fitted candidate with its model written and its steps reported."""
        context, line, fitted = self._context, trial.line, outcome.value
        number, name = self._lines.index(line), self._name(trial)
        self._apply(number)
        metrics = objective.evaluate(context.problem_type, self._material.y, fitted.predicted, self._material.weight)
        model = layout.model(layout.tuning_folder(self._spec.job_name, number, line.algorithm), name)
        context.output.write(model, artifacts.archive(fitted.trained.files))
        logged = ALGORITHMS[line.algorithm].metrics(context.problem_type)
        self._report(
            trial,
            fitted.trained.hyperparameters,
            Done(
                outcome.started,
                outcome.ended,
                metrics=tuple((logged[each], value) for each, value in metrics.items() if each in logged),
            ),
        )
        pipeline = self._material.pipelines[line.recipe]
        return Candidate(
            name=name,
            algorithm=line.algorithm,
            parameters=trial.parameters,
            metrics={**metrics, "InferenceLatency": fitted.latency},
            predictor=Predictor(
                context.table.schema,
                {line.recipe: pipeline},
                (Member(line.recipe, (fitted.trained.model,), 1.0),),
            ),
            predicted=fitted.predicted,
            containers=_containers(context, line, steps.processor_model(self._spec, number), model),
            started=outcome.started,
            ended=outcome.ended,
            steps=steps.of_candidate(self._spec, number, name),
        )

    def failed(self, trial: Trial, outcome: Outcome) -> dict[str, Any]:
        """A candidate without a model, its steps reported up to the one that failed or was stopped."""
        assert outcome.failure is not None
        stopped = outcome.cut_off and self._context.seconds_left() <= 0
        number, name = self._lines.index(trial.line), self._name(trial)
        self._apply(number)
        status = "Stopped" if stopped else "Failed"
        failure = None if stopped else f"AlgorithmError: {outcome.failure}"
        self._report(
            trial, self._hyperparameters(trial), Done(outcome.started, outcome.ended, status=status, failure=failure)
        )
        return describe_failure(
            name,
            outcome.failure,
            outcome.started,
            outcome.ended,
            stopped=stopped,
            steps=steps.of_candidate(self._spec, number, name),
        )

    def _hyperparameters(self, trial: Trial) -> dict[str, str]:
        fixed = static_hyperparameters(self._context, trial.line.algorithm)
        return {**fixed, **{name: str(value) for name, value in trial.parameters.items()}}

    def _name(self, trial: Trial) -> str:
        parts = [trial.line.algorithm, trial.line.recipe, dict(trial.parameters)]
        return layout.candidate(self._spec.job_name, trial.number, parts)

    def _report(self, trial: Trial, hyperparameters: Mapping[str, str], done: Done) -> None:
        number = self._lines.index(trial.line)
        steps.algorithm(
            self._spec,
            self._context.output,
            number,
            trial.line.algorithm,
            self._name(trial),
            hyperparameters,
            done,
        )

    def _apply(self, number: int) -> None:
        """Write a definition's data processor and both parts' features when a candidate first needs them."""
        if number in self._applied:
            return
        self._applied.add(number)
        output, recipe = self._context.output, self._lines[number].recipe
        output.write(
            steps.processor_model(self._spec, number), artifact(self._material.pipelines[recipe], self._header)
        )
        steps.data_processor(self._spec, output, number, self._prepared)
        matrix, y = self._material.matrices[recipe], self._material.rows.y.astype(np.float32)
        for part, rows in (("train", self._split.train), ("validation", self._split.held_out)):
            output.write(layout.transformed(number, part), _records(matrix[rows], y[rows]))
        steps.transform(self._spec, output, number, self._prepared)


def _records(matrix: Matrix, y: Matrix) -> bytes:
    return recordio.encode(matrix, labels=y)


def _containers(context: Context, line: Line, features: str, algorithm: str) -> list[dict[str, Any]]:
    """Two containers for a regression; a classification's third one gives the labels back.

    The environment is that of real candidates (SageMaker developer guide, "Batch forecasting").
    """
    classification = bool(context.table.schema.labels)
    script = {"SAGEMAKER_PROGRAM": "sagemaker_serve", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    chain: list[dict[str, Any]] = [
        {
            "Image": uris.features(context.spec.region),
            "ModelDataUrl": f"artifact:{features}",
            "Environment": {
                "AUTOML_SPARSE_ENCODE_RECORDIO_PROTOBUF": "1",
                "AUTOML_TRANSFORM_MODE": "feature-transform",
                "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "application/x-recordio-protobuf",
                **script,
            },
        },
        {
            "Image": uris.algorithm(line.algorithm, context.spec.region),
            "ModelDataUrl": f"artifact:{algorithm}",
            "Environment": {
                "MAX_CONTENT_LENGTH": "20971520",
                "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
                **({} if line.algorithm == "xgboost" else {"ML_APPLICATION": line.algorithm.replace("-", "_")}),
            },
        },
    ]
    if classification:
        chain[1]["Environment"] |= {
            "SAGEMAKER_INFERENCE_OUTPUT": "predicted_label",
            "SAGEMAKER_INFERENCE_SUPPORTED": "predicted_label,probability,probabilities",
        }
        chain.append(
            {
                "Image": uris.features(context.spec.region),
                "ModelDataUrl": f"artifact:{features}",
                "Environment": {
                    "AUTOML_TRANSFORM_MODE": "inverse-label-transform",
                    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
                    "SAGEMAKER_INFERENCE_INPUT": "predicted_label",
                    "SAGEMAKER_INFERENCE_OUTPUT": "predicted_label",
                    "SAGEMAKER_INFERENCE_SUPPORTED": "predicted_label,probability,labels,probabilities",
                    **script,
                },
            }
        )
    return chain
