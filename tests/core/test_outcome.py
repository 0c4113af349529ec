"""What a run came to."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.outcome import champion_state, judge
from automl_retraining.core.records import Answer, Approval, Decision

ORDER = (
    "split", "search", "search_training", "champion", "score_champion", "create_model", "score_challenger",
    "evaluate", "gate", "update_endpoint", "smoke_test", "keep_champion",
)  # fmt: skip
DECISION = Decision(
    pipeline="churn", run_id="r", verdict="promote", sentence="It is better: promoted.", reasons=("because",),
    rules=(), policy=GatePolicy(metric="roc_auc"), challenger="m2", champion="m1",
)  # fmt: skip

KEEP = DECISION.model_copy(update={"verdict": "keep", "sentence": "Not better: kept."})


def states(**changed: str) -> dict[str, str | None]:
    """All succeeded but keep_champion, which the gate skipped; then the changes."""
    return {**dict.fromkeys(ORDER, "success"), "keep_champion": "skipped", **changed}


def kept(**changed: str) -> dict[str, str | None]:
    """The gate's other branch."""
    return states(update_endpoint="skipped", smoke_test="skipped", **{"keep_champion": "success", **changed})


def test_promoted_when_the_endpoint_was_updated_and_tested() -> None:
    """The decision's sentence is the run's."""
    ending = judge(order=ORDER, states=states(), failures={}, decision=DECISION)
    assert (ending.word, ending.sentence, ending.reasons, ending.failed) == (
        "promoted", "It is better: promoted.", ("because",), ()
    )  # fmt: skip


def test_kept_when_the_gate_kept_the_champion() -> None:
    """The gate's other branch."""
    assert judge(order=ORDER, states=kept(), failures={}, decision=KEEP).word == "kept"


def test_kept_when_another_champion_serves_by_now_that_the_challenger_does_not_beat() -> None:
    """update_endpoint compared again, and wrote nothing."""
    after = states(smoke_test="skipped")
    assert judge(order=ORDER, states=after, failures={}, decision=KEEP).word == "kept"


DOUBT = DECISION.model_copy(
    update={
        "verdict": "doubt", "sentence": "Too few rows; the champion stays.",
        "policy": GatePolicy.model_validate({"metric": "roc_auc", "approval": "on_doubt"}),
    }
)  # fmt: skip
ASKED = {"approve": "success"}


def answer(word: Answer, **changes: str) -> Approval:
    """Ada's, about the decision's two models."""
    return Approval(
        answer=word, who=None if word == "timed_out" else "ada", answered=datetime(2026, 1, 1, tzinfo=UTC),
        challenger="m2", champion="m1", answer_within=600,
    ).model_copy(update=changes)  # fmt: skip


def test_promoted_when_a_person_approved_what_was_in_doubt() -> None:
    """The sentence names them."""
    ending = judge(order=ORDER, states=states(**ASKED), failures={}, decision=DOUBT, approval=answer("approved"))
    assert ending.word == "promoted"
    assert ending.sentence == "Approved by ada in spite of the gate's doubt. Too few rows; the champion stays."


@pytest.mark.parametrize(
    ("word", "said"), [("refused", "Refused by ada"), ("timed_out", "Nobody answered within 10 min")]
)
def test_kept_when_a_person_refused_or_nobody_answered(word: Answer, said: str) -> None:
    """Also where the gate said promote and the policy asks always."""
    always = DECISION.model_copy(
        update={"policy": GatePolicy.model_validate({"metric": "roc_auc", "approval": "always"})}
    )
    for decision in (DOUBT, always):
        ending = judge(order=ORDER, states=kept(**ASKED), failures={}, decision=decision, approval=answer(word))
        assert ending.word == "kept"
        assert ending.sentence.startswith(said)


def test_kept_when_the_approval_was_about_a_champion_that_does_not_serve_any_more() -> None:
    """update_endpoint compared again, was in doubt again, and nobody was asked about that."""
    after = states(smoke_test="skipped", **ASKED)
    older = answer("approved", champion="m0")
    ending = judge(order=ORDER, states=after, failures={}, decision=DOUBT, approval=older)
    assert ending.word == "kept"
    assert "ada approved m2 as compared with champion m0, but champion m1 serves by now" in ending.sentence


def test_promoted_when_the_evidence_against_the_new_champion_needs_no_approval() -> None:
    """Then the evidence is the sentence, not an approval of something else."""
    decision = DECISION.model_copy(update={"policy": DOUBT.policy})
    older = answer("approved", champion="m0")
    ending = judge(order=ORDER, states=states(**ASKED), failures={}, decision=decision, approval=older)
    assert (ending.word, ending.sentence) == ("promoted", "It is better: promoted.")


def test_never_promoted_on_a_doubt_that_nobody_approved() -> None:
    """Somebody marked approve as success: both branches ran, and update_endpoint left the endpoint alone."""
    after = states(smoke_test="skipped", keep_champion="success", **ASKED)
    assert judge(order=ORDER, states=after, failures={}, decision=DOUBT).word == "kept"


def test_kept_when_the_model_does_not_meet_a_limit() -> None:
    """Though the gate promoted it; the task's sentence is the run's."""
    after = states(smoke_test="skipped")
    ending = judge(order=ORDER, states=after, failures={}, decision=DECISION, kept="The model has 120 MB, not 100.")
    assert (ending.word, ending.sentence) == ("kept", "The model has 120 MB, not 100.")


def test_a_champion_that_cannot_be_scored_leaves_the_verdict_and_is_named() -> None:
    """score_champion failed: the outcome stands, the failed task is listed with its reason."""
    ending = judge(
        order=ORDER, states=kept(score_champion="failed"), failures={"score_champion": "No such column."},
        decision=KEEP,
    )  # fmt: skip
    assert ending.word == "kept"
    assert ending.failed == ("score_champion",)
    assert ending.sentence.endswith("score_champion failed: No such column.")


def test_failed_names_the_first_failed_task_and_its_reason() -> None:
    """Of several failed tasks the first in the story's order is the cause."""
    after = dict.fromkeys(ORDER[5:], "upstream_failed")
    ending = judge(
        order=ORDER, states=states(**{**after, "search": "failed", "search_training": "failed", "evaluate": "failed"}),
        failures={"search": "The job failed: no.", "evaluate": "nothing to evaluate"}, decision=None,
    )  # fmt: skip
    assert ending.word == "failed"
    assert ending.sentence == "search failed: The job failed: no."
    assert ending.failed == ("search", "search_training", "evaluate")


def test_a_failed_task_without_a_reason_points_to_its_log() -> None:
    """A killed task says nothing; the sentence does."""
    ending = judge(order=ORDER, states=states(split="failed"), failures={}, decision=None)
    assert "see the log of task split" in ending.sentence


def test_failed_when_the_smoke_test_failed_although_the_gate_promoted() -> None:
    """A verdict is not an outcome."""
    ending = judge(order=ORDER, states=states(smoke_test="failed"), failures={"smoke_test": "Differs."},
                   decision=DECISION)  # fmt: skip
    assert (ending.word, ending.sentence) == ("failed", "smoke_test failed: Differs.")


@pytest.mark.parametrize("task", ["update_endpoint", "smoke_test"])
def test_rolled_back_when_the_previous_model_serves_again(task: str) -> None:
    """Whoever put it back, the outcome says so."""
    ending = judge(order=ORDER, states=states(**{task: "failed"}), failures={task: "x"}, decision=DECISION,
                   rolled_back="m1 serves again.")  # fmt: skip
    assert (ending.word, ending.sentence, ending.failed) == ("rolled_back", "m1 serves again.", (task,))


def test_void_when_the_split_skipped_the_run() -> None:
    """Unchanged data: nothing was judged."""
    ending = judge(order=ORDER, states=dict.fromkeys(ORDER, "skipped"), failures={}, decision=None)
    assert ending.word == "void"
    assert "have not changed since the last run" in ending.sentence


def test_a_run_that_ended_otherwise_is_failed_and_says_which_tasks_did_not_succeed() -> None:
    """For instance a task marked skipped by hand."""
    ending = judge(order=ORDER, states=states(smoke_test="skipped"), failures={}, decision=DECISION)
    assert ending.word == "failed"
    assert "smoke_test skipped" in ending.sentence


def test_every_state_of_score_champion_has_a_meaning() -> None:
    """Only a skip means that there is none."""
    assert [champion_state(s) for s in ("success", "skipped", "failed", "upstream_failed", None)] == [
        "scored", "none", "failed", "failed", "failed"
    ]  # fmt: skip
