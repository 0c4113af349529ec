"""Pipelines are created, described, changed, listed and deleted as on AWS, and started once for each request."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET, ROLE
from tests.support.pipelines import create, document, ended, get, parameter, processing, start, step, steps

pytestmark = pytest.mark.local_aws

STOP = step("Say", "Fail", {"ErrorMessage": get("Parameters.Words")})
WORDS = parameter("Words", DefaultValue="no more")
TOKEN = "t" * 32


@pytest.fixture
def sagemaker(aws: Running) -> Any:
    return aws.client("sagemaker")


def code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_a_pipeline_is_described_as_it_was_created_and_changed(aws: Running, sagemaker: Any) -> None:
    """A new definition is a new version; executions keep the one that they were started with."""
    text = document(STOP, parameters=[WORDS])
    answer = sagemaker.create_pipeline(
        PipelineName="Described",
        PipelineDefinition=text,
        RoleArn=ROLE,
        PipelineDescription="first",
        ParallelismConfiguration={"MaxParallelExecutionSteps": 2},
        Tags=[{"Key": "k", "Value": "v"}],
    )
    arn = answer["PipelineArn"]
    assert arn == "arn:aws:sagemaker:us-east-1:123456789012:pipeline/Described"
    found = sagemaker.describe_pipeline(PipelineName=arn)
    assert (found["PipelineDefinition"], found["PipelineDescription"]) == (text, "first")
    assert (found["PipelineDisplayName"], found["PipelineStatus"], found["RoleArn"]) == ("Described", "Active", ROLE)
    assert found["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 2}
    assert "LastRunTime" not in found
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]

    execution = start(aws, "Described")
    changed = document(STOP, parameters=[parameter("Words")])
    aws.client("s3").put_object(Bucket=BUCKET, Key="definitions/changed.json", Body=changed)
    place = {"Bucket": BUCKET, "ObjectKey": "definitions/changed.json"}
    update = sagemaker.update_pipeline(
        PipelineName="Described", PipelineDefinitionS3Location=place, PipelineDescription="second"
    )
    assert (update["PipelineArn"], update["PipelineVersionId"]) == (arn, 2)
    found = sagemaker.describe_pipeline(PipelineName="Described")
    assert (found["PipelineDefinition"], found["PipelineDescription"]) == (changed, "second")
    assert found["LastModifiedTime"] > found["CreationTime"]
    assert found["LastRunTime"] == ended(aws, execution)["CreationTime"]
    old = sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=execution)
    assert old["PipelineDefinition"] == text
    with pytest.raises(ClientError, match="Words has no default value") as caught:
        start(aws, "Described")
    assert code(caught) == "ValidationException"


def test_a_name_is_taken_once(sagemaker: Any) -> None:
    """By another request; the same request sent twice is answered the same."""
    given = {"PipelineName": "taken", "PipelineDefinition": document(STOP, parameters=[WORDS]), "RoleArn": ROLE}
    first = sagemaker.create_pipeline(**given, ClientRequestToken=TOKEN)
    assert sagemaker.create_pipeline(**given, ClientRequestToken=TOKEN)["PipelineArn"] == first["PipelineArn"]
    with pytest.raises(ClientError, match="Pipeline names must be unique within an AWS account and region") as caught:
        sagemaker.create_pipeline(**given)
    assert code(caught) == "ValidationException"


def test_what_is_not_there_is_not_found(aws: Running, sagemaker: Any) -> None:
    """Pipelines and executions, with their ARN."""
    with pytest.raises(ClientError, match="pipeline/none' does not exist") as caught:
        sagemaker.describe_pipeline(PipelineName="none")
    assert code(caught) == "ResourceNotFound"
    name = create(aws, STOP, parameters=[WORDS])
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:pipeline/{name}/execution/none"
    with pytest.raises(ClientError, match="does not exist") as caught:
        sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert code(caught) == "ResourceNotFound"


def test_a_definition_that_is_none_creates_nothing(sagemaker: Any) -> None:
    """And says what is wrong; what AWS has and is not here answers 501."""
    with pytest.raises(ClientError, match="unknown Type 'Dance'") as caught:
        sagemaker.create_pipeline(
            PipelineName="none", PipelineDefinition=document(step("A", "Dance", {})), RoleArn=ROLE
        )
    assert code(caught) == "ValidationException"
    with pytest.raises(ClientError, match="step type Lambda") as caught:
        sagemaker.create_pipeline(
            PipelineName="none", PipelineDefinition=document(step("A", "Lambda", {})), RoleArn=ROLE
        )
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_pipeline(PipelineName="none")


def test_the_same_start_request_many_times_is_one_execution(aws: Running, sagemaker: Any) -> None:
    """At the same time, too; with other parameters it is a conflict."""
    name = create(aws, STOP, parameters=[WORDS])

    def begin(words: str) -> str:
        answer = sagemaker.start_pipeline_execution(
            PipelineName=name,
            ClientRequestToken=TOKEN,
            PipelineParameters=[{"Name": "Words", "Value": words}],
        )
        return str(answer["PipelineExecutionArn"])

    with ThreadPoolExecutor(4) as pool:
        arns = set(pool.map(begin, ["enough"] * 8))
    assert len(arns) == 1
    (arn,) = arns
    assert ended(aws, arn)["PipelineExecutionStatus"] == "Failed"
    assert steps(aws, arn)["Say"]["Metadata"]["Fail"]["ErrorMessage"] == "enough"
    assert len(sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"]) == 1
    with pytest.raises(ClientError, match="was used for another request") as caught:
        begin("other")
    assert code(caught) == "ConflictException"


def test_lists_go_on_in_pages_the_newest_first(aws: Running, sagemaker: Any) -> None:
    """Of pipelines by prefix, of executions by pipeline."""
    for name in ("listed-b", "listed-a", "listed-c"):
        sagemaker.create_pipeline(
            PipelineName=name, PipelineDefinition=document(STOP, parameters=[WORDS]), RoleArn=ROLE
        )
    pages = sagemaker.get_paginator("list_pipelines").paginate(
        PipelineNamePrefix="listed", PaginationConfig={"PageSize": 2}
    )
    found = [each["PipelineName"] for page in pages for each in page["PipelineSummaries"]]
    assert found == ["listed-c", "listed-a", "listed-b"]
    by_name = sagemaker.list_pipelines(PipelineNamePrefix="listed", SortBy="Name", SortOrder="Ascending")
    assert [each["PipelineName"] for each in by_name["PipelineSummaries"]] == ["listed-a", "listed-b", "listed-c"]
    arns = [start(aws, "listed-a") for _ in range(3)]
    pages = sagemaker.get_paginator("list_pipeline_executions").paginate(
        PipelineName="listed-a", PaginationConfig={"PageSize": 2}
    )
    listed = [each for page in pages for each in page["PipelineExecutionSummaries"]]
    assert [each["PipelineExecutionArn"] for each in listed] == arns[::-1]
    assert ended(aws, arns[0])["PipelineExecutionStatus"] == "Failed"


def test_an_execution_has_words_of_its_own(aws: Running, sagemaker: Any) -> None:
    """Which can be changed."""
    name = create(aws, STOP, parameters=[WORDS])
    arn = sagemaker.start_pipeline_execution(PipelineName=name, PipelineExecutionDisplayName="mine")[
        "PipelineExecutionArn"
    ]
    assert ended(aws, arn)["PipelineExecutionDisplayName"] == "mine"
    sagemaker.update_pipeline_execution(PipelineExecutionArn=arn, PipelineExecutionDescription="why")
    answer = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert (answer["PipelineExecutionDisplayName"], answer["PipelineExecutionDescription"]) == ("mine", "why")


def test_a_pipeline_is_deleted_with_its_executions_when_none_is_running(aws: Running, sagemaker: Any) -> None:
    """A new one of the name begins anew."""
    name = create(aws, step("Long", "Processing", processing(aws, "import time; time.sleep(300)")))
    arn = start(aws, name)
    with pytest.raises(ClientError, match="Stop it first") as caught:
        sagemaker.delete_pipeline(PipelineName=name)
    assert code(caught) == "ConflictException"
    sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    assert ended(aws, arn)["PipelineExecutionStatus"] == "Stopped"
    sagemaker.delete_pipeline(PipelineName=name)
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_pipeline(PipelineName=name)
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)
    sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=document(STOP, parameters=[WORDS]), RoleArn=ROLE)
    assert sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"] == []
    assert json.loads(sagemaker.describe_pipeline(PipelineName=name)["PipelineDefinition"])["Steps"] == [STOP]
