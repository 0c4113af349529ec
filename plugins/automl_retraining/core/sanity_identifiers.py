"""Features that name the row instead of describing it: a model can only learn them by heart.

Numbers are judged by how they were handed out. Measurements repeat as often as chance has it; numbers handed out one to
a row never do. Decimals are measurements and times are times, however few of them repeat.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from automl_retraining.core.sanity_sample import Column, Floats

ROWS = 100
"""Fewer values than this differ by chance."""
DISTINCT = 0.95
"""Share of different values from which on words name rows."""
_KNOWN_DISTINCT = 0.3
"""The same for words of a form that is made to name somebody, who may come back in other rows."""
_FORM = 0.9
_EXPECTED_PAIRS = 10
_PAIRS = 0.1
_DIGITS = 8
_SENTENCE = 4
_EPOCHS = ((6e8, 4.2e9), (6e11, 4.2e12), (6e14, 4.2e15), (6e17, 4.2e18))
"""Unix times from 1989 to 2103 in seconds, milli-, micro- and nanoseconds."""

_FORMS = (
    ("UUIDs", re.compile(r"\{?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\}?", re.IGNORECASE)),
    ("hashes", re.compile(r"(?:0x)?(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{16,}", re.IGNORECASE)),
    ("e-mail addresses", re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")),
    ("telephone numbers", re.compile(r"(?=(?:\D*\d){9,15}\D*\Z)(?=.*[-+() ])\+?[\d ().-]{9,22}")),
)
_COUNTED = re.compile(r"[^\W\d_]{1,12}[-_ /#:.]?\d{2,}")
_MEASURED = re.compile(
    r"""[-+(]?\s*[$€£¥]?\s*\d[\d.,' ]*\s*(?:%|[^\W\d_]{1,3}|[$€£¥])?\)?   # 1,234.50 $ and 12 km
    |   \d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*                                 # 31/12/2026 23:59
    |   \d{1,2}:\d{2}.*                                                   # 23:59
    """,
    re.VERBOSE,
)


def why(column: Column) -> str | None:
    """What makes the column's values names of rows, to be said after the column's name; None where nothing does."""
    if column.type == "datetime":
        return None
    if column.words is not None:
        return _words([word for word in column.words if word])
    return _numbers(column.numbers[~np.isnan(column.numbers)], column.padded)


def _words(words: Sequence[str]) -> str | None:
    if len(words) < ROWS:
        return None
    distinct = len(set(words)) / len(words)
    if distinct < _KNOWN_DISTINCT:
        return None
    for name, form in _FORMS:
        if sum(form.fullmatch(word.strip()) is not None for word in words) >= _FORM * len(words):
            return f"holds {name}, {distinct:.0%} of them different"
    if distinct < DISTINCT:
        return None
    if sum(word.count(" ") + 1 for word in words) >= _SENTENCE * len(words):
        return None  # sentences, from which something can be learned
    if sum(_MEASURED.fullmatch(word.strip()) is not None for word in words) >= _FORM * len(words):
        return None
    if sum(_COUNTED.fullmatch(word.strip()) is not None for word in words) >= _FORM * len(words):
        return f"holds numbered names, {distinct:.0%} of them different"
    return f"has a word of its own in {distinct:.0%} of the rows"


def _numbers(values: Floats, padded: int) -> str | None:
    n = len(values)
    if n < ROWS or not bool((values == np.trunc(values)).all()):
        return None
    low, high = float(values.min()), float(values.max())
    if any(start <= low and high <= end for start, end in _EPOCHS) or _dates(values):
        return None
    ordered = np.sort(values)
    repeats = int((ordered[1:] == ordered[:-1]).sum())
    distinct = 1 - repeats / n
    if padded and distinct >= DISTINCT:
        return f"holds whole numbers with zeros in front, {distinct:.0%} of them different"
    pairs = sum(times * (times - 1) // 2 for times in Counter(values.tolist()).values())
    expected = _pairs_by_chance(ordered)
    if expected >= _EXPECTED_PAIRS and pairs <= _PAIRS * expected:
        return (
            f"holds whole numbers of which {f'only {pairs:,} pairs' if pairs else 'none'} are equal, where measured "
            f"ones would give about {expected:,.0f} pairs"
        )
    if repeats:
        return None
    steps = np.diff(values)
    if bool((steps > 0).all()) or bool((steps < 0).all()):
        return f"holds whole numbers that only {'rise' if steps[0] > 0 else 'fall'} from row to row"
    # Amounts of so many digits do not all have equally many.
    if low >= 10 ** (_DIGITS - 1) and high >= 2 * low and len(f"{low:.0f}") == len(f"{high:.0f}"):
        return f"holds {len(f'{low:.0f}')}-digit numbers that all differ"
    return None


def _dates(values: Floats) -> bool:
    """Whether all are dates written as numbers, 20260131 or 260131; of numbers handed out one in 27 would be."""
    year, month, day = values // 10_000, values // 100 % 100, values % 100
    known = (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31) & (year < 10_000) & (values >= 101)
    return bool(known.all()) and len(np.unique(month)) > 1


def _pairs_by_chance(ordered: Floats) -> float:
    """Pairs of equal values among so many whole numbers drawn from the smooth density that these follow.

    With bins of equal counts, two draws agree with probability sum(share**2 / width), the width in whole numbers.
    """
    n = len(ordered)
    bins = max(4, min(64, n // 50))
    edges = ordered[np.linspace(0, n - 1, bins + 1).astype(np.intp)]
    widths = np.maximum(edges[1:] - edges[:-1], 1.0)
    return float(n * (n - 1) / 2 * (1 / (bins * bins * widths)).sum())
