"""The smoke test: real test rows through the endpoint must answer as batch transform did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from automl_retraining.core.errors import EvidenceError, SmokeTestFailed
from automl_retraining.core.section import ProblemType
from automl_retraining.sagemaker import storage

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 1e-6
"""Largest difference of a number, relative where it is above 1. Labels must be equal."""

_FIRST_BYTES = 1 << 20


def first_rows(s3: Any, transform_input_uri: str, count: int) -> list[tuple[int, bytes]]:
    """The first rows of the transform input: row id, and the line without it, as batch transform sent it.

    Reads at most 1 MiB, so very wide rows may give fewer than ``count``; at least one.
    """
    bucket, key = storage.parse_uri(transform_input_uri)
    answer = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{_FIRST_BYTES - 1}")
    lines = answer["Body"].read().splitlines(keepends=True)
    if (
        lines
        and not lines[-1].endswith(b"\n")
        and answer["ContentRange"].rpartition("/")[2] != str(answer["ContentLength"])
    ):
        lines.pop()  # cut off in its middle
    rows = []
    for line in lines[:count]:
        row_id, _, features = line.rstrip(b"\r\n").partition(b",")
        rows.append((int(row_id), features))
    if not rows:
        raise SmokeTestFailed(
            f"expected rows of at most {_FIRST_BYTES} bytes at {transform_input_uri}, found none to send: "
            "see the split's transform input"
        )
    return rows


def check(
    runtime: Any,
    endpoint_name: str,
    variant: str,
    rows: Sequence[tuple[int, bytes]],
    expected: pd.DataFrame,
    *,
    problem_type: ProblemType,
    labels: Sequence[str],
) -> None:
    """Send the rows in one request to that variant and hold the answers against batch transform's.

    Args:
        runtime: a boto3 ``sagemaker-runtime`` client.
        rows: row ids with CSV lines of features.
        expected: batch transform's predictions by row id: ``prediction`` and ``p:<label>`` (``core.predictions``).

    Raises:
        SmokeTestFailed: the container refused, or an answer differs; the message names the first row that does.
    """
    from botocore.exceptions import ClientError

    from automl_retraining.core import predictions

    where = f"endpoint {endpoint_name}, variant {variant!r}"
    try:
        answer = runtime.invoke_endpoint(
            EndpointName=endpoint_name,
            TargetVariant=variant,
            ContentType="text/csv",
            Accept="text/csv",
            Body=b"\n".join(line for _, line in rows) + b"\n",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"ModelError", "ValidationError"}:
            raise
        raise SmokeTestFailed(
            f"{where}: expected it to answer {len(rows)} test rows that batch transform answered, found: {error}"
        ) from error
    body: bytes = answer["Body"].read()
    lines = body.splitlines()
    if len(lines) != len(rows):
        raise SmokeTestFailed(f"{where}: expected one line for each of {len(rows)} rows, found {len(lines)}")
    with_ids = b"".join(b"%d,%s\n" % (row_id, line) for (row_id, _), line in zip(rows, lines, strict=True))
    try:
        found = predictions.read_outputs([with_ids], problem_type=problem_type, labels=labels)
    except EvidenceError as error:
        raise SmokeTestFailed(f"{where}: expected answers in batch transform's form, found: {error}") from error
    for row_id, _ in rows:
        for column in found.columns:
            _compare(where, row_id, column, expected.at[row_id, column], found.at[row_id, column])


def _compare(where: str, row_id: int, column: str, expected: Any, found: Any) -> None:
    numbers = _number(expected), _number(found)
    if numbers[0] is None or numbers[1] is None:
        equal = str(expected) == str(found)
    else:
        equal = abs(numbers[0] - numbers[1]) <= TOLERANCE * max(1.0, abs(numbers[0]))
    if not equal:
        raise SmokeTestFailed(
            f"{where}: expected {column} of test row {row_id} to be {expected!r} as batch transform answered "
            f"(numbers to {TOLERANCE:g}), found {found!r}: the endpoint does not serve what was evaluated"
        )


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None  # a label in words
