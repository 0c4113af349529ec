"""Parameter ranges: what AWS refuses, and values as numbers and texts."""

import math
from typing import Any

import pytest

from include.local_aws.tuning.ranges import MAX_PARAMETERS, Range, combinations, every_combination, parse
from include.local_aws.wire.errors import AwsError, NotImplementedHere, ResourceLimitExceeded, ValidationException
from tests.support.tuning_requests import ranges


def _refused(given: dict[str, Any]) -> AwsError:
    with pytest.raises(AwsError) as caught:
        parse(given, "ParameterRanges")
    return caught.value


def test_ranges_of_all_three_kinds_are_read() -> None:
    """Ends are numbers, categories stay texts."""
    found = parse(ranges({"depth": (2, 6)}, {"eta": (0.1, 0.5)}, {"booster": ["gbtree", "dart"]}), "ParameterRanges")
    assert found == (
        Range("depth", "integer", 2, 6),
        Range("eta", "continuous", 0.1, 0.5),
        Range("booster", "categorical", values=("gbtree", "dart")),
    )


@pytest.mark.parametrize(("low", "high"), [(3, 3), (4, 3)])
def test_an_empty_range_is_refused(low: int, high: int) -> None:
    """The least value must be less than the greatest; the sentence names the hyperparameter and both."""
    said = _refused(ranges(integer={"max_depth": (low, high)}))
    assert isinstance(said, ValidationException)
    assert (
        f"[max_depth] in ParameterRanges is empty: MinValue [{low}] must be less than MaxValue [{high}]" in said.message
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (ranges(continuous={"eta": (0, 1)}, scaling="Logarithmic"), "needs a range of values greater than 0"),
        (ranges(continuous={"eta": (0.5, 1)}, scaling="ReverseLogarithmic"), "within 0 <= x < 1"),
        (ranges(integer={"depth": (1, 3)}, scaling="ReverseLogarithmic"), "needs a continuous range"),
        (ranges(integer={"depth": (1, 3)}, continuous={"depth": (0, 1)}), "[depth] has more than one range"),
        (ranges(categorical={"booster": ["dart", "dart"]}), "[booster] in ParameterRanges must be unique"),
        (ranges(), "at least one hyperparameter range"),
    ],
)
def test_what_no_search_can_use_is_refused(given: dict[str, Any], sentence: str) -> None:
    """Scales that the range doesn't fit, and names or values that stand there twice."""
    said = _refused(given)
    assert isinstance(said, ValidationException)
    assert sentence in said.message


@pytest.mark.parametrize("text", ["abc", "", "nan", "inf", "1.5"])
def test_an_end_that_is_no_whole_number_is_refused_for_an_integer(text: str) -> None:
    """The sentence says what was found and where."""
    given = {"IntegerParameterRanges": [{"Name": "depth", "MinValue": text, "MaxValue": "9"}]}
    assert f"MinValue of hyperparameter [depth] in ParameterRanges must be a whole number, found [{text}]" in (
        _refused(given).message
    )


def test_more_hyperparameters_than_the_service_takes_are_refused() -> None:
    """Thirty is the limit, over all kinds."""
    many = {f"p{number}": (0.0, 1.0) for number in range(MAX_PARAMETERS)}
    parse(ranges(continuous=many), "ParameterRanges")
    assert isinstance(_refused(ranges({"depth": (1, 2)}, many)), ResourceLimitExceeded)


def test_auto_parameters_are_not_implemented() -> None:
    """They belong to Autotune."""
    said = _refused({"AutoParameters": [{"Name": "eta", "ValueHint": "0.1"}]})
    assert isinstance(said, NotImplementedHere)


def test_automatic_scaling_is_logarithmic_over_several_orders_of_magnitude() -> None:
    """And linear for narrow ranges and for those that begin at 0."""
    found = parse(ranges(continuous={"wide": (1e-5, 1.0), "narrow": (0.1, 1.0), "zero": (0.0, 1e6)}), "ParameterRanges")
    assert [each.scaling for each in found] == ["Logarithmic", "Linear", "Linear"]


def test_values_travel_as_texts_and_come_back() -> None:
    """What is outside the range, or isn't one of its values, comes back as None."""
    depth, eta = Range("depth", "integer", 2, 6), Range("eta", "continuous", 0.1, 0.5)
    booster = Range("booster", "categorical", values=("gbtree",))
    assert (depth.text(3), eta.text(0.3), booster.text("gbtree")) == ("3", "0.3", "gbtree")
    assert (depth.value("3"), eta.value("0.3"), booster.value("gbtree")) == (3, 0.3, "gbtree")
    assert [depth.value("7"), depth.value("2.5"), eta.value("x"), booster.value("dart")] == [None] * 4


def test_combinations_are_counted_and_enumerated() -> None:
    """A continuous range has no end of them."""
    depth, booster = Range("depth", "integer", 2, 4), Range("booster", "categorical", values=("a", "b"))
    assert combinations([depth, booster]) == 6
    assert combinations([depth, Range("eta", "continuous", 0, 1)]) == math.inf
    assert len({tuple(each.items()) for each in every_combination([depth, booster])}) == 6
