"""Decide again from a run folder's files alone: the same decision to the last digit, or what another policy says.

Neither Airflow nor AWS is needed. What is read: ``FILES``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import pandas as pd
from pydantic import ValidationError

from automl_retraining.core.errors import EvidenceError
from automl_retraining.core.evaluation import evaluate
from automl_retraining.core.gate import decide
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.predictions import scores_from_csv
from automl_retraining.core.records import Decision, Evaluation, Manifest, ModelRef, Record
from automl_retraining.core.section import ProblemType
from automl_retraining.core.subject import Subject

R = TypeVar("R", bound=Record)

CHALLENGER, CHAMPION, REFERENCE, LEAKED = (
    f"scores/{name}.csv" for name in ("challenger", "champion", "reference", "leaked")
)
FILES = ("manifest.json", "evaluation.json", "decision.json", CHALLENGER, CHAMPION, REFERENCE, LEAKED)
"""All that a replay may read, below the run folder. ``scores/challenger.csv`` must be there."""

_LEAKAGE_UNKNOWN = (
    f"it cannot be told whether the champion was trained on some of these test rows: there is no {LEAKED}"
)


@dataclass(frozen=True)
class Replay:
    """What the folder shows and what follows.

    ``recorded`` is the folder's own decision, None where it has none; ``equal`` says that it is, byte for byte, what
    was decided now.
    """

    evaluation: Evaluation
    decision: Decision
    recorded: Decision | None
    equal: bool

    def differences(self) -> tuple[str, ...]:
        """What differs from the recorded decision, a line each."""
        return tuple(_differences(self.recorded, self.decision)) if self.recorded else ()


def replay(
    files: Mapping[str, bytes],
    policy: GatePolicy | None = None,
    *,
    name: str = "scores",
    problem_type: ProblemType | None = None,
    positive_class: str | None = None,
) -> Replay:
    """Evaluate the scores and decide.

    A folder of our own says in ``manifest.json`` and ``evaluation.json`` whose scores these are. Without them the
    scores say what they can (``Subject.of_scores``), and the models are called challenger, champion and reference.

    Args:
        files: the folder's files by their names below it: see ``FILES``. Others are not looked at.
        policy: None takes the recorded decision's.
        name, problem_type, positive_class: of scores without a manifest: see ``Subject.of_scores``.

    Raises:
        EvidenceError: a file is missing or is not what it should be; the sentence names it.
    """
    recorded = _record(files, "decision.json", Decision)
    manifest = _record(files, "manifest.json", Manifest)
    before = _record(files, "evaluation.json", Evaluation)
    if policy is None:
        if recorded is None:
            raise EvidenceError("expected a policy, or the folder's decision.json with one, found neither: name one")
        policy = recorded.policy
    challenger = _scores(files, CHALLENGER)
    subject = (
        Subject.of_manifest(manifest)
        if manifest
        else Subject.of_scores(
            *(challenger, *(_scores(files, role) for role in (CHAMPION, REFERENCE) if role in files)),
            name=name,
            problem_type=problem_type,
            positive_class=positive_class,
        )
    )
    champion = before.champion if before else ModelRef(model_name="champion") if CHAMPION in files else None
    reference = before.reference if before else ModelRef(model_name="reference") if REFERENCE in files else None
    if before is None and reference is None:
        reference = champion  # nothing says that another model was there before it
    champion_scored = champion is not None and (before is None or before.champion_error is None)
    reference_scored = (
        reference is not None
        and champion is not None
        and reference.model_name != champion.model_name
        and (before is None or before.reference_error is None)
    )
    evaluation = evaluate(
        manifest=subject,
        policy=policy,
        challenger=before.challenger if before else ModelRef(model_name="challenger"),
        challenger_scores=challenger,
        champion=champion,
        champion_scores=_scores(files, CHAMPION) if champion_scored else None,
        champion_error=before.champion_error if before else None,
        leaked=_leaked(files),
        leakage_unknown=before.leakage_unknown if before else None if LEAKED in files else _LEAKAGE_UNKNOWN,
        reference=reference,
        reference_scores=_scores(files, REFERENCE) if reference_scored else None,
        reference_error=before.reference_error if before else None,
        checks=before.checks if before else (),
        notes=before.notes if before else (),
    )
    decision = decide(evaluation, policy)
    equal = recorded is not None and decision.to_json().encode() == files["decision.json"]
    return Replay(evaluation, decision, recorded, equal)


def _record(files: Mapping[str, bytes], name: str, kind: type[R]) -> R | None:
    if name not in files:
        return None
    try:
        return kind.model_validate_json(files[name])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        member = ".".join(str(part) for part in first["loc"]) or "(the file)"
        raise EvidenceError(
            f"{name}: expected the record {kind.__name__}, found something else: member {member}: {first['msg']}: was "
            "it written by another version?"
        ) from error


def _scores(files: Mapping[str, bytes], name: str) -> pd.DataFrame:
    if name not in files:
        found = ", ".join(sorted(files)) or "none of the files of a run folder"
        raise EvidenceError(f"expected the file {name} in the run folder, found {found}")
    try:
        return scores_from_csv(files[name])
    except EvidenceError as error:
        raise EvidenceError(f"{name}: {error}") from error


def _leaked(files: Mapping[str, bytes]) -> list[int]:
    lines = files.get(LEAKED, b"row_id\n").decode("utf-8", "replace").split()
    if lines[:1] != ["row_id"] or not all(line.isdecimal() for line in lines[1:]):
        raise EvidenceError(f"{LEAKED}: expected a line row_id, then a row's number on each, found something else")
    return [int(line) for line in lines[1:]]


# ---------------------------------------------------------------- what differs


def _differences(recorded: Decision, decision: Decision) -> Iterator[str]:
    then, now = (json.loads(one.to_json()) for one in (recorded, decision))
    rules_then, rules_now = ({rule["name"]: rule for rule in one.pop("rules")} for one in (then, now))
    del then["reasons"], now["reasons"]  # the rules' sentences again
    yield from _members("", then, now)
    for rule in dict.fromkeys([*rules_then, *rules_now]):
        one, other = (rules.get(rule) for rules in (rules_then, rules_now))
        if one != other:
            yield f"rule {rule}: recorded {_said(one)}, found {_said(other)}"


def _members(prefix: str, then: Mapping[str, object], now: Mapping[str, object]) -> Iterator[str]:
    for key in dict.fromkeys([*then, *now]):
        one, other = then.get(key), now.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _members(f"{prefix}{key}.", one, other)
        elif one != other:
            was, is_now = (json.dumps(value, ensure_ascii=False) for value in (one, other))
            yield f"{prefix}{key}: recorded {was}, found {is_now}"


def _said(rule: Mapping[str, str] | None) -> str:
    return "no such rule" if rule is None else f"{rule['result']} ({rule['sentence']})"
