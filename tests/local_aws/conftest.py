"""One embedded AWS for the whole session, and one trained model on it."""

from collections.abc import Iterator

import pytest

from tests.support.local_aws import Running, start
from tests.support.local_aws_requests import BUCKET, ROLE, Trained, automl_request, table, until


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An embedded AWS with an empty data directory and the bucket ``tests``."""
    running = start(tmp_path_factory.mktemp("aws"))
    try:
        running.client("s3").create_bucket(Bucket=BUCKET)
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def trained(aws: Running) -> Trained:
    """One real search, and a model of its best candidate."""
    aws.client("s3").put_object(Bucket=BUCKET, Key="train/table.csv", Body=table(600).to_csv(index=False))
    sagemaker = aws.client("sagemaker")
    sagemaker.create_auto_ml_job_v2(
        **automl_request("trained", f"s3://{BUCKET}/train/"), Tags=[{"Key": "k", "Value": "v"}]
    )
    answer = until(
        lambda: sagemaker.describe_auto_ml_job_v2(AutoMLJobName="trained"), "AutoMLJobStatus", ("InProgress",)
    )
    assert answer["AutoMLJobStatus"] == "Completed", answer.get("FailureReason")
    containers = answer["BestCandidate"]["InferenceContainers"]
    sagemaker.create_model(ModelName="trained", Containers=containers, ExecutionRoleArn=ROLE)
    return Trained("trained", "trained", answer)


@pytest.fixture
def rows() -> str:
    """A few records without target, an id in front."""
    frame = table(20, seed=2)
    return "".join(f"{n},{row.a},{row.b},{row.c}\n" for n, row in enumerate(frame.itertuples()))
