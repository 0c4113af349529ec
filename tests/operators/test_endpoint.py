"""The operators that write the endpoint: under its lease, once, verified, and undone by a failed smoke test."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from automl_retraining.core.errors import EndpointBusy, LeaseHeld
from automl_retraining.operators.smoke_test import SmokeTestOperator
from automl_retraining.sagemaker import storage
from tests.support.endpoint_runs import ENDPOINT, decided, folder, holder, pipeline, promote, update, with_clients
from tests.support.fake_endpoints import FakeSageMaker
from tests.support.manifests import regression
from tests.support.tasks import context


def test_the_first_model_creates_the_endpoint_with_our_tags_and_gives_the_lease_back(
    sm: FakeSageMaker, s3: Any
) -> None:
    """Nothing served before."""
    done = promote(sm, s3, "m1", None)
    assert (done["model_name"], done["previous_config"], done["previous_model"]) == ("m1", None, None)
    assert {"Key": "art:pipeline", "Value": "churn"} in sm.tags[sm.endpoints[ENDPOINT]["EndpointArn"]]
    assert holder(s3) is None


def test_the_next_model_updates_it_and_names_what_served_before(sm: FakeSageMaker, s3: Any) -> None:
    """The XCom is what a rollback needs."""
    first = promote(sm, s3, "m1", None)
    second = promote(sm, s3, "m2", "m1")
    assert (second["previous_model"], second["previous_config"]) == ("m1", first["config"])


def test_while_it_waits_the_lease_is_held_and_another_run_is_told(sm: FakeSageMaker, s3: Any) -> None:
    """The lease spans the deferral; the other run's error is worth a retry, so it is raised as it is."""
    ctx = context("update_endpoint")
    decided(s3, ctx, "m1", None)
    with pytest.raises(TaskDeferred):
        update(sm, s3, "m1").execute(ctx)
    assert holder(s3) == ctx["task_state_store"]["lease_owner"]
    with pytest.raises(LeaseHeld, match="task update_endpoint of autopilot_churn run manual__2026-01-01"):
        update(sm, s3, "m1").execute(context("update_endpoint"))


def test_killed_after_the_update_began_the_next_try_waits_for_the_same_update(sm: FakeSageMaker, s3: Any) -> None:
    """State store and lease are the same task's; nothing is created twice."""
    promote(sm, s3, "m1", None)
    ctx = context("update_endpoint")
    ctx["dag_run"].clear_number = 7
    decided(s3, ctx, "m2", "m1")
    for _ in range(2):
        with pytest.raises(TaskDeferred):
            update(sm, s3, "m2").execute(ctx)
    assert (sm.calls.count("update_endpoint"), sm.calls.count("create_endpoint_config")) == (1, 2)
    sm.settle(ENDPOINT)
    done = update(sm, s3, "m2").execute(ctx)  # killed again while it was settling
    assert done["previous_model"] == "m1"
    assert sm.calls.count("update_endpoint") == 1


def test_somebody_elses_endpoint_is_refused(sm: FakeSageMaker, s3: Any) -> None:
    """By its tags."""
    promote(sm, s3, "m1", None)
    sm.tags[sm.endpoints[ENDPOINT]["EndpointArn"]] = []
    ctx = context("update_endpoint")
    decided(s3, ctx, "m2", "m1")
    with pytest.raises(AirflowFailException, match="art:pipeline"):
        update(sm, s3, "m2").execute(ctx)


def test_a_rollback_fails_for_good_saying_why_and_leaves_its_sentence_for_the_record(
    sm: FakeSageMaker, s3: Any
) -> None:
    """InService is not enough: the configuration that serves must be the one asked for."""
    promote(sm, s3, "m1", None)
    ctx = context("update_endpoint")
    ctx["dag_run"].clear_number = 7
    decided(s3, ctx, "m2", "m1")
    with pytest.raises(TaskDeferred):
        update(sm, s3, "m2").execute(ctx)
    sm.settle(ENDPOINT, rolled_back="ping failed")
    with pytest.raises(AirflowFailException, match="ping failed; the champion still serves"):
        update(sm, s3, "m2").settled(ctx, {})
    assert "ping failed" in ctx["ti"].xcom_pull("update_endpoint", "rolled_back")
    assert holder(s3) is None


def test_in_service_before_the_update_has_begun_is_not_taken_for_a_rollback(sm: FakeSageMaker, s3: Any) -> None:
    """Until the endpoint changes, what it says is about the state before."""
    promote(sm, s3, "m1", None)
    before = dict(sm.endpoints[ENDPOINT])
    ctx = context("update_endpoint")
    ctx["dag_run"].clear_number = 7
    decided(s3, ctx, "m2", "m1")
    with pytest.raises(TaskDeferred):
        update(sm, s3, "m2").execute(ctx)
    sm.endpoints[ENDPOINT] = before
    with pytest.raises(TaskDeferred):
        update(sm, s3, "m2").settled(ctx, {})


def test_a_failed_endpoint_of_ours_is_deleted_and_made_again_by_the_next_try(sm: FakeSageMaker, s3: Any) -> None:
    """The first creation failed: nothing serves, so nothing can be lost."""
    promote(sm, s3, "m1", None)
    sm.settle(ENDPOINT, status="Failed")
    ctx = context("update_endpoint")
    ctx["dag_run"].clear_number = 7
    decided(s3, ctx, "m2", None)
    with pytest.raises(EndpointBusy, match="deleted it"):
        update(sm, s3, "m2").execute(ctx)
    with pytest.raises(TaskDeferred):
        update(sm, s3, "m2").execute(ctx)
    sm.settle(ENDPOINT)
    assert update(sm, s3, "m2").settled(ctx, {})["model_name"] == "m2"


def test_a_wait_that_takes_too_long_says_so_and_gives_the_lease_back(sm: FakeSageMaker, s3: Any) -> None:
    """Airflow's own error would leave the lease held."""
    ctx = context("update_endpoint")
    decided(s3, ctx, "m1", None)
    operator = update(sm, s3, "m1")
    with pytest.raises(TaskDeferred):
        operator.execute(ctx)

    with pytest.raises(AirflowFailException, match="settle within 1800 s"):
        operator.resume_execution("__fail__", {"error": "Trigger timeout"}, ctx)
    assert holder(s3) is None


class Answers:
    """A runtime that answers with these bytes."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def invoke_endpoint(self, **request: Any) -> dict[str, Any]:
        """As boto3 does."""
        assert request["TargetVariant"] == "champion"
        return {"Body": BytesIO(self.body)}


def smoke(sm: FakeSageMaker, s3: Any, monkeypatch: pytest.MonkeyPatch, answer: float) -> Any:
    """The smoke test of one regression row that batch transform predicted as 2.5."""
    operator = with_clients(SmokeTestOperator(task_id="smoke_test", pipeline=pipeline()), sm, s3)
    runtime = Answers(f"{answer}\n".encode())
    monkeypatch.setattr(SmokeTestOperator, "_client", lambda self, service: runtime)
    return operator


@pytest.fixture
def ctx(sm: FakeSageMaker, s3: Any) -> Any:
    """The smoke test's context after m2 was promoted over m1."""
    promote(sm, s3, "m1", None)
    updated = promote(sm, s3, "m2", "m1")
    ctx = context("smoke_test")
    ctx["ti"].xcoms["update_endpoint", "return_value"] = updated
    storage.write_record(s3, folder("manifest.json"), regression(folder("data/transform/test.csv")))
    storage.write_text(s3, folder("data/transform/test.csv"), "7,1.0,a\n")
    storage.write_text(s3, folder("scores/challenger.csv"), "row_id,truth,prediction\n7,2.0,2.5\n")
    return ctx


def test_equal_answers_pass(sm: FakeSageMaker, s3: Any, monkeypatch: pytest.MonkeyPatch, ctx: dict[str, Any]) -> None:
    """To 1e-6."""
    assert smoke(sm, s3, monkeypatch, 2.5000004).execute(ctx) == {"rows": 1}


def test_a_different_answer_puts_the_model_before_it_back_and_fails_saying_both(
    sm: FakeSageMaker, s3: Any, monkeypatch: pytest.MonkeyPatch, ctx: dict[str, Any]
) -> None:
    """Deferred, under the lease, verified; the record finds its sentence."""
    operator = smoke(sm, s3, monkeypatch, 2.51)
    with pytest.raises(TaskDeferred):
        operator.execute(ctx)
    assert holder(s3) is not None
    sm.settle(ENDPOINT)
    with pytest.raises(AirflowFailException, match=r"test row 7 to be .*2\.5.* found .*2\.51.* m1, was put back"):
        operator.settled(ctx, {})
    config = sm.configs[sm.endpoints[ENDPOINT]["EndpointConfigName"]]
    assert config["ProductionVariants"][0]["ModelName"] == "m1"
    assert "m1, was put back" in ctx["ti"].xcom_pull("smoke_test", "rolled_back")
    assert holder(s3) is None


def test_a_first_model_that_fails_its_test_has_nothing_to_go_back_to(
    sm: FakeSageMaker, s3: Any, monkeypatch: pytest.MonkeyPatch, ctx: dict[str, Any]
) -> None:
    """It says so, and does not touch the endpoint."""
    ctx["ti"].xcoms["update_endpoint", "return_value"]["previous_config"] = None
    writes = list(sm.calls)
    with pytest.raises(AirflowFailException, match="no configuration before it"):
        smoke(sm, s3, monkeypatch, 9.0).execute(ctx)
    assert sm.calls == writes


def test_an_endpoint_that_another_run_has_changed_since_is_neither_tested_nor_put_back(
    sm: FakeSageMaker, s3: Any, monkeypatch: pytest.MonkeyPatch, ctx: dict[str, Any]
) -> None:
    """A third model serves: it is not this run's to judge."""
    sm.model("m3")
    promote(sm, s3, "m3", "m2")
    writes = list(sm.calls)
    with pytest.raises(AirflowFailException, match="another run has changed it since"):
        smoke(sm, s3, monkeypatch, 9.0).execute(ctx)
    assert sm.calls == writes


def test_a_wait_that_broke_while_the_endpoint_still_changes_is_tried_again_under_the_same_lease(
    sm: FakeSageMaker, s3: Any
) -> None:
    """The trigger lost its connection, not the endpoint its way."""
    ctx = context("update_endpoint")
    decided(s3, ctx, "m1", None)
    with pytest.raises(TaskDeferred):
        update(sm, s3, "m1").execute(ctx)
    with pytest.raises(EndpointBusy, match="found Creating"):
        update(sm, s3, "m1").settled(ctx, {"error": "no answer"})
    assert holder(s3) == ctx["task_state_store"]["lease_owner"]
    with pytest.raises(TaskDeferred):
        update(sm, s3, "m1").execute(ctx)
    assert sm.calls.count("create_endpoint") == 1
