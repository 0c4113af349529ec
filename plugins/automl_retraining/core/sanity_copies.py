"""How often a row should come back by chance, so that copies can be told from rows of few different values."""

from __future__ import annotations

from collections import Counter

import numpy as np

from automl_retraining.core.sanity_features import Codes
from automl_retraining.core.sanity_looked import Looked, comparable
from automl_retraining.core.sanity_sample import Column, Floats


def expected_copies(looked: Looked, copies: Codes) -> Floats:
    """Rows of the train part that each test row should agree with if the columns were independent of each other.

    The product of how frequent its values are, times the train part's rows. Columns that go together make coincidences
    more frequent than that.

    Args:
        looked: the rows.
        copies: how often each test row was found in the train part: those are left out of the frequencies.
    """
    drawn = looked.train.rows / max(1, looked.train.of)
    seen = np.ceil(copies * drawn)
    expected = np.full(looked.test.rows, np.log(max(1, looked.train.of)))
    for column in (*looked.features(looked.test), looked.test.columns[looked.manifest.target]):
        expected += np.log(_frequencies(looked.train.columns[column.name], column, seen))
    return np.asarray(np.exp(expected), dtype=np.float64)


def _frequencies(train: Column, test: Column, seen: Floats) -> Floats:
    """How frequent each test row's value is among the train rows; of values that are not there, an estimate.

    That shares the mass of unseen values (Good 1953: singletons / rows) among as many as there should be of them (Chao
    1984, in the form that has no division by the number of pairs).
    """
    values = Counter(comparable(train))
    rows = max(1, len(train.numbers))
    once, twice = (sum(times == many for times in values.values()) for many in (1, 2))
    unseen = min(1 / rows, 2 * (twice + 1) / (rows * max(1, once - 1)))
    counts = np.array([values[value] for value in comparable(test)], dtype=np.float64) - seen
    return np.where(counts >= 1, counts / rows, unseen)
