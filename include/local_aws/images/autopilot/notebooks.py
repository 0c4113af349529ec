"""The two notebooks of a job: what was found in the data, and which candidates are searched.

Their code runs against the embedded AWS or a real one: boto3 takes the endpoint from AWS_ENDPOINT_URL, if it is set.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from typing import Any

import nbformat
import numpy as np
import pandas as pd
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from include.local_aws.images.autopilot.context import Context
from include.local_aws.images.autopilot.families import FAMILIES
from include.local_aws.images.autopilot.features import RECIPES
from include.local_aws.images.autopilot.fitting import FOLDS
from include.local_aws.images.autopilot.studies import Line
from include.local_aws.images.autopilot.table import parse_numbers

_FOLDER = "sagemaker-automl-candidates/notebooks"
DATA_EXPLORATION = f"{_FOLDER}/SageMakerAutopilotDataExplorationNotebook.ipynb"
CANDIDATE_DEFINITION = f"{_FOLDER}/SageMakerAutopilotCandidateDefinitionNotebook.ipynb"

_SHOWN_ROWS = 5
_SHOWN_CELL = 60


def write(context: Context, lines: Sequence[Line], inputs: Sequence[str]) -> None:
    """Write both notebooks and report them. ``inputs`` are the S3 URIs of the training channel."""
    for path, cells in (
        (DATA_EXPLORATION, _data_exploration(context, inputs)),
        (CANDIDATE_DEFINITION, _candidate_definition(context, lines)),
    ):
        context.output.write(path, _render(cells).encode())
    context.output.emit(
        "artifacts",
        candidate_definition_notebook=CANDIDATE_DEFINITION,
        data_exploration_notebook=DATA_EXPLORATION,
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


def _data_exploration(context: Context, inputs: Sequence[str]) -> list[Any]:
    table, spec = context.table, context.spec
    frame = table.train.frame
    cells = [
        new_markdown_cell(
            f"# Data exploration of `{spec.job_name}`\n\n"
            f"{len(table.train):,} training rows"
            + (f" and {len(table.validation):,} validation rows" if table.validation is not None else "")
            + f", {len(table.schema.columns)} columns besides the target `{spec.target}`. "
            f"The problem is a **{context.problem_type}**, the objective **{context.metric}**."
            + "".join(f"\n\n- {note}" for note in table.notes)
        ),
        new_markdown_cell(f"## The target `{spec.target}`\n\n" + _target_table(context)),
        new_markdown_cell("## Columns\n\n" + _column_table(context)),
        new_markdown_cell("## The first rows\n\n" + _markdown(frame.head(_SHOWN_ROWS).astype(object))),
        new_markdown_cell("## The data\n\nThe same table, from where the job read it."),
        new_code_cell(_LOAD.format(inputs=json.dumps(list(inputs)))),
        new_code_cell("data.describe(include='all').transpose()"),
        new_code_cell(f"data[{spec.target!r}].value_counts(dropna=False).head(20)"),
        new_code_cell("data.isna().mean().sort_values(ascending=False).rename('share missing').to_frame()"),
    ]
    numeric = [column.name for column in table.schema.used if column.kind == "numeric"]
    if len(numeric) > 1:
        cells.append(new_markdown_cell("## Correlations of the numeric columns\n\n" + _correlations(frame, numeric)))
        cells.append(new_code_cell(f"data[{numeric!r}].apply(pd.to_numeric, errors='coerce').corr().round(2)"))
    return cells


_LOAD = """import io
from urllib.parse import urlsplit

import boto3
import pandas as pd

s3 = boto3.client("s3")
parts = []
for uri in {inputs}:
    bucket, prefix = urlsplit(uri).netloc, urlsplit(uri).path.lstrip("/")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            if item["Size"]:
                body = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
                compression = "gzip" if body[:2] == b"\\x1f\\x8b" else None
                parts.append(pd.read_csv(io.BytesIO(body), compression=compression))
data = pd.concat(parts, ignore_index=True)
data.shape"""


def _target_table(context: Context) -> str:
    y, labels = context.table.train.y, context.table.schema.labels
    if labels:
        counts = np.bincount(y.astype(np.int64), minlength=len(labels))
        rows = [[label, f"{count:,}", f"{count / len(y):.1%}"] for label, count in zip(labels, counts, strict=True)]
        positive = f"\n\nThe positive class is `{labels[1]}`." if len(labels) == 2 else ""
        return _rows(["label", "rows", "share"], rows) + positive
    quantiles = np.quantile(y, [0, 0.25, 0.5, 0.75, 1])
    return _rows(
        ["mean", "standard deviation", "minimum", "25 %", "median", "75 %", "maximum"],
        [[f"{value:.6g}" for value in (y.mean(), y.std(), *quantiles)]],
    )


def _column_table(context: Context) -> str:
    frame = context.table.train.frame
    rows = []
    for column in context.table.schema.columns:
        values = frame[column.name]
        if column.kind == "numeric":
            numbers = parse_numbers(values)
            present = numbers[~np.isnan(numbers)]
            content = f"{present.min():.6g} to {present.max():.6g}, mean {present.mean():.6g}" if len(present) else "–"
        else:
            top = values.value_counts().head(3)
            content = ", ".join(f"{str(value)[:20]} ({count:,})" for value, count in top.items()) or "–"
        rows.append(
            [
                column.name,
                column.kind + (f" ({column.why})" if column.why else ""),
                f"{values.isna().mean():.1%}",
                f"{values.nunique():,}",
                content,
            ]
        )
    return _rows(["column", "kind", "missing", "distinct", "content"], rows)


def _correlations(frame: pd.DataFrame, numeric: list[str]) -> str:
    numbers = pd.DataFrame({name: parse_numbers(frame[name]) for name in numeric})
    matrix = numbers.corr().abs().to_numpy(copy=True)
    np.fill_diagonal(matrix, 0)
    matrix = np.nan_to_num(np.triu(matrix))
    strongest = np.argsort(matrix, axis=None)[::-1][:10]
    rows = []
    for flat in strongest:
        first, second = np.unravel_index(flat, matrix.shape)
        if matrix[first, second] > 0:
            rows.append([numeric[first], numeric[second], f"{matrix[first, second]:.3f}"])
    return "The strongest, by their absolute value:\n\n" + _rows(["column", "with", "correlation"], rows)


def _candidate_definition(context: Context, lines: Sequence[Line]) -> list[Any]:
    spec = context.spec
    validation = (
        "the validation channel"
        if context.table.validation is not None
        else f"{FOLDS} folds of the training rows, each predicted by models that have not seen it"
        if context.mode == "ENSEMBLING"
        else f"{spec.validation_fraction:.0%} of the training rows, held out"
    )
    cells = [
        new_markdown_cell(
            f"# Candidate definitions of `{spec.job_name}`\n\n"
            f"Mode **{context.mode}**, at most **{context.max_candidates}** candidates for **{context.metric}** "
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
    if context.mode == "ENSEMBLING":
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


def _markdown(frame: pd.DataFrame) -> str:
    rows = [
        ["" if cell is None or cell != cell else str(cell)[:_SHOWN_CELL] for cell in row] for row in frame.to_numpy()
    ]
    return _rows([str(name) for name in frame.columns], rows)


def _rows(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    return "\n".join([line(header), line(["---"] * len(header)), *(line(row) for row in rows)])
