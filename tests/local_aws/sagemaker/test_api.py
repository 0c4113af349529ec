"""The SageMaker API's manners, through unmodified boto3 with its own checks off."""

import base64
import json
import time
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET, ROLE, Trained

pytestmark = pytest.mark.local_aws
ARN = "arn:aws:sagemaker:us-east-1:123456789012"


@pytest.fixture
def unchecked(aws: Running) -> Any:
    return aws.client("sagemaker", parameter_validation=False)


def refusal(call: Any, **arguments: Any) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    answer = raised.value.response
    return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_bad_requests_are_refused_by_the_server_itself(unchecked: Any) -> None:
    code, message, status = refusal(unchecked.create_auto_ml_job_v2, AutoMLJobName="no_good")
    assert (code, status) == ("ValidationException", 400)
    assert "Value 'no_good' at 'autoMLJobName' failed to satisfy constraint" in message
    assert "Value null at 'roleArn'" in message


@pytest.mark.parametrize("operation", ["create_domain", "list_hubs", "search"])
def test_an_operation_that_is_not_here_is_refused_by_name_and_not_retried(unchecked: Any, operation: str) -> None:
    code, message, status = refusal(getattr(unchecked, operation))
    name = unchecked.meta.method_to_api_mapping[operation]
    assert (code, status) == ("NotImplemented", 501)
    assert message.startswith(f"The embedded AWS does not implement the operation {name} of SageMaker.")


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b'{"MaxResults":' + b"9" * 5000 + b"}"])
def test_a_body_that_is_no_json_is_a_serialization_exception(aws: Running, body: bytes) -> None:
    request = urllib.request.Request(aws.url, data=body, headers={"X-Amz-Target": "SageMaker.ListModels"})  # noqa: S310 - loopback
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request, timeout=5)  # noqa: S310 - loopback
    assert json.load(raised.value)["__type"] == "SerializationException"
    raised.value.close()


def test_a_web_page_of_another_site_is_refused_whatever_it_asks_for(aws: Running) -> None:
    for path, more, word in (
        ("/", {"X-Amz-Target": "SageMaker.ListModels"}, "AccessDeniedException"),
        ("/bucket/key", {"Content-Type": "text/plain"}, "<Code>AccessDenied</Code>"),
        ("/", {"X-Amz-Target": "Logs_20140328.DescribeLogGroups"}, "AccessDeniedException"),
    ):
        headers = {"Origin": "https://elsewhere.example", **more}
        request = urllib.request.Request(aws.url + path, data=b"{}", headers=headers)  # noqa: S310 - loopback
        with pytest.raises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(request, timeout=5)  # noqa: S310 - loopback
        assert raised.value.code == 403
        said = raised.value.read().decode()
        assert word in said
        assert "A web page of https://elsewhere.example sent this request" in said
        raised.value.close()


@pytest.mark.parametrize(
    ("operation", "arguments", "code", "message"),
    [
        ("describe_model", {"ModelName": "none"}, "ValidationException", f'model "{ARN}:model/none".'),
        ("delete_model", {"ModelName": "none"}, "ValidationException", f'model "{ARN}:model/none".'),
        ("describe_endpoint", {"EndpointName": "none"}, "ValidationException", f'endpoint "{ARN}:endpoint/none".'),
        (
            "describe_endpoint_config",
            {"EndpointConfigName": "none"},
            "ValidationException",
            f'endpoint configuration "{ARN}:endpoint-config/none".',
        ),
        ("describe_auto_ml_job_v2", {"AutoMLJobName": "none"}, "ResourceNotFound", "an AutoML job called none."),
        ("stop_auto_ml_job", {"AutoMLJobName": "none"}, "ResourceNotFound", "an AutoML job called none."),
        (
            "describe_transform_job",
            {"TransformJobName": "none"},
            "ValidationException",
            "requested job with name: none",
        ),
        ("stop_processing_job", {"ProcessingJobName": "none"}, "ValidationException", "job with name: none"),
        ("describe_training_job", {"TrainingJobName": "none"}, "ValidationException", "Requested resource not found."),
        ("stop_training_job", {"TrainingJobName": "none"}, "ValidationException", "Requested resource not found."),
        (
            "describe_hyper_parameter_tuning_job",
            {"HyperParameterTuningJobName": "none"},
            "ResourceNotFound",
            "can't find a tuning job called none. Type another name.",
        ),
        ("list_candidates_for_auto_ml_job", {"AutoMLJobName": "none"}, "ResourceNotFound", "job called none."),
        ("list_tags", {"ResourceArn": f"{ARN}:model/none"}, "ValidationException", f'resource "{ARN}:model/none".'),
    ],
)
def test_what_is_not_found_answers_as_on_aws(
    aws: Running, operation: str, arguments: dict[str, str], code: str, message: str
) -> None:
    refused = refusal(getattr(aws.client("sagemaker"), operation), **arguments)
    assert (refused[0], refused[2]) == (code, 400)
    assert refused[1].endswith(message)


def container(**changes: Any) -> dict[str, Any]:
    image = "763104351884.dkr.ecr.us-east-1.amazonaws.com/autogluon-inference:0.4.3-cpu-py38-ubuntu20.04"
    return {"Image": image, "ModelDataUrl": f"s3://{BUCKET}/models/any.tar.gz", **changes}


@pytest.fixture(scope="module")
def sagemaker(aws: Running) -> Any:
    aws.client("s3").put_object(Bucket=BUCKET, Key="models/any.tar.gz", Body=b"any")
    return aws.client("sagemaker")


def test_a_model_is_described_as_it_was_created_and_its_name_is_taken(sagemaker: Any) -> None:
    given = {
        "ModelName": "described",
        "Containers": [container(), container(Environment={"A": "b"})],
        "ExecutionRoleArn": ROLE,
    }
    arn = sagemaker.create_model(**given)["ModelArn"]
    answer = sagemaker.describe_model(ModelName="described")
    assert {name: answer[name] for name in given} == given
    assert answer["ModelArn"] == arn == f"{ARN}:model/described"
    code, message, _ = refusal(sagemaker.create_model, **given)
    assert (code, message) == ("ValidationException", f'Cannot create already existing model "{arn}".')
    sagemaker.delete_model(ModelName="described")
    sagemaker.create_model(**given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"PrimaryContainer": container(Image="1.dkr.ecr.us-east-1.amazonaws.com/nobody:1")}, "Requested image 1.dkr"),
        ({"PrimaryContainer": container(ModelDataUrl=f"s3://{BUCKET}/none.tar.gz")}, "Could not access model data at"),
        ({"PrimaryContainer": container(ModelDataUrl="s3://no-such-bucket/x")}, "Could not access model data at"),
        ({"Containers": [container(Mode="MultiModel"), container()]}, "More than one container in MultiModel mode"),
        ({"PrimaryContainer": container(), "Containers": [container()]}, "Exactly one of"),
        ({}, "Exactly one of"),
        ({"Containers": [container(ContainerHostname="a"), container()]}, "ContainerHostname"),
        ({"Containers": [container()] * 16}, "Member must have length less than or equal to 15"),
    ],
)
def test_a_model_that_could_not_serve_is_refused(sagemaker: Any, given: dict[str, Any], said: str) -> None:
    code, message, _ = refusal(sagemaker.create_model, ModelName="bad", ExecutionRoleArn=ROLE, **given)
    assert code == "ValidationException"
    assert said in message


def test_pages_visit_every_model_once_in_the_order_asked_for(sagemaker: Any) -> None:
    names = [f"page-{number}" for number in (3, 1, 4, 2, 5)]
    for name in names:
        sagemaker.create_model(ModelName=name, PrimaryContainer=container(), ExecutionRoleArn=ROLE)
    asked = {"NameContains": "PAGE-", "PaginationConfig": {"PageSize": 2}}

    def listed(**order: Any) -> list[str]:
        pages = sagemaker.get_paginator("list_models").paginate(**asked, **order)
        return [model["ModelName"] for page in pages for model in page["Models"]]

    assert listed() == names[::-1]
    assert listed(SortOrder="Ascending") == names
    assert listed(SortBy="Name", SortOrder="Ascending") == sorted(names)
    moment = sagemaker.describe_model(ModelName="page-4")["CreationTime"]
    assert "page-1" not in listed(CreationTimeAfter=moment)
    for forged in (
        "nonsense",
        *(base64.b64encode(text).decode() for text in (b"[{},1]", b'["a","b"]', b"[1,1%030d]" % 0)),
    ):
        code, message, _ = refusal(sagemaker.list_models, NextToken=forged)
        assert (code, message[:17]) == ("ValidationException", "Invalid NextToken")


def test_tags_given_at_creation_are_there_and_can_be_added_replaced_and_removed(sagemaker: Any) -> None:
    arn = sagemaker.create_model(
        ModelName="tagged", PrimaryContainer=container(), ExecutionRoleArn=ROLE, Tags=[{"Key": "a", "Value": "1"}]
    )["ModelArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "ü", "Value": ""}])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "2"}, {"Key": "ü", "Value": ""}]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a", "none"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "ü", "Value": ""}]
    many = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
    assert refusal(sagemaker.add_tags, ResourceArn=arn, Tags=many)[0] == "ResourceLimitExceeded"
    code, message, _ = refusal(sagemaker.add_tags, ResourceArn=arn, Tags=[{"Key": "aws:x", "Value": ""}])
    assert (code, "reserved" in message) == ("ValidationException", True)
    twice = [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}]
    code, message, _ = refusal(sagemaker.add_tags, ResourceArn=arn, Tags=twice)
    assert (code, message[:14]) == ("ValidationException", "Duplicate tag ")
    sagemaker.delete_model(ModelName="tagged")
    assert refusal(sagemaker.list_tags, ResourceArn=arn)[0] == "ValidationException"


def test_regions_are_apart(aws: Running, sagemaker: Any) -> None:
    sagemaker.create_model(ModelName="regional", PrimaryContainer=container(), ExecutionRoleArn=ROLE)
    elsewhere = aws.client("sagemaker", region="eu-west-1")
    assert refusal(elsewhere.describe_model, ModelName="regional")[0] == "ValidationException"
    arn = elsewhere.create_model(ModelName="regional", PrimaryContainer=container(), ExecutionRoleArn=ROLE)["ModelArn"]
    assert arn == "arn:aws:sagemaker:eu-west-1:123456789012:model/regional"


def test_an_endpoint_configuration_is_described_as_created_and_its_rules_hold(sagemaker: Any, trained: Trained) -> None:
    variant = {"VariantName": "v", "ModelName": trained.model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="config", ProductionVariants=[variant])
    answer = sagemaker.describe_endpoint_config(EndpointConfigName="config")
    assert answer["ProductionVariants"] == [{**variant, "InitialVariantWeight": 1.0}]
    for changes, said in (
        ({"EndpointConfigName": "config"}, "Cannot create already existing endpoint configuration"),
        ({"ProductionVariants": [variant, variant]}, "must be unique"),
        ({"ProductionVariants": [{**variant, "ModelName": "none"}]}, 'Could not find model "'),
        ({"ProductionVariants": [{**variant, "InitialVariantWeight": 0.0}]}, "above 0"),
    ):
        given = {"EndpointConfigName": "bad", "ProductionVariants": [variant], **changes}
        code, message, _ = refusal(sagemaker.create_endpoint_config, **given)
        assert (code, said in message) == ("ValidationException", True), message
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 1,
        "DestinationS3Uri": "https://b/c",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    code, message, _ = refusal(
        sagemaker.create_endpoint_config,
        EndpointConfigName="bad",
        ProductionVariants=[variant],
        DataCaptureConfig=capture,
    )
    assert (code, "DestinationS3Uri" in message) == ("ValidationException", True)
    sagemaker.delete_endpoint_config(EndpointConfigName="config")
    assert refusal(sagemaker.describe_endpoint_config, EndpointConfigName="config")[0] == "ValidationException"


def test_the_other_services_answer_too(aws: Running) -> None:
    assert aws.client("sts").get_caller_identity()["Account"] == "123456789012"
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="/mine")
    assert [group["logGroupName"] for group in logs.describe_log_groups(logGroupNamePrefix="/mine")["logGroups"]] == [
        "/mine"
    ]
    queue = aws.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="m")
    aws.client("cloudwatch").put_metric_data(
        Namespace="n", MetricData=[{"MetricName": "m", "Value": 1.0, "Timestamp": time.time()}]
    )


def test_the_health_page_tells_what_there_is(aws: Running, trained: Trained) -> None:
    health = aws.health()
    assert health["ready"] is True
    assert "CreateAutoMLJobV2" in health["services"]["sagemaker"]
    assert health["counts"]["resources"]["automl"]["Completed"] >= 1
