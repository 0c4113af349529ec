"""What a run came to, from the states its tasks ended in: a pure function, so that every ending can be tested."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from automl_retraining.core.approval import answered, covers, objection
from automl_retraining.core.records import Approval, Decision, OutcomeWord

SIDE_TASKS = frozenset({"score_champion", "score_reference", "search_training"})
"""Tasks whose failure fails the run but cannot undo what the gate decided on the evidence."""


@dataclass(frozen=True)
class Ending:
    """The word for outcome.json, the sentence a person reads first, and the tasks that failed, in the DAG's order."""

    word: OutcomeWord
    sentence: str
    reasons: tuple[str, ...] = ()
    failed: tuple[str, ...] = field(default=())


def judge(
    *,
    order: Iterable[str],
    states: Mapping[str, str | None],
    failures: Mapping[str, str],
    decision: Decision | None,
    rolled_back: str | None = None,
    approval: Approval | None = None,
    kept: str | None = None,
) -> Ending:
    """Say how a run ended.

    Args:
        order: the task ids upstream of the record, in the order of the story.
        states: Airflow's state of each.
        failures: the sentence that each failed task left behind, where it left one.
        decision: the gate's, where the run came that far.
        rolled_back: what put the previous model back behind the endpoint, in a sentence; None where nothing did.
        approval: a person's answer, where the gate asked for one.
        kept: why the endpoint was left as it is after all (a limit that the model does not meet, an approval that does
            not cover the champion that serves by now), in a sentence; None where it was not, or the decision says why.
    """
    order = tuple(order)
    failed = tuple(task for task in order if states.get(task) == "failed")
    reasons = decision.reasons if decision else ()

    def ended(*tasks: str) -> bool:
        return all(states.get(task) == "success" for task in tasks)

    if rolled_back is not None:
        return Ending("rolled_back", rolled_back, reasons, failed)
    if decision is not None and not set(failed) - SIDE_TASKS:
        side = "".join(f" {task} failed: {_reason(task, failures)}" for task in failed)
        about_this = approval if approval is not None and covers(approval, decision) else None
        said = answered(about_this, decision) if about_this else decision.sentence
        barred = objection(decision, approval)
        if barred is None and ended("gate", "update_endpoint", "smoke_test"):
            return Ending("promoted", said + side, reasons, failed)
        if ended("gate", "keep_champion") and (about_this or barred):
            return Ending("kept", said + side, reasons, failed)
        # update_endpoint keeps the champion where it may not be replaced after all; the smoke test is skipped then.
        if ended("gate", "update_endpoint") and states.get("smoke_test") == "skipped" and (why := kept or barred):
            return Ending("kept", why + side, reasons, failed)
    if failed:
        first = failed[0]
        return Ending("failed", f"{first} failed: {_reason(first, failures)}", reasons, failed)
    if states.get("split") == "skipped":
        return Ending("void", "The data have not changed since the last run, so nothing was trained or judged.")
    found = ", ".join(f"{task} {states.get(task) or 'not started'}" for task in order if states.get(task) != "success")
    return Ending("failed", f"expected every task to end in success or by the gate's choice, found: {found}", reasons)


def _reason(task: str, failures: Mapping[str, str]) -> str:
    return failures.get(task) or f"it left no reason behind (killed, or timed out): see the log of task {task}"


ChampionState = Literal["scored", "none", "failed"]


def champion_state(state: str | None) -> ChampionState:
    """What the state of the task score_champion means for the evaluation."""
    if state == "success":
        return "scored"
    return "none" if state == "skipped" else "failed"
