"""The candidate definition notebook of a tuning: the candidates, and code that prepares, tunes and deploys them.

Its outline, its calls and the names of its variables are those of the notebooks that Autopilot writes (SageMaker
developer guide, "Candidate definition notebook"), so that whoever reads the definitions out of one can read them out of
the other. Its code needs boto3, and the package `sagemaker_automl` that stands beside it in S3.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nbformat.v4 import new_code_cell, new_markdown_cell

from include.local_aws.images.autopilot import layout, objective, tuning, uris
from include.local_aws.images.autopilot.algorithm import Range
from include.local_aws.images.autopilot.algorithms import ALGORITHMS
from include.local_aws.images.autopilot.context import Context
from include.local_aws.images.autopilot.features import RECIPES
from include.local_aws.images.autopilot.studies import Line

MAX_JOBS = 250
"""Training jobs of the notebook's tuning job, as in Autopilot's own."""
_TRAINING = {"instance_type": "ml.m5.4xlarge", "instance_count": 1, "volume_size_in_gb": 50}
_TRANSFORM = {"instance_type": "ml.m5.4xlarge", "instance_count": 1}


def package() -> dict[str, bytes]:
    """The files of the helper package, by their names."""
    # Read, not imported: its boto3 is of no use to a search.
    return {path.name: path.read_bytes() for path in Path(__file__).with_name("sagemaker_automl").glob("*.py")}


def definition(number: int, line: Line) -> dict[str, Any]:
    """A candidate definition as the notebook's ``select_candidate`` takes it."""
    return {
        "data_transformer": {
            "name": f"dpp{number}",
            "training_resource_config": _TRAINING,
            "transform_resource_config": _TRANSFORM,
            "transforms_label": True,
            "transformed_data_format": "application/x-recordio-protobuf",
            "sparse_encoding": False,
        },
        "algorithm": {
            "name": line.algorithm,
            "training_resource_config": _TRAINING,
            "candidate_specific_static_hyperparameters": {},
        },
    }


def cells(context: Context, lines: Sequence[Line]) -> list[Any]:
    """The notebook's cells."""
    algorithms = list(dict.fromkeys(line.algorithm for line in lines))
    found = [
        new_markdown_cell(_INTRODUCTION.format(job=context.spec.job_name, **_facts(context))),
        new_markdown_cell("## SageMaker setup\n\nThe job's artifacts, the helper package among them, are downloaded."),
        new_code_cell(_SETUP.format(artifacts=_artifacts(context), job=context.spec.job_name)),
        new_code_cell(_run_config(context, algorithms)),
        new_markdown_cell(_PIPELINES.format(count=len(lines), modules=f"{_artifacts(context)}/generated_module")),
        new_code_cell("automl_interactive_runner = AutoMLInteractiveRunner(AUTOML_LOCAL_RUN_CONFIG)"),
    ]
    for number, line in enumerate(lines):
        described = RECIPES[line.recipe].describe
        found.append(
            new_markdown_cell(
                f"### `dpp{number}-{line.algorithm}`\n\n"
                f"This data transformation strategy (`{line.recipe}`) has {described}. "
                f"The features are used to tune **{ALGORITHMS[line.algorithm].title}** (`{line.algorithm}`)."
            )
        )
        found.append(new_code_cell(f"automl_interactive_runner.select_candidate({_literal(definition(number, line))})"))
    found += [
        new_markdown_cell("### Selected candidates"),
        new_code_cell("automl_interactive_runner.display_candidates()"),
        new_markdown_cell(_TRANSFORMATION),
        new_code_cell(f"automl_interactive_runner.fit_data_transformers(parallel_jobs={min(2, len(lines))})"),
        new_markdown_cell(_TUNING),
        new_code_cell(
            f"ALGORITHM_OBJECTIVE_METRICS = "
            f"{_literal({name: tuning.objective_metric(context, name) for name in algorithms})}"
        ),
        new_code_cell(f"STATIC_HYPERPARAMETERS = {_literal({name: _static(context, name) for name in algorithms})}"),
        new_code_cell(_ranges({name: ALGORITHMS[name].ranges for name in algorithms})),
        new_code_cell(_PREPARE),
        new_markdown_cell("### Create the multi-algorithm tuner"),
        new_code_cell(_TUNER.format(objective_type=_objective_type(context), max_jobs=MAX_JOBS)),
        new_code_cell("tuner.fit(inputs=multi_algo_tuning_inputs)\ntuner.wait()"),
        new_markdown_cell("## Model selection and deployment\n\n### Tuning job overview"),
        new_code_cell(_OVERVIEW),
        new_markdown_cell("### Model deployment\n\nThe best training job's model behind its data transformer."),
        new_code_cell(_MODEL),
        new_code_cell(_DEPLOY),
    ]
    return found


def _artifacts(context: Context) -> str:
    return f"{context.spec.output_uri}/{layout.candidates_folder(context.spec.job_name)}"


def _facts(context: Context) -> dict[str, Any]:
    table = context.table
    return {
        "rows": f"{len(table.train):,}",
        "columns": len(table.schema.columns) + 1,
        "target": table.schema.target,
        "problem_type": context.problem_type,
        "metric": context.metric,
    }


def _objective_type(context: Context) -> str:
    minimised = context.metric in objective.MINIMIZED or context.metric == "R2"  # R2 is tuned by MSE
    return "Minimize" if minimised else "Maximize"


def _static(context: Context, algorithm: str) -> dict[str, str]:
    return ALGORITHMS[algorithm].static(context.problem_type, len(context.table.schema.labels))


def _run_config(context: Context, algorithms: Sequence[str]) -> str:
    spec = context.spec
    job = json.loads((context.output.root / "input" / "config" / "automl.json").read_text(encoding="utf-8"))
    config = {
        "automl_job_name": spec.job_name,
        "automl_output_s3_base_path": spec.output_uri.removesuffix(f"/{spec.job_name}"),
        "problem_type": context.problem_type,
        "data_transformer_image_uri": uris.features(spec.region),
        "algo_image_uris": {name: uris.training(name, spec.region) for name in algorithms},
        "algo_inference_image_uris": {name: uris.algorithm(name, spec.region) for name in algorithms},
        "generated_module_s3_path": f"{_artifacts(context)}/generated_module",
    }
    security = job["request"].get("SecurityConfig", {})
    return _RUN_CONFIG.format(
        config=_literal(config), role=job["request"].get("RoleArn", ""), security=_literal(security)
    )


def _literal(value: Any) -> str:
    """JSON as Python reads it."""
    return re.sub(r"(?<=: )(true|false)\b", lambda match: match[0].capitalize(), json.dumps(value, indent=4))


def _ranges(algorithms: Mapping[str, Mapping[str, Range]]) -> str:
    lines = ["ALGORITHM_TUNABLE_HYPERPARAMETER_RANGES = {"]
    for name, ranges in algorithms.items():
        lines.append(f'    "{name}": {{')
        lines += [f'        "{parameter}": {_parameter(each)},' for parameter, each in ranges.items()]
        lines.append("    },")
    return "\n".join([*lines, "}"])


def _parameter(each: Range) -> str:
    if each.kind == "Categorical":
        return f"CategoricalParameter({json.dumps(list(each.values))})"
    low, high = (int(each.low), int(each.high)) if each.kind == "Integer" else (each.low, each.high)
    return f'{each.kind}Parameter({low!r}, {high!r}, scaling_type="{each.scaling}")'


_INTRODUCTION = """# Amazon SageMaker Autopilot candidate definition notebook

This notebook was generated by the AutoML job **{job}**. Its table has {rows} training rows and {columns} columns; the
column **{target}** is the target, the problem a **{problem_type}**, the objective **{metric}**.

It prepares the candidate pipelines below, tunes them together, and deploys the best model. Everything in it may be
edited: candidates left out, ranges changed, data transformers rewritten."""

_SETUP = """import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import boto3

ARTIFACTS = "{artifacts}"
LOCAL_ARTIFACTS = Path("{job}-artifacts")

s3 = boto3.client("s3")
bucket, prefix = urlsplit(ARTIFACTS).netloc, urlsplit(ARTIFACTS).path.lstrip("/") + "/"
for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
    for item in page.get("Contents", []):
        target = LOCAL_ARTIFACTS / item["Key"].removeprefix(prefix)
        target.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(bucket, item["Key"], str(target))
sys.path.insert(0, str(LOCAL_ARTIFACTS.resolve()))

from sagemaker_automl import (
    AutoMLInteractiveRunner,
    AutoMLLocalRunConfig,
    CategoricalParameter,
    ContinuousParameter,
    HyperparameterTuner,
    IntegerParameter,
)"""

_RUN_CONFIG = """BASE_AUTOML_JOB_CONFIG = {config}

LOCAL_AUTOML_JOB_NAME = BASE_AUTOML_JOB_CONFIG["automl_job_name"][:15].rstrip("-") + time.strftime("-run-%d-%H-%M-%S")
LOCAL_AUTOML_JOB_CONFIG = {{
    "local_automl_job_name": LOCAL_AUTOML_JOB_NAME,
    "local_automl_job_output_s3_base_path": BASE_AUTOML_JOB_CONFIG["automl_output_s3_base_path"],
}}

AUTOML_LOCAL_RUN_CONFIG = AutoMLLocalRunConfig(
    role="{role}",
    base_automl_job_config=BASE_AUTOML_JOB_CONFIG,
    local_automl_job_config=LOCAL_AUTOML_JOB_CONFIG,
    security_config={security},
)"""

_PIPELINES = """## Candidate pipelines

Autopilot generated {count} candidate pipelines: each is a data transformer and an algorithm. The data transformers'
source code is in `{modules}`."""

_TRANSFORMATION = """## Candidate selection: run the data transformation steps

A training job fits each data transformer on the train rows, and a transform job applies it to the train and the
validation rows."""

_TUNING = """## Multi-algorithm hyperparameter tuning

One tuning job searches over all candidates that are prepared: the objective of each algorithm, what is fixed, and the
ranges that are searched."""

_PREPARE = """multi_algo_tuning_parameters = automl_interactive_runner.prepare_multi_algo_parameters(
    objective_metrics=ALGORITHM_OBJECTIVE_METRICS,
    static_hyperparameters=STATIC_HYPERPARAMETERS,
    hyperparameters_search_ranges=ALGORITHM_TUNABLE_HYPERPARAMETER_RANGES,
)
multi_algo_tuning_inputs = automl_interactive_runner.prepare_multi_algo_inputs()"""

_TUNER = """tuner = HyperparameterTuner(
    tuning_job_name=LOCAL_AUTOML_JOB_NAME,
    objective_type="{objective_type}",
    max_jobs={max_jobs},
    max_parallel_jobs=2,
    **multi_algo_tuning_parameters,
)"""

_OVERVIEW = """import pandas as pd

df_tuning_job_analytics = pd.DataFrame(
    {
        "TrainingJobName": job["TrainingJobName"],
        "TrainingJobDefinitionName": job["TrainingJobDefinitionName"],
        "TrainingJobStatus": job["TrainingJobStatus"],
        "FinalObjectiveValue": job.get("FinalHyperParameterTuningJobObjectiveMetric", {}).get("Value"),
    }
    for job in tuner.training_jobs()
).sort_values("FinalObjectiveValue", ascending=tuner.objective_type == "Minimize")
df_tuning_job_analytics.head(20)"""

_MODEL = """best_training_job = tuner.best_training_job()
best_candidate = automl_interactive_runner.choose_candidate(tuner, best_training_job)
sagemaker = boto3.client("sagemaker")
sagemaker.create_model(
    ModelName=LOCAL_AUTOML_JOB_NAME,
    ExecutionRoleArn=AUTOML_LOCAL_RUN_CONFIG.role,
    Containers=best_candidate.containers(tuner.model_data(best_training_job)),
    **AUTOML_LOCAL_RUN_CONFIG.secured(),
)
best_candidate.name"""

_DEPLOY = """variant = {
    "VariantName": "AllTraffic",
    "ModelName": LOCAL_AUTOML_JOB_NAME,
    "InitialInstanceCount": 1,
    "InstanceType": "ml.m5.2xlarge",
}
sagemaker.create_endpoint_config(EndpointConfigName=LOCAL_AUTOML_JOB_NAME, ProductionVariants=[variant])
sagemaker.create_endpoint(EndpointName=LOCAL_AUTOML_JOB_NAME, EndpointConfigName=LOCAL_AUTOML_JOB_NAME)
sagemaker.get_waiter("endpoint_in_service").wait(
    EndpointName=LOCAL_AUTOML_JOB_NAME, WaiterConfig={"Delay": 2, "MaxAttempts": 900}
)
LOCAL_AUTOML_JOB_NAME"""
