"""Every SageMaker sensor of the stock Amazon provider, and its hook's own readers, on the embedded AWS.

A class that has no case here fails a test. What the provider gets wrong is held as it is, said to be its own.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.providers.amazon.aws.hooks.sagemaker import SageMakerHook
from airflow.providers.amazon.aws.sensors import sagemaker as sensors
from airflow.providers.amazon.aws.sensors import sagemaker_unified_studio as studio_sensors
from airflow.providers.amazon.aws.sensors import sagemaker_unified_studio_notebook as notebook_sensors
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException
from botocore.exceptions import ClientError

from tests.support import stock
from tests.support.housing import ROLE, transform_request, tuning_request
from tests.support.stock import World
from tests.support.tasks import context

pytestmark = [pytest.mark.local_aws, pytest.mark.usefixtures("connected")]

Case = Callable[[World], None]
Hook: Any = SageMakerHook  # its class has no types


def sensor(kind: Any, **arguments: Any) -> Any:
    return kind(task_id="s", poke_interval=0.2, timeout=60, **arguments)


def poked(each: Any) -> bool:
    """Whether a sensor's condition is met."""
    met: bool = each.poke(context("s"))
    return met


def waited(each: Any) -> None:
    """Wait as its task does."""
    each.execute(context("s"))


def training(world: World) -> None:
    done = sensor(sensors.SageMakerTrainingSensor, job_name=world.training)
    assert poked(done)  # and its log printed on the way
    world.sagemaker.create_training_job(**stock.direct(stock.slow_training_config("sensed-slow")))
    stopped = sensor(sensors.SageMakerTrainingSensor, job_name="sensed-slow", print_log=False)
    assert not poked(stopped)
    world.sagemaker.stop_training_job(TrainingJobName="sensed-slow")
    with pytest.raises(KeyError, match="FailureReason"):  # its own: it reads a reason that a stopped job doesn't have
        waited(stopped)


def transform(world: World) -> None:
    world.sagemaker.create_transform_job(**transform_request("sensed", world.model))
    waited(sensor(sensors.SageMakerTransformSensor, job_name="sensed"))
    assert world.sagemaker.describe_transform_job(TransformJobName="sensed")["TransformJobStatus"] == "Completed"


def tuning(world: World) -> None:
    config = tuning_request("sensed", jobs=20)
    config["TrainingJobDefinition"]["StaticHyperParameters"]["num_round"] = "60000"
    world.sagemaker.create_hyper_parameter_tuning_job(**config)
    stopped = sensor(sensors.SageMakerTuningSensor, job_name="sensed")
    assert not poked(stopped)
    world.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="sensed")
    waited(stopped)
    described = world.sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="sensed")
    assert described["HyperParameterTuningJobStatus"] == "Stopped"  # its own: which it takes for success


def processing(world: World) -> None:
    request = stock.direct(stock.processing_config("sensed"))
    request["AppSpecification"]["ContainerEntrypoint"] = ["python3", "-c", "import sys; sys.exit('nothing to do')"]
    world.sagemaker.create_processing_job(**request)
    with pytest.raises(AirflowException, match="failed for the following reason: Unknown"):  # its own: it asks nobody
        waited(sensor(sensors.SageMakerProcessingSensor, job_name="sensed"))


def endpoint(world: World) -> None:
    with pytest.raises(ClientError, match="Could not find endpoint"):
        poked(sensor(sensors.SageMakerEndpointSensor, endpoint_name="sensed"))
    world.sagemaker.create_endpoint_config(**stock.endpoint_config("sensed", world.model))
    world.sagemaker.create_endpoint(EndpointName="sensed", EndpointConfigName="sensed")
    waited(sensor(sensors.SageMakerEndpointSensor, endpoint_name="sensed"))
    assert world.sagemaker.describe_endpoint(EndpointName="sensed")["EndpointStatus"] == "InService"
    world.sagemaker.delete_endpoint(EndpointName="sensed")


def automl(world: World) -> None:
    arguments = stock.automl_arguments("sensed", candidates=200)
    source = {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": arguments["s3_input"]}}}
    world.sagemaker.create_auto_ml_job(
        AutoMLJobName="sensed",
        InputDataConfig=[{**source, "TargetAttributeName": "price"}],
        OutputDataConfig={"S3OutputPath": arguments["s3_output"]},
        RoleArn=ROLE,
        **arguments["extras"],
    )
    running = sensor(sensors.SageMakerAutoMLSensor, job_name="sensed")
    assert not poked(running)
    world.sagemaker.stop_auto_ml_job(AutoMLJobName="sensed")
    waited(running)  # its own: a stopped search is success to it


def pipeline(world: World) -> None:
    stock.create_pipeline(world, "sensed")
    arn = world.sagemaker.start_pipeline_execution(PipelineName="sensed")["PipelineExecutionArn"]
    waited(sensor(sensors.SageMakerPipelineSensor, pipeline_exec_arn=arn))
    described = world.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert described["PipelineExecutionStatus"] == "Succeeded"


def unified_studio(world: World) -> None:
    """It is another service's, DataZone's, which is not here and says so."""
    kind = notebook_sensors.SageMakerUnifiedStudioNotebookSensor
    run = {"domain_identifier": "d", "owning_project_identifier": "p", "notebook_run_id": "r"}
    with pytest.raises(ClientError, match="does not implement the service datazone"):
        poked(sensor(kind, **run, notebook_identifier="n"))


CASES: Mapping[type, Case] = {
    sensors.SageMakerEndpointSensor: endpoint,
    sensors.SageMakerTransformSensor: transform,
    sensors.SageMakerTuningSensor: tuning,
    sensors.SageMakerTrainingSensor: training,
    sensors.SageMakerPipelineSensor: pipeline,
    sensors.SageMakerAutoMLSensor: automl,
    sensors.SageMakerProcessingSensor: processing,
    notebook_sensors.SageMakerUnifiedStudioNotebookSensor: unified_studio,
}
NEVER_HERE = {
    studio_sensors.SageMakerNotebookSensor: "runs inside SageMaker Unified Studio, through an SDK of its own",
}


def test_no_sensor_of_the_provider_is_forgotten() -> None:
    modules = (sensors, studio_sensors, notebook_sensors)
    found = {each for module in modules for each in stock.classes(module, BaseOperator)}
    assert found == set(CASES) | set(NEVER_HERE)


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.__name__)
def test_stock(world: World, case: Case) -> None:
    """The sensors of `CASES` see on the embedded AWS what they see on AWS."""
    case(world)


def test_the_log_of_a_training_job_reaches_the_task_s_log(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """By the hook's own reader, which the training operator, its sensor and its deferred form share."""
    hook = Hook(aws_conn_id="aws_default")
    hook.check_training_status_with_log(world.training, hook.non_terminal_states, hook.training_failed_states, True, 1)
    said = capsys.readouterr().out
    assert "validation-rmse" in said
    assert "Billable seconds" in said


def test_jobs_are_found_by_name(world: World) -> None:
    """The hook's finders, which its existence checks and other operators build on."""
    hook = Hook(aws_conn_id="aws_default")
    assert hook.list_training_jobs(name_contains="stock-ready")[0]["TrainingJobName"] == "stock-ready"
    assert hook.count_processing_jobs_by_name("stock-nothing") == 0
    since = datetime(2000, 1, 1, tzinfo=UTC)
    assert hook.list_transform_jobs(name_contains="stock-nothing", CreationTimeAfter=since) == []
