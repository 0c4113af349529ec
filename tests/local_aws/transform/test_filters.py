"""InputFilter and OutputFilter on CSV records."""

import pytest

from include.local_aws.transform.filters import FilterError, parse, split_fields

FIELDS = ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("expression", "chosen"),
    [
        ("$", "abcde"),
        ("$[0]", "a"),
        ("$[1:]", "bcde"),
        ("$[:-1]", "abcd"),
        ("$[0,-1]", "ae"),
        ("$[0,-3,-2,-1]", "acde"),
        ("$[0,3:]", "ade"),
        ("$[1:3]", "bc"),
        ("$[-1,0]", "ea"),
        ("$[ 0 , 2 : ]", "acde"),
        ("$[7:]", ""),
    ],
)
def test_positions_and_slices_choose_columns_in_their_order(expression: str, chosen: str) -> None:
    assert parse(expression).select(FIELDS) == list(chosen)


@pytest.mark.parametrize("expression", ["$.features", "$['id']", "", "[0]", "$[]", "$[a]", "$[0", "$[1:2:3]", "$[0,]"])
def test_anything_else_is_refused_with_examples(expression: str) -> None:
    with pytest.raises(FilterError, match="Expected"):
        parse(expression)


@pytest.mark.parametrize("expression", ["$[5]", "$[-6]", "$[0,9]"])
def test_a_position_that_the_record_has_not_is_an_error(expression: str) -> None:
    with pytest.raises(FilterError, match="of a record with 5 columns"):
        parse(expression).select(FIELDS)


@pytest.mark.parametrize(
    ("record", "fields"),
    [
        ("a,b", ["a", "b"]),
        ("", [""]),
        ("a,,", ["a", "", ""]),
        ('1,"[0.1, 0.9]",x', ["1", '"[0.1, 0.9]"', "x"]),
        ('"a ""quoted"", word",2', ['"a ""quoted"", word"', "2"]),
        ('a"b,c', ['a"b', "c"]),
        ('"",', ['""', ""]),
    ],
)
def test_fields_keep_their_quotes_so_that_joining_gives_the_record_back(record: str, fields: list[str]) -> None:
    assert split_fields(record) == fields
    assert ",".join(split_fields(record)) == record


def test_a_quote_without_end_is_an_error() -> None:
    with pytest.raises(FilterError, match="does not end with its quote"):
        split_fields('1,"abc')
