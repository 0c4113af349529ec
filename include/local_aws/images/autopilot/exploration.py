"""The data exploration notebook: what was found in the table, and code that looks at it again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from nbformat.v4 import new_code_cell, new_markdown_cell

from include.local_aws.images.autopilot.context import Context
from include.local_aws.images.autopilot.table import parse_numbers

_SHOWN_ROWS = 5
_SHOWN_CELL = 60


def cells(context: Context, inputs: Sequence[str]) -> list[Any]:
    """The notebook's cells. ``inputs`` are the S3 URIs of the training channel."""
    table, spec = context.table, context.spec
    frame = table.train.frame
    numeric = [column.name for column in table.schema.used if column.kind == "numeric"]
    found = [
        new_markdown_cell(
            f"# Amazon SageMaker Autopilot data exploration\n\n"
            f"The AutoML job `{spec.job_name}` read {len(table.train):,} training rows"
            + (f" and {len(table.validation):,} validation rows" if table.validation is not None else "")
            + f", {len(table.schema.columns)} columns besides the target `{spec.target}`. "
            f"The problem is a **{context.problem_type}**, the objective **{context.metric}**."
            + "".join(f"\n\n- {note}" for note in table.notes)
        ),
        new_markdown_cell("## Dataset sample\n\n" + _markdown(frame.head(_SHOWN_ROWS).astype(object))),
        new_markdown_cell(f"## Target analysis: `{spec.target}`\n\n" + _target_table(context)),
        new_markdown_cell("## Column analysis\n\n" + _column_table(context)),
        new_markdown_cell("## Percent of missing values\n\n" + _missing(frame)),
        new_markdown_cell("## Duplicate rows\n\n" + _duplicates(context)),
    ]
    if numeric:
        found.append(
            new_markdown_cell("## Descriptive statistics of the numeric columns\n\n" + _statistics(frame, numeric))
        )
    if len(numeric) > 1:
        found.append(new_markdown_cell("## Correlations of the numeric columns\n\n" + _correlations(frame, numeric)))
    found += [
        new_markdown_cell("## The data\n\nThe same table, from where the job read it."),
        new_code_cell(_LOAD.format(sources=_sources(context, inputs))),
        new_code_cell("data.describe(include='all').transpose()"),
        new_code_cell(f"data[{spec.target!r}].value_counts(dropna=False).head(20)"),
        new_code_cell("data.isna().mean().sort_values(ascending=False).rename('share missing').to_frame()"),
    ]
    if len(numeric) > 1:
        found.append(new_code_cell(f"data[{numeric!r}].apply(pd.to_numeric, errors='coerce').corr().round(2)"))
    return found


def _sources(context: Context, inputs: Sequence[str]) -> str:
    """The inputs with their S3DataType, as Python literals."""
    job = json.loads((context.output.root / "input" / "config" / "automl.json").read_text(encoding="utf-8"))
    channels = [each["DataSource"]["S3DataSource"] for each in job["request"]["AutoMLJobInputDataConfig"]]
    kinds = {each["S3Uri"]: each["S3DataType"] for each in channels}
    return repr([(kinds.get(uri, "S3Prefix"), uri) for uri in inputs])


_LOAD = """import io
import json
from urllib.parse import urlsplit

import boto3
import pandas as pd

s3 = boto3.client("s3")


def read(bucket, key):
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def objects(kind, uri):
    bucket, key = urlsplit(uri).netloc, urlsplit(uri).path.lstrip("/")
    if kind == "ManifestFile":
        first, *names = json.loads(read(bucket, key))
        prefix = urlsplit(first["prefix"])
        yield from ((prefix.netloc, prefix.path.lstrip("/") + name) for name in names)
        return
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
        yield from ((bucket, item["Key"]) for item in page.get("Contents", []) if item["Size"])


parts = []
for kind, uri in {sources}:
    for bucket, key in objects(kind, uri):
        body = read(bucket, key)
        compression = "gzip" if body[:2] == b"\\x1f\\x8b" else None
        parts.append(pd.read_csv(io.BytesIO(body), compression=compression))
data = pd.concat(parts, ignore_index=True)
data.shape"""


def _missing(frame: pd.DataFrame) -> str:
    shares = frame.isna().mean()
    rows = [[str(name), f"{share:.2%}"] for name, share in shares.sort_values(ascending=False).items() if share > 0]
    return _rows(["column", "missing"], rows) if rows else "No value is missing."


def _duplicates(context: Context) -> str:
    train = context.table.train
    count = int(train.frame.assign(**{context.spec.target: train.y}).duplicated().sum())
    if not count:
        return "No row is there twice."
    share = f"{count:,} rows ({count / len(train):.2%}) are equal to an earlier one, target included."
    return share + " Where they fall into both parts of a split, a model is measured on rows that it has seen."


def _statistics(frame: pd.DataFrame, numeric: list[str]) -> str:
    rows = []
    for name in numeric:
        numbers = parse_numbers(frame[name])
        present = numbers[~np.isnan(numbers)]
        if len(present):
            low, first, middle, third, high = np.quantile(present, [0, 0.25, 0.5, 0.75, 1])
            spread = 1.5 * (third - first)
            outliers = float(np.mean((present < first - spread) | (present > third + spread)))
            told = [f"{value:.6g}" for value in (present.mean(), present.std(), low, first, middle, third, high)]
            rows.append([name, *told, f"{outliers:.2%}"])
    header = ["column", "mean", "standard deviation", "minimum", "25 %", "median", "75 %", "maximum", "outliers"]
    return _rows(header, rows) + "\n\nOutliers are further than 1.5 interquartile ranges from the quartiles (Tukey)."


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


def _markdown(frame: pd.DataFrame) -> str:
    rows = [
        ["" if cell is None or cell != cell else str(cell)[:_SHOWN_CELL] for cell in row] for row in frame.to_numpy()
    ]
    return _rows([str(name) for name in frame.columns], rows)


def _rows(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    return "\n".join([line(header), line(["---"] * len(header)), *(line(row) for row in rows)])
