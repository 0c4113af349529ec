"""Rows drawn while a part streams by."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from automl_retraining.core import sanity_sample
from automl_retraining.core.errors import DataError, StorageError
from automl_retraining.core.sanity_sample import Copies, Sample, draw
from tests.support.manifests import regression
from tests.support.sanity import looked_at
from tests.support.splits import Dribble

COLUMNS = ({"name": "a", "type": "integer"}, {"name": "b", "type": "text"}, {"name": "y", "type": "number"})


def table(rows: int, ending: str = "\n") -> bytes:
    """Rows of a number, a quoted word and the target."""
    return "".join(
        f"{line}{ending}" for line in ["a,b,y", *(f'{i},"w, {i % 3}",{i}.5' for i in range(rows))]
    ).encode()  # fmt: skip


def drawn(data: bytes, of: int, rows: int = 50, seed: int = 1, chunk: int = 100, **more: Any) -> Sample:
    """Draw from a stream that comes in small pieces."""
    from automl_retraining.core.records import ColumnProfile

    columns = tuple(ColumnProfile(missing=0, distinct=3, **column) for column in COLUMNS)
    manifest = regression(columns=columns)
    part = manifest.split.train.model_copy(update={"rows": of})
    return draw(Dribble(data, chunk), "part", part, manifest, rows=rows, seed=[seed], **more)


def test_rows_are_drawn_uniformly_without_replacement_in_the_files_order() -> None:
    """Over many seeds each row comes as often as the others."""
    data = table(300)
    times = np.zeros(300)
    for seed in range(60):
        sample = drawn(data, 300, seed=seed, chunk=10_000)
        rows = sample.columns["a"].numbers.astype(int)
        assert (np.diff(rows) > 0).all()
        assert sample.columns["y"].numbers.tolist() == (rows + 0.5).tolist()
        assert sample.columns["b"].words == [f"w, {row % 3}" for row in rows]
        times[rows] += 1
    assert (sample.rows, sample.of) == (50, 300)
    assert times.sum() == 60 * 50
    assert 0.4 < times.var() / (60 * 50 / 300 * (1 - 50 / 300)) < 2


def test_a_small_part_is_taken_whole() -> None:
    """Whatever the seed."""
    assert drawn(table(30), 30).columns["a"].numbers.tolist() == list(range(30))


def test_copies_are_counted_over_the_whole_part_as_the_bytes_stand() -> None:
    """Also where lines end in CR LF, and where the part has columns that are not learned."""
    wanted = Copies([b'7,"w, 1",7.5', b'299,"w, 2",299.5', b"7,w,7.5"])
    drawn(table(300, "\r\n"), 300, rows=10, copies=wanted)
    assert dict(wanted.found) == {b'7,"w, 1",7.5': 1, b'299,"w, 2",299.5': 1}
    wider = b'a,extra,b,y\n1,x,w,2.5\n3,x,"w, 0",4.5\n'
    sample = drawn(wider, 2, records=True)
    assert list(sample.records) == [b"1,w,2.5", b'3,"w, 0",4.5']
    assert set(sample.columns) == {"a", "b", "y"}


def test_another_table_than_the_manifest_says_is_an_error_worth_another_try() -> None:
    """Columns gone, or fewer rows."""
    with pytest.raises(StorageError, match="found none named b"):
        drawn(b"a,y\n1,2\n", 1)
    with pytest.raises(StorageError, match=r"expected the 400 rows of the manifest, found 300"):
        drawn(table(300), 400)
    with pytest.raises(StorageError, match=r"expected the 200 rows of the manifest, found 300"):
        drawn(table(300), 200, copies=Copies([]))
    with pytest.raises(DataError, match="expected 3 fields"):
        drawn(b"a,b,y\n1,2\n", 1)


def test_a_very_wide_table_is_drawn_from_more_sparsely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded in cells."""
    monkeypatch.setattr(sanity_sample, "CELLS", 60)
    assert drawn(table(300), 300).rows == 20


def test_missing_cells_times_and_weights_of_a_real_split() -> None:
    """Words that mean missing are missing, times are seconds, and the sample weight is no feature."""
    lines = [f"{i % 7 or 'NA'},2026-01-01T00:00:{i % 60:02d},{i},{'yes' if i % 3 else 'no'}" for i in range(400)]
    data = ("\n".join(["n,t,k,y", *lines]) + "\n").encode()
    looked = looked_at(data, key=["k"])
    columns = looked.train.columns
    assert set(columns) == {"n", "t", "y"}
    assert 0.1 < np.isnan(columns["n"].numbers).mean() < 0.2
    assert columns["t"].numbers.min() == 1_767_225_600
    assert set(columns["y"].words or ()) == {"yes", "no"}
    assert io.BytesIO(data).read(7) == b"n,t,k,y"
