"""An A/B test's tasks: begun once, watched, ended whatever happens, and never written over by another run."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferralTimeout, TaskDeferred

from automl_retraining.core.ab_records import ABResult
from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import EndpointBusy
from automl_retraining.core.records import Outcome
from automl_retraining.operators.rollback import RollbackOperator
from automl_retraining.sagemaker import lease, storage
from automl_retraining.triggers.ab import ABTrigger
from tests.support.ab_runs import ABRun
from tests.support.endpoint_runs import BUCKET, ENDPOINT, decided, holder, update
from tests.support.fake_ab import FakeMetrics, FakeVariants
from tests.support.manifests import regression
from tests.support.sagemaker_tasks import run as run_method
from tests.support.tasks import context

GOOD = {"champion": (10, 0, 0, 9000.0), "challenger": (10, 0, 0, 9000.0)}
BAD = {"champion": (10, 0, 0, 9000.0), "challenger": (10, 0, 10, 9000.0)}


@pytest.fixture
def sm() -> FakeVariants:
    """m1 serves alone on four instances; m2 is there."""
    fake = FakeVariants()
    fake.serving("m1", "m2")
    return fake


class Runtime:
    """A runtime that answers with these bytes."""

    body = b"2.5\n"

    def invoke_endpoint(self, **_: Any) -> dict[str, Any]:
        """As boto3 does."""
        return {"Body": BytesIO(self.body)}


class World:
    """The clients of a test, and runs of the DAG on them."""

    def __init__(self, sm: FakeVariants, s3: Any) -> None:
        self.sm, self.s3, self.metrics, self.runtime = sm, s3, FakeMetrics(**GOOD), Runtime()
        self.number = 0
        self.event: dict[str, str] | None = None

    def run(
        self, run_id: str, *, challenger: str = "m2", params: dict[str, Any] | None = None, **section: Any
    ) -> ABRun:
        """A run; each has a folder of its own."""
        pipeline = Pipeline.model_validate(
            {"name": "churn", "source": "churn.csv", "target": "churn", "gate": {"metric": "rmse", "resamples": 200},
             "registry": {"enabled": False}, "ab": {"share": 20, **section}}
        )  # fmt: skip
        made = ABRun(
            pipeline, lambda: self.sm.settle(ENDPOINT), prepare=self.prepared, run_id=run_id, params=params,
            challenger=challenger,
        )  # fmt: skip
        made.waited = lambda trigger: self.waited(made, trigger)  # type: ignore[method-assign]
        return made

    def prepared(self, operator: Any) -> Any:
        """With clients that stand where AWS would."""
        operator.__dict__.update(sm=self.sm, s3=self.s3)
        operator.__dict__["_client"] = {"cloudwatch": self.metrics, "sagemaker-runtime": self.runtime}.__getitem__
        return operator

    def waited(self, made: ABRun, trigger: Any) -> dict[str, Any]:
        """A watch ends well, or as the test says; its beginning is long ago by then."""
        if not isinstance(trigger, ABTrigger):
            made.settle()
            return {}
        return self.event or {"why": "enough", "sentence": "Enough."}

    def result(self, run_id: str) -> ABResult:
        """What the run wrote down."""
        return storage.read_record(self.s3, f"s3://{BUCKET}/churn/ab/{run_id}/result.json", ABResult)


@pytest.fixture
def world(sm: FakeVariants, s3: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    """AWS; what start_variant returns counts from an hour ago."""
    from automl_retraining.sagemaker import ab_metrics

    real = ab_metrics.traffic

    def earlier(cloudwatch: Any, spec: Any, name: str, variants: Any, *, since: Any, until: Any) -> Any:
        from datetime import timedelta

        return real(cloudwatch, spec, name, variants, since=since - timedelta(hours=2), until=until)

    monkeypatch.setattr(ab_metrics, "traffic", earlier)
    return World(sm, s3)


def test_a_challenger_that_does_well_gets_its_share_more_and_then_all(world: World) -> None:
    """One variant beside the champion, its weight shifted, then one variant named champion; the lease is free."""
    story = world.run("good", shift=[50, 80])
    sm = world.sm
    assert story.task("start_variant") == "success", story.errors
    assert sm.models_served() == {"champion": "m1", "challenger": "m2"}
    weights = {name: each["CurrentWeight"] for name, each in sm.variants.items()}
    assert weights["challenger"] / sum(weights.values()) == pytest.approx(0.2)
    assert sm.variants["challenger"]["DesiredInstanceCount"] == 1
    assert holder(world.s3) is None
    for task in ("watch", "judge_ab", "shift_weights"):
        assert story.task(task) == "success", story.errors
    assert sm.variants["challenger"]["CurrentWeight"] == pytest.approx(4.0)  # 80 % beside 1.0
    assert sm.variants["challenger"]["DesiredInstanceCount"] == 4
    assert sm.variants["champion"]["CurrentWeight"] == 1.0
    for task in ("promote", "withdraw", "record"):
        story.task(task)
    assert story.states == {
        "start_variant": "success", "watch": "success", "judge_ab": "success", "shift_weights": "success",
        "promote": "success", "withdraw": "skipped", "record": "success",
    }, story.errors  # fmt: skip
    assert sm.models_served() == {"champion": "m2"}
    assert sm.variants["champion"]["DesiredInstanceCount"] == 4
    written = world.result("good")
    assert (written.outcome, written.champion, written.serves) == ("promoted", "m1", "m2")
    outcome = storage.read_record(world.s3, f"s3://{BUCKET}/churn/ab/good/outcome.json", Outcome)
    assert (outcome.outcome, outcome.previous_champion) == ("promoted", "m1")
    assert b"Promoted" in storage.read_bytes(world.s3, f"s3://{BUCKET}/churn/ab/good/report.html")
    config = sm.endpoints[ENDPOINT]["EndpointConfigName"]
    assert {"Key": "art:previous-config", "Value": "base"} in sm.tags[sm.configs[config]["EndpointConfigArn"]]
    assert holder(world.s3) is None


def test_harm_withdraws_it_and_the_run_succeeds(world: World) -> None:
    """The configuration before is put back; nothing is promoted."""
    world.metrics.each = BAD
    world.event = {"why": "harm", "sentence": "It burns."}
    story = world.run("harm")
    states = story.all()
    assert (states["promote"], states["withdraw"], states["record"]) == ("skipped", "success", "success"), story.errors
    assert world.sm.endpoints[ENDPOINT]["EndpointConfigName"] == "base"
    assert (world.result("harm").outcome, world.result("harm").ended_early) == ("withdrawn", "It burns.")
    assert "answers were 5xx" in str(world.result("harm").judgement)


def test_harm_while_the_weights_shift_withdraws_it_too(world: World) -> None:
    """At half of the requests it shows."""
    story = world.run("late")
    for task in ("start_variant", "watch", "judge_ab"):
        assert story.task(task) == "success", story.errors
    world.event = {"why": "harm", "sentence": "It burns."}
    assert story.task("shift_weights") == "skipped"
    story.states["promote"] = "skipped"
    assert (story.task("withdraw"), story.task("record")) == ("success", "success"), story.errors
    assert world.sm.models_served() == {"champion": "m1"}
    assert world.result("late").sentence == "Withdrawn: It burns."


def test_an_answer_that_differs_from_the_evaluated_one_fails_the_run_and_withdraws(world: World) -> None:
    """The test rows of the run that made it are sent before any judgement."""
    folder = f"s3://{BUCKET}/churn/runs/second"
    storage.write_record(world.s3, f"{folder}/manifest.json", regression(f"{folder}/test.csv"))
    storage.write_text(world.s3, f"{folder}/test.csv", "7,1.0,a\n")
    storage.write_text(world.s3, f"{folder}/scores/challenger.csv", "row_id,truth,prediction\n7,2.0,9.5\n")
    world.sm.tags[world.sm.models["m2"]["ModelArn"]].append({"Key": "art:run-folder", "Value": folder})
    story = world.run("differs")
    states = story.all()
    assert (states["start_variant"], states["watch"], states["withdraw"]) == ("failed", "upstream_failed", "success")
    assert (world.sm.models_served(), holder(world.s3)) == ({"champion": "m1"}, None)
    written = world.result("differs")
    assert (written.outcome, written.failed_tasks) == ("failed", ("start_variant",))
    assert "expected prediction of test row 7 to be" in written.sentence


@pytest.mark.parametrize("settles", [True, False])
def test_killed_while_it_began_the_next_try_goes_on(world: World, settles: bool) -> None:
    """One configuration, one update; whether the endpoint has settled meanwhile or not."""
    story = world.run("killed")
    story.deferred("start_variant")
    if settles:
        world.sm.settle(ENDPOINT)
    assert story.task("start_variant") == "success", story.errors
    assert world.sm.calls == ["create_endpoint_config", "update_endpoint"]
    assert world.sm.models_served() == {"champion": "m1", "challenger": "m2"}


def test_a_test_that_was_left_behind_is_ended_first_by_the_next_one(world: World) -> None:
    """The champion serves alone in between, so that the new challenger has its own share."""
    world.sm.model("m3", art_pipeline="churn")
    left = world.run("left")
    left.task("start_variant")
    story = world.run("next", challenger="m3", share=40)
    assert story.task("start_variant") == "success", story.errors
    assert world.sm.calls.count("update_endpoint") == 3
    assert world.sm.models_served() == {"champion": "m1", "challenger": "m3"}
    assert world.sm.variants["challenger"]["CurrentWeight"] == pytest.approx(2 / 3)
    assert left.task("withdraw") == "skipped", "the other run's test is not this run's to end"
    assert story.task("withdraw") == "success"
    assert world.sm.models_served() == {"champion": "m1"}


def test_where_the_configuration_before_was_deleted_one_like_it_is_made(world: World) -> None:
    """From the test's own, without what only the test captured."""
    story = world.run("gone", quality={"labels": f"s3://{BUCKET}/labels/"})
    story.task("start_variant")
    test = world.sm.configs[world.sm.endpoints[ENDPOINT]["EndpointConfigName"]]
    assert test["DataCaptureConfig"]["InitialSamplingPercentage"] == 100
    del world.sm.configs["base"]
    assert story.task("withdraw") == "success", story.errors
    assert world.sm.models_served() == {"champion": "m1"}
    assert "DataCaptureConfig" not in world.sm.configs[world.sm.endpoints[ENDPOINT]["EndpointConfigName"]]


@pytest.mark.parametrize("task", ["shift_weights", "promote", "withdraw"])
def test_a_task_killed_while_the_endpoint_changed_goes_on_with_it(world: World, task: str) -> None:
    """Nothing is written twice, and the lease is given back."""
    story = world.run("again", shift=[50])
    for before in ("start_variant", "watch", "judge_ab"):
        assert story.task(before) == "success", story.errors
    if task == "promote":
        story.task("shift_weights")
    writes = len(world.sm.calls)
    story.deferred(task)
    made = world.sm.calls[writes:]
    world.sm.settle(ENDPOINT)
    assert story.task(task) == "success", story.errors
    assert world.sm.calls[writes:] == made
    assert holder(world.s3) is None


def test_withdraw_waits_for_an_endpoint_that_still_changes(world: World) -> None:
    """Start was killed a moment ago: SageMaker takes no update now; the next try ends the test."""
    story = world.run("early")
    story.deferred("start_variant")
    lease.release(world.s3, BUCKET, ENDPOINT, owner=str(story.stores["start_variant"]["lease_owner"]))
    assert story.task("withdraw") == "failed"
    assert isinstance(story.errors["withdraw"], EndpointBusy)
    world.sm.settle(ENDPOINT)
    assert story.task("withdraw") == "success"
    assert world.sm.models_served() == {"champion": "m1"}


def test_a_retraining_run_does_not_write_an_endpoint_under_test(world: World) -> None:
    """It is told to wait, in words, and nothing is written."""
    world.run("test").task("start_variant")
    ctx = context("update_endpoint")
    decided(world.s3, ctx, "m2", "m1")
    writes = list(world.sm.calls)
    with pytest.raises(EndpointBusy, match=r"found an A/B test under way .* wait until it has ended, or end it"):
        update(world.sm, world.s3, "m2").execute(ctx)
    assert (world.sm.calls, holder(world.s3)) == (writes, None)


def test_a_rollback_ends_the_test_and_the_watch_says_so(world: World) -> None:
    """The champion alone is what was before; the watch fails for good, and there is nothing left to withdraw."""
    story = world.run("rolled")
    story.task("start_variant")
    operator = RollbackOperator(task_id="rollback", pipeline=story.pipeline)
    with pytest.raises(TaskDeferred):
        world.prepared(operator).execute(context("rollback"))
    world.sm.settle(ENDPOINT)
    assert world.sm.models_served() == {"champion": "m1"}
    lease.release(world.s3, BUCKET, ENDPOINT, owner=str(holder(world.s3)))
    world.event = {"why": "gone", "sentence": "somebody else ended the test"}
    assert story.task("watch") == "failed"
    assert story.task("withdraw") == "skipped"
    assert story.task("record") == "failed"
    assert "somebody else ended the test" in world.result("rolled").sentence


def test_weights_that_do_not_change_are_not_asked_for_for_ever(world: World) -> None:
    """SageMaker settles without them: after three times the task fails, and withdraw ends the test."""
    world.sm.stubborn = True
    story = world.run("stubborn")
    for task in ("start_variant", "watch", "judge_ab"):
        story.task(task)
    assert story.task("shift_weights") == "failed"
    assert "its weight or instances do not change" in str(story.errors["shift_weights"])
    assert holder(world.s3) is None
    assert story.task("withdraw") == "success"


def test_a_champion_that_somebody_changed_meanwhile_stops_the_promotion(world: World) -> None:
    """What was compared is not what serves."""
    story = world.run("changed", shift=[])
    for task in ("start_variant", "watch", "judge_ab"):
        story.task(task)
    config = world.sm.configs[world.sm.endpoints[ENDPOINT]["EndpointConfigName"]]
    config["ProductionVariants"][0]["ModelName"] = "m9"
    assert story.task("promote") == "failed"
    assert "expected the champion m1, which the test began with, found m9" in str(story.errors["promote"])


def test_a_watch_whose_triggerer_is_gone_is_worth_a_retry(world: World) -> None:
    """The lease is not asked about: a watch holds none."""
    story = world.run("watch")
    story.task("start_variant")
    operator, ctx = story.operator("watch"), story.context("watch")
    broken = {"error": "Trigger timeout"}
    with pytest.raises(EndpointBusy, match="expected the triggerer to watch") as caught:
        run_method(operator, ctx, "__fail__", **broken)
    assert isinstance(caught.value.__cause__, TaskDeferralTimeout)


def test_the_form_wins_over_the_pipeline_and_is_held_against_it(world: World) -> None:
    """A share above the first step is refused before anything is written."""
    story = world.run("form", params={"share": 40, "watch": 600, "min_invocations": 7})
    assert story.task("start_variant") == "success", story.errors
    assert world.sm.variants["challenger"]["CurrentWeight"] == pytest.approx(2 / 3)
    spec = story.operator("watch").spec(story.context("watch"))
    assert (spec.share, spec.watch, spec.min_invocations) == (40, 600, 7)
    refused = world.run("refused", params={"share": 50})
    assert refused.task("start_variant") == "failed"
    assert "the trigger form: " in str(refused.errors["start_variant"])
    assert "ab.shift: expected shares that grow from ab.share, 50" in str(refused.errors["start_variant"])
    assert (refused.task("withdraw"), refused.task("record")) == ("skipped", "failed")
    assert world.result("refused").outcome == "failed"
