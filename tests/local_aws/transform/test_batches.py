"""Records into requests, answers into output lines."""

import io
from dataclasses import replace
from typing import Any

import pytest

from include.local_aws.transform.batches import Batch, Plan, TransformError, assembled, batches, records_of
from include.local_aws.transform.filters import parse

PLAN = Plan(
    split_lines=True,
    single_record=False,
    max_payload=1024,
    content_type="text/csv",
    accept=None,
    assemble_lines=True,
    input_filter=parse("$"),
    output_filter=parse("$"),
    join_input=False,
)
FILE = b"1,a,x\n2,b,y\n3,c,z\n"


def bodies(content: bytes = FILE, **changes: Any) -> list[bytes]:
    return [batch.body for batch in batches(io.BytesIO(content), replace(PLAN, **changes))]


def test_a_last_newline_starts_no_record_and_carriage_returns_go() -> None:
    assert records_of(b"a\r\nb\r\n") == ["a", "b"]
    assert records_of(b"a\nb") == ["a", "b"]
    assert records_of(b"") == []


def test_an_undecodable_byte_is_told_with_its_offset() -> None:
    with pytest.raises(TransformError, match="offset 2"):
        records_of(b"a,\xff")


def test_multi_record_fills_the_payload_and_single_record_does_not() -> None:
    assert bodies() == [FILE]
    assert bodies(max_payload=12) == [b"1,a,x\n2,b,y\n", b"3,c,z\n"]
    assert bodies(single_record=True) == [b"1,a,x\n", b"2,b,y\n", b"3,c,z\n"]
    assert bodies(max_payload=0) == [FILE]


def test_without_split_the_whole_file_is_one_request_untouched() -> None:
    assert bodies(b"1\n\n2", split_lines=False) == [b"1\n\n2"]


def test_the_input_filter_hides_columns_from_the_model_but_not_from_the_join() -> None:
    (batch,) = batches(io.BytesIO(FILE), replace(PLAN, input_filter=parse("$[1:]")))
    assert batch.body == b"a,x\nb,y\nc,z\n"
    assert batch.records == ("1,a,x", "2,b,y", "3,c,z")


@pytest.mark.parametrize("split_lines", [True, False])
def test_a_record_larger_than_the_payload_fails(split_lines: bool) -> None:
    with pytest.raises(TransformError, match="exceeds MaxPayloadInMB"):
        bodies(b"x" * 2000, split_lines=split_lines)


def test_what_will_be_refused_is_not_read_to_its_end() -> None:
    for changes in ({"split_lines": False}, {"split_lines": False, "output_filter": parse("$[0]")}):
        stream = io.BytesIO(b"x\n" * 1_000_000)
        with pytest.raises(TransformError, match="exceeds MaxPayloadInMB"):
            list(batches(stream, replace(PLAN, **changes)))
        assert stream.tell() < 3000


def test_every_request_knows_the_number_of_its_first_record() -> None:
    whole = batches(io.BytesIO(FILE), replace(PLAN, max_payload=12))
    assert [(batch.first, len(batch.records)) for batch in whole] == [(1, 2), (3, 1)]


def test_a_record_that_a_filter_can_not_take_is_told_by_its_number() -> None:
    with pytest.raises(TransformError, match=r"^Record 3: .*column 2 of a record with 2 columns"):
        bodies(b"1,a,x\n2,b,y\n3,c\n", input_filter=parse("$[2]"))
    with pytest.raises(TransformError, match=r"^Record 8: .*column 1 of a record with 1 columns"):
        assembled(Batch(b"", ("1", "2"), first=7), b"a,b\na\n", replace(PLAN, output_filter=parse("$[1]")))


def test_outputs_are_joined_with_their_inputs_and_filtered() -> None:
    batch = Batch(b"", ("1,a", "2,b"))
    plan = replace(PLAN, join_input=True, output_filter=parse("$[0,-1]"))
    assert assembled(batch, b'"[0.2, 0.8]"\n"[0.7, 0.3]"', plan) == b'1,"[0.2, 0.8]"\n2,"[0.7, 0.3]"\n'


@pytest.mark.parametrize("answer", [b"x\n", b"x\ny\nz\n", b""])
def test_another_number_of_outputs_than_inputs_fails_the_join(answer: bytes) -> None:
    with pytest.raises(TransformError, match="records for 2"):
        assembled(Batch(b"", ("1", "2")), answer, replace(PLAN, join_input=True))


def test_assembling_by_line_ends_every_answer_with_a_newline_and_none_leaves_it() -> None:
    batch = Batch(b"", ())
    assert assembled(batch, b"a\nb", PLAN) == b"a\nb\n"
    assert assembled(batch, b"a\nb\n", PLAN) == b"a\nb\n"
    assert assembled(batch, b"a\nb", replace(PLAN, assemble_lines=False)) == b"a\nb"
