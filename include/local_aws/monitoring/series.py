"""What a metric is, and what many of its samples are together: the statistics of CloudWatch.

Percentiles interpolate linearly between the samples, as numpy's default does (CloudWatch does not say how it does).
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
EXACT_VALUES = 100
"""Distinct values of one moment that are kept as they are; where there are more, three significant digits are kept."""

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")


@dataclass(frozen=True)
class Metric:
    """A metric of a region: its namespace, its name, and its dimensions in the order of their names."""

    region: str
    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, region: str, namespace: str, name: str, dimensions: Iterable[tuple[str, str]]) -> "Metric":
        """The metric with its dimensions in whichever order."""
        return cls(region, namespace, name, tuple(sorted(dimensions)))


@dataclass
class Tally:
    """Samples taken together. `values` counts those whose values are known: statistic sets tell only their bounds."""

    count: float = 0.0
    sum: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    values: Counter[float] = field(default_factory=Counter)

    def add(self, value: float, count: float = 1.0) -> None:
        """Add a sample, `count` times."""
        self.values[value] += count  # type: ignore[assignment]  # weights may be fractions
        self.add_set(count, value * count, value, value)

    def add_set(self, count: float, total: float, low: float, high: float) -> None:
        """Add samples of which only the statistics are known."""
        self.count += count
        self.sum += total
        self.low = min(self.low, low)
        self.high = max(self.high, high)

    def merge(self, other: "Tally") -> None:
        """Add all that another has."""
        self.add_set(other.count, other.sum, other.low, other.high)
        self.values.update(other.values)

    def rounded(self) -> "Tally":
        """The same with fewer distinct values, where there are many."""
        if len(self.values) <= EXACT_VALUES:
            return self
        values: Counter[float] = Counter()
        for value, count in self.values.items():
            values[float(f"{value:.3g}")] += count
        return Tally(self.count, self.sum, self.low, self.high, values)

    def statistic(self, name: str) -> float | None:
        """A statistic by CloudWatch's name, such as Average or p99; None where the samples do not tell it.

        A percentile needs the values of all samples. Raises `ValueError` for a name that is no statistic.
        """
        if (share := percentile(name)) is not None:
            return self._percentile(share)
        if name not in STATISTICS:
            raise ValueError(f"Expected one of {', '.join(STATISTICS)} or a percentile such as p99, found {name!r}.")
        if not self.count:
            return None
        return {
            "SampleCount": self.count,
            "Average": self.sum / self.count,
            "Sum": self.sum,
            "Minimum": self.low,
            "Maximum": self.high,
        }[name]

    def _percentile(self, share: float) -> float | None:
        known = sum(self.values.values())
        if not known or not math.isclose(known, self.count):
            return None
        place = share * (known - 1)
        before, after = self._at(math.floor(place)), self._at(math.ceil(place))
        return before + (after - before) * (place - math.floor(place))

    def _at(self, place: int) -> float:
        passed = 0.0
        for value in sorted(self.values):
            passed += self.values[value]
            if passed > place:
                return value
        return self.high

    def packed(self) -> str:
        """The known values as text, for the database."""
        return json.dumps([[value, count] for value, count in sorted(self.values.items())])


def tally(values: Iterable[float]) -> Tally:
    """The samples of these values."""
    counts = Counter(values)
    if not counts:
        return Tally()
    return Tally(float(counts.total()), sum(value * n for value, n in counts.items()), min(counts), max(counts), counts)


def percentile(name: str) -> float | None:
    """The share of a percentile's name (``p99.9`` is 0.999), or None for another name."""
    found = _PERCENTILE.fullmatch(name)
    return float(found[1]) / 100 if found else None


def unpacked(count: float, total: float, low: float, high: float, values: str) -> Tally:
    """A tally from its row in the database."""
    return Tally(count, total, low, high, Counter(dict(json.loads(values))))
