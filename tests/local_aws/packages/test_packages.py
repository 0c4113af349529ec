"""The model registry: groups, their versions, approval, and models that are made of a version."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET, ROLE, until
from tests.support.trainings import XGBOOST, put_numbers, trained

pytestmark = pytest.mark.local_aws

ACCOUNT = "arn:aws:sagemaker:us-east-1:123456789012"
URL = f"s3://{BUCKET}/packaged/model.tar.gz"


@pytest.fixture
def sagemaker(aws: Running) -> Any:
    return aws.client("sagemaker")


def specification(url: str = URL, **environment: str) -> dict[str, Any]:
    return {
        "Containers": [{"Image": XGBOOST, "ModelDataUrl": url, "Environment": environment}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }


def group(sagemaker: Any, name: str) -> str:
    return str(sagemaker.create_model_package_group(ModelPackageGroupName=name)["ModelPackageGroupArn"])


def version(sagemaker: Any, name: str, **more: Any) -> str:
    given = {"ModelPackageGroupName": name, "InferenceSpecification": specification(), **more}
    return str(sagemaker.create_model_package(**given)["ModelPackageArn"])


def code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_a_group_is_created_described_listed_and_deleted(sagemaker: Any) -> None:
    """Its name is taken once; another of the name begins anew."""
    arn = sagemaker.create_model_package_group(
        ModelPackageGroupName="Alone", ModelPackageGroupDescription="words", Tags=[{"Key": "k", "Value": "v"}]
    )["ModelPackageGroupArn"]
    assert arn == f"{ACCOUNT}:model-package-group/Alone"
    found = sagemaker.describe_model_package_group(ModelPackageGroupName=arn)
    assert (found["ModelPackageGroupName"], found["ModelPackageGroupStatus"]) == ("Alone", "Completed")
    assert found["ModelPackageGroupDescription"] == "words"
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
    with pytest.raises(ClientError, match=r"\(ValidationException\).*Model Package Group already exists: ") as caught:
        group(sagemaker, "Alone")
    assert caught.value.response["Error"]["Message"].startswith("Model Package Group already exists")
    listed = sagemaker.list_model_package_groups(NameContains="alone")["ModelPackageGroupSummaryList"]
    assert [each["ModelPackageGroupArn"] for each in listed] == [arn]
    sagemaker.delete_model_package_group(ModelPackageGroupName="Alone")
    with pytest.raises(ClientError, match="does not exist") as caught:
        sagemaker.describe_model_package_group(ModelPackageGroupName="Alone")
    assert code(caught) == "ValidationException"


def test_versions_count_up_and_are_never_used_again(sagemaker: Any) -> None:
    """Also where many are created at once and the last one is deleted."""
    group(sagemaker, "counted")
    with ThreadPoolExecutor(4) as pool:
        arns = list(pool.map(lambda _: version(sagemaker, "counted"), range(8)))
    assert {int(arn.rpartition("/")[2]) for arn in arns} == set(range(1, 9))
    assert arns[0].startswith(f"{ACCOUNT}:model-package/counted/")
    sagemaker.delete_model_package(ModelPackageName=f"{ACCOUNT}:model-package/counted/8")
    assert version(sagemaker, "counted").endswith("/9")
    with pytest.raises(ClientError, match=r"contains 8 model packages\. Delete them first") as caught:
        sagemaker.delete_model_package_group(ModelPackageGroupName="counted")
    assert code(caught) == "ConflictException"
    with pytest.raises(ClientError, match="model-package/counted/8 does not exist"):
        sagemaker.describe_model_package(ModelPackageName="counted/8")


def test_the_same_request_sent_twice_is_one_version(sagemaker: Any) -> None:
    """By its token."""
    group(sagemaker, "twice")
    arns = {version(sagemaker, "twice", ClientToken="one") for _ in range(3)}
    assert arns == {f"{ACCOUNT}:model-package/twice/1"}
    assert version(sagemaker, "twice", ClientToken="two").endswith("/2")
    assert version(sagemaker, "twice", ClientToken="one").endswith("/1")


def test_a_version_is_described_with_all_that_it_was_registered_with(sagemaker: Any) -> None:
    """And waits for approval unless it says otherwise."""
    group(sagemaker, "rich")
    source = {"ContentType": "application/json", "S3Uri": f"s3://{BUCKET}/report.json"}
    given = {
        "ModelMetrics": {"ModelQuality": {"Statistics": source}},
        "CustomerMetadataProperties": {"run": "1"},
        "ModelPackageDescription": "words",
        "Domain": "MACHINE_LEARNING",
        "DriftCheckBaselines": {"ModelQuality": {"Statistics": source}},
    }
    arn = version(sagemaker, "rich", **given)
    found = sagemaker.describe_model_package(ModelPackageName=arn)
    assert {key: found[key] for key in given} == given
    assert found["ModelApprovalStatus"] == "PendingManualApproval"
    assert (found["ModelPackageGroupName"], found["ModelPackageVersion"]) == ("rich", 1)
    assert found["ModelPackageStatus"] == "Completed"
    assert found["InferenceSpecification"] == specification()


def test_a_version_is_approved_rejected_and_annotated(sagemaker: Any) -> None:
    """Metadata are added and removed by key."""
    group(sagemaker, "updated")
    arn = version(sagemaker, "updated", CustomerMetadataProperties={"a": "1", "b": "2"})
    other = {"Name": "other", **specification(f"s3://{BUCKET}/other.tar.gz")}
    answer = sagemaker.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        ApprovalDescription="good",
        CustomerMetadataProperties={"b": "3", "c": "4"},
        CustomerMetadataPropertiesToRemove=["a"],
        AdditionalInferenceSpecificationsToAdd=[other],
    )
    assert answer["ModelPackageArn"] == arn
    found = sagemaker.describe_model_package(ModelPackageName=arn)
    assert (found["ModelApprovalStatus"], found["ApprovalDescription"]) == ("Approved", "good")
    assert found["CustomerMetadataProperties"] == {"b": "3", "c": "4"}
    assert found["AdditionalInferenceSpecifications"] == [other]
    assert found["LastModifiedTime"] > found["CreationTime"]
    with pytest.raises(ClientError, match="must be unique"):
        sagemaker.update_model_package(ModelPackageArn=arn, AdditionalInferenceSpecificationsToAdd=[other])


def test_packages_are_listed_by_group_type_and_approval(sagemaker: Any) -> None:
    """Those without a group are meant where nothing is said; the oldest first."""
    group(sagemaker, "listed-versions")
    arns = [
        version(sagemaker, "listed-versions", ModelApprovalStatus=each) for each in ("Approved", "Rejected", "Approved")
    ]
    named = sagemaker.create_model_package(
        ModelPackageName="listed-versions-not", InferenceSpecification=specification()
    )["ModelPackageArn"]

    def found(**given: Any) -> list[str]:
        pages = sagemaker.get_paginator("list_model_packages").paginate(**given, PaginationConfig={"PageSize": 2})
        return [each["ModelPackageArn"] for page in pages for each in page["ModelPackageSummaryList"]]

    assert found(ModelPackageGroupName="listed-versions") == arns
    assert found(ModelPackageGroupName="listed-versions", ModelApprovalStatus="Approved", SortOrder="Descending") == [
        arns[2],
        arns[0],
    ]
    assert found(NameContains="listed-versions") == [named]
    assert found(NameContains="listed-versions", ModelPackageType="Versioned", SortBy="Name") == arns
    assert found(NameContains="listed-versions", ModelPackageType="Both") == [*arns, named]
    with pytest.raises(ClientError, match="does not exist"):
        found(ModelPackageGroupName="no-such")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "Exactly one of ModelPackageName and ModelPackageGroupName"),
        ({"ModelPackageGroupName": "refusing", "ModelPackageName": "a"}, "Exactly one of"),
        ({"ModelPackageGroupName": "no-such"}, "model-package-group/no-such does not exist"),
        ({"ModelPackageGroupName": "refusing", "Tags": [{"Key": "k", "Value": "v"}]}, "Tags can't be given"),
        ({"ModelPackageName": "a", "ModelApprovalStatus": "Approved"}, "does not apply to unversioned"),
        ({"ModelPackageGroupName": "refusing", "InferenceSpecification": None}, "must be specified"),
    ],
)
def test_what_is_no_package_is_refused(sagemaker: Any, given: dict[str, Any], sentence: str) -> None:
    """In words; nothing is created."""
    if not sagemaker.list_model_package_groups(NameContains="refusing")["ModelPackageGroupSummaryList"]:
        group(sagemaker, "refusing")
    body = {"InferenceSpecification": specification(), **given}
    with pytest.raises(ClientError, match=sentence) as caught:
        sagemaker.create_model_package(**{key: value for key, value in body.items() if value is not None})
    assert code(caught) == "ValidationException"
    assert sagemaker.list_model_packages(ModelPackageGroupName="refusing")["ModelPackageSummaryList"] == []


def test_a_model_of_an_approved_version_transforms(aws: Running, sagemaker: Any) -> None:
    """One that is not approved can't be deployed; what was deployed stays when the version goes."""
    put_numbers(aws)
    training = trained(aws, "for-package", {"num_round": 3, "objective": "reg:squarederror"})
    group(sagemaker, "deployed")
    arn = version(
        sagemaker,
        "deployed",
        InferenceSpecification=specification(training["ModelArtifacts"]["S3ModelArtifacts"], A="package", B="package"),
    )
    container = {"ModelPackageName": arn, "Environment": {"B": "model"}}
    given = {"ModelName": "of-package", "ExecutionRoleArn": ROLE, "PrimaryContainer": container}
    with pytest.raises(ClientError, match="is PendingManualApproval: a version must be Approved") as caught:
        sagemaker.create_model(**given)
    assert code(caught) == "ValidationException"
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    sagemaker.create_model(**given)
    assert sagemaker.describe_model(ModelName="of-package")["PrimaryContainer"] == container
    sagemaker.delete_model_package(ModelPackageName=arn)
    aws.client("s3").put_object(Bucket=BUCKET, Key="rows-of-package/rows.csv", Body="1,2,3,4\n2,3,4,5\n")
    sagemaker.create_transform_job(
        TransformJobName="of-package",
        ModelName="of-package",
        TransformInput={
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/rows-of-package/"}},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        TransformOutput={"S3OutputPath": f"s3://{BUCKET}/out-of-package"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    answer = until(
        lambda: sagemaker.describe_transform_job(TransformJobName="of-package"), "TransformJobStatus", ("InProgress",)
    )
    assert answer["TransformJobStatus"] == "Completed", answer.get("FailureReason")
    body = aws.client("s3").get_object(Bucket=BUCKET, Key="out-of-package/rows.csv.out")["Body"].read()
    assert len(body.split()) == 2


def test_a_model_of_an_inference_specification_that_the_package_does_not_have_is_refused(sagemaker: Any) -> None:
    """As is a package beside an image."""
    sagemaker.create_model_package(ModelPackageName="named-package", InferenceSpecification=specification())
    for container, sentence in (
        ({"ModelPackageName": "named-package", "InferenceSpecificationName": "no"}, "no inference specification named"),
        ({"ModelPackageName": "named-package", "Image": XGBOOST}, "both ModelPackageName and Image"),
        ({"ModelPackageName": "named-package"}, "Could not access model data"),
        ({"ModelPackageName": "no-package"}, "model-package/no-package does not exist"),
        ({"Image": XGBOOST, "InferenceSpecificationName": "no"}, "only be given with a ModelPackageName"),
    ):
        with pytest.raises(ClientError, match=sentence):
            sagemaker.create_model(ModelName="none", ExecutionRoleArn=ROLE, PrimaryContainer=container)
