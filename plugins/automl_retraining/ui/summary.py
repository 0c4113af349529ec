"""A run in one line: what a list of runs shows, out of the beginnings of its records. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from automl_retraining.core.effects import Against, gain
from automl_retraining.core.gate_words import difference_from
from automl_retraining.core.metric_table import METRICS
from automl_retraining.core.records import Decision, Evaluation, Interval, Outcome, Record

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class RunSummary:
    """One run. What the run did not get to is None."""

    run_id: str
    dag_id: str | None = None
    created: datetime | None = None
    finished: datetime | None = None
    outcome: str | None = None
    sentence: str | None = None
    verdict: str | None = None
    metric: str | None = None
    greater_is_better: bool | None = None
    challenger: Interval | None = None
    champion: Interval | None = None
    gain: Interval | None = None
    against: str | None = None
    challenger_model: str | None = None
    serves: str | None = None
    previous_champion: str | None = None
    kind: str | None = None
    billable_seconds: float | None = None
    search_seconds: float | None = None
    candidates: int | None = None
    rows: int | None = None
    unchanged: bool = False
    answered_by: str | None = None
    answer: str | None = None
    failed_tasks: tuple[str, ...] = ()
    error: str | None = field(default=None)

    @property
    def over(self) -> bool:
        """Whether the run has ended; one that waits for a person has not."""
        return self.outcome is not None and self.outcome != "waiting"

    @property
    def when(self) -> str:
        """What runs are ordered by: when the run's data were read, else when it ended."""
        at = self.created or self.finished
        return at.isoformat() if at else ""


def summarise(
    folder: str, found: Mapping[str, bytes], whole: Mapping[str, bool], problems: Sequence[str] = ()
) -> RunSummary:
    """The line of a run.

    Args:
        folder: the run folder's name, which is the run's id where the id is legal in S3 keys.
        found: the records by name (without ``.json``), or as many of their first bytes as were read.
        whole: whether that record was read whole.
        problems: what is wrong with records that were not read, in sentences.
    """
    problems = list(problems)

    def record(name: str, kind: type[R]) -> R | None:
        if name not in found:
            return None
        try:
            return kind.model_validate_json(found[name])
        except ValidationError as error:
            problems.append(unreadable(name, kind, error))
            return None

    outcome = record("outcome", Outcome)
    decision = record("decision", Decision)
    evaluation = record("evaluation", Evaluation)
    manifest = _head(found.get("manifest"))
    leaderboard = _head(found.get("leaderboard"))
    made = RunSummary(
        run_id=_text(manifest.get("run_id")) or (outcome.run_id if outcome else folder),
        created=_time(manifest.get("created")),
        rows=_whole_number(_mapping(manifest.get("source")).get("rows")),
        unchanged=manifest.get("unchanged") is True,
        kind=_text(leaderboard.get("kind")),
        billable_seconds=_number(leaderboard.get("billable_seconds")),
        search_seconds=_number(leaderboard.get("duration")),
        candidates=len(leaderboard.get("candidates") or ()) if leaderboard and whole.get("leaderboard") else None,
        verdict=decision.verdict if decision else None,
        sentence=decision.sentence if decision else None,
        challenger_model=decision.challenger if decision else None,
    )
    made = _compared(made, evaluation, decision)
    if outcome is not None:
        made = replace(
            made,
            dag_id=_text(outcome.facts.get("dag_id")),
            finished=outcome.finished,
            outcome=outcome.outcome,
            sentence=outcome.sentence,
            challenger_model=outcome.challenger or made.challenger_model,
            serves=outcome.champion,
            previous_champion=outcome.previous_champion,
            answered_by=outcome.answered_by,
            answer=outcome.answer,
            failed_tasks=outcome.failed_tasks,
        )
    return replace(made, error=" ".join(problems) or None)


def unreadable(name: str, kind: type[Record], error: ValidationError) -> str:
    """Why a record cannot be shown, in a sentence."""
    first = error.errors(include_url=False, include_input=False)[0]
    member = ".".join(str(part) for part in first["loc"]) or "(the file)"
    return (
        f"{name}.json: expected the record {kind.__name__}, found something else: member {member}: {first['msg']}: was "
        "it written by another version?"
    )


def _compared(made: RunSummary, evaluation: Evaluation | None, decision: Decision | None) -> RunSummary:
    """With the gate's own metric, of both models, and how much better the challenger is."""
    name = decision.policy.metric if decision else None
    metric = evaluation.metric(name) if evaluation and name else None
    if metric is None:
        spec = METRICS.get(name) if name else None
        return replace(made, metric=name, greater_is_better=spec.greater_is_better if spec else None)
    against: Against = "champion" if metric.difference else "baseline"
    found = gain(metric, difference_from(metric, against))
    return replace(
        made,
        metric=metric.name,
        greater_is_better=metric.greater_is_better,
        challenger=metric.challenger,
        champion=metric.champion,
        gain=found,
        against=against if found else None,
    )


def _head(data: bytes | None) -> dict[str, Any]:
    """The members that are whole in the beginning of a JSON object."""
    if data is None:
        return {}
    try:
        found = from_json(data, allow_partial=True)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole_number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo else None
