"""Data processors: the table split into parts, and the source code of each candidate definition's feature pipeline.

A data processor is a Python module ``dpp<i>`` which says what the columns mean and how they become features. It is
generated from the job's table, stands in S3 to be read and edited, and is what the data processor's training job runs.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from include.local_aws.images.autopilot import layout, trials
from include.local_aws.images.autopilot.context import Context
from include.local_aws.images.autopilot.families import Floats
from include.local_aws.images.autopilot.features import RECIPES
from include.local_aws.images.autopilot.studies import Line
from include.local_aws.images.autopilot.table import Schema


def write(context: Context, lines: Sequence[Line]) -> None:
    """Write the parts of the table and the modules of all candidate definitions."""
    names = header(context)
    material = trials.prepare(context, [], bagged=False)
    (split,) = material.splits
    for path, rows in ((layout.TRAIN_ROWS, split.train), (layout.VALIDATION_ROWS, split.held_out)):
        y = material.rows.y[rows]
        frame = _with_target(material.rows.frame.iloc[rows], y, context.table.schema)
        context.output.write(path, _csv(frame[list(names)]))
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow(names)
    context.output.write(layout.HEADER, written.getvalue().encode())
    folder = f"{layout.modules_folder(context.spec.job_name)}/{layout.MODULES}"
    context.output.write(f"{folder}/__init__.py", b'"""The data processors of one AutoML job."""\n')
    for number, line in enumerate(lines):
        source = module(context, number, line, names)
        context.output.write(f"{folder}/dpp{number}.py", source.encode())


def header(context: Context) -> tuple[str, ...]:
    """The names of the training files' columns, in their order; of a table that is in no file, the target is last."""
    folder = context.output.root / "input" / "data" / "train"
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    if files:
        return _header(files[0])
    schema = context.table.schema
    return (*(column.name for column in schema.columns), schema.target)


def _header(path: Path) -> tuple[str, ...]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    row = pd.read_csv(
        path, header=None, nrows=1, dtype=object, keep_default_na=False, compression="gzip" if packed else None
    )
    return tuple(str(name) for name in row.iloc[0])


def module(context: Context, number: int, line: Line, names: Sequence[str]) -> str:
    """The source code of a data processor."""
    schema = context.table.schema
    columns = "\n".join(f"    {column!r}," for column in schema.columns)
    return _MODULE.format(
        name=f"dpp{number}",
        job=context.spec.job_name,
        algorithm=line.algorithm,
        describe=RECIPES[line.recipe].describe,
        header=_tuple(names),
        columns=columns,
        target=schema.target,
        problem_type=schema.problem_type,
        labels=tuple(schema.labels),
        recipe=line.recipe,
    )


_MODULE = '''"""Data processor {name} of the AutoML job {job}, for its {algorithm} candidates.

Features: {describe}.

A training job of this module fits it on CSV rows without header, in the columns of HEADER. Edit it to have other
features; what `fit` returns must be a `FeaturePipeline`, or have its `transform`, `schema` and `width`.
"""

from include.local_aws.images.autopilot import features
from include.local_aws.images.autopilot.table import Column, Schema

HEADER = {header}

COLUMNS = (
{columns}
)

SCHEMA = Schema(columns=COLUMNS, target={target!r}, problem_type={problem_type!r}, labels={labels!r})

RECIPE = {recipe!r}


def fit(rows):
    """The feature pipeline fitted on training rows: text cells in columns named as in COLUMNS."""
    return features.fit(RECIPE, SCHEMA, rows)
'''


def _tuple(names: Sequence[str]) -> str:
    lines = "\n".join(f"    {name!r}," for name in names)
    return f"(\n{lines}\n)"


def _with_target(frame: pd.DataFrame, y: Floats, schema: Schema) -> pd.DataFrame:
    cells = [schema.labels[int(value)] for value in y] if schema.labels else y
    return frame.assign(**{schema.target: np.asarray(cells, dtype=object if schema.labels else np.float64)})


def _csv(frame: pd.DataFrame) -> bytes:
    """Rows without header. A newline in a cell becomes a space: a transform job's line splitting ignores quotes."""
    text = frame.select_dtypes(include=["object", "string"])
    flat = {name: text[name].str.replace(r"[\r\n]+", " ", regex=True) for name in text.columns}
    return frame.assign(**flat).to_csv(index=False, header=False, lineterminator="\n").encode()
