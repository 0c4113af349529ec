"""Predictions joined to the truth by row id: what batch transform wrote, read and checked, as one scores table.

A scores table (docs/gate.md) is indexed by ``row_id`` and has the columns ``truth``, ``prediction``, one ``p:<label>``
per class where the model answers probabilities, and whatever the truth carries: ``group``, ``time``, slice columns.
"""

from __future__ import annotations

import ast
import io
import json
import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from automl_retraining.core.errors import EvidenceError
from automl_retraining.core.metrics import PROBABILITY, Floats, class_codes
from automl_retraining.core.section import ProblemType

ROW_ID = "row_id"
_OWN = frozenset({"prediction"})
_SUM_TOLERANCE = 0.01
_BOOLEAN = re.compile(rb"true|false", re.IGNORECASE)


def read_truth(data: bytes) -> pd.DataFrame:
    """Read truth.csv: strings as they stand in the source, indexed by row id.

    Raises:
        EvidenceError: no ``row_id`` or ``truth`` column, a column that would hide one of the scores, a double id.
    """
    table = _read_table(data, "truth.csv")
    for needed in (ROW_ID, "truth"):
        if needed not in table:
            raise EvidenceError(f"truth.csv: expected a column {needed}, found {_listed(table.columns)}")
    for column in table.columns:
        if column in _OWN or column.startswith(PROBABILITY):
            raise EvidenceError(
                f"truth.csv: expected no column named {column!r}, as scores have one: rename the slice column"
            )
    return _indexed(table, "truth.csv")


def read_outputs(parts: Iterable[bytes], *, problem_type: ProblemType, labels: Sequence[str] = ()) -> pd.DataFrame:
    """Read batch transform's output files: ``row_id,value`` or ``row_id,<label>,"[probabilities]","[labels]"``.

    A file's own order of labels is followed, row by row. Without the two lists there are no probabilities.

    Returns:
        Indexed by row id (ids may repeat: ``join`` says so), with ``prediction`` and one ``p:<label>`` per label.

    Raises:
        EvidenceError: a line that is not of this form, a number that is none, a class that is none of the labels,
            probabilities that don't add up to 1.
    """
    data = b"".join(part if part.endswith(b"\n") or not part else part + b"\n" for part in parts)
    if not data.strip():
        raise EvidenceError("batch transform output: expected a line per test row, found no line at all")
    table = _read_lines(data)
    regression = problem_type == "Regression"
    allowed = (2,) if regression else (2, 4)
    if table.shape[1] not in allowed:
        form = "row_id,value" if regression else 'row_id,label,"[probabilities]","[labels]"'
        first = data.splitlines()[0][:200].decode("utf-8", "replace")
        raise EvidenceError(f"batch transform output: expected lines of the form {form}, found {first!r}")
    outputs = pd.DataFrame(index=pd.Index(_ids(table[0], "batch transform output"), name=ROW_ID))
    if regression:
        outputs["prediction"] = _floats(table[1], outputs.index)
        return outputs
    predicted = pd.Series(table[1].to_numpy(), outputs.index, name="prediction")
    outputs["prediction"] = np.array(labels, dtype=object)[class_codes(predicted, tuple(labels))]
    if table.shape[1] == 4:
        shares = _probabilities(table[2], table[3], outputs.index, tuple(labels))
        for position, label in enumerate(labels):
            outputs[PROBABILITY + label] = shares[:, position]
    return outputs


def join(truth: pd.DataFrame, outputs: pd.DataFrame) -> pd.DataFrame:
    """Put the predictions beside the truth, in the truth's order.

    Raises:
        EvidenceError: ids that are missing, double or unknown among the outputs, or predictions that are empty or NaN.
    """
    ids = outputs.index
    problems = []
    if (double := ids[ids.duplicated()].unique()).size:
        problems.append(f"{_some(double)} answered more than once")
    if (missing := truth.index.difference(ids)).size:
        problems.append(f"{_some(missing)} not answered")
    if (unknown := ids.difference(truth.index)).size:
        problems.append(f"{_some(unknown)} that the test rows do not have")
    if problems:
        raise EvidenceError(
            f"predictions: expected exactly one for each of {len(truth):,} test rows, found {'; '.join(problems)}: "
            "the transform job's input or its output files are not this run's"
        )
    if (empty := ids[outputs.isna().any(axis=1)]).size:
        raise EvidenceError(f"predictions: expected a value for every test row, found none (or NaN) for {_some(empty)}")
    carried = truth.drop(columns=["truth", "key_hash"], errors="ignore")
    scores = pd.concat([truth[["truth"]], outputs.reindex(truth.index), carried], axis=1)
    if pd.api.types.is_numeric_dtype(outputs["prediction"]):
        scores["truth"] = _floats(scores["truth"], scores.index)
    return _with_classes(scores)


def scores_to_csv(scores: pd.DataFrame) -> bytes:
    """The scores table as its file's bytes; numbers in their shortest form that reads back the same."""
    return scores.to_csv(index=True, index_label=ROW_ID, lineterminator="\n").encode()


def scores_from_csv(data: bytes) -> pd.DataFrame:
    """Read a scores file. Without probabilities, truth and predictions that are all numbers are read as numbers.

    Raises:
        EvidenceError: a column of the scores is missing, an id is double, a probability is no number.
    """
    quickly = _typed_scores(data)
    if quickly is not None:
        return quickly
    table = _read_table(data, "scores")
    for needed in (ROW_ID, "truth", "prediction"):
        if needed not in table:
            raise EvidenceError(f"scores: expected a column {needed}, found {_listed(table.columns)}: see docs/gate.md")
    scores = _indexed(table, "scores")
    shares = [column for column in table.columns if column.startswith(PROBABILITY)]
    for column in shares:
        scores[column] = _floats(scores[column], scores.index)
    if shares:
        return _with_classes(scores)
    pair = scores[["truth", "prediction"]].apply(pd.to_numeric, errors="coerce")
    if not pair.isna().any(axis=None):
        for column in pair:
            scores[column] = _floats(scores[column], scores.index)
    return scores


def _typed_scores(data: bytes) -> pd.DataFrame | None:
    """The scores, parsed straight into numbers and classes; None where anything is not as it should be.

    A tenth of the memory of texts, which matters from a million rows. What is wrong, the way by texts can say.
    """
    if _BOOLEAN.search(data):
        return None  # read as a number it would be 1 or 0
    try:
        head = pd.read_csv(io.BytesIO(data), header=None, nrows=1, dtype=str, keep_default_na=False, encoding="utf-8")
        names = head.iloc[0].tolist()
        shares = [name for name in names if name.startswith(PROBABILITY)]
        kinds = {ROW_ID: "int64"} | dict.fromkeys(shares, "float64")
        kinds |= dict.fromkeys(("truth", "prediction"), "str" if shares else "float64")
        table = pd.read_csv(
            io.BytesIO(data),
            dtype={name: kinds.get(name, "str") for name in names},
            keep_default_na=False,
            encoding="utf-8",
        )
    except (ValueError, OverflowError):
        return None
    numbers = table.select_dtypes("float64")
    # Lines longer than the header's would have their first field as an index.
    regular = table.columns.tolist() == names and isinstance(table.index, pd.RangeIndex)
    if not regular or not {ROW_ID, "truth", "prediction"} <= set(names):
        return None
    if table[ROW_ID].duplicated().any() or not all(np.isfinite(numbers[name]).all() for name in numbers):
        return None
    return _with_classes(table.set_index(ROW_ID))


def _with_classes(scores: pd.DataFrame) -> pd.DataFrame:
    """Classes beside their probabilities as categories: one byte a row instead of a dozen."""
    if not any(str(column).startswith(PROBABILITY) for column in scores):
        return scores
    return scores.astype({"truth": "category", "prediction": "category"})


# ---------------------------------------------------------------- reading


def _read_table(data: bytes, what: str) -> pd.DataFrame:
    try:
        lines = pd.read_csv(io.BytesIO(data), header=None, dtype=str, keep_default_na=False, encoding="utf-8")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise EvidenceError(f"{what}: expected a CSV file with a header, found: {error}") from error
    names = lines.iloc[0].tolist()
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise EvidenceError(f"{what}: expected each column once, found {_listed(double)} more than once: rename one")
    table = lines.iloc[1:].reset_index(drop=True)
    table.columns = pd.Index(names)
    return table


def _read_lines(data: bytes) -> pd.DataFrame:
    # Lists in a field are quoted with doubled quotes by some writers, with backslashes by others.
    escape = "\\" if b'\\"' in data else None
    try:
        return pd.read_csv(
            io.BytesIO(data), header=None, dtype=str, keep_default_na=False, encoding="utf-8", escapechar=escape
        )
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise EvidenceError(f"batch transform output: expected CSV lines of one form, found: {error}") from error


def _indexed(table: pd.DataFrame, what: str) -> pd.DataFrame:
    found = table.drop(columns=ROW_ID)
    found.index = pd.Index(_ids(table[ROW_ID], what), name=ROW_ID)
    if (double := found.index[found.index.duplicated()].unique()).size:
        raise EvidenceError(f"{what}: expected each row id once, found {_some(double)} more than once")
    return found


def _ids(texts: pd.Series, what: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    numbers = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64)
    bad = ~(np.isfinite(numbers) & (numbers == np.floor(numbers)))
    if bad.any():
        line = int(np.flatnonzero(bad)[0])
        raise EvidenceError(
            f"{what}: expected a whole number as row_id, found {texts.iloc[line]!r} in row {line + 1:,} "
            f"and {int(bad.sum()) - 1} more"
        )
    return np.asarray(numbers.astype(np.int64))


def _floats(texts: pd.Series, ids: pd.Index) -> Floats:
    """Parse to the very double that was written; EvidenceError for what is no finite number."""
    numbers = np.full(len(texts), np.nan)
    loose = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64)
    good = np.isfinite(loose)
    numbers[good] = texts.to_numpy()[good].astype(np.float64)
    if not good.all():
        where = np.flatnonzero(~good)
        raise EvidenceError(
            f"{texts.name if isinstance(texts.name, str) else 'predictions'}: expected a finite number in every row, "
            f"found {texts.iloc[int(where[0])]!r} for row_id {ids[int(where[0])]} and {len(where) - 1} more"
        )
    return numbers


def _probabilities(lists: pd.Series, label_lists: pd.Series, ids: pd.Index, labels: tuple[str, ...]) -> Floats:
    """n × labels, each row's list put into the order of ``labels``."""
    size = len(labels)
    counts = lists.str.count(",").to_numpy()
    if (counts != size - 1).any():
        row = int(np.flatnonzero(counts != size - 1)[0])
        raise EvidenceError(
            f"batch transform output: expected {size} probabilities ({_listed(labels)}), found {lists.iloc[row]!r} "
            f"for row_id {ids[row]}"
        )
    flat = pd.Series(",".join(lists.str.strip(" []").tolist()).split(","), name="probabilities")
    values = _floats(flat, ids.repeat(size)).reshape(-1, size)
    which, texts = pd.factorize(label_lists)
    shares = np.empty_like(values)
    for position, text in enumerate(texts.tolist()):
        rows = np.flatnonzero(which == position)
        shares[rows] = values[rows][:, _order(_parse_labels(text, ids[rows[0]]), labels, ids[rows[0]])]
    off = np.abs(shares.sum(axis=1) - 1) > _SUM_TOLERANCE
    if off.any() or (shares < 0).any():
        row = int(np.flatnonzero(off | (shares < 0).any(axis=1))[0])
        raise EvidenceError(
            f"batch transform output: expected probabilities that add up to 1, found {lists.iloc[row]} "
            f"for row_id {ids[row]}: is the third field the model's probabilities?"
        )
    return shares


def _parse_labels(text: str, row_id: object) -> list[str]:
    for parse in (json.loads, ast.literal_eval):
        try:
            found = parse(text)
        except (ValueError, SyntaxError):
            continue
        if isinstance(found, list):
            return [str(label) for label in found]
    inside = text.strip()
    if inside.startswith("[") and inside.endswith("]"):
        return [label.strip(" '\"") for label in inside[1:-1].split(",")]  # a list of bare words
    raise EvidenceError(f"batch transform output: expected a list of labels, found {text!r} for row_id {row_id}")


def _order(found: list[str], labels: tuple[str, ...], row_id: object) -> list[int]:
    """Positions of ``labels`` in the list found; labels that are numbers may be written differently (1, 1.0)."""
    plain = {_plain(label): position for position, label in enumerate(found)}
    if len(plain) != len(found) or set(plain) != {_plain(label) for label in labels}:
        raise EvidenceError(
            f"batch transform output: expected the labels {_listed(labels)}, found {_listed(found)} "
            f"for row_id {row_id}: was the model trained on another target?"
        )
    return [plain[_plain(label)] for label in labels]


def _plain(label: str) -> str:
    try:
        return repr(float(label))
    except ValueError:
        return label


def _listed(names: Iterable[object]) -> str:
    return ", ".join(repr(name) for name in names)


def _some(ids: pd.Index) -> str:
    shown = ", ".join(str(one) for one in ids[:3])
    return f"{len(ids):,} row ids ({shown}{', …' if len(ids) > 3 else ''})"
