"""The split: bytes kept, no row lost or doubled, the same row always in the same part, bad tables refused by line."""

from __future__ import annotations

import csv
import hashlib
import io
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_retraining.core.errors import DataError
from tests.support.splits import SALT, Done, binary_rows, run_split, table

HEADER = "id,a,b,y"


def records(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))[1:]


# ---------------------------------------------------------------- what is written


def test_each_line_goes_to_one_part_as_the_bytes_it_is() -> None:
    """Numbers are not rewritten, quotes and spaces stay, the parts together are the table."""
    rows = [f'c{i}, {i}.0 ,"{i}e0",{"yes" if i % 2 else "no"}' for i in range(400)]
    done = run_split(table(HEADER, rows), drop=())
    lines = [line for part in done.parts for line in part.decode().splitlines()[1:]]
    assert sorted(lines) == sorted(rows)
    assert all(part.splitlines()[0].decode() == HEADER for part in done.parts)


def test_parts_keep_the_order_of_the_table() -> None:
    """Within a part the rows stand as they stood."""
    for part in run_split(table(HEADER, binary_rows(500))).parts:
        ids = [int(row[0][1:]) for row in records(part)]
        assert ids == sorted(ids)


def test_counts_bytes_and_hashes_are_those_of_the_files() -> None:
    """What the manifest will say is what was written."""
    data = table(HEADER, binary_rows(600))
    done = run_split(data)
    assert (done.outcome.rows, done.outcome.size) == (600, len(data))
    assert done.outcome.sha256 == hashlib.sha256(data).hexdigest()
    for facts, part in zip(done.outcome.parts, done.parts, strict=True):
        assert facts.size == len(part)
        assert facts.sha256 == hashlib.sha256(part).hexdigest()
        assert facts.rows == len(records(part))
        assert facts.class_counts == Counter(row[3] for row in records(part))


def test_shares_are_those_of_the_spec_give_or_take_chance() -> None:
    """10,000 rows at 15 and 20 percent: within five standard deviations."""
    done = run_split(table(HEADER, binary_rows(10_000)), key=("id",), validation=0.15, test=0.2)
    _, validation, test = (facts.rows for facts in done.outcome.parts)
    assert abs(validation - 1500) < 5 * (10_000 * 0.15 * 0.85) ** 0.5
    assert abs(test - 2000) < 5 * (10_000 * 0.2 * 0.8) ** 0.5


def test_transform_input_is_row_id_and_features_without_header_and_target() -> None:
    """Raw fields, row ids count the table's data rows from one."""
    rows = binary_rows(400)
    done = run_split(table(HEADER, rows))
    test_ids = [int(truth["row_id"]) for truth in done.truths()]
    expected = [f"{number}," + rows[number - 1].rpartition(",")[0] for number in test_ids]
    assert done.transform.decode().splitlines() == expected
    assert [rows[number - 1] for number in test_ids] == done.test.decode().splitlines()[1:]


def test_truth_has_the_hash_and_the_target_of_each_test_row() -> None:
    """And none of these hashes is in keys.bin, whose hashes are train's and validation's."""
    done = run_split(table(HEADER, binary_rows(800)), key=("id",))
    keys = np.frombuffer(done.outcome.keys, dtype=">u8")
    assert len(keys) == done.outcome.parts[0].rows + done.outcome.parts[1].rows
    assert (np.diff(keys.astype(np.uint64)) > 0).all()
    truths = done.truths()
    assert [truth["truth"] for truth in truths] == [row[3] for row in records(done.test)]
    assert not {int(truth["key_hash"], 16) for truth in truths} & set(keys.tolist())
    assert all(len(truth["key_hash"]) == 16 for truth in truths)


def test_hidden_columns_are_cut_from_what_the_model_sees_but_not_from_the_test_part() -> None:
    """Dropped, key, group and time columns: raw fields of the rest, in the table's order."""
    rows = [f'c{i},"x, {i}",{i}.50,{"yes" if i % 2 else "no"}' for i in range(300)]
    done = run_split(table(HEADER, rows), key=("id",), drop=("a",))
    assert done.train.decode().splitlines()[0] == "b,y"
    assert set(done.train.decode().splitlines()[1:]) <= {f"{i}.50,{'yes' if i % 2 else 'no'}" for i in range(300)}
    assert done.test.decode().splitlines()[0] == HEADER
    assert set(done.test.decode().splitlines()[1:]) <= set(rows)
    first = done.truths()[0]["row_id"]
    assert done.transform.decode().splitlines()[0] == f"{first},{int(first) - 1}.50"


def test_sample_weight_is_trained_with_but_is_no_feature() -> None:
    """It stays in train and validation and is not in the transform input."""
    rows = [f"{i},{i % 7},{i % 5 + 1}.5,{'yes' if i % 2 else 'no'}" for i in range(300)]
    done = run_split(table("id,a,w,y", rows), key=("id",), sample_weight="w")
    assert done.train.decode().splitlines()[0] == "a,w,y"
    assert all(line.count(",") == 1 for line in done.transform.decode().splitlines())


def test_truth_carries_group_time_and_slices() -> None:
    """Under these names, in this order, parsed and written as CSV again."""
    rows = [f'g{i % 40},{i},"s,{i % 3}",{"yes" if i % 2 else "no"}' for i in range(400)]
    done = run_split(table("household,a,region,y", rows), group=("household",), slices=("region",), min_class_rows=1)
    truths = done.truths()
    assert list(truths[0]) == ["row_id", "key_hash", "truth", "group", "region"]
    number = int(truths[0]["row_id"]) - 1
    assert (truths[0]["group"], truths[0]["region"]) == (f"g{number % 40}", f"s,{number % 3}")


def test_truth_is_one_record_a_row_whatever_a_slice_holds() -> None:
    """Line breaks of both kinds in a slice that the model does not see."""
    rows = [f'{i},{i}.5,"north\r{i}\n",{"yes" if i % 2 else "no"}' for i in range(300)]
    done = run_split(table("a,b,region,y", rows), drop=("region",), slices=("region",))
    truths = done.truths()
    assert len(truths) == done.outcome.parts[2].rows
    assert all(truth["region"] == f"north\r{int(truth['row_id']) - 1}\n" for truth in truths)


# ---------------------------------------------------------------- dialects


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("last", [True, False], ids=["final newline", "no final newline"])
def test_line_endings_byte_order_mark_and_last_line(ending: str, mark: bytes, last: bool) -> None:
    """CRLF is kept, the mark is no part of the first name, and a missing last line ending is added."""
    rows = binary_rows(400)
    data = mark + table(HEADER, rows, ending)
    done = run_split(data if last else data.removesuffix(ending.encode()))
    lines = [line for part in done.parts for line in part.decode().removesuffix(ending).split(ending)]
    assert sorted(line for line in lines if line != HEADER) == sorted(rows)
    assert lines.count(HEADER) == 3
    assert done.outcome.layout.names == ("id", "a", "b", "y")
    assert {row["truth"] for row in done.truths()} == {"yes", "no"}
    assert b"\r" not in done.transform


def test_texts_in_any_language_pass_unchanged() -> None:
    """UTF-8 of one to four bytes, and the separators that only Unicode takes for line ends."""
    rows = [
        f"{word}{i},{i},{i}.5,{'yes' if i % 2 else 'no'}"
        for i in range(60)
        for word in ("é", "語", "😀", "a\u2028b\x0b\x85")
    ]
    done = run_split(table(HEADER, rows))
    assert sorted(row[0] for part in done.parts for row in records(part)) == sorted(row.split(",")[0] for row in rows)


def test_a_record_over_several_lines_is_one_row_of_train_and_validation() -> None:
    """Quoted line breaks stay as they are; later lines keep their numbers."""
    salt, rows = SALT, []
    for i in range(600):
        row = f'"first\nsecond, ""{i}""",{i},{i}.5,{"yes" if i % 2 else "no"}'
        plain = f"one line {i},{i},{i}.5,{'yes' if i % 2 else 'no'}"
        lone = run_split_parts(row, salt)
        rows.append(row if lone != "test" else plain)
    done = run_split(table(HEADER, rows), chunk=1000)
    found = [row[0] for part in done.parts for row in records(part)]
    assert len(found) == 600
    assert sum("\n" in text for text in found) > 400
    assert found.count("one line 0") + found.count('first\nsecond, "0"') == 1


def run_split_parts(row: str, salt: str) -> str:
    """The part that this row would go to, found without the split."""
    from automl_retraining.core.cells import CellReader
    from automl_retraining.core.hashing import assign, feature_codes, keyed_hashes
    from automl_retraining.core.trainer_specs import SplitSpec

    cells = next(csv.reader(io.StringIO(row, newline="")))
    columns = dict(zip(HEADER.split(","), cells, strict=True))
    code = feature_codes([CellReader().read([columns[name]]) for name in ("a", "b", "id")])
    return ("train", "validation", "test")[assign(keyed_hashes(code, salt), SplitSpec())[0]]


def test_a_test_row_over_several_lines_is_refused() -> None:
    """Batch transform splits at line breaks, quoted or not: the line is named and what to do."""
    rows = [f'"a\nb {i}",{i},{i}.5,{"yes" if i % 2 else "no"}' for i in range(300)]
    with pytest.raises(DataError, match=r"line \d+: expected a test row on one line.*batch transform"):
        run_split(table(HEADER, rows))


def test_a_line_break_in_a_dropped_column_harms_nobody() -> None:
    """Only what batch transform gets must be on one line."""
    rows = [f'"a\nb {i}",{i},{i}.5,{"yes" if i % 2 else "no"}' for i in range(300)]
    done = run_split(table(HEADER, rows), drop=("id",))
    assert sum(facts.rows for facts in done.outcome.parts) == 300
    assert done.transform.count(b"\n") == done.outcome.parts[2].rows


def test_blank_lines_are_left_out_and_counted() -> None:
    """In the middle and at the end; line numbers of errors still count them."""
    rows = binary_rows(300)
    done = run_split(table(HEADER, [*rows[:100], "", *rows[100:], "", ""]))
    assert sum(facts.rows for facts in done.outcome.parts) == 300
    assert "3 blank lines were left out" in done.outcome.warnings
    with pytest.raises(DataError, match=r"line 103: expected 4 fields"):
        run_split(table(HEADER, [*rows[:100], "", "1,2", *rows[100:]]))


@pytest.mark.parametrize("chunk", [1, 7, 64, 4096])
def test_how_the_stream_hands_out_bytes_changes_nothing(chunk: int) -> None:
    """One byte at a time gives what one big read gives."""
    rows = [f'"c,{i}",{i},"{i}\nx",{"yes" if i % 2 else "no"}' for i in range(120)]
    data = table(HEADER, rows)
    whole, slow = (
        run_split(data, drop=("b",), min_class_rows=1),
        run_split(data, drop=("b",), min_class_rows=1, chunk=chunk),
    )
    assert slow == whole


# ---------------------------------------------------------------- no row lost or doubled, and always the same part

FIELD = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=6)


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.tuples(FIELD, FIELD), min_size=80, max_size=120),
    ending=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    chunk=st.one_of(st.none(), st.integers(1, 300)),
)
def test_no_legal_table_loses_or_doubles_a_row(
    texts: list[tuple[str, str]], ending: str, quoting: int, chunk: int | None
) -> None:
    """Whatever the fields hold and however the file is written, the parts' records are the table's."""
    rows = [[str(number), first, second, "yn"[number % 2]] for number, (first, second) in enumerate(texts)]
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator=ending, quoting=quoting).writerows([["id", "a", "b", "y"], *rows])  # type: ignore[arg-type]
    done = run_split(written.getvalue().encode(), min_class_rows=1, validation=0.3, test=0.3, chunk=chunk)
    assert sorted(row for part in done.parts for row in records(part)) == sorted(rows)
    assert done.outcome.rows == len(rows)
    assert [truth["row_id"] for truth in done.truths()] == [str(int(row[0]) + 1) for row in records(done.test)]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), removed=st.integers(0, 300), by=st.sampled_from(["key", "features"]))
def test_a_row_keeps_its_part_when_others_come_and_go(seed: int, removed: int, by: str) -> None:
    """Added, removed and reordered rows move nobody."""
    old = binary_rows(600)
    new = old[removed:] + binary_rows(1400, seed=1)[600:]
    random.Random(seed).shuffle(new)
    spec: dict[str, tuple[str, ...]] = {"key": ("id",)} if by == "key" else {}
    drop = () if by == "key" else ("id",)
    before = part_by_row(old, spec, drop)
    after = part_by_row(new, spec, drop)
    assert {row: after[row] for row in before.keys() & after.keys()} == {
        row: before[row] for row in before.keys() & after.keys()
    }
    assert len(before.keys() & after.keys()) == 600 - removed


def part_by_row(rows: list[str], spec: dict[str, tuple[str, ...]], drop: tuple[str, ...]) -> dict[str, str]:
    """The feature ``b``, which is different in every row, -> part."""
    done = run_split(table(HEADER, rows), drop=drop, **spec)  # type: ignore[arg-type]
    found = {}
    for name, part in zip(("train", "validation", "test"), done.parts, strict=True):
        for row in csv.DictReader(io.StringIO(part.decode())):
            assert row["b"] not in found
            found[row["b"]] = name
    return found


def test_a_table_written_again_by_another_program_keeps_its_rows_in_their_parts() -> None:
    """1 and 1.0 and 1e0, quotes, NA for nothing, and another order of the columns are the same row."""
    rows = [(f"t{i}", str(i), "" if i % 9 == 0 else f"{i}.5", "yes" if i % 2 else "no") for i in range(500)]
    old = run_split(table("name,a,b,y", [",".join(row) for row in rows]))
    again = [f'{(b and f"{float(b):e}") or "NA"},{y},"{name}",{float(a)}' for name, a, b, y in rows]
    new = run_split(table("b,y,name,a", again))
    assert {row[0]: part for row, part in placed(old)} == {row[2]: part for row, part in placed(new)}


def placed(done: Done) -> list[tuple[list[str], str]]:
    """(record, part) of every row."""
    return [
        (row, name)
        for name, part in zip(("train", "validation", "test"), done.parts, strict=True)
        for row in records(part)
    ]


def test_keys_are_taken_as_they_read() -> None:
    """007 and 7 are two customers."""
    rows = [f"{'00' if i % 2 else ''}{i // 2 + 1},{i},{i}.5,{'yes' if i % 3 else 'no'}" for i in range(400)]
    assert run_split(table(HEADER, rows), key=("id",)).outcome.rows == 400


def test_another_salt_is_another_split() -> None:
    """What falls where cannot be guessed from the data alone."""
    data = table(HEADER, binary_rows(400))
    assert run_split(data).test != run_split(data, salt="ff" * 16).test


def test_a_changed_validation_share_moves_no_test_row() -> None:
    """The two shares are cut from opposite ends of the hash's range."""
    data = table(HEADER, binary_rows(1000))
    assert run_split(data, validation=0.1).test == run_split(data, validation=0.3).test


def test_rows_of_one_group_stay_together() -> None:
    """No group is in two parts, and keys.bin has each group once."""
    rows = [f"g{i % 60},{i},{i}.5,{'yes' if i % 7 else 'no'}" for i in range(900)]
    done = run_split(table("household,a,b,y", rows), group=("household",), min_class_rows=1)
    test_groups = {truth["group"] for truth in done.truths()}
    assert len(done.outcome.keys) // 8 == 60 - len(test_groups)
    assert done.outcome.parts[2].rows == 15 * len(test_groups)


# ---------------------------------------------------------------- by time


def test_the_test_part_by_time_is_everything_from_a_cutoff_on() -> None:
    """About the asked share of the rows, whatever their order; the cutoff is a time of the table."""
    days = [f"2024-{1 + i // 28 % 12:02d}-{1 + i % 28:02d}T06:00:00" for i in range(336)]
    rows = [f"{day},{i},{i}.5,{'yes' if i % 2 else 'no'}" for i, day in enumerate(days)]
    random.Random(3).shuffle(rows)
    done = run_split(table("day,a,b,y", rows), time="day", test=0.25)
    truths = done.truths()
    assert done.outcome.parts[2].rows == 84
    assert min(truth["time"] for truth in truths) == "2024-10-01T06:00:00.000000+00:00"
    assert done.train.decode().splitlines()[0] == "a,b,y"


def test_the_cutoff_never_moves_back() -> None:
    """A table whose rows end earlier is tested on what lies after the old cutoff."""
    rows = [f"{i},{i % 10},{i}.5,{'yes' if i % 2 else 'no'}" for i in range(400)]
    done = run_split(table("t,a,b,y", rows), time="t", previous_cutoff="370.0")
    assert min(float(truth["time"]) for truth in done.truths()) == 370
    forward = run_split(table("t,a,b,y", rows), time="t", previous_cutoff="100.0")
    assert min(float(truth["time"]) for truth in forward.truths()) == 320


@pytest.mark.parametrize("cell", ["", "soon", "2024-13-01"])
def test_a_time_that_is_none_is_refused_by_line(cell: str) -> None:
    """Nothing can be assigned by a time that is not there."""
    rows = [f"2024-01-{1 + i % 28:02d},{i},{'yes' if i % 2 else 'no'}" for i in range(100)]
    rows[41] = f"{cell},1,yes"
    with pytest.raises(DataError, match=r"line 43: expected an ISO 8601 date or time in the time column 'day'"):
        run_split(table("day,a,y", rows), time="day")


# ---------------------------------------------------------------- missing targets


def test_rows_without_a_target_stop_the_run_with_their_count() -> None:
    """Empty, blank and NA alike."""
    rows = binary_rows(400)
    for number, nothing in ((7, ""), (70, " "), (170, "NA")):
        rows[number] = rows[number].rpartition(",")[0] + "," + nothing
    with pytest.raises(DataError, match=r"found none in 3 of 400 rows, the first at line 9.*missing_target: drop"):
        run_split(table(HEADER, rows))


def test_or_are_left_out_and_counted_where_the_policy_says_drop() -> None:
    """They are in no part, and row ids still count them."""
    rows = binary_rows(400)
    for number in range(0, 400, 10):
        rows[number] = rows[number].rpartition(",")[0] + ","
    done = run_split(table(HEADER, rows), missing_target="drop")
    assert (done.outcome.dropped, sum(facts.rows for facts in done.outcome.parts)) == (40, 360)
    for truth, line in zip(done.truths(), done.test.decode().splitlines()[1:], strict=True):
        assert rows[int(truth["row_id"]) - 1] == line
    assert any("40 of 400 rows have no target" in warning for warning in done.outcome.warnings)


def test_a_table_without_any_target_value_is_refused_under_every_policy() -> None:
    """There is nothing to learn."""
    with pytest.raises(DataError, match="nothing to learn"):
        run_split(table("a,y", [f"{i}," for i in range(100)]), missing_target="drop")


# ---------------------------------------------------------------- bad tables

GOOD = binary_rows(400)


def changed(number: int, line: str) -> bytes:
    return table(HEADER, [*GOOD[:number], line, *GOOD[number + 1 :]])


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "found an empty file"),
        (b"\xef\xbb\xbf\n\n", "found an empty file"),
        (HEADER.encode() + b"\n", "found a header only"),
        (HEADER.encode(), "found a header only"),
        (table("id,a,b,z", GOOD), r"line 1: expected a column 'y', which target names, found id, a, b, z"),
        (table("id,a,b,Y", GOOD), r"did you mean 'Y'\?"),
        (table(HEADER.replace(",", ";"), []), r"looks separated by ';'"),
        (table("id,a,a,y", GOOD), r"line 1: expected each column name once, found 'a' in columns 2, 3"),
        (table("id,,b,y", GOOD), r"line 1: expected a name for each of the 4 columns, found none for column 2"),
        (changed(17, "c17,1,yes"), r"line 19: expected 4 fields, as the header has, found 3"),
        (changed(17, "c17,1,2,3,yes"), r"line 19: expected 4 fields, as the header has, found 5"),
        (changed(17, 'c17,"1,2,yes'), r"line 19: .*a quote is left open"),
        (changed(17, 'c17,"1"x,2,yes'), r"line 19: expected a CSV record"),
        (changed(17, "c17,1\r1,2,yes"), r"line 19: .*carriage return"),
        (table(HEADER, GOOD, "\r"), r"line 1: .*CR alone"),
        (b"\x1f\x8b\x08rest", "a gzip file"),
        (table(HEADER, GOOD).decode().encode("utf-16"), "text in UTF-16"),
    ],
)
def test_what_is_no_table_is_refused_by_line(data: bytes, sentence: str) -> None:
    """Each with what was expected and what was found."""
    with pytest.raises(DataError, match=sentence):
        run_split(data)


def test_an_undecodable_byte_is_named_with_its_offset_in_the_file() -> None:
    """Also behind a byte-order mark and behind the first blocks."""
    data = bytearray(b"\xef\xbb\xbf" + table(HEADER, binary_rows(30_000)))
    offset = data.index(b"\n", 700_000) + 1
    data[offset] = 0xE9
    line = data.count(b"\n", 0, offset) + 1
    with pytest.raises(DataError, match=rf"line {line}: expected text in UTF-8, found byte 0xe9 at offset {offset} of"):
        run_split(bytes(data))


def test_a_zero_byte_is_named_with_its_offset() -> None:
    """It is what a binary file or UTF-16 looks like."""
    data = table(HEADER, GOOD).replace(b"c399", b"c39\0")
    with pytest.raises(DataError, match=rf"line 401: .*zero byte at offset {data.index(0)}"):
        run_split(data)


def test_an_endless_quoted_field_stops_before_memory_does() -> None:
    """A quote left open in the first row does not swallow a large file."""
    data = table(HEADER, ['"c0,1,2,yes', *binary_rows(20_000)])
    with pytest.raises(DataError, match=r"line 2: .*is a quote left open\?"):
        run_split(data)


def test_missing_keys_are_counted() -> None:
    """A row without a key cannot keep its part."""
    rows = list(GOOD)
    rows[10], rows[20] = rows[10].replace("c10,", ","), rows[20].replace("c20,", " ,")
    with pytest.raises(DataError, match=r"expected a key \('id'\) in every row, found none in 2 of 400 rows.*line 12"):
        run_split(table(HEADER, rows), key=("id",))


def test_double_keys_are_named_by_line() -> None:
    """Both lines, over blocks and over records of several lines."""
    rows = [f'c{i},{i},"x\ny",{"yes" if i % 2 else "no"}' for i in range(300)]
    rows[200] = rows[200].replace("c200,", "c100,")
    with pytest.raises(DataError, match=r"found 1 again: lines 202 and 402"):
        run_split(table(HEADER, rows), key=("id",), drop=("b",), chunk=500)


def test_too_few_rows_say_how_many_there_are_and_are_needed() -> None:
    """Autopilot's 500 by default of the operator; ten of any part."""
    with pytest.raises(DataError, match=r"at least 500 rows in the train part, found \d+ of 400 rows"):
        run_split(table(HEADER, GOOD), min_train_rows=500)
    with pytest.raises(DataError, match=r"at least 10 rows in the \w+ part, found \d of 30 rows"):
        run_split(table(HEADER, GOOD[:30]))


def test_a_negative_sample_weight_is_refused_by_line() -> None:
    """And so is one that is no number."""
    rows = [f"{i},{i % 5},{'yes' if i % 2 else 'no'}" for i in range(300)]
    rows[3] = "3,-1,yes"
    with pytest.raises(
        DataError, match=r"line 5: expected a number of at least 0 in the sample weight 'w', found '-1'"
    ):
        run_split(table("a,w,y", rows), sample_weight="w")


def test_no_feature_left_is_refused() -> None:
    """Everything dropped."""
    with pytest.raises(DataError, match="at least one feature"):
        run_split(table("a,y", ["1,yes"] * 100), drop=("a",))
