"""An A/B test on the embedded AWS, under a load of which no request is lost: judged by labels, shifted, promoted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from automl_retraining.core.ab_records import ABResult
from automl_retraining.core.config import Pipeline
from automl_retraining.sagemaker import storage
from tests.support.ab_runs import ABRun
from tests.support.hosted import settled
from tests.support.load import Load
from tests.support.local_aws import Running, start
from tests.support.manifests import regression
from tests.support.script_mode import create_multiplier

pytestmark = pytest.mark.local_aws

BUCKET, ENDPOINT = "tests-ab", "art-churn"
AB = {"share": 30, "watch": 5, "max_watch": 60, "period": 1, "min_invocations": 60, "max_latency_rise": 100,
      "max_error_rise": 0.1, "latency_statistic": "Average", "shift_watch": 2}  # fmt: skip


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An embedded AWS of its own, as a load would disturb others; a champion that multiplies by two serves."""
    running = start(tmp_path_factory.mktemp("aws"))
    try:
        running.client("s3").create_bucket(Bucket=BUCKET)
        for name, factor, fails in (("two", 2.0, False), ("three", 3.0, False), ("broken", 4.0, True)):
            model(running, name, factor=factor, fails=fails)
        sagemaker = running.client("sagemaker")
        variant = {
            "VariantName": "champion", "ModelName": "two", "InstanceType": "ml.m5.large", "InitialInstanceCount": 2,
        }  # fmt: skip
        sagemaker.create_endpoint_config(EndpointConfigName="base", ProductionVariants=[variant])
        tags = [{"Key": "art:pipeline", "Value": "churn"}]
        sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName="base", Tags=tags)
        settled(running, ENDPOINT)
        yield running
    finally:
        running.stop()


@pytest.fixture(autouse=True)
def connected(aws: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operators' clients and the trigger's go there."""
    for module in ("base", "_aws"):
        monkeypatch.setattr(
            f"automl_retraining.operators.{module}.client", lambda service, *, conn_id, region=None: aws.client(service)
        )
    monkeypatch.setenv("AUTOML_RETRAINING_BUCKET", BUCKET)


def model(aws: Running, name: str, *, factor: float, fails: bool) -> None:
    """A model of the pipeline, with the folder of the run that made it: one test row, of a 7."""
    run_folder, s3 = f"s3://{BUCKET}/churn/runs/{name}", aws.client("s3")
    storage.write_record(s3, f"{run_folder}/manifest.json", regression(f"{run_folder}/test.csv"))
    storage.write_text(s3, f"{run_folder}/test.csv", "1,7.0,a\n")
    storage.write_text(s3, f"{run_folder}/scores/challenger.csv", f"row_id,truth,prediction\n1,7.0,{7.0 * factor}\n")
    own = [{"Key": "art:pipeline", "Value": "churn"}, {"Key": "art:run-folder", "Value": run_folder}]
    create_multiplier(s3, aws.client("sagemaker"), name, BUCKET, own, factor=factor, fails=fails)


def ab_run(aws: Running, run_id: str, challenger: str, **section: Any) -> ABRun:
    """A run of the DAG."""
    pipeline = Pipeline.model_validate(
        {"name": "churn", "source": "churn.csv", "target": "churn", "gate": {"metric": "rmse", "resamples": 200},
         "registry": {"enabled": False}, "ab": {**AB, **section}}
    )  # fmt: skip
    return ABRun(pipeline, lambda: settled(aws, ENDPOINT), run_id=run_id, challenger=challenger)


def serving(aws: Running) -> dict[str, str]:
    """The model of each variant."""
    sagemaker = aws.client("sagemaker")
    config = sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointConfigName"]
    variants = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    return {each["VariantName"]: each["ModelName"] for each in variants}


def result(aws: Running, run_id: str) -> ABResult:
    """What the run wrote down."""
    return storage.read_record(aws.client("s3"), f"s3://{BUCKET}/churn/ab/{run_id}/result.json", ABResult)


def asked_with_ids(aws: Running, count: int) -> dict[str, float]:
    """Rows sent with inference ids of their own; the truth of each: three times the row."""
    runtime, truth = aws.client("sagemaker-runtime"), {}
    for number in range(count):
        truth[f"id-{number}"] = 3.0 * (number % 11 + 1)
        runtime.invoke_endpoint(
            EndpointName=ENDPOINT, ContentType="text/csv", Accept="text/csv", Body=b"%d\n" % (number % 11 + 1),
            InferenceId=f"id-{number}",
        )  # fmt: skip
    return truth


def test_a_challenger_that_the_labels_prove_better_gets_its_share_more_and_then_all(aws: Running) -> None:
    """A test that was left behind is ended first. Labels that come after the watch are waited for.

    Then its weight is shifted, watched, and it is the champion.
    """
    labels = f"s3://{BUCKET}/labels/"
    story = ab_run(
        aws, "better", "three", share=50, shift=[75],
        quality={"labels": labels, "min_labels": 20, "wait": 60, "look_again": 1},
    )  # fmt: skip
    sagemaker = aws.client("sagemaker")
    with Load(aws.port, ENDPOINT, b"3\n", callers=8, rate=60) as load:
        assert ab_run(aws, "left", "broken", share=1, shift=[]).task("start_variant") == "success"
        assert story.task("start_variant") == "success", story.errors
        assert serving(aws) == {"champion": "two", "challenger": "three"}
        truth = asked_with_ids(aws, 80)
        assert story.task("watch") == "success", story.errors
        lines = "".join(f"{name},{value}\n" for name, value in truth.items())
        storage.write_text(aws.client("s3"), f"{labels}today.csv", f"inference_id,label\n{lines}")
        assert story.task("judge_ab") == "success", story.errors
        assert story.xcoms["judge_ab", "return_value"]["verdict"] == "promote"
        assert story.task("shift_weights") == "success", story.errors
        weights = sagemaker.describe_endpoint(EndpointName=ENDPOINT)["ProductionVariants"]
        shares = {each["VariantName"]: each["CurrentWeight"] for each in weights}
        assert shares["challenger"] / sum(shares.values()) == pytest.approx(0.75)
        for task in ("promote", "withdraw", "record"):
            story.task(task)
    assert (story.states["promote"], story.states["withdraw"]) == ("success", "skipped"), story.errors
    assert serving(aws) == {"champion": "three"}
    written = result(aws, "better")
    assert (written.outcome, written.serves, written.failed_tasks) == ("promoted", "three", ())
    assert written.judgement is not None
    quality = written.judgement.quality
    assert quality is not None
    assert quality.challenger is not None
    assert quality.challenger.value == 0
    assert quality.labelled_champion + quality.labelled_challenger == 80
    assert load.answers.lost == []
    share = load.answers.variants["challenger"] / sum(load.answers.variants.values())
    assert 0.2 < share < 0.9
    with pytest.raises(ClientError, match="Variant challenger is not found"):
        aws.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=ENDPOINT, TargetVariant="challenger", ContentType="text/csv", Body=b"1\n"
        )
