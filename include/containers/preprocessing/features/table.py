"""The CSV files of one part of the split."""

import io
from pathlib import Path

import numpy as np
import pandas as pd

from features.spec import Spec


class TableError(ValueError):
    """The file has other columns or values than the spec says."""


def read(folder: Path, spec: Spec) -> tuple[pd.DataFrame, np.ndarray]:
    """Features as text (a missing value is NaN) and labels: numbers, or the class's place in ``spec.classes``.

    Raises TableError for a missing file, missing columns, or a label that is no number or no class.
    """
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise TableError(f"expected a CSV file below {folder}, found {sorted(p.name for p in folder.glob('*'))}")
    frames = [pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""]) for path in paths]
    frame = pd.concat(frames, ignore_index=True)
    missing = [name for name in (*spec.features, spec.target) if name not in frame.columns]
    if missing:
        raise TableError(
            f"expected the columns {', '.join((*spec.features, spec.target))} in {folder.name}; "
            f"{', '.join(missing)} is missing, found {', '.join(frame.columns)}"
        )
    return frame.loc[:, list(spec.features)], _labels(frame[spec.target], spec)


def rows(body: str, spec: Spec) -> pd.DataFrame:
    """Records without header and target, in the order of ``spec.features``; TableError for another width."""
    frame = pd.read_csv(io.StringIO(body), header=None, dtype=str, keep_default_na=False, na_values=[""])
    if frame.shape[1] != len(spec.features):
        raise TableError(
            f"expected {len(spec.features)} fields in each record ({', '.join(spec.features)}), found {frame.shape[1]}"
        )
    frame.columns = pd.Index(spec.features)
    return frame


def _labels(target: pd.Series, spec: Spec) -> np.ndarray:
    if spec.classification:
        places = {name: place for place, name in enumerate(spec.classes)}
        unknown = sorted({str(value) for value in target.unique()} - set(places))
        if unknown:
            raise TableError(
                f"column {spec.target}: expected the classes {', '.join(spec.classes)}, found {', '.join(unknown[:5])}"
            )
        return target.map(places).to_numpy(dtype=np.float64)
    numbers = pd.to_numeric(target, errors="coerce").to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if wrong.size:
        raise TableError(
            f"column {spec.target}: expected numbers, found {target.iloc[wrong[0]]!r} in data row {wrong[0] + 1}"
        )
    return numbers
