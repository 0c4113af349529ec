"""What a run came to."""

from __future__ import annotations

import pytest

from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.outcome import champion_state, judge
from automl_retraining.core.records import Decision

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
