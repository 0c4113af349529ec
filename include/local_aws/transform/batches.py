"""A transform job's arithmetic: records into requests, answers into output lines. Pure functions.

Line splitting ignores quotes, as SageMaker's does: a quoted field with a newline in it makes two records.
"""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

from include.local_aws.transform.filters import ColumnFilter, FilterError, split_fields

MEGABYTE = 1024 * 1024
DEFAULT_PAYLOAD_MB = 6
LONGEST_RECORD = 100 * MEGABYTE
"""MaxPayloadInMB is at most 100 (API reference, CreateTransformJob)."""


class TransformError(ValueError):
    """The data can't be transformed as asked; the sentence becomes the job's failure reason."""


@dataclass(frozen=True)
class Plan:
    """What CreateTransformJob says about records and outputs."""

    split_lines: bool
    single_record: bool
    max_payload: int
    content_type: str
    accept: str | None
    assemble_lines: bool
    input_filter: ColumnFilter
    output_filter: ColumnFilter
    join_input: bool

    @property
    def by_record(self) -> bool:
        """Whether the outputs must be taken apart into records again."""
        return self.join_input or not self.output_filter.everything


@dataclass(frozen=True)
class Batch:
    """One request: its body, the input records that it came from, and the first one's number in the object (from 1)."""

    body: bytes
    records: tuple[str, ...]
    first: int = 1


def records_of(content: bytes) -> list[str]:
    """The lines of a file; a newline at the very end starts no record. Raises `TransformError` for what isn't UTF-8."""
    return list(records_in(io.BytesIO(content)))


def records_in(stream: IO[bytes]) -> Iterator[str]:
    """The same, read as they are needed."""
    offset = 0
    while line := stream.readline(LONGEST_RECORD + 1):
        if len(line) > LONGEST_RECORD:
            raise TransformError(
                f"Expected records that end within {LONGEST_RECORD // MEGABYTE} MB, the largest payload that there is; "
                f"the one at offset {offset} does not."
            )
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise TransformError(
                f"Expected UTF-8 text, found an undecodable byte at offset {offset + error.start}."
            ) from error
        offset += len(line)
        yield text.removesuffix("\n").removesuffix("\r")


def batches(stream: IO[bytes], plan: Plan) -> Iterator[Batch]:
    """The requests for one file, read as they are needed; raises `TransformError` for a record larger than
    MaxPayloadInMB.
    """
    if not plan.split_lines and not plan.by_record and plan.input_filter.everything:
        body = stream.read(plan.max_payload or -1)
        _fitting(len(body) + len(stream.read(1)), plan)
        yield Batch(body, ())
        return
    pairs = (
        (record, _filtered(record, plan.input_filter, number).encode())
        for number, record in enumerate(records_in(stream), start=1)
    )
    limit = None if not plan.split_lines else 1 if plan.single_record else 0
    first = 1
    for group in _grouped(pairs, plan.max_payload, limit):
        body = b"".join(body + b"\n" for _, body in group)
        _fitting(len(body), plan)
        yield Batch(body, tuple(record for record, _ in group), first)
        first += len(group)


def _grouped(
    pairs: Iterable[tuple[str, bytes]], max_payload: int, limit: int | None
) -> Iterator[list[tuple[str, bytes]]]:
    """Groups of at most `limit` records (0: as many as fit the payload; None: all in one)."""
    group: list[tuple[str, bytes]] = []
    size = 0
    for pair in pairs:
        length = len(pair[1]) + 1
        full = (limit == 1 and group) or (limit == 0 and group and max_payload and size + length > max_payload)
        if full:
            yield group
            group, size = [], 0
        group.append(pair)
        size += length
        if max_payload and size > max_payload:
            break  # it will be refused: no need to read on
    if group:
        yield group


def _fitting(size: int, plan: Plan) -> None:
    if plan.max_payload and size > plan.max_payload:
        raise TransformError(
            f"A request of {size} bytes or more exceeds MaxPayloadInMB ({plan.max_payload // MEGABYTE} MB). "
            "Split the input by line, or raise MaxPayloadInMB."
        )


def _filtered(record: str, chosen: ColumnFilter, number: int) -> str:
    try:
        return record if chosen.everything else ",".join(chosen.select(split_fields(record)))
    except FilterError as error:
        raise TransformError(f"Record {number}: {error}") from error


def assembled(batch: Batch, answer: bytes, plan: Plan) -> bytes:
    """One request's part of the output file: joined, filtered and assembled.

    Raises `TransformError` where the answer has not as many records as the request.
    """
    if not plan.by_record:
        return answer + b"\n" if plan.assemble_lines and not answer.endswith(b"\n") else answer
    outputs = records_of(answer)
    if plan.join_input and len(outputs) != len(batch.records):
        raise TransformError(
            f"The container answered {len(outputs)} records for {len(batch.records)}: "
            "the outputs can't be joined with their inputs."
        )
    if plan.join_input:
        outputs = [f"{record},{output}" for record, output in zip(batch.records, outputs, strict=True)]
    return b"".join(
        _filtered(output, plan.output_filter, number).encode() + b"\n"
        for number, output in enumerate(outputs, start=batch.first)
    )
