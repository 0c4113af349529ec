"""HYPERPARAMETER_TUNING: feature pipelines times algorithms, tuned by Optuna on a held-out validation part."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from include.local_aws.images.autopilot import fitting, trials, uris
from include.local_aws.images.autopilot.candidates import Candidate
from include.local_aws.images.autopilot.context import Context
from include.local_aws.images.autopilot.predictor import Member, Predictor
from include.local_aws.images.autopilot.serving import Algorithm
from include.local_aws.images.autopilot.studies import Line, Trial
from include.local_aws.images.autopilot.trials import Material
from include.local_aws.images.autopilot.workers import Outcome

_DEFINITIONS = (
    Line("xgboost", "ordinal"),
    Line("mlp", "quantile"),
    Line("linear-learner", "one-hot"),
    Line("xgboost", "one-hot"),
    Line("linear-learner", "quantile"),
    Line("mlp", "one-hot"),
    Line("xgboost", "pca"),
)
_SHORT_NAMES = {"xgboost": "xgb", "linear-learner": "linear-learner", "mlp": "mlp"}
_NAME_LIMIT = 64


def lines(context: Context) -> list[Line]:
    """The candidate definitions; number i of them is Autopilot's data processing pipeline ``dpp<i>`` and its
    algorithm.
    """
    return [line for line in _DEFINITIONS if line.algorithm in context.algorithms]


def search(context: Context, lines: Sequence[Line]) -> tuple[list[Candidate], Material]:
    """Tune the definitions until the number of candidates or the time is used up."""
    material = trials.prepare(context, [line.recipe for line in lines], bagged=False)
    job = context.spec.job_name
    processors: dict[Line, str] = {}

    def processor(line: Line) -> str:
        """The artifact of a definition's feature pipeline, written when a candidate first needs it."""
        if line not in processors:
            number = lines.index(line)
            folder = f"{job}-dpp{number}-1-{_digest([job, number, line.recipe], 16)}"
            processors[line] = f"data-processor-models/{folder}/output/model.tar.gz"
            context.output.write_model(
                processors[line], "features", material.pipelines[line.recipe], {"recipe": line.recipe}
            )
        return processors[line]

    def name(trial: Trial) -> str:
        tail = f"-{trial.number:03d}-{_digest([trial.line.algorithm, trial.line.recipe, dict(trial.parameters)], 8)}"
        return job[: _NAME_LIMIT - len(tail)] + tail

    def make(name: str, trial: Trial, outcome: Outcome, metrics: Mapping[str, float]) -> Candidate:
        fitted: fitting.Fitted = outcome.value
        line = trial.line
        pipeline = material.pipelines[line.recipe]
        folder = f"tuning/{job}-dpp{lines.index(line)}-{_SHORT_NAMES[line.algorithm]}/{name}/output"
        algorithm = Algorithm(fitted.models[0], pipeline.width, len(context.table.schema.labels))
        manifest = {"candidate": name, "algorithm": line.algorithm, "parameters": dict(trial.parameters)}
        context.output.write_model(f"{folder}/model.tar.gz", "algorithm", algorithm, manifest)
        return Candidate(
            name=name,
            algorithm=line.algorithm,
            parameters=trial.parameters,
            metrics=metrics,
            predictor=Predictor(
                context.table.schema, {line.recipe: pipeline}, (Member(line.recipe, fitted.models, 1.0),)
            ),
            predicted=fitted.predicted,
            containers=_containers(context, line, processor(line), f"{folder}/model.tar.gz"),
            started=outcome.started,
            ended=outcome.ended,
        )

    done, _ = trials.run(context, material, lines, context.max_candidates, name, make)
    return list(done.values()), material


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


def _digest(parts: Sequence[Any], length: int) -> str:
    return hashlib.sha256(json.dumps(list(parts), sort_keys=True).encode()).hexdigest()[:length]
