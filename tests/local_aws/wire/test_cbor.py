"""CBOR as AWS's RPC v2 uses it."""

import pytest

from include.local_aws.wire.cbor import Time, UnreadableCbor, read, write

VALUES = [
    None, True, False, 0, 23, 24, 255, 256, 65_536, 2**32, 2**64 - 1, -1, -24, -25, -(2**64), 0.0, 1.5, -1e300, "",
    "a", "ü" * 300, [], [1, [2, "x"]], {}, {"a": {"b": [None]}},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_are_read_as_they_were_written(value: object) -> None:
    assert read(write(value)) == value


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_botocores_own_parser_reads_the_same(value: object) -> None:
    import io

    from botocore.parsers import RpcV2CBORParser

    stream = io.BufferedReader(io.BytesIO(write(value)))
    assert RpcV2CBORParser().parse_data_item(stream) == value


def test_a_time_is_tag_one() -> None:
    assert write(Time(1.5)) == b"\xc1\xfb\x3f\xf8\x00\x00\x00\x00\x00\x00"
    assert read(write({"t": Time(1.5)})) == {"t": 1.5}


def test_lengths_that_are_not_told_are_read() -> None:
    assert read(b"\xbf\x61a\x9f\x01\x02\xff\x61b\x7f\x61x\x61y\xff\xff") == {"a": [1, 2], "b": "xy"}


def test_small_floats_are_read() -> None:
    assert read(b"\xf9\x3e\x00") == 1.5
    assert read(b"\xfa\x3f\xc0\x00\x00") == 1.5


@pytest.mark.parametrize(
    "data",
    [b"", b"\x82\x01", b"\x19\x01", b"\x63ab", b"\x61\xff", b"\x01\x01", b"\xff", b"\xc2\x41\x01", b"\xa1\x01\x02",
     b"\xa2\x61a\x01\x61a\x02", b"\x1f", b"\xf8\x20", b"\x81" * 1000, b"\xbb" + b"\xff" * 8],
)  # fmt: skip
def test_rubbish_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableCbor):
        read(data)
