"""The quality of two variants, each on the requests that it answered, once their labels are known. Pure."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from automl_retraining.core import predictions
from automl_retraining.core.ab import apart
from automl_retraining.core.ab_records import Quality
from automl_retraining.core.ab_spec import ABQualitySpec
from automl_retraining.core.comparison import Comparison
from automl_retraining.core.errors import EvidenceError
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.metric_table import metric_spec
from automl_retraining.core.metrics import Task, encode
from automl_retraining.core.records import Interval
from automl_retraining.core.resampling import Settings, units_by_row

_ROLE = "challenger"
"""Each variant's answers are measured alone, under this name."""


@dataclass(frozen=True)
class Answered:
    """A captured answer: the caller's inference id, and the lines of CSV that the model answered."""

    inference_id: str | None
    body: bytes


def read_labels(parts: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """Labels by inference id, from CSV files with a header; the first one of an id counts.

    Raises:
        EvidenceError: a file that is no such table.
    """
    labels: dict[str, str] = {}
    for name, data in parts:
        try:
            rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
            found = [column.strip() for column in rows.fieldnames or ()]
            if not {"inference_id", "label"} <= set(found):
                raise EvidenceError(
                    f"{name}: line 1: expected the columns inference_id and label, found {', '.join(found) or 'none'}"
                )
            rows.fieldnames = found
            for row in rows:
                if row["inference_id"] and row["label"] not in (None, ""):
                    labels.setdefault(row["inference_id"], row["label"])
        except (UnicodeDecodeError, csv.Error) as error:
            raise EvidenceError(f"{name}: expected CSV in UTF-8, found: {error}") from error
    return labels


def scored(
    answers: Iterable[Answered], labels: Mapping[str, str], task: Task
) -> tuple[pd.DataFrame | None, Counter[str]]:
    """The answers whose label is known, beside it; and how many could not be used, by reason.

    An answer of several rows has one inference id, so that its rows cannot be told apart: it is left out.

    Raises:
        EvidenceError: an answer or a label that is no number, or no class of the task.
    """
    lines: list[bytes] = []
    truth: list[str] = []
    seen: set[str | None] = set()
    left_out: Counter[str] = Counter()
    for answer in answers:
        body = answer.body.strip(b"\r\n")
        if answer.inference_id is None:
            left_out["had no inference id"] += 1
        elif b"\n" in body or not body:
            left_out["were not of one row"] += 1
        elif answer.inference_id in seen:
            left_out["had an inference id that was used before"] += 1
        elif answer.inference_id in labels:
            lines.append(b"%d,%s\n" % (len(lines), body))
            truth.append(labels[answer.inference_id])
        seen.add(answer.inference_id)
    if not lines:
        return None, left_out
    table = pd.DataFrame({"truth": truth}, index=pd.RangeIndex(len(truth), name=predictions.ROW_ID))
    outputs = predictions.read_outputs(lines, problem_type=task.problem_type, labels=task.labels)
    return predictions.join(table, outputs), left_out


def compare(
    spec: ABQualitySpec,
    gate: GatePolicy,
    task: Task,
    labels: Mapping[str, str],
    *,
    champion: Iterable[Answered],
    challenger: Iterable[Answered],
    confidence: float,
) -> Quality:
    """The metric of each variant with its interval, and how much better the challenger is.

    The two answered different requests, so nothing is paired: ``ab.apart`` makes the interval of the difference.
    """
    metric = metric_spec(spec.metric or gate.metric, task.problem_type)
    known: dict[str, int] = {}
    values: dict[str, Interval | None] = {}
    reasons: list[str] = []
    sentences: list[str] = []
    for name, answers in (("champion", champion), ("challenger", challenger)):
        values[name], known[name] = None, 0
        try:
            scores, left_out = scored(answers, labels, task)
        except EvidenceError as error:
            reasons.append(f"the {name}'s captured answers: {error}")
            continue
        sentences += [f"{count:,} of the {name}'s captured answers {why}" for why, count in sorted(left_out.items())]
        known[name] = 0 if scores is None else len(scores)
        if scores is None or len(scores) < spec.min_labels:
            reasons.append(f"expected labels of {spec.min_labels:,} of the {name}'s answers, found {known[name]:,}")
            continue
        settings = Settings(confidence, gate.resamples, gate.seed)
        alone = Comparison({_ROLE: encode(scores, task)}, task, units_by_row(len(scores)), settings, [metric])
        values[name] = alone.single(metric, _ROLE)
        if values[name] is None:
            reasons.append(f"the {name}: {alone.undefined(metric, _ROLE) or 'no interval on these rows'}")
    mine, base = values["challenger"], values["champion"]
    gain = None
    if mine is not None and base is not None:
        gain = apart(mine, base) if metric.greater_is_better else apart(base, mine)
    return Quality(
        metric=metric.name,
        greater_is_better=metric.greater_is_better,
        champion=base,
        challenger=mine,
        improvement=gain,
        labelled_champion=known["champion"],
        labelled_challenger=known["challenger"],
        left_out=tuple(sentences),
        undefined="; ".join(reasons) or None,
    )
