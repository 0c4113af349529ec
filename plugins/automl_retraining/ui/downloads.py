"""A run to take away: its records as one JSON document, its leaderboard as CSV."""

from __future__ import annotations

import csv
import io
import re

from automl_retraining.core.records import Leaderboard
from automl_retraining.ui.folder import RECORDS
from automl_retraining.ui.run import RunRecords

_COLUMNS = ("place", "name", "status", "algorithm", "objective_metric", "objective_value", "created", "ended",
            "duration", "failure_reason")  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A cell that begins so is run as a formula by spreadsheets (OWASP, "CSV Injection")."""


def document(records: RunRecords) -> dict[str, object]:
    """Every record whole, by its name."""
    return {name: getattr(records, name) for name in RECORDS if getattr(records, name) is not None}


def leaderboard_csv(leaderboard: Leaderboard) -> str:
    """One line per candidate, best first: metrics in columns ``metric:…``, hyperparameters in ``hyperparameter:…``."""
    metrics = sorted({name for one in leaderboard.candidates for name in one.metrics})
    parameters = sorted({name for one in leaderboard.candidates for name in one.hyperparameters})
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    head = [*_COLUMNS, *(f"metric:{name}" for name in metrics), *(f"hyperparameter:{name}" for name in parameters)]
    writer.writerow([cell(name) for name in head])
    for place, one in enumerate(leaderboard.candidates, start=1):
        writer.writerow(
            [
                cell(value)
                for value in (
                    place,
                    *(getattr(one, name) for name in _COLUMNS[1:6]),
                    one.created and one.created.isoformat(),
                    one.ended and one.ended.isoformat(),
                    one.duration,
                    one.failure_reason,
                    *(one.metrics.get(name) for name in metrics),
                    *(one.hyperparameters.get(name) for name in parameters),
                )
            ]
        )
    return out.getvalue()


def cell(value: object) -> str:
    """A value as a cell that no spreadsheet runs: an apostrophe before a text that would be a formula."""
    if value is None:
        return ""
    text = str(value)
    harmless = not isinstance(value, str) or _number(text)
    return text if harmless or not text.startswith(_FORMULA) else f"'{text}"


def file_name(*parts: str) -> str:
    """A file's name out of these parts, safe in a header and in every file system."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(parts)).strip("-.")[:120] or "run"


def _number(text: str) -> bool:
    return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text) is not None
