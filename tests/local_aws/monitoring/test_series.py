"""The statistics of many samples."""

import numpy as np
import pytest

from include.local_aws.monitoring.series import EXACT_VALUES, Tally, unpacked


def tally(*values: float) -> Tally:
    found = Tally()
    for value in values:
        found.add(value)
    return found


def test_statistics_are_those_of_the_samples() -> None:
    found = tally(3.0, 1.0, 1.0, 7.0)
    names = ("SampleCount", "Sum", "Average", "Minimum", "Maximum")
    assert [found.statistic(name) for name in names] == [4.0, 12.0, 3.0, 1.0, 7.0]


def test_percentiles_are_numpys() -> None:
    values = np.random.default_rng(5).gamma(2.0, 1000.0, 257)
    found = tally(*values)
    for share in (0, 1, 50, 90, 99, 99.9, 100):
        assert found.statistic(f"p{share}") == pytest.approx(np.percentile(values, share))


def test_a_percentile_of_samples_whose_values_are_unknown_is_none() -> None:
    found = tally(1.0)
    found.add_set(10.0, 50.0, 1.0, 9.0)
    assert found.statistic("p90") is None
    assert found.statistic("Average") == 51 / 11


def test_many_distinct_values_keep_three_digits_and_exact_sums() -> None:
    values = [1000.0 + n / 7 for n in range(5 * EXACT_VALUES)]
    found = tally(*values).rounded()
    assert len(found.values) < EXACT_VALUES
    assert found.statistic("Sum") == pytest.approx(sum(values))
    assert found.statistic("p99") == pytest.approx(np.percentile(values, 99), rel=5e-3)


def test_a_tally_survives_the_database_form() -> None:
    found = tally(0.5, 0.5, 2.0)
    again = unpacked(found.count, found.sum, found.low, found.high, found.packed())
    assert again == found


@pytest.mark.parametrize("name", ["p101", "p", "average", "tm90"])
def test_what_is_no_statistic_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"found '{name}'"):
        tally(1.0).statistic(name)
