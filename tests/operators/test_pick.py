"""Who chooses which candidates are tuned: the rule, or a person whom Airflow asks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskAwaitingInput

from automl_retraining.core.errors import RequestError
from automl_retraining.operators.pick import PickOperator, by_rule, table
from automl_retraining.sagemaker.candidate_definitions import CandidateDefinitions, read
from tests.support.definition_notebooks import URI, notebook
from tests.support.sagemaker_tasks import cleared, pipeline, run
from tests.support.tasks import context


@pytest.fixture
def definitions() -> CandidateDefinitions:
    """dpp0-xgboost, dpp1-linear-learner, dpp2-xgboost."""
    return read(notebook(), URI, region="us-east-1")


def operator(definitions: CandidateDefinitions, how: str | None, **spec: Any) -> PickOperator:
    """The task of a pipeline with these ``candidates``."""
    return PickOperator(
        task_id="pick", pipeline=pipeline(candidates=spec), definitions=definitions.model_dump(mode="json"), pick=how
    )


def answer(chosen: list[str], *, timedout: bool = False) -> dict[str, Any]:
    """What Airflow resumes the task with."""
    return {
        "chosen_options": chosen, "params_input": {}, "responded_at": datetime.now(UTC), "timedout": timedout,
        "responded_by_user": None if timedout else {"id": "1", "name": "ada"},
    }  # fmt: skip


def test_the_rule_takes_each_algorithm_in_turn(definitions: CandidateDefinitions) -> None:
    """So that two of three candidates are not both of one algorithm; the order stays the notebook's."""
    spec = pipeline(candidates={"max_picked": 2}).candidates
    assert by_rule(definitions.candidates, spec) == ("dpp0-xgboost", "dpp1-linear-learner")
    three = pipeline(candidates={"max_picked": 10}).candidates
    assert by_rule(definitions.candidates, three) == definitions.names


def test_the_rule_takes_the_names_that_the_pipeline_asks_for(definitions: CandidateDefinitions) -> None:
    """A name that is not there is an error with those that are."""
    named = pipeline(candidates={"names": ["dpp2-xgboost"]}).candidates
    assert by_rule(definitions.candidates, named) == ("dpp2-xgboost",)
    wrong = pipeline(candidates={"names": ["dpp9-mlp"]}).candidates
    with pytest.raises(RequestError, match=r"expected some of dpp0-xgboost, .*, found dpp9-mlp"):
        by_rule(definitions.candidates, wrong)


def test_by_rule_nobody_is_asked(definitions: CandidateDefinitions) -> None:
    """The form's word wins over the pipeline's; nothing else is taken for one."""
    assert run(operator(definitions, "rule", pick="person", max_picked=1), context("pick")) == ["dpp0-xgboost"]
    assert run(operator(definitions, None, names=["dpp2-xgboost"]), context("pick")) == ["dpp2-xgboost"]
    with pytest.raises(AirflowFailException, match="pick: expected rule or person, found 'dice'"):
        run(operator(definitions, "dice"), context("pick"))


def test_a_person_is_shown_the_candidates_with_the_rules_choice_preselected(
    definitions: CandidateDefinitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow gets options, defaults and a table, and the time that the person has."""
    asked: dict[str, Any] = {}
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **given: asked.update(given)
    )
    ctx = context("pick")
    ctx["task_instance"] = ctx["ti"]
    ctx["ti"].id = "1"
    with pytest.raises(TaskAwaitingInput) as waiting:
        run(operator(definitions, "person", max_picked=1, answer_within="2h"), ctx)
    assert waiting.value.timeout is not None
    assert waiting.value.timeout.total_seconds() == 7200
    assert asked["options"] == list(definitions.names)
    assert asked["defaults"] == ["dpp0-xgboost"]
    assert asked["multiple"]
    assert "| `dpp1-linear-learner` | linear-learner | validation:roc_auc_score | wd |" in asked["body"]
    assert "Without an answer: dpp0-xgboost." in table(definitions, ["dpp0-xgboost"])


def test_a_persons_choice_comes_in_the_notebooks_order(
    definitions: CandidateDefinitions, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the log says who chose."""
    event = answer(["dpp2-xgboost", "dpp0-xgboost"])
    chosen = run(operator(definitions, "person"), context("pick"), "execute_complete", event=event)
    assert chosen == ["dpp0-xgboost", "dpp2-xgboost"]
    assert "ada chose dpp0-xgboost, dpp2-xgboost of" in capsys.readouterr().out


def test_an_answer_outlives_a_retry_but_not_a_clearing(
    definitions: CandidateDefinitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies after the answer must not cost the person another one; whoever clears the task is asked."""
    monkeypatch.setattr("airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **_: None)
    ctx = context("pick")
    ctx["task_instance"] = ctx["ti"]
    ctx["ti"].id = "1"
    task = operator(definitions, "person")
    assert run(task, ctx, "execute_complete", event=answer(["dpp2-xgboost"])) == ["dpp2-xgboost"]
    assert run(task, ctx) == ["dpp2-xgboost"]
    cleared(ctx)
    with pytest.raises(TaskAwaitingInput):
        run(task, ctx)


def test_without_an_answer_the_rules_choice_stands(
    definitions: CandidateDefinitions, capsys: pytest.CaptureFixture[str]
) -> None:
    """Airflow answers with the preselected ones when the time is up."""
    event = answer(["dpp0-xgboost"], timedout=True)
    assert run(operator(definitions, "person"), context("pick"), "execute_complete", event=event) == ["dpp0-xgboost"]
    assert "nobody answered in time, so the rule chose dpp0-xgboost" in capsys.readouterr().out


def test_no_candidate_at_all_is_no_choice(definitions: CandidateDefinitions) -> None:
    """One tuning job needs at least one."""
    with pytest.raises(AirflowFailException, match=r"expected 1 to 10 candidates, .* found 0"):
        run(operator(definitions, "person"), context("pick"), "execute_complete", event=answer([]))
