"""Rollouts on the embedded AWS, under a load of which no request is lost: canaries, alarms, and the way back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from automl_retraining.core.config import Pipeline
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.records import Decision
from automl_retraining.operators.endpoint import UpdateEndpointOperator
from automl_retraining.operators.rollback import RollbackOperator
from automl_retraining.sagemaker import alarms, endpoint, storage
from tests.support.hosted import settled
from tests.support.load import Load
from tests.support.local_aws import Running, start
from tests.support.local_aws_requests import ROLE
from tests.support.manifests import regression
from tests.support.processing import SKLEARN
from tests.support.sagemaker_tasks import run
from tests.support.script_mode import archive
from tests.support.tasks import RUN_ID, context

pytestmark = pytest.mark.local_aws

BUCKET = "rollouts"
FOLDER = f"s3://{BUCKET}/churn/runs/{RUN_ID}"
CANARY = {
    "name": "art-churn", "instance_count": 20, "lease": 1200,
    "alarms": {"latency_ms": 800, "errors_5xx_share": 0.1, "period": 10},
    "rollout": {"strategy": "canary", "step": 5, "wait": 10},
}  # fmt: skip
SCRIPT = """
import time

def model_fn(model_dir):
    {starts}
    return {factor}

def input_fn(body, content_type):
    return [float(line.split(",")[0]) for line in body.split()]

def predict_fn(values, factor):
    time.sleep({sleeps})
    return [value * factor for value in values]

def output_fn(values, accept):
    return "".join(f"{{value}}\\n" for value in values), "text/csv"
"""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An embedded AWS of its own, as a load would disturb others; models that multiply their first column."""
    running = start(tmp_path_factory.mktemp("aws"))
    try:
        running.client("s3").create_bucket(Bucket=BUCKET)
        model(running, "two", factor=2.0)
        model(running, "three", factor=3.0)
        model(running, "slow", factor=4.0, sleeps=1.5)
        model(running, "broken", factor=5.0, starts="raise RuntimeError('the weights are of another shape')")
        yield running
    finally:
        running.stop()


def model(aws: Running, name: str, *, factor: float, sleeps: float = 0.0, starts: str = "pass") -> None:
    """A model of the pipeline, with the folder of the run that made it: one test row, of a 7."""
    script = SCRIPT.format(factor=factor, sleeps=sleeps, starts=starts)
    uri, run_folder = f"s3://{BUCKET}/{name}/model.tar.gz", f"s3://{BUCKET}/churn/runs/{name}"
    s3 = aws.client("s3")
    storage.write_bytes(s3, uri, archive({"code/inference.py": script}))
    storage.write_record(s3, f"{run_folder}/manifest.json", regression(f"{run_folder}/test.csv"))
    storage.write_text(s3, f"{run_folder}/test.csv", "1,7.0,a\n")
    storage.write_text(s3, f"{run_folder}/scores/challenger.csv", f"row_id,truth,prediction\n1,7.0,{7.0 * factor}\n")
    environment = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    aws.client("sagemaker").create_model(
        ModelName=name,
        PrimaryContainer={"Image": SKLEARN, "ModelDataUrl": uri, "Environment": environment},
        ExecutionRoleArn=ROLE,
        Tags=[{"Key": "art:pipeline", "Value": "churn"}, {"Key": "art:run-folder", "Value": run_folder}],
    )


def pipeline(**section: Any) -> Pipeline:
    """The pipeline, with its endpoint changed so."""
    return Pipeline.model_validate(
        {"name": "churn", "source": "churn.csv", "target": "churn", "gate": {"metric": "rmse"},
         "registry": {"enabled": False}, "endpoint": {**CANARY, **section}}
    )  # fmt: skip


@pytest.fixture
def connected(aws: Running, monkeypatch: pytest.MonkeyPatch) -> Running:
    """The operators' clients go there."""
    monkeypatch.setattr(
        "automl_retraining.operators.base.client", lambda service, *, conn_id, region=None: aws.client(service)
    )
    monkeypatch.setenv("AUTOML_RETRAINING_BUCKET", BUCKET)
    return aws


def carried_out(aws: Running, operator: Any, ctx: Any) -> Any:
    """Run the task until it defers, wait as its trigger does, and resume it."""
    with pytest.raises(TaskDeferred):
        run(operator, ctx)
    settled(aws, "art-churn")
    return run(operator, ctx, "settled", event={})


def deploy(aws: Running, name: str, number: int, **section: Any) -> Any:
    """Put a model behind the endpoint, over whatever serves."""
    ctx = context("update_endpoint")
    ctx["dag_run"].clear_number = number
    champion = endpoint.read_champion(aws.client("sagemaker"), "art-churn", adopt=False, pipeline="churn")
    decision = Decision(
        pipeline="churn", run_id=RUN_ID, verdict="promote", sentence="Promoted.", reasons=(), rules=(),
        policy=GatePolicy(metric="rmse"), challenger=name, champion=champion.model_name if champion else None,
    )  # fmt: skip
    storage.write_record(aws.client("s3"), f"{FOLDER}/decision.json", decision)
    operator = UpdateEndpointOperator(task_id="update_endpoint", pipeline=pipeline(**section), model_name=name)
    return carried_out(aws, operator, ctx)


def answer(aws: Running) -> bytes:
    """What the endpoint makes of a 7."""
    answered = aws.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="art-churn", ContentType="text/csv", Accept="text/csv", Body=b"7\n"
    )
    return bytes(answered["Body"].read())


def load(aws: Running) -> Load:
    """Two hundred requests a second."""
    return Load(aws.port, "art-churn", b"7\n", callers=64, rate=200)


def test_a_canary_that_is_slow_is_rolled_back_and_the_task_says_which_alarm_went_off(connected: Running) -> None:
    """All answers are 200, the canary's late; the champion serves."""
    first = deploy(connected, "two", 1)
    assert (first["previous_model"], answer(connected)) == (None, b"14.0\n")
    patient = {**CANARY["rollout"], "wait": 60}  # type: ignore[dict-item]
    with load(connected) as running:
        begun = time.monotonic()
        with pytest.raises(AirflowFailException) as caught:
            deploy(connected, "slow", 2, rollout=patient)
        took = time.monotonic() - begun
        assert answer(connected) == b"14.0\n"
    sentence = str(caught.value)
    assert f"went back to {first['config']}" in sentence
    assert "alarm art-alarm-art-churn.champion.latency-ms: Threshold Crossed" in sentence
    assert "errors-5xx-share:" not in sentence
    assert sentence.endswith("the champion still serves")
    assert took < 60, "it did not wait until the canary's time was over"
    assert (running.answers.lost, set(running.answers.statuses)) == ([], {200}), running.answers.refused
    assert any(seconds > 1.5 for seconds in running.answers.seconds), "the canary did take requests"
    assert alarms.of(connected.client("cloudwatch"), "art-churn").keys() == {
        "art-alarm-art-churn.champion.latency-ms", "art-alarm-art-churn.champion.errors-5xx-share"
    }  # fmt: skip


def test_a_canary_that_does_well_gets_everything_and_one_trigger_puts_the_model_before_it_back(
    connected: Running,
) -> None:
    """Both under load; the alarm of the canary before it does not hold this one back.

    The model that is back answers as it did when it was evaluated.
    """
    with load(connected) as running:
        done = deploy(connected, "three", 3)
        assert (done["previous_model"], answer(connected)) == ("two", b"21.0\n")
        operator = RollbackOperator(task_id="rollback", pipeline=pipeline())
        back = carried_out(connected, operator, context("rollback"))
        assert answer(connected) == b"14.0\n"
    assert (back["model_name"], back["previous_model"], back["config"]) == ("two", "three", done["previous_config"])
    assert back["test"] == "1 test rows of the run that made it are answered as they were then."
    assert (running.answers.lost, set(running.answers.statuses)) == ([], {200}), running.answers.refused
    assert running.count > 500


def test_a_container_that_does_not_come_up_never_takes_traffic(connected: Running) -> None:
    """Its own words are in the task's sentence."""
    with load(connected) as running:
        with pytest.raises(AirflowFailException, match="did not pass the ping health check") as caught:
            deploy(connected, "broken", 4)
        assert answer(connected) == b"14.0\n"
    assert "See the endpoint's log" in str(caught.value)
    assert (running.answers.lost, set(running.answers.statuses)) == ([], {200}), running.answers.refused
