"""Arrays in the media types of framework images."""

import io

import numpy as np
import pytest

from include.local_aws.images import BadRequest
from include.local_aws.scripting.encoders import CSV, JSON, NPY, decode, encode

TABLE = np.array([[1.0, 2.5], [3.0, -4.0]])


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("1,2.5\n3,-4\n", CSV),
        (b"1,2.5\n3,-4\n", "text/csv; charset=utf-8"),
        ("[[1, 2.5], [3, -4]]", JSON),
        (npy(TABLE), NPY),
    ],
)
def test_a_table_arrives_as_an_array(body: str | bytes, kind: str) -> None:
    assert np.array_equal(decode(body, kind), TABLE)


@pytest.mark.parametrize("kind", [CSV, JSON, NPY])
def test_what_is_written_can_be_read_again(kind: str) -> None:
    assert np.array_equal(decode(encode(TABLE, kind), kind), TABLE)


def test_a_column_of_labels_is_a_line_each() -> None:
    assert encode(np.array(["yes", "no"]), CSV) == b"yes\nno\n"
    assert encode([1, 2], JSON) == b"[1, 2]"


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        ("1,2\n3\n", CSV, "can't be read as text/csv"),
        ("[1, ", JSON, "can't be read as application/json"),
        (b"not an array", NPY, "can't be read as application/x-npy"),
        (npy(np.array([{}], dtype=object)), NPY, "can't be read as application/x-npy"),
        ("<x/>", "text/xml", "Content type text/xml is not supported by this framework. Supported: text/csv"),
    ],
)
def test_what_can_not_be_read_is_the_callers_mistake(body: str | bytes, kind: str, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        decode(body, kind)


def test_an_accept_type_without_an_encoder_is_the_callers_mistake() -> None:
    with pytest.raises(BadRequest, match="Accept type text/xml is not supported"):
        encode(TABLE, "text/xml")
