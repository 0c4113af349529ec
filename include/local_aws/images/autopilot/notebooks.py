"""The two notebooks of a job: what was found in the data, and which candidates are searched.

Their code runs against the embedded AWS or a real one: boto3 takes the endpoint from AWS_ENDPOINT_URL, if it is set.
A tuning's candidate definition notebook comes with what its code needs: the table's two parts, the source code of the
data processors, and a helper package.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from include.local_aws.images.autopilot import definitions, exploration, layout, processors
from include.local_aws.images.autopilot.context import Context
from include.local_aws.images.autopilot.families import FAMILIES
from include.local_aws.images.autopilot.features import RECIPES
from include.local_aws.images.autopilot.fitting import FOLDS
from include.local_aws.images.autopilot.studies import Line

DATA_EXPLORATION = "SageMakerAutopilotDataExplorationNotebook.ipynb"
CANDIDATE_DEFINITION = "SageMakerAutopilotCandidateDefinitionNotebook.ipynb"


def write(context: Context, lines: Sequence[Line], inputs: Sequence[str]) -> None:
    """Write both notebooks and report them. ``inputs`` are the S3 URIs of the training channel."""
    folder = layout.candidates_folder(context.spec.job_name)
    if context.mode == "HYPERPARAMETER_TUNING":
        processors.write(context, lines)
        for name, content in definitions.package().items():
            context.output.write(f"{folder}/sagemaker_automl/{name}", content)
        candidates = definitions.cells(context, lines)
    else:
        candidates = _ensembling(context, lines)
    written = {}
    for name, cells in ((DATA_EXPLORATION, exploration.cells(context, inputs)), (CANDIDATE_DEFINITION, candidates)):
        written[name] = f"{folder}/notebooks/{name}"
        context.output.write(written[name], _render(cells).encode())
    context.output.emit(
        "artifacts",
        candidate_definition_notebook=written[CANDIDATE_DEFINITION],
        data_exploration_notebook=written[DATA_EXPLORATION],
    )


def _render(cells: list[Any]) -> str:
    for number, cell in enumerate(cells):
        # The library's own ids are random; the same job gives the same notebook.
        cell["id"] = f"cell-{number}"
    notebook = new_notebook(
        cells=cells,
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
    )
    nbformat.validate(notebook)
    return str(nbformat.writes(notebook))


def _ensembling(context: Context, lines: Sequence[Line]) -> list[Any]:
    spec = context.spec
    validation = (
        "the validation channel"
        if context.table.validation is not None
        else f"{FOLDS} folds of the training rows, each predicted by models that have not seen it"
    )
    cells = [
        new_markdown_cell(
            f"# Candidate definitions of `{spec.job_name}`\n\n"
            f"Mode **ENSEMBLING**, at most **{context.max_candidates}** candidates for **{context.metric}** "
            f"({context.problem_type}), measured on {validation}. The seed is {spec.seed}."
        )
    ]
    for number, line in enumerate(lines):
        family = FAMILIES[line.algorithm]
        cells.append(
            new_markdown_cell(
                f"## dpp{number}: {family.title} (`{line.algorithm}`) on `{line.recipe}` features\n\n"
                f"Features: {RECIPES[line.recipe].describe}.\n\n"
                f"First tried:\n\n```json\n{json.dumps(dict(family.start), indent=2)}\n```\n\n"
                f"Then searched (Optuna, TPE) in:\n\n```python\n{inspect.getsource(family.space)}```"
            )
        )
    cells.append(
        new_markdown_cell(
            "## The ensemble\n\nThe last candidate is a weighted average of the others, chosen greedily with "
            f"replacement for the best {context.metric} of the validation predictions."
        )
    )
    cells.append(new_markdown_cell("## The candidates of the job"))
    cells.append(new_code_cell(_CANDIDATES.format(job=json.dumps(spec.job_name))))
    return cells


_CANDIDATES = """import boto3
import pandas as pd

sagemaker = boto3.client("sagemaker")
candidates = []
query = {{"AutoMLJobName": {job}, "SortBy": "FinalObjectiveMetricValue"}}
while query:
    page = sagemaker.list_candidates_for_auto_ml_job(**query)
    candidates += page["Candidates"]
    query = {{**query, "NextToken": page["NextToken"]}} if page.get("NextToken") else None
pd.DataFrame(
    {{
        "candidate": candidate["CandidateName"],
        "status": candidate["CandidateStatus"],
        **{{
            metric["StandardMetricName"]: metric["Value"]
            for metric in candidate.get("CandidateProperties", {{}}).get("CandidateMetrics", [])
        }},
    }}
    for candidate in candidates
)"""
