"""The smoke test: real test rows through the endpoint must answer as batch transform did."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from automl_retraining.core.errors import EvidenceError, SmokeTestFailed
from automl_retraining.core.records import Manifest
from automl_retraining.core.section import ProblemType
from automl_retraining.sagemaker import storage

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 1e-6
"""Largest difference of a number, relative where it is above 1. Labels must be equal."""

LATENCY_REQUESTS = 21
"""Enough for a median that one slow answer does not move."""

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
    from automl_retraining.core import predictions

    where = f"endpoint {endpoint_name}, variant {variant!r}"
    body = _ask(runtime, endpoint_name, variant, [line for _, line in rows])
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


def check_run(
    s3: Any, runtime: Any, run_folder: str, endpoint_name: str, variant: str, *, count: int
) -> list[tuple[int, bytes]]:
    """Hold the endpoint against the challenger's predictions in a run folder; the rows that were sent.

    Raises:
        SmokeTestFailed: see ``check``.
        StorageError: the folder has no manifest, test rows or predictions.
    """
    from automl_retraining.core import predictions

    manifest = storage.read_record(s3, storage.join(run_folder, "manifest.json"), Manifest)
    scores = storage.read_bytes(s3, storage.join(run_folder, "scores", "challenger.csv"))
    rows = first_rows(s3, manifest.transform_input_uri, count)
    check(
        runtime,
        endpoint_name,
        variant,
        rows,
        predictions.scores_from_csv(scores),
        problem_type=manifest.problem_type,
        labels=manifest.labels,
    )
    return rows


def check_latency(
    runtime: Any, endpoint_name: str, variant: str, rows: Sequence[tuple[int, bytes]], *, limit_ms: float
) -> float:
    """The median time of single-row requests in milliseconds, one after another, as this worker sees it.

    The network between is included, so it is an upper bound of what the model takes. The first request is not counted:
    it opens the connection.

    Raises:
        SmokeTestFailed: the median is above the limit.
    """
    seconds = []
    for number in range(LATENCY_REQUESTS + 1):
        begun = time.perf_counter()
        _ask(runtime, endpoint_name, variant, [rows[number % len(rows)][1]])
        seconds.append(time.perf_counter() - begun)
    median = statistics.median(seconds[1:]) * 1000
    if median > limit_ms:
        raise SmokeTestFailed(
            f"endpoint {endpoint_name}, variant {variant!r}: expected a median latency of at most {limit_ms:g} ms "
            f"(endpoint.max_latency_ms), found {median:.1f} ms over {LATENCY_REQUESTS} requests of one row"
        )
    return median


def _ask(runtime: Any, endpoint_name: str, variant: str, lines: Sequence[bytes]) -> bytes:
    """The variant's answer to these rows in one request; SmokeTestFailed where the container refuses them."""
    from botocore.exceptions import ClientError

    try:
        answer = runtime.invoke_endpoint(
            EndpointName=endpoint_name,
            TargetVariant=variant,
            ContentType="text/csv",
            Accept="text/csv",
            Body=b"\n".join(lines) + b"\n",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"ModelError", "ValidationError"}:
            raise
        raise SmokeTestFailed(
            f"endpoint {endpoint_name}, variant {variant!r}: expected it to answer {len(lines)} test rows that batch "
            f"transform answered, found: {error}"
        ) from error
    body: bytes = answer["Body"].read()
    return body


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
