"""Metrics: what regular expressions find in the lines that a training prints.

An expression's first group is the value, and the last line in which it is found gives the final one (developer guide,
"Use Amazon CloudWatch metrics for monitoring and analyzing training jobs").
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_FINAL = 40
"""Metrics that DescribeTrainingJob tells."""
MAX_LINE = 10_000
"""Characters of a line that are looked at, as many as the log keeps."""
HISTORY = "metrics.jsonl"
"""The file in a job's directory with every value that was found."""


@dataclass(frozen=True)
class Value:
    """A metric's value and when it was printed (epoch seconds)."""

    name: str
    value: float
    at: float


class Metrics:
    """The metrics of one job."""

    def __init__(self, definitions: Sequence[tuple[str, str]]) -> None:
        # What begins with ".*" is found from a line's start or not at all: trying each place takes time by its square.
        self._finders = [
            (name, re.compile(regex).match if regex.startswith(".*") else re.compile(regex).search)
            for name, regex in definitions
        ]
        self._last: dict[str, Value] = {}

    def read(self, lines: Iterable[str], at: float) -> list[Value]:
        """The values in these lines, in their order."""
        found = []
        for line in lines:
            for name, find in self._finders:
                match = find(line[:MAX_LINE])
                value = _number(match) if match else None
                if value is not None:
                    found.append(Value(name, value, at))
        self._last.update({each.name: each for each in found})
        return found

    def final(self) -> list[dict[str, Any]]:
        """FinalMetricDataList: the last value of each."""
        return [
            {"MetricName": each.name, "Value": each.value, "Timestamp": each.at}
            for each in list(self._last.values())[:MAX_FINAL]
        ]


def _number(match: re.Match[str]) -> float | None:
    try:
        value = float(match.group(1) if match.re.groups else match.group())
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def append(root: Path, values: Sequence[Value]) -> None:
    """Keep these values in the job's directory."""
    with (root / HISTORY).open("a", encoding="utf-8") as file:
        file.writelines(json.dumps([each.name, each.value, each.at]) + "\n" for each in values)


def history(root: Path, name: str) -> list[Value]:
    """Every value of a metric that a job, running or over, has printed, oldest first."""
    path = root / HISTORY
    lines = path.read_text("utf-8").split("\n")[:-1] if path.exists() else []
    values = [Value(*json.loads(line)) for line in lines]
    return [each for each in values if each.name == name]


def final_value(body: Mapping[str, Any], name: str) -> float | None:
    """A metric's final value in a training record's body; None where it has none."""
    found = [each["Value"] for each in body.get("metrics", ()) if each["MetricName"] == name]
    return float(found[0]) if found else None
