"""Runs the stock provider's deferrable operators as Airflow does, in an interpreter of their own.

Their triggers need aiobotocore, whose botocore is older than ours: ``.venv-clients/aio`` is laid over this project's
environment by PYTHONPATH. A process is started once; it prints a line of JSON for each case: its name and, where it
failed, how.

    python -m tests.clients.stock_deferred http://127.0.0.1:4566
"""

import asyncio
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from airflow.providers.amazon.aws.operators import sagemaker as operators
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, TaskDeferred

from tests.support import stock
from tests.support.stock import World
from tests.support.tasks import context

FAST: dict[str, Any] = {"check_interval": 1, "deferrable": True}


def deferred(operator: BaseOperator) -> TaskDeferred:
    """Execute it until it defers itself."""
    try:
        answer = operator.execute(context(operator.task_id))
    except TaskDeferred as asked:
        return asked
    raise AssertionError(f"expected the operator to defer, it answered {answer!r}")


def awaited(asked: TaskDeferred) -> dict[str, Any]:
    """The event of its trigger, which went through its serialized form as on the way to a triggerer."""
    path, arguments = asked.trigger.serialize()
    assert path == f"{type(asked.trigger).__module__}.{type(asked.trigger).__qualname__}"
    trigger = type(asked.trigger)(**json.loads(json.dumps(arguments)))

    async def first() -> dict[str, Any]:
        async for event in trigger.run():
            payload: dict[str, Any] = event.payload
            return payload
        raise AssertionError("the trigger ended without an event")

    return asyncio.run(asyncio.wait_for(first(), 90))


def finished(operator: BaseOperator) -> Any:
    """Execute, wait and resume; what the task returns."""
    asked = deferred(operator)
    return resumed(operator, asked, awaited(asked))


def resumed(operator: BaseOperator, asked: TaskDeferred, event: dict[str, Any]) -> Any:
    """The method that it asked to be called back by, with the event."""
    return getattr(operator, asked.method_name)(context=context(operator.task_id), event=event, **(asked.kwargs or {}))


def processing(world: World) -> None:
    config = stock.processing_config("deferred-processing")
    result = finished(operators.SageMakerProcessingOperator(task_id="t", config=config, **FAST))
    assert result["Processing"]["ProcessingJobStatus"] == "Completed"


def endpoint(world: World) -> None:
    world.sagemaker.create_endpoint_config(**stock.endpoint_config("deferred-endpoint", world.model))
    config = {"EndpointName": "deferred-endpoint", "EndpointConfigName": "deferred-endpoint"}
    result = finished(operators.SageMakerEndpointOperator(task_id="t", config=config, **FAST))
    assert result["Endpoint"]["EndpointStatus"] == "InService"
    world.sagemaker.delete_endpoint(EndpointName="deferred-endpoint")


def transform(world: World) -> None:
    config = stock.transform_config("deferred-transform", world)
    result = finished(operators.SageMakerTransformOperator(task_id="t", config=config, **FAST))
    assert result["Transform"]["TransformJobStatus"] == "Completed"
    assert result["Model"]["ModelName"] == "deferred-transform"


def tuning(world: World) -> None:
    config = stock.tuning_config("deferred-tuning")
    result = finished(operators.SageMakerTuningOperator(task_id="t", config=config, **FAST))
    assert result["Tuning"]["HyperParameterTuningJobStatus"] == "Completed"


def training(world: World) -> None:
    config = stock.training_config("deferred-training")
    config["HyperParameters"]["num_round"] = "400"
    result = finished(operators.SageMakerTrainingOperator(task_id="t", config=config, print_log=False, **FAST))
    assert result["Training"]["TrainingJobStatus"] == "Completed"


def training_stopped(world: World) -> None:
    """A stopped job fails the deferred task, whose log has the job's until then."""
    config = stock.slow_training_config("deferred-stopped")
    operator = operators.SageMakerTrainingOperator(task_id="t", config=config, **FAST)
    asked = deferred(operator)
    world.sagemaker.stop_training_job(TrainingJobName="deferred-stopped")
    event = awaited(asked)
    assert event["status"] == "stopped", event
    try:
        resumed(operator, asked, event)
    except AirflowException:
        return
    raise AssertionError("expected the task to fail")


def training_failed(world: World) -> None:
    """A failed job fails the deferred task, with the job's reason."""
    config = stock.slow_training_config("deferred-failed")
    config["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = "s3://housing/stock/code/"
    operator = operators.SageMakerTrainingOperator(task_id="t", config=config, print_log=False, **FAST)
    try:
        said = awaited(deferred(operator))
    except AirflowException as at_once:  # it had failed before the operator asked for the first time
        said = {"status": "failed", "message": str(at_once)}
    assert said["status"] == "failed", said
    assert "ClientError: " in said["message"], said


def start_pipeline(world: World) -> None:
    stock.create_pipeline(world, "deferred-pipeline")
    operator = operators.SageMakerStartPipelineOperator(task_id="t", pipeline_name="deferred-pipeline", **FAST)
    arn = finished(operator)
    described = world.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert described["PipelineExecutionStatus"] == "Succeeded"


def stop_pipeline(world: World) -> None:
    stock.create_pipeline(world, "deferred-stop", slow=True)
    started = operators.SageMakerStartPipelineOperator(task_id="t", pipeline_name="deferred-stop")
    arn = started.execute(context("t"))
    operator = operators.SageMakerStopPipelineOperator(task_id="t", pipeline_exec_arn=arn, **FAST)
    assert finished(operator) == "Stopped"


CASES: Mapping[str, tuple[type, Callable[[World], None]]] = {
    "processing": (operators.SageMakerProcessingOperator, processing),
    "endpoint": (operators.SageMakerEndpointOperator, endpoint),
    "transform": (operators.SageMakerTransformOperator, transform),
    "tuning": (operators.SageMakerTuningOperator, tuning),
    "training": (operators.SageMakerTrainingOperator, training),
    "training_stopped": (operators.SageMakerTrainingOperator, training_stopped),
    "training_failed": (operators.SageMakerTrainingOperator, training_failed),
    "start_pipeline": (operators.SageMakerStartPipelineOperator, start_pipeline),
    "stop_pipeline": (operators.SageMakerStopPipelineOperator, stop_pipeline),
}
"""By name: the operator that a case proves, and the case."""


def main(url: str) -> None:
    """Run every case on the embedded AWS at `url`, where the table and a model are."""
    import boto3

    os.environ.update(stock.connection(url))
    session = boto3.session.Session("test", "test", region_name="us-east-1")
    world = stock.make_world(lambda service: session.client(service, endpoint_url=url), "deferred-ready")
    for name, (_, case) in CASES.items():
        try:
            case(world)
            said = None
        except Exception:  # noqa: BLE001 - the test that reads the line fails with it
            said = traceback.format_exc()
        print("\n" + json.dumps({"step": name, "failed": said}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
