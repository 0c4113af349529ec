from __future__ import annotations

import numpy as np
import pandas as pd

from automl_retraining.core.resampling import (
    BUCKETS,
    EXACT_ROWS,
    Resampling,
    Settings,
    Units,
    units_by_group,
    units_by_row,
    units_by_time,
)

SETTINGS = Settings(confidence=0.95, resamples=50, seed=11)


def _all(resampling: Resampling) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.vstack(list(resampling.weights()))


def test_each_resample_draws_as_many_units_as_there_are() -> None:
    weights = _all(Resampling(units_by_row(40), None, SETTINGS, 0))
    assert weights.shape == (50, 40)
    assert (weights.sum(axis=1) == 40).all()


def test_the_same_seed_gives_the_same_resamples_and_another_use_gives_others() -> None:
    one, again, other = (_all(Resampling(units_by_row(40), None, SETTINGS, stream)) for stream in (0, 0, 1))
    assert (one == again).all()
    assert (one != other).any()


def test_stratified_resamples_keep_each_classs_number_of_rows() -> None:
    truth = np.array([0] * 30 + [1] * 10)
    weights = _all(Resampling(units_by_row(40), truth, SETTINGS, 0))
    assert (weights[:, 30:].sum(axis=1) == 10).all()
    assert (weights[:, :30].sum(axis=1) == 30).all()


def test_rows_of_a_group_are_drawn_together() -> None:
    units = units_by_group(pd.Series(["b", "a", "b", "c"]))
    resampling = Resampling(units, None, SETTINGS, 0)
    rows = resampling.row_weights(_all(resampling))
    assert (units.kind, units.count) == ("group", 3)
    assert (rows[:, 0] == rows[:, 2]).all()
    column = np.array([[1.0], [2.0], [3.0], [4.0]])
    np.testing.assert_array_equal(resampling.by_unit(column.__getitem__, 4), [[4.0], [2.0], [4.0]])


def test_blocks_of_time_hold_rows_that_follow_each_other_however_the_file_is_ordered() -> None:
    times = pd.Series(["2026-01-03", "2026-01-01", "2026-01-04", "2026-01-02"] * 2)
    units = units_by_time(times)
    assert units.of_row is not None
    days = pd.Series(units.of_row).groupby(times).max()
    assert days.is_monotonic_increasing
    assert units.count == 4


def test_times_that_are_numbers_are_ordered_as_numbers() -> None:
    units = units_by_time(pd.Series(["9", "10", "11", "100", "2", "3", "4", "5"]))
    assert units.of_row is not None
    assert units.of_row.tolist() == [2, 2, 3, 3, 0, 0, 1, 1]


def test_many_rows_are_drawn_in_buckets_whose_sums_are_the_rows_sums() -> None:
    rows = EXACT_ROWS + 5
    resampling = Resampling(Units("row", rows), None, SETTINGS, 0)
    column = np.random.default_rng(0).normal(size=(rows, 1))
    assert resampling.count == BUCKETS
    np.testing.assert_allclose(resampling.by_unit(column.__getitem__, rows).sum(), column.sum())


def test_buckets_of_a_stratified_draw_hold_one_class_each() -> None:
    rows = EXACT_ROWS + 5
    truth = (np.arange(rows) % 10 == 0).astype(np.int64)
    resampling = Resampling(Units("row", rows), truth, SETTINGS, 0)
    members = np.column_stack([truth == 0, truth == 1]).astype(np.float64)
    classes = resampling.by_unit(members.__getitem__, rows)
    assert (np.minimum(classes[:, 0], classes[:, 1]) == 0).all()
