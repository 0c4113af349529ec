"""Running an operator's methods as Airflow's task runner does, against the stand-in for AWS."""

from __future__ import annotations

import contextvars
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard

from automl_retraining.core.config import Pipeline
from automl_retraining.core.records import SplitResult
from tests.support.fake_sagemaker import FakeSageMaker, error

RUN_FOLDER = "s3://bucket/churn/runs/manual__2026-01-01"
ROLE = "arn:aws:iam::123456789012:role/automl-retraining"


class FakeS3:
    """S3 with whole objects in a dictionary."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, **arguments: Any) -> dict[str, Any]:
        """Keep an object."""
        self.objects[f"s3://{arguments['Bucket']}/{arguments['Key']}"] = arguments["Body"]
        return {}

    def copy_object(self, **arguments: Any) -> dict[str, Any]:
        """Copy one."""
        source = "s3://{Bucket}/{Key}".format(**arguments["CopySource"])
        if source not in self.objects:
            raise error("NoSuchKey", "no such key", 404)
        self.objects[f"s3://{arguments['Bucket']}/{arguments['Key']}"] = self.objects[source]
        return {}


class FakeLogs:
    """CloudWatch Logs with the lines of one stream a job."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.failure: Exception | None = None

    def describe_log_streams(self, **arguments: Any) -> dict[str, Any]:
        """One stream, in the training jobs' or transform jobs' group."""
        if self.failure is not None:
            raise self.failure
        if "Processing" in arguments["logGroupName"]:
            raise error("ResourceNotFoundException")
        return {"logStreams": [{"logStreamName": f"{arguments['logStreamNamePrefix']}/algo-1"}]}

    def get_log_events(self, **_: Any) -> dict[str, Any]:
        """Its lines."""
        return {"events": [{"timestamp": at, "message": line} for at, line in enumerate(self.lines)]}


class World:
    """The services of one account."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sm = FakeSageMaker()
        self.s3 = FakeS3()
        self.logs = FakeLogs()
        services: dict[str, Any] = {"sagemaker": self.sm, "s3": self.s3, "logs": self.logs}
        for module in ("operators.base", "sensors.secondary_status", "operators._aws"):
            monkeypatch.setattr(
                f"automl_retraining.{module}.client", lambda service, *, conn_id, region=None, **_: services[service]
            )
        monkeypatch.setenv("AUTOML_RETRAINING_BUCKET", "bucket")
        monkeypatch.setenv("AUTOML_RETRAINING_ROLE_ARN", ROLE)


def pipeline(**sections: Any) -> Pipeline:
    """A pipeline."""
    base = {"name": "churn", "source": "churn.csv", "target": "churn", "gate": {"metric": "roc_auc"}}
    return Pipeline.model_validate({**base, **sections})


def split(**members: Any) -> dict[str, Any]:
    """What the split task returned."""
    result = {
        "run_folder": RUN_FOLDER,
        "manifest_uri": f"{RUN_FOLDER}/manifest.json",
        "train_uri": f"{RUN_FOLDER}/data/train/train.csv",
        "validation_uri": f"{RUN_FOLDER}/data/validation/validation.csv",
        "transform_input_uri": f"{RUN_FOLDER}/data/transform/test.csv",
        "problem_type": "BinaryClassification",
        "target": "churn",
        "n_features": 19,
        "labels": ("no", "yes"),
        "rows": 5000,
        **members,
    }
    return SplitResult.model_validate(result).model_dump(mode="json")


def run(operator: Any, context: Any, method: str = "execute", **kwargs: Any) -> Any:
    """Call ``execute``, or the method that a deferred task resumes with, as the task runner does."""

    def call() -> Any:
        ExecutorSafeguard.tracker.set(operator)
        if method == "execute":
            return operator.execute(context)
        return operator.resume_execution(method, kwargs, context)

    return contextvars.copy_context().run(call)


def cleared(context: Any) -> None:
    """Clear the task, as a person does: another clear number, more tries."""
    context["ti"].max_tries += 1
    context["dag_run"] = SimpleNamespace(
        clear_number=context["dag_run"].clear_number + 1, start_date=context["dag_run"].start_date
    )
