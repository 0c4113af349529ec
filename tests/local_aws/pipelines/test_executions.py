"""Pipelines really run: their steps are jobs, models and packages like any other."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET
from tests.support.pipelines import (
    create,
    ended,
    get,
    join,
    output,
    parameter,
    processing,
    start,
    statuses,
    step,
    steps,
)
from tests.support.processing import INPUT, OUTPUT, source
from tests.support.trainings import XGBOOST, channel, put_numbers, training_request
from tests.support.tuning_requests import ranges, request

pytestmark = pytest.mark.local_aws

FAR = f"s3://{BUCKET}/pipelined"
SPLIT = f"""
import shutil
for part in ("train", "validation"):
    shutil.copy(f"{INPUT}/numbers/{{part}}/part.csv", f"{OUTPUT}/{{part}}/part.csv")
"""
EVALUATE = f"""
import json, tarfile, pathlib
names = tarfile.open("{INPUT}/model/model.tar.gz").getnames()
rows = pathlib.Path("{INPUT}/validation/part.csv").read_text().splitlines()
pathlib.Path("{OUTPUT}/evaluation/report.json").write_text(json.dumps(
    {{"files": names, "regression": {{"rows": {{"value": len(rows)}}}}, "list": [1, 2.5]}}))
"""
SLEEP = "import time; time.sleep(300)"


@pytest.fixture(scope="module")
def numbers(aws: Running) -> Running:
    put_numbers(aws)
    return aws


def whole(aws: Running) -> list[dict[str, Any]]:
    """Split, train, evaluate, and where that is good enough: register, create a model, transform with it."""
    here = join(FAR, get("Execution.PipelineExecutionId"))
    split = processing(
        aws,
        SPLIT,
        inputs=[source("numbers", f"s3://{BUCKET}/numbers")],
        outputs=[output(part, join(here, part)) for part in ("train", "validation")],
    )
    place = "Steps.Split.ProcessingOutputConfig.Outputs['{}'].S3Output.S3Uri"
    training = training_request("-", {"objective": "reg:squarederror"})
    del training["TrainingJobName"]
    training["HyperParameters"]["num_round"] = get("Parameters.Rounds")
    places: list[Any] = [get(place.format(part)) for part in ("train", "validation")]
    training["InputDataConfig"] = [channel("train", places[0]), channel("validation", places[1])]
    model = get("Steps.Train.ModelArtifacts.S3ModelArtifacts")
    evaluate = processing(
        aws,
        EVALUATE,
        inputs=[
            source("model", model),  # type: ignore[arg-type]
            source("validation", get(place.format("validation"))),  # type: ignore[arg-type]
        ],
        outputs=[output("evaluation", join(here, "evaluation"))],
    )
    container = {"Image": XGBOOST, "ModelDataUrl": model}
    report = {"PropertyFile": get("Steps.Evaluate.PropertyFiles.Report"), "Path": "regression.rows.value"}
    good = {"Type": "GreaterThanOrEqualTo", "LeftValue": {"Std:JsonGet": report}, "RightValue": get("Parameters.Least")}
    transform = {
        "ModelName": get("Steps.Create.ModelName"),
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/rows4/"}},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        "TransformOutput": {"S3OutputPath": join(here, "transformed")},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    register = {
        "ModelPackageGroupName": "pipelined",
        "InferenceSpecification": {
            "Containers": [container],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        "ModelApprovalStatus": get("Parameters.Approval"),
    }
    said = join("only", {"Std:JsonGet": report}, get("Parameters.Least"))
    property_file = {"PropertyFileName": "Report", "OutputName": "evaluation", "FilePath": "report.json"}
    return [  # not in the order in which they run
        step(
            "Judge",
            "Condition",
            {
                "Conditions": [good],
                "IfSteps": [
                    step("Register", "RegisterModel", register),
                    step("Create", "Model", {"ExecutionRoleArn": training["RoleArn"], "PrimaryContainer": container}),
                    step("Transform_it", "Transform", transform),
                ],
                "ElseSteps": [
                    step(
                        "TooFew",
                        "Fail",
                        {"ErrorMessage": said},
                    )
                ],
            },
        ),
        step("Evaluate", "Processing", evaluate, PropertyFiles=[property_file]),
        step("Train", "Training", training),
        step("Split", "Processing", split, DisplayName="The split"),
    ]


PARAMETERS = [
    parameter("Rounds", "Integer", DefaultValue=5),
    parameter("Least", "Integer", DefaultValue=300),
    parameter("Approval", DefaultValue="PendingManualApproval", EnumValues=["Approved", "PendingManualApproval"]),
]


def test_a_pipeline_runs_its_steps_in_the_order_of_their_data(numbers: Running) -> None:
    """From a processing job to a registered version and a transform with the model, one execution."""
    aws, sagemaker = numbers, numbers.client("sagemaker")
    aws.client("s3").put_object(Bucket=BUCKET, Key="rows4/rows.csv", Body="1,2,3,4\n" * 3)
    config = {"ExperimentName": get("Execution.PipelineName"), "TrialName": get("Execution.PipelineExecutionId")}
    name = create(aws, *whole(aws), parameters=PARAMETERS, PipelineExperimentConfig=config)
    arn = start(aws, name, Approval="Approved", Rounds="7")
    answer = ended(aws, arn)
    found = steps(aws, arn)
    assert answer["PipelineExecutionStatus"] == "Succeeded", found
    assert list(found)[:4] == ["Split", "Train", "Evaluate", "Judge"]
    assert set(found) == {"Split", "Train", "Evaluate", "Judge", "Register", "Create", "Transform_it"}
    assert {each["StepStatus"] for each in found.values()} == {"Succeeded"}
    assert found["Judge"]["Metadata"] == {"Condition": {"Outcome": "True"}}
    assert found["Split"]["StepDisplayName"] == "The split"

    execution = arn.rpartition("/")[2]
    job = found["Train"]["Metadata"]["TrainingJob"]["Arn"]
    training = job.rpartition("/")[2]
    assert training.startswith(f"pipelines-{execution}-Train-")
    described = sagemaker.describe_training_job(TrainingJobName=training)
    assert described["HyperParameters"]["num_round"] == "7"
    tags = {each["Key"]: each["Value"] for each in sagemaker.list_tags(ResourceArn=job)["Tags"]}
    assert tags == {"sagemaker:pipeline-execution-arn": arn, "sagemaker:pipeline-step-name": "Train"}
    assert answer["PipelineExperimentConfig"] == {"ExperimentName": name, "TrialName": execution}
    components = sagemaker.list_trial_components(TrialName=execution)["TrialComponentSummaries"]
    assert len(components) == 4

    package = sagemaker.describe_model_package(ModelPackageName=found["Register"]["Metadata"]["RegisterModel"]["Arn"])
    assert (package["ModelPackageGroupName"], package["ModelPackageVersion"]) == ("pipelined", 1)
    assert package["ModelApprovalStatus"] == "Approved"
    (container,) = package["InferenceSpecification"]["Containers"]
    assert container["ModelDataUrl"] == described["ModelArtifacts"]["S3ModelArtifacts"]
    body = aws.client("s3").get_object(Bucket=BUCKET, Key=f"pipelined/{execution}/transformed/rows.csv.out")["Body"]
    assert len(body.read().decode().split()) == 3

    given = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)["PipelineParameters"]
    assert {each["Name"]: each["Value"] for each in given} == {"Approval": "Approved", "Least": "300", "Rounds": "7"}
    defined = sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
    assert len(json.loads(defined["PipelineDefinition"])["Steps"]) == 4
    latest = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, MaxResults=1)
    assert latest["PipelineExecutionSteps"][0]["StepName"] in ("Register", "Transform_it")
    assert "NextToken" in latest


def test_a_condition_that_does_not_hold_takes_the_other_branch(numbers: Running) -> None:
    """A Fail step there fails the execution with its own sentence; the steps of the first branch are not run."""
    name = create(numbers, *whole(numbers), parameters=PARAMETERS)
    arn = start(numbers, name, Least="301")
    answer = ended(numbers, arn)
    found = steps(numbers, arn)
    assert answer["PipelineExecutionStatus"] == "Failed"
    assert answer["FailureReason"] == "Step failure: One or multiple steps failed."
    assert list(found) == ["Split", "Train", "Evaluate", "Judge", "TooFew"]
    assert found["Judge"]["Metadata"] == {"Condition": {"Outcome": "False"}}
    assert found["TooFew"]["FailureReason"] == "only/300/301"
    assert found["TooFew"]["Metadata"] == {"Fail": {"ErrorMessage": "only/300/301"}}


def test_the_best_training_jobs_of_a_tuning_step_come_first(numbers: Running) -> None:
    """So that a model of the first of them is a model of the best."""
    given = request("-", tuning={"ParameterRanges": ranges(integer={"max_depth": (1, 6)})})
    del given["HyperParameterTuningJobName"]
    given["TrainingJobDefinition"]["InputDataConfig"] = [
        channel(part, f"s3://{BUCKET}/numbers/{part}/") for part in ("train", "validation")
    ]
    prefix = given["TrainingJobDefinition"]["OutputDataConfig"]["S3OutputPath"]
    best = join(prefix, get("Steps.Tune.TrainingJobSummaries[0].TrainingJobName"), "output", "model.tar.gz")
    model = {"ExecutionRoleArn": get("Parameters.Role"), "PrimaryContainer": {"Image": XGBOOST, "ModelDataUrl": best}}
    name = create(
        numbers,
        step("Create", "Model", model),
        step("Tune", "Tuning", given),
        parameters=[parameter("Role", DefaultValue=given["TrainingJobDefinition"]["RoleArn"])],
    )
    arn = start(numbers, name)
    assert ended(numbers, arn)["PipelineExecutionStatus"] == "Succeeded", steps(numbers, arn)
    found = steps(numbers, arn)
    sagemaker = numbers.client("sagemaker")
    tuning = sagemaker.describe_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=found["Tune"]["Metadata"]["TuningJob"]["Arn"].rpartition("/")[2]
    )
    created = sagemaker.describe_model(ModelName=found["Create"]["Metadata"]["Model"]["Arn"].rpartition("/")[2])
    assert f"/{tuning['BestTrainingJob']['TrainingJobName']}/" in created["PrimaryContainer"]["ModelDataUrl"]


def test_stopping_an_execution_stops_its_jobs(aws: Running) -> None:
    """And starts no other; a second stop says that it isn't executing."""
    sagemaker = aws.client("sagemaker")
    name = create(
        aws,
        step("Long", "Processing", processing(aws, SLEEP)),
        step("Other", "Processing", processing(aws, SLEEP)),
        step("After", "Processing", processing(aws, "print(1)"), DependsOn=["Long"]),
    )
    arn = start(aws, name)
    deadline = time.monotonic() + 30
    while len(steps(aws, arn)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionArn"] == arn
    answer = ended(aws, arn)
    assert answer["PipelineExecutionStatus"] == "Stopped"
    assert statuses(aws, arn) == {"Long": "Stopped", "Other": "Stopped"}
    job = steps(aws, arn)["Long"]["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
    assert sagemaker.describe_processing_job(ProcessingJobName=job)["ProcessingJobStatus"] == "Stopped"
    with pytest.raises(ClientError, match="Only pipelines with 'Executing' status can be stopped"):
        sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)


def test_a_retry_runs_only_what_has_not_succeeded(aws: Running) -> None:
    """With the parameters of the execution that failed, and under new job names."""
    sagemaker, s3 = aws.client("sagemaker"), aws.client("s3")
    copy = f'import shutil; shutil.copy("{INPUT}/late/file", "{OUTPUT}/out/file")'
    late = [source("late", get("Parameters.Late"))]  # type: ignore[arg-type]
    name = create(
        aws,
        step("First", "Processing", processing(aws, "print(1)")),
        step(
            "Second",
            "Processing",
            processing(aws, copy, inputs=late, outputs=[output("out", f"{FAR}/late")]),
            DependsOn=["First"],
        ),
        parameters=[parameter("Late")],
    )
    arn = start(aws, name, Late=f"s3://{BUCKET}/late/")
    assert ended(aws, arn)["PipelineExecutionStatus"] == "Failed"
    before = steps(aws, arn)
    assert before["Second"]["StepStatus"] == "Failed"
    assert f"s3://{BUCKET}/late/" in before["Second"]["FailureReason"]
    s3.put_object(Bucket=BUCKET, Key="late/file", Body=b"here")
    assert sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionArn"] == arn
    answer = ended(aws, arn)
    assert answer["PipelineExecutionStatus"] == "Succeeded"
    assert "FailureReason" not in answer
    after = steps(aws, arn)
    assert after["First"] == before["First"]
    assert after["Second"]["Metadata"] != before["Second"]["Metadata"]
    assert "FailureReason" not in after["Second"]
    assert s3.get_object(Bucket=BUCKET, Key="pipelined/late/file")["Body"].read() == b"here"
    with pytest.raises(ClientError, match="Only pipelines with 'Failed' or 'Stopped' status can be retried"):
        sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)


def test_executions_that_wait_leave_the_places_to_jobs(aws: Running) -> None:
    """More executions at once than there are places all come to their end, of one step at a time each."""
    chain = [
        step(f"Step{n}", "Processing", processing(aws, "print(1)"), DependsOn=[f"Step{n - 1}"] if n else [])
        for n in range(2)
    ]
    arns = [start(aws, create(aws, *chain)) for _ in range(5)]
    assert [ended(aws, arn)["PipelineExecutionStatus"] for arn in arns] == ["Succeeded"] * 5


def test_what_an_operation_refuses_fails_the_step_in_its_words(aws: Running) -> None:
    """With the operation's name, as AWS says it; what waits for the step is not run, what runs goes on to its end."""
    refused = processing(aws, "print(1)")
    refused["ProcessingResources"]["ClusterConfig"]["InstanceType"] = "ml.none"
    name = create(
        aws,
        step("Fine", "Processing", processing(aws, "import time; time.sleep(1)")),
        step("Refused", "Processing", refused),
        step("Behind", "Processing", processing(aws, "print(1)"), DependsOn=["Refused"]),
    )
    arn = start(aws, name)
    assert ended(aws, arn)["PipelineExecutionStatus"] == "Failed"
    found = steps(aws, arn)
    assert statuses(aws, arn) == {"Fine": "Succeeded", "Refused": "Failed"}
    reason = found["Refused"]["FailureReason"]
    assert reason.startswith("ClientError: Failed to invoke sagemaker:CreateProcessingJob. Error Details: 1 validation")


def test_a_property_that_is_not_there_fails_the_step_that_asks_for_it(aws: Running) -> None:
    """And says where it looked."""
    argument = {"Environment": {"N": get("Steps.First.ProcessingOutputConfig.Outputs['no'].S3Output.S3Uri")}}
    name = create(
        aws,
        step("First", "Processing", processing(aws, "print(1)")),
        step("Second", "Processing", processing(aws, "print(1)", **argument)),
    )
    arn = start(aws, name)
    assert ended(aws, arn)["PipelineExecutionStatus"] == "Failed"
    assert "no entry named 'no'" in steps(aws, arn)["Second"]["FailureReason"]
