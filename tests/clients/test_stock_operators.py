"""Every SageMaker operator of the stock Amazon provider, not deferred, on the embedded AWS.

A class that has no case here fails a test, so that a new version of the provider forgets none. What the provider gets
wrong is held as it is, said to be its own.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from airflow.providers.amazon.aws.operators import sagemaker as operators
from airflow.providers.amazon.aws.operators import sagemaker_unified_studio as studio_operators
from airflow.providers.amazon.aws.operators import sagemaker_unified_studio_notebook as notebook_operators
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException
from botocore.exceptions import ClientError

from include.local_aws import ACCOUNT
from tests.support import stock
from tests.support.housing import BUCKET, ROLE, XGBOOST
from tests.support.local_aws import Running
from tests.support.stock import World
from tests.support.tasks import context

pytestmark = [pytest.mark.local_aws, pytest.mark.usefixtures("connected")]

FAST: dict[str, Any] = {"check_interval": 1}
Case = Callable[[World], None]


def execute(operator: BaseOperator) -> Any:
    """What the operator's task returns."""
    return operator.execute(context(operator.task_id))


def processing(world: World) -> None:
    config = stock.processing_config("stock-processing")
    result = execute(operators.SageMakerProcessingOperator(task_id="t", config=config, **FAST))
    assert result["Processing"]["ProcessingJobStatus"] == "Completed"
    assert config["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 1
    body = world.s3.get_object(Bucket=BUCKET, Key="stock/stock-processing/report.json")["Body"].read()
    assert body == b'{"rows": 1758}'
    again = execute(operators.SageMakerProcessingOperator(task_id="t", config={**config}, **FAST))
    assert again["Processing"]["ProcessingJobName"].startswith("stock-processing-")  # renamed, as the name is taken


def endpoint_config(world: World) -> None:
    config = stock.endpoint_config("stock-config", world.model)
    result = execute(operators.SageMakerEndpointConfigOperator(task_id="t", config=config))
    assert result["EndpointConfig"]["ProductionVariants"][0]["ModelName"] == world.model


def endpoint(world: World) -> None:
    config = {
        "Model": stock.model_config("stock-endpoint", world.artifact),
        "EndpointConfig": stock.endpoint_config("stock-endpoint", "stock-endpoint"),
        "Endpoint": {"EndpointName": "stock-endpoint", "EndpointConfigName": "stock-endpoint"},
    }
    result = execute(operators.SageMakerEndpointOperator(task_id="t", config=config, **FAST))
    assert result["Endpoint"]["EndpointStatus"] == "InService"
    world.sagemaker.create_endpoint_config(**stock.endpoint_config("stock-endpoint-2", world.model))
    update = {"EndpointName": "stock-endpoint", "EndpointConfigName": "stock-endpoint-2"}
    # "create" of an endpoint that exists becomes an update by the words of SageMaker's refusal
    result = execute(operators.SageMakerEndpointOperator(task_id="t", config=update, **FAST))
    assert result["Endpoint"]["EndpointConfigName"] == "stock-endpoint-2"
    world.sagemaker.delete_endpoint(EndpointName="stock-endpoint")


def transform(world: World) -> None:
    config = stock.transform_config("stock-transform", world)
    result = execute(operators.SageMakerTransformOperator(task_id="t", config=config, **FAST))
    assert result["Transform"]["TransformJobStatus"] == "Completed"
    assert result["Model"]["ModelName"] == "stock-transform"


def tuning(world: World) -> None:
    operator = operators.SageMakerTuningOperator(task_id="t", config=stock.tuning_config("stock-tuning"), **FAST)
    result = execute(operator)
    assert result["Tuning"]["HyperParameterTuningJobStatus"] == "Completed"
    assert result["Tuning"]["TrainingJobStatusCounters"]["Completed"] == 2


def model(world: World) -> None:
    operator = operators.SageMakerModelOperator(task_id="t", config=stock.model_config("stock-model", world.artifact))
    described = execute(operator)["Model"]
    assert described["ExecutionRoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/service-role/{stock.ROLE_NAME}"


def delete_model(world: World) -> None:
    world.sagemaker.create_model(**stock.model_config("stock-doomed", world.artifact, role=ROLE))
    execute(operators.SageMakerDeleteModelOperator(task_id="t", config={"ModelName": "stock-doomed"}))
    with pytest.raises(ClientError, match="Could not find model"):
        world.sagemaker.describe_model(ModelName="stock-doomed")


def training(world: World) -> None:
    config = stock.training_config("stock-training")
    config["S3Operations"] = {
        "S3CreateBucket": [{"Bucket": "stock-made"}],
        "S3Upload": [{"Path": __file__, "Bucket": "stock-made", "Key": "code.tar.gz", "Tar": True}],
    }
    operator = operators.SageMakerTrainingOperator(task_id="t", config=config, print_log=False, **FAST)
    result = execute(operator)
    assert result["Training"]["TrainingJobStatus"] == "Completed"
    assert world.s3.head_object(Bucket="stock-made", Key="code.tar.gz")["ContentLength"] > 0


def automl(world: World) -> None:
    best = execute(operators.SageMakerAutoMLOperator(task_id="t", **stock.automl_arguments("stock-automl"), **FAST))
    assert best["CandidateStatus"] == "Completed"
    assert best["InferenceContainers"]


def experiment(world: World) -> None:
    operator = operators.SageMakerCreateExperimentOperator(task_id="t", name="stock", tags={"team": "a"})
    assert execute(operator).endswith(":experiment/stock")
    assert world.sagemaker.describe_experiment(ExperimentName="stock")["ExperimentName"] == "stock"


def condition(world: World) -> None:
    operator = operators.SageMakerConditionOperator(
        task_id="t",
        condition_type="LessThan",
        left_value="0.3",
        right_value="0.5",
        if_task_ids="deploy",
        else_task_ids="keep",
    )
    assert operator.choose_branch(context("t")) == ["deploy"]  # it calls no AWS; which task follows is Airflow's part


def register(world: World) -> None:
    operator = operators.SageMakerRegisterModelVersionOperator(
        task_id="t", image_uri=XGBOOST, model_url=world.artifact, package_group_name="stock", package_desc="stock"
    )
    first, second = execute(operator), execute(operator)  # the group is made once
    assert (first[-2:], second[-2:]) == ("/1", "/2")
    described = world.sagemaker.describe_model_package(ModelPackageName=first)
    assert described["ModelApprovalStatus"] == "PendingManualApproval"


def start_pipeline(world: World) -> None:
    stock.create_pipeline(world, "stock-pipeline")
    operator = operators.SageMakerStartPipelineOperator(
        task_id="t", pipeline_name="stock-pipeline", wait_for_completion=True, **FAST
    )
    arn = execute(operator)
    described = world.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert described["PipelineExecutionStatus"] == "Succeeded"


def stop_pipeline(world: World) -> None:
    stock.create_pipeline(world, "stock-stopped", slow=True)
    started = operators.SageMakerStartPipelineOperator(task_id="t", pipeline_name="stock-stopped", **FAST)
    arn = execute(started)
    operator = operators.SageMakerStopPipelineOperator(
        task_id="t", pipeline_exec_arn=arn, wait_for_completion=True, **FAST
    )
    assert execute(operator) == "Stopped"
    assert execute(operator) == "Stopped"  # it was not running any more, which the provider reads from a sentence


NOTEBOOK: dict[str, Any] = {"instance_name": "stock-notebook"}


def create_notebook(world: World) -> None:
    operator = operators.SageMakerCreateNotebookOperator(
        task_id="t", **NOTEBOOK, instance_type="ml.t3.medium", role_arn=ROLE, wait_for_completion=False
    )
    assert execute(operator).endswith(":notebook-instance/stock-notebook")
    waiter = world.sagemaker.get_waiter("notebook_instance_in_service")
    waiter.wait(NotebookInstanceName="stock-notebook", WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def stop_notebook(world: World) -> None:
    execute(operators.SageMakerStopNotebookOperator(task_id="t", **NOTEBOOK, wait_for_completion=False))
    waiter = world.sagemaker.get_waiter("notebook_instance_stopped")
    waiter.wait(NotebookInstanceName="stock-notebook", WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def start_notebook(world: World) -> None:
    execute(operators.SageMakerStartNoteBookOperator(task_id="t", **NOTEBOOK, wait_for_completion=False))
    waiter = world.sagemaker.get_waiter("notebook_instance_in_service")
    waiter.wait(NotebookInstanceName="stock-notebook", WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def delete_notebook(world: World) -> None:
    world.sagemaker.stop_notebook_instance(NotebookInstanceName="stock-notebook")
    waiter = world.sagemaker.get_waiter("notebook_instance_stopped")
    waiter.wait(NotebookInstanceName="stock-notebook", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    execute(operators.SageMakerDeleteNotebookOperator(task_id="t", **NOTEBOOK, wait_for_completion=False))
    waiter = world.sagemaker.get_waiter("notebook_instance_deleted")
    waiter.wait(NotebookInstanceName="stock-notebook", WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def unified_studio(world: World) -> None:
    """It is another service's, DataZone's, which is not here and says so."""
    named: dict[str, Any] = {"domain_identifier": "dzd_1", "owning_project_identifier": "p"}
    operator = notebook_operators.SageMakerUnifiedStudioNotebookOperator(task_id="t", notebook_identifier="n", **named)
    with pytest.raises(ClientError, match="does not implement the service datazone"):
        operator.hook.start_notebook_run("n", **named)


CASES: Mapping[type, Case] = {
    operators.SageMakerProcessingOperator: processing,
    operators.SageMakerEndpointConfigOperator: endpoint_config,
    operators.SageMakerEndpointOperator: endpoint,
    operators.SageMakerTransformOperator: transform,
    operators.SageMakerTuningOperator: tuning,
    operators.SageMakerModelOperator: model,
    operators.SageMakerTrainingOperator: training,
    operators.SageMakerDeleteModelOperator: delete_model,
    operators.SageMakerStartPipelineOperator: start_pipeline,
    operators.SageMakerStopPipelineOperator: stop_pipeline,
    operators.SageMakerRegisterModelVersionOperator: register,
    operators.SageMakerAutoMLOperator: automl,
    operators.SageMakerCreateExperimentOperator: experiment,
    operators.SageMakerCreateNotebookOperator: create_notebook,
    operators.SageMakerStopNotebookOperator: stop_notebook,
    operators.SageMakerStartNoteBookOperator: start_notebook,
    operators.SageMakerDeleteNotebookOperator: delete_notebook,
    operators.SageMakerConditionOperator: condition,
    notebook_operators.SageMakerUnifiedStudioNotebookOperator: unified_studio,
}
NEVER_HERE = {
    studio_operators.SageMakerNotebookOperator: "runs inside SageMaker Unified Studio, through an SDK of its own",
}


def test_no_operator_of_the_provider_is_forgotten() -> None:
    modules = (operators, studio_operators, notebook_operators)
    found = {each for module in modules for each in stock.classes(module, BaseOperator)}
    assert found == set(CASES) | set(NEVER_HERE)


@pytest.mark.parametrize("case", dict.fromkeys(CASES.values()), ids=lambda case: case.__name__)
def test_stock(world: World, case: Case) -> None:
    """The operators of `CASES` do on the embedded AWS what they do on AWS."""
    case(world)


def test_result_files_reach_xcom_where_the_environment_names_the_endpoint(
    aws: Running, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider's own: it reads them with a client that the connection's endpoint_url does not reach."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws.url)
    wanted = [{"output_name": "report", "file_name": "report.json", "result_name": "report"}]
    config = stock.processing_config("stock-files")
    operator = operators.SageMakerProcessingOperator(task_id="t", config=config, output_files_to_xcom=wanted, **FAST)
    assert execute(operator)["OutputFiles"] == {"report": {"rows": 1758}}


def test_a_failed_job_fails_the_task_with_the_job_s_reason(world: World) -> None:
    config = stock.training_config("stock-wrong")
    config["HyperParameters"]["max_depth"] = "deep"
    operator = operators.SageMakerTrainingOperator(task_id="t", config=config, print_log=False, **FAST)
    with pytest.raises(AirflowException, match=r"SageMaker resource failed because ClientError: .*max_depth"):
        execute(operator)
