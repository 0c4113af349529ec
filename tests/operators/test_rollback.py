"""One trigger puts the model before back: which one, under the lease, tested, and written down."""

from __future__ import annotations

from contextlib import nullcontext
from io import BytesIO
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from automl_retraining.core.errors import EndpointBusy, LeaseHeld
from automl_retraining.core.records import Outcome
from automl_retraining.operators.record import leave_reason
from automl_retraining.operators.rollback import RecordRollbackOperator, RollbackOperator
from automl_retraining.sagemaker import lease, storage
from tests.support.endpoint_runs import BUCKET, ENDPOINT, folder, holder, pipeline, promote, with_clients
from tests.support.fake_endpoints import FakeSageMaker
from tests.support.manifests import regression
from tests.support.tasks import context

OURS = {"art_pipeline": "churn"}


@pytest.fixture
def sm() -> FakeSageMaker:
    """Three models of the pipeline; the first one's run is known."""
    fake = FakeSageMaker()
    fake.model("m1", **OURS, art_run_folder=f"s3://{BUCKET}/churn/runs/first")
    fake.model("m2", **OURS)
    fake.model("m3", **OURS)
    return fake


@pytest.fixture
def promoted(sm: FakeSageMaker, s3: Any) -> list[str]:
    """m1, m2 and m3, promoted one after another: their configurations."""
    return [promote(sm, s3, model, before)["config"] for model, before in (("m1", None), ("m2", "m1"), ("m3", "m2"))]


class Answers:
    """A runtime that answers with these bytes."""

    def __init__(self, body: bytes = b"2.5\n") -> None:
        self.body = body

    def invoke_endpoint(self, **_: Any) -> dict[str, Any]:
        """As boto3 does."""
        return {"Body": BytesIO(self.body)}


def back(sm: FakeSageMaker, s3: Any, runtime: Answers | None = None, **options: Any) -> Any:
    """The operator under test."""
    operator = RollbackOperator(task_id="rollback", pipeline=pipeline(), **options)
    with_clients(operator, sm, s3).__dict__["_client"] = lambda service: runtime or Answers()
    return operator


def gone_back(sm: FakeSageMaker, s3: Any, runtime: Answers | None = None, **options: str) -> dict[str, Any]:
    """One whole rollback."""
    ctx = context("rollback")
    ctx["dag_run"].clear_number = len(sm.configs)
    with pytest.raises(TaskDeferred):
        back(sm, s3, runtime, **options).execute(ctx)
    sm.settle(ENDPOINT)
    return dict(back(sm, s3, runtime, **options).settled(ctx, {}))


def serves(sm: FakeSageMaker) -> str:
    """The configuration that serves."""
    return str(sm.endpoints[ENDPOINT]["EndpointConfigName"])


def test_it_goes_back_to_the_configuration_before_and_again_to_the_one_before_that(
    sm: FakeSageMaker, s3: Any, promoted: list[str]
) -> None:
    """Never back and forth; where nothing is left to go back to it says so and writes nothing."""
    done = gone_back(sm, s3)
    assert (serves(sm), done["model_name"], done["previous_model"]) == (promoted[1], "m2", "m3")
    assert sm.deployments[-1] is None
    assert gone_back(sm, s3)["model_name"] == "m1"
    assert serves(sm) == promoted[0]
    writes = list(sm.calls)
    with pytest.raises(AirflowFailException, match=r"tag art:previous-config\), found no such tag: it is the first"):
        back(sm, s3).execute(context("rollback"))
    assert (sm.calls, holder(s3)) == (writes, None)


def test_what_is_promoted_after_a_rollback_goes_back_to_what_was_rolled_back_to(
    sm: FakeSageMaker, s3: Any, promoted: list[str]
) -> None:
    """The one before is what served, not what was made last."""
    gone_back(sm, s3)
    promote(sm, s3, "m3", "m2")
    assert gone_back(sm, s3)["config"] == promoted[1]


def test_a_configuration_or_a_model_may_be_named(sm: FakeSageMaker, s3: Any, promoted: list[str]) -> None:
    """A model gets a configuration of its own, whose one before is what served until now."""
    assert gone_back(sm, s3, to_config=promoted[0])["model_name"] == "m1"
    done = gone_back(sm, s3, to_model=" m2 ")
    assert (done["model_name"], done["previous_model"]) == ("m2", "m1")
    assert done["config"] not in promoted
    assert gone_back(sm, s3)["config"] == promoted[0]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"to_config": "gone"}, "configuration gone, found that it was deleted: trigger the rollback with to_model"),
        ({"to_model": "gone"}, "model gone, found that it was deleted"),
        ({"to_model": "m3"}, "another model than the one that serves"),
        ({"to_model": "m1", "to_config": "c"}, "found both"),
        ({"to_model": "theirs"}, "model theirs: expected the tag art:pipeline to be 'churn', found None"),
        ({"to_config": "theirs"}, "configuration theirs: expected the tag art:pipeline to be 'churn', found None"),
    ],
)
def test_what_cannot_be_put_back_is_refused_in_words(
    sm: FakeSageMaker, s3: Any, promoted: list[str], options: dict[str, Any], sentence: str
) -> None:
    """Before anything is written; the lease is given back."""
    sm.model("theirs")
    sm.create_endpoint_config(EndpointConfigName="theirs", Tags=[], ProductionVariants=[{"VariantName": "champion"}])
    writes = list(sm.calls)
    with pytest.raises(AirflowFailException) as caught:
        back(sm, s3, **options).execute(context("rollback"))
    assert sentence in str(caught.value)
    assert (sm.calls, holder(s3), serves(sm)) == (writes, None, promoted[2])


def test_a_configuration_before_whose_model_was_deleted_is_refused(
    sm: FakeSageMaker, s3: Any, promoted: list[str]
) -> None:
    """SageMaker would fail the update."""
    del sm.models["m2"]
    with pytest.raises(AirflowFailException, match="model m2, found that it was deleted: choose another"):
        back(sm, s3).execute(context("rollback"))


def test_an_endpoint_that_is_not_there_or_somebody_elses_is_refused(
    sm: FakeSageMaker, s3: Any, promoted: list[str]
) -> None:
    """By its tags."""
    sm.tags[sm.endpoints[ENDPOINT]["EndpointArn"]] = []
    with pytest.raises(AirflowFailException, match="art:pipeline"):
        back(sm, s3).execute(context("rollback"))
    del sm.endpoints[ENDPOINT]
    with pytest.raises(AirflowFailException, match="found no endpoint of that name"):
        back(sm, s3).execute(context("rollback"))


def test_while_a_run_writes_the_endpoint_a_rollback_is_told_to_wait(
    sm: FakeSageMaker, s3: Any, promoted: list[str]
) -> None:
    """Both errors are worth a retry: the lease is held, or SageMaker is changing the endpoint."""
    lease.acquire(s3, BUCKET, ENDPOINT, owner="other", seconds=60, about="another run")
    with pytest.raises(LeaseHeld, match="another run"):
        back(sm, s3).execute(context("rollback"))
    lease.release(s3, BUCKET, ENDPOINT, owner="other")
    sm.update_endpoint(EndpointName=ENDPOINT, EndpointConfigName="theirs", RetainAllVariantProperties=True)
    with pytest.raises(EndpointBusy, match="found Updating"):
        back(sm, s3).execute(context("rollback"))


def test_killed_after_it_began_the_next_try_goes_on_and_not_one_further_back(
    sm: FakeSageMaker, s3: Any, promoted: list[str]
) -> None:
    """Also where the endpoint has settled in the meantime, and where only the test after it was cut off."""
    ctx = context("rollback")
    for _ in range(2):
        with pytest.raises(TaskDeferred):
            back(sm, s3).execute(ctx)
    sm.settle(ENDPOINT)

    class Broken(Answers):
        def invoke_endpoint(self, **_: Any) -> dict[str, Any]:
            raise ConnectionError("cut off")

    with_run(s3, "s3://runs/churn/runs/second")
    sm.tags[sm.models["m2"]["ModelArn"]].append({"Key": "art:run-folder", "Value": "s3://runs/churn/runs/second"})
    ctx["task_state_store"]["move"]["run_folder"] = "s3://runs/churn/runs/second"
    with pytest.raises(ConnectionError):
        back(sm, s3, Broken()).execute(ctx)
    assert back(sm, s3).execute(ctx)["model_name"] == "m2"
    assert (serves(sm), sm.calls.count("update_endpoint")) == (promoted[1], 3)
    assert "move" not in ctx["task_state_store"]


def test_sagemaker_that_does_not_take_it_fails_saying_what_serves(
    sm: FakeSageMaker, s3: Any, promoted: list[str]
) -> None:
    """A rollback can be rolled back too."""
    ctx = context("rollback")
    with pytest.raises(TaskDeferred):
        back(sm, s3).execute(ctx)
    sm.settle(ENDPOINT, rolled_back="no capacity")
    with pytest.raises(AirflowFailException, match=f"went back to {promoted[2]}: no capacity"):
        back(sm, s3).settled(ctx, {})
    assert holder(s3) is None


def with_run(s3: Any, run_folder: str) -> None:
    """The folder of the run that made m1: one test row, predicted as 2.5."""
    storage.write_record(s3, f"{run_folder}/manifest.json", regression(f"{run_folder}/test.csv"))
    storage.write_text(s3, f"{run_folder}/test.csv", "7,1.0,a\n")
    storage.write_text(s3, f"{run_folder}/scores/challenger.csv", "row_id,truth,prediction\n7,2.0,2.5\n")


def test_the_rows_of_the_run_that_made_the_model_are_sent_where_they_are_still_there(
    sm: FakeSageMaker, s3: Any, promoted: list[str]
) -> None:
    """A folder that retention has taken, or none at all, is no failure: somebody asked for this model."""
    assert "Not tested: the model does not say which run made it" in gone_back(sm, s3)["test"]
    assert "Not tested: expected an object to read at s3://runs/churn/runs/first/" in gone_back(sm, s3)["test"]
    with_run(s3, "s3://runs/churn/runs/first")
    gone_back(sm, s3, to_model="m3")
    assert gone_back(sm, s3)["test"] == "1 test rows of the run that made it are answered as they were then."


def record(sm: FakeSageMaker, s3: Any, ctx: Any, *, fails: bool = False) -> Outcome:
    """Write the outcome and read it from the run folder."""
    operator = RecordRollbackOperator(task_id="record", pipeline=pipeline(), reason="complaints since noon")
    ctx["ti"].task_id = "record"
    with pytest.raises(AirflowFailException, match="the rollback failed") if fails else nullcontext():
        with_clients(operator, sm, s3).execute(ctx)
    outcome = storage.read_record(s3, folder("outcome.json"), Outcome)
    assert ctx["ti"].xcom_pull("record")["sentence"] == outcome.sentence
    return outcome


def test_the_outcome_says_what_serves_again_instead_of_what_and_why(
    sm: FakeSageMaker, s3: Any, promoted: list[str]
) -> None:
    """In the folder of the rollback's own run."""
    ctx = context("rollback")
    with pytest.raises(TaskDeferred):
        back(sm, s3).execute(ctx)
    sm.settle(ENDPOINT)
    ctx["ti"].xcom_push("return_value", back(sm, s3).settled(ctx, {}))
    outcome = record(sm, s3, ctx)
    assert (outcome.outcome, outcome.champion, outcome.previous_champion) == ("rolled_back", "m2", "m3")
    assert outcome.endpoint_config == promoted[1]
    assert outcome.sentence.startswith("Endpoint art-churn serves m2 again instead of m3. Not tested: the model does")
    assert outcome.reasons == ("complaints since noon",)
    assert outcome.failed_tasks == ()


def test_a_model_put_back_that_answers_differently_serves_but_the_run_fails(
    sm: FakeSageMaker, s3: Any, promoted: list[str]
) -> None:
    """It is told from a rollback that did not happen."""
    with_run(s3, "s3://runs/churn/runs/first")
    ctx = context("rollback")
    wrong = Answers(b"9\n")
    with pytest.raises(TaskDeferred):
        back(sm, s3, wrong, to_config=promoted[0]).execute(ctx)
    sm.settle(ENDPOINT)
    with pytest.raises(AirflowFailException, match="It was put back and serves all the same") as caught:
        back(sm, s3, wrong, to_config=promoted[0]).settled(ctx, {})
    ctx["exception"] = caught.value
    leave_reason(ctx)
    outcome = record(sm, s3, ctx, fails=True)
    assert (outcome.outcome, outcome.champion, outcome.failed_tasks) == ("rolled_back", "m1", ("rollback",))
    assert "serves m1 again instead of m3. endpoint art-churn, variant 'champion': expected" in outcome.sentence


def test_a_rollback_that_was_refused_is_a_failed_outcome_with_its_reason(
    sm: FakeSageMaker, s3: Any, promoted: list[str]
) -> None:
    """The record is written either way."""
    ctx = context("rollback")
    with pytest.raises(AirflowFailException) as caught:
        back(sm, s3, to_config="gone").execute(ctx)
    ctx["exception"] = caught.value
    leave_reason(ctx)
    outcome = record(sm, s3, ctx, fails=True)
    assert (outcome.outcome, outcome.champion, outcome.previous_champion) == ("failed", "m3", None)
    assert "found that it was deleted" in outcome.sentence
