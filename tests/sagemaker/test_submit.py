"""Submit once: one job per intent."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from automl_retraining.core.errors import JobConflict, JobError
from automl_retraining.sagemaker import requests, tags
from automl_retraining.sagemaker.jobs import TRANSFORM
from automl_retraining.sagemaker.submit import Plan, Stored, Submitted, create_once, submit_once
from tests.support.fake_sagemaker import FakeSageMaker, error


class Task:
    """A task with its store; ``input_uri`` is its request."""

    def __init__(self, sm: FakeSageMaker, *, deployment: str = "default", input_uri: str = "s3://b/in") -> None:
        self.sm = sm
        self.deployment = deployment
        self.input_uri = input_uri
        self.clears = 0
        self.stored: Stored | None = None
        self.said: list[str] = []

    def submit(self, *, cleared: bool = False) -> Submitted:
        """One try of the task."""
        self.clears += cleared
        plan = Plan(name_for=self._name, request_for=self._request, save=self._save, say=self.said.append)
        return submit_once(self.sm, TRANSFORM, plan, stored=self.stored, cleared=cleared)

    def _save(self, stored: Stored) -> None:
        self.stored = stored

    def _name(self, used: int) -> str:
        return f"art-transform-{self.clears}-{used}"

    def _request(self, name: str) -> dict[str, Any]:
        options = requests.TransformOptions(
            model_name="m", input_uri=self.input_uri, output_uri="s3://b/out", classification=True
        )
        request = requests.create_transform_job(name, options)
        run = tags.own_tags(pipeline="churn", run_id="r", run_folder="s3://b/r", deployment=self.deployment)
        digest = tags.digest(request, without=("TransformJobName", "Tags"))
        return {**request, "Tags": [*run, {"Key": tags.DIGEST, "Value": digest}]}


def jobs(sm: FakeSageMaker) -> list[tuple[str, str]]:
    """Names and statuses of all jobs."""
    return [(name, job["TransformJobStatus"]) for (_, name), job in sorted(sm.jobs.items())]


def test_a_job_is_submitted_and_found_again() -> None:
    """The second try adopts what the first created, whether it runs or has ended well."""
    sm = FakeSageMaker()
    task = Task(sm)
    assert task.submit() == Submitted("art-transform-0-0", "created", 0)
    assert (task.submit().how, task.submit().name) == ("adopted", "art-transform-0-0")
    sm.set(TRANSFORM, "art-transform-0-0", TransformJobStatus="Completed")
    again = task.submit()
    assert again.job is not None
    assert again.job.over
    assert sm.count("create_transform_job") == 1


def test_the_name_is_stored_before_the_call() -> None:
    """A crash in the call leaves the name behind; the next try goes on with it."""
    sm = FakeSageMaker()
    task = Task(sm)
    sm.failing.append(("create_transform_job", error("InternalFailure", status=500)))
    with pytest.raises(ClientError):
        task.submit()
    assert task.stored == Stored("art-transform-0-0", 0)
    assert task.submit().how == "created"
    assert jobs(sm) == [("art-transform-0-0", "InProgress")]


def test_a_lost_answer_makes_no_second_job() -> None:
    """AWS accepted the request, the answer was lost, botocore asked again: the job is adopted."""
    sm = FakeSageMaker()
    sm.losing.add("create_transform_job")
    assert Task(sm).submit().how == "adopted"
    assert jobs(sm) == [("art-transform-0-0", "InProgress")]


def test_a_lost_store_makes_no_second_job() -> None:
    """The name is a function of the intent, so it is found without the store too."""
    sm = FakeSageMaker()
    Task(sm).submit()
    assert Task(sm).submit().how == "adopted"
    assert len(sm.jobs) == 1


@pytest.mark.parametrize("status", ["Failed", "Stopped", "Stopping"])
def test_a_job_that_went_wrong_is_not_adopted(status: str) -> None:
    """The next try submits under the next name."""
    sm = FakeSageMaker()
    task = Task(sm)
    task.submit()
    sm.set(TRANSFORM, "art-transform-0-0", TransformJobStatus=status)
    assert task.submit() == Submitted("art-transform-0-1", "created", 1)
    assert task.stored == Stored("art-transform-0-1", 1)


def test_a_task_cleared_in_mid_job_stops_it_and_starts_anew() -> None:
    """The old job is stopped; the new name has the clear number."""
    sm = FakeSageMaker()
    task = Task(sm)
    task.submit()
    assert task.submit(cleared=True).name == "art-transform-1-0"
    assert jobs(sm) == [("art-transform-0-0", "Stopping"), ("art-transform-1-0", "InProgress")]


def test_a_task_cleared_after_its_job_succeeded_but_it_did_not_keeps_the_job() -> None:
    """What failed was the writing of the result; the job need not run again, unless the request changed."""
    sm = FakeSageMaker()
    task = Task(sm)
    task.submit()
    sm.set(TRANSFORM, "art-transform-0-0", TransformJobStatus="Completed")
    assert task.submit(cleared=True).how == "adopted"
    task.input_uri = "s3://b/other"
    assert task.submit(cleared=True).how == "created"


def test_another_airflows_job_is_never_adopted() -> None:
    """Same name, another deployment's tags: an error that says what to set."""
    sm = FakeSageMaker()
    Task(sm, deployment="other").submit()
    with pytest.raises(JobConflict, match=r"art:deployment: expected 'default', found 'other'.*DEPLOYMENT"):
        Task(sm).submit()


def test_a_retry_with_another_request_is_refused() -> None:
    """Two requests of one intent must not mix: the sentence says to clear the task."""
    sm = FakeSageMaker()
    task = Task(sm)
    task.submit()
    task.input_uri = "s3://b/other"
    with pytest.raises(JobConflict, match="clear the task"):
        task.submit()


def test_a_task_whose_every_job_failed_gives_up() -> None:
    """Fifty used names are a loop, not bad luck."""
    sm = FakeSageMaker()
    for used in range(50):
        task = Task(sm)
        task.stored = None
        task.submit()
        sm.set(TRANSFORM, f"art-transform-0-{used}", TransformJobStatus="Failed")
    with pytest.raises(JobError, match="expected a free name"):
        Task(sm).submit()


def test_what_aws_refuses_is_raised() -> None:
    """A request that is wrong is not mistaken for a name that is taken."""
    sm = FakeSageMaker()
    sm.failing.append(("create_transform_job", error("ValidationException", "no such model")))
    with pytest.raises(ClientError, match="no such model"):
        Task(sm).submit()


def model(sm: FakeSageMaker, said: list[str], *, image: str = "image", run: str = "r") -> str:
    """Create a model once."""
    request = requests.create_model("m", [_container(image)], "arn:aws:iam::123456789012:role/r")
    own = tags.own_tags(pipeline="churn", run_id=run, run_folder="s3://b/r", deployment="default")
    digest = {"Key": tags.DIGEST, "Value": tags.digest(request, without=("ModelName",))}
    return create_once(
        sm,
        {**request, "Tags": [*own, digest]},
        what="model",
        create="create_model",
        describe_operation="describe_model",
        name_member="ModelName",
        arn_member="ModelArn",
        say=said.append,
    )


def _container(image: str) -> Any:
    from automl_retraining.core.records import ContainerSpec

    return ContainerSpec(image=image, model_data_url="s3://b/model.tar.gz")


def test_a_resource_without_status_is_created_once_too() -> None:
    """An equal one is adopted; one of another run, or with another request, is refused."""
    sm = FakeSageMaker()
    said: list[str] = []
    first = model(sm, said)
    assert model(sm, said) == first
    assert "adopted" in said[0]
    with pytest.raises(JobConflict, match="art:run-id"):
        model(sm, said, run="r2")
    with pytest.raises(JobConflict, match="art:digest"):
        model(sm, said, image="other")
