"""Tables of numbers in requests."""

import numpy as np
import pytest

from include.local_aws.images import tables


@pytest.mark.parametrize("written", [repr, "{:.3f}".format, "{:.7g}".format, "{:.0f}".format, "{:+.2e}".format])
def test_a_small_body_is_read_to_the_same_numbers_as_a_large_one(written: object) -> None:
    rng = np.random.default_rng(7)
    assert callable(written)
    for _ in range(40):
        values = rng.normal(size=(4, 12)) * 10.0 ** rng.integers(-4, 7)
        small = "".join(",".join(written(float(each)) for each in row) + "\n" for row in values).encode()
        assert len(small) <= tables._SMALL
        large = small * (1 + tables._SMALL // len(small))
        np.testing.assert_array_equal(tables.csv_matrix(small), tables.csv_matrix(large)[:4])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"1,2\r\n3,4", [[1, 2], [3, 4]]),
        (b"-1.5,+2.,3e2", [[-1.5, 2, 300]]),
        (b"1,,3\n", [[1, np.nan, 3]]),
        (b" 1, 2\n\n3,4\n", [[1, 2], [3, 4]]),
        (b"1;2\n", [[1, 2]]),
        (b'"1",2\n', [[1, 2]]),
        (b"7", [[7]]),
    ],
)
def test_rows_of_numbers_are_read_however_they_are_written(body: bytes, expected: list[list[float]]) -> None:
    found = tables.csv_matrix(body)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.array(expected, dtype=np.float32))


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"1,2\n3,4,5\n", "row 2 has 3 columns"), (b"1,x\n", "column 2 is 'x'"), (b"", "no rows"), (b"\n\n", "no rows")],
)
def test_what_is_no_table_of_numbers_is_told_by_its_place(body: bytes, said: str) -> None:
    with pytest.raises(tables.Unreadable, match=said):
        tables.csv_matrix(body)
