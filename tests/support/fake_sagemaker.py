"""A stand-in for AWS's side of SageMaker: jobs and models in a dictionary, answers and errors as botocore gives them.

Requests are validated by botocore's own validator. It trains nothing; a test moves a job along with ``set``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any

import botocore.session
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from automl_retraining.sagemaker.jobs import KINDS, JobKind


@cache
def service_model() -> Any:
    """SageMaker as botocore describes it."""
    return botocore.session.Session().get_service_model("sagemaker")


@cache
def operations() -> dict[str, str]:
    """boto3's method names with the API's operation names."""
    client = botocore.session.Session().create_client(
        "sagemaker", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    return dict(client.meta.method_to_api_mapping)


def problems(method: str, arguments: dict[str, Any]) -> str:
    """What botocore's validator has against these arguments; empty where they are valid."""
    shape = service_model().operation_model(operations()[method]).input_shape
    report = ParamValidator().validate(arguments, shape)
    return str(report.generate_report())


def error(code: str, message: str = "as the test wants it", status: int = 400) -> ClientError:
    """An error as AWS answers it."""
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Operation"
    )


class FakeSageMaker:
    """What the code under test takes for a boto3 client."""

    def __init__(self) -> None:
        self.meta = SimpleNamespace(
            region_name="us-east-1", endpoint_url="https://api.sagemaker.us-east-1.amazonaws.com"
        )
        self.jobs: dict[tuple[str, str], dict[str, Any]] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.candidates: dict[str, list[dict[str, Any]]] = {}
        self.tags: dict[str, list[dict[str, str]]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.failing: list[tuple[str, Exception]] = []
        """Errors to raise, each once, at the next call of that method."""
        self.losing: set[str] = set()
        """Methods that do their work and then lose the answer, once."""

    def count(self, method: str) -> int:
        """How often a method was called."""
        return sum(1 for called, _ in self.calls if called == method)

    def set(self, kind: JobKind, name: str, **members: Any) -> None:
        """Move a job along."""
        self.jobs[kind.key, name].update(members, LastModifiedTime=datetime.now(UTC))

    def __getattr__(self, method: str) -> Any:
        if method.startswith("_"):
            raise AttributeError(method)

        def call(**arguments: Any) -> Any:
            assert not problems(method, arguments), problems(method, arguments)
            self.calls.append((method, arguments))
            for index, (failing, failure) in enumerate(self.failing):
                if failing == method:
                    del self.failing[index]
                    raise failure
            answer = self._answer(method, arguments)
            if method in self.losing:
                self.losing.discard(method)
                return self._answer(method, arguments)  # as botocore's retry of a lost answer
            return answer

        return call

    def _answer(self, method: str, arguments: dict[str, Any]) -> Any:
        for kind in KINDS.values():
            name = arguments.get(kind.name_member)
            if method == kind.create:
                return self._create(kind, str(name), arguments)
            if method == kind.describe:
                return dict(self._job(kind, str(name)))
            if kind.stop is not None and method == kind.stop:
                job = self._job(kind, str(name))
                if job[kind.status_member] != "InProgress":
                    raise error("ValidationException", f"The request was rejected because the {kind.title} is ending")
                self.set(kind, str(name), **{kind.status_member: "Stopping"})
                return {}
            if method == kind.list_operation:
                found = [
                    job
                    for (key, job_name), job in sorted(self.jobs.items())
                    if key == kind.key
                    and arguments.get("NameContains", "") in job_name
                    and (
                        "LastModifiedTimeAfter" not in arguments
                        or job["LastModifiedTime"] > arguments["LastModifiedTimeAfter"]
                    )
                    and arguments.get("StatusEquals") in (None, job[kind.status_member])
                ]
                return {kind.list_result: found}
        return self._other(method, arguments)

    def _create(self, kind: JobKind, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if (kind.key, name) in self.jobs:
            raise error(kind.taken[-1], f"Cannot create already existing {kind.title} {name}")
        now = datetime.now(UTC)
        arn = f"arn:aws:sagemaker:us-east-1:123456789012:{kind.key}/{name}"
        job = {key: value for key, value in arguments.items() if key != "Tags"}
        job.update({kind.arn_member: arn, "CreationTime": now, "LastModifiedTime": now})
        job[kind.status_member] = "Creating" if kind.key == "endpoint" else "InProgress"
        if kind.secondary_member:
            job[kind.secondary_member] = "Starting"
        self.jobs[kind.key, name] = job
        self.tags[arn] = list(arguments.get("Tags", ()))
        return {kind.arn_member: arn}

    def _job(self, kind: JobKind, name: str) -> dict[str, Any]:
        if (kind.key, name) not in self.jobs:
            if kind.key == "endpoint":
                raise error("ValidationException", f'Could not find endpoint "{name}".')
            raise error("ResourceNotFound", f"Could not find job {name}")
        return self.jobs[kind.key, name]

    def _other(self, method: str, arguments: dict[str, Any]) -> Any:
        if method == "create_model":
            name = arguments["ModelName"]
            if name in self.models:
                raise error("ValidationException", f"Cannot create already existing model {name}")
            arn = f"arn:aws:sagemaker:us-east-1:123456789012:model/{name}"
            self.models[name] = {**arguments, "ModelArn": arn, "CreationTime": datetime.now(UTC)}
            self.tags[arn] = list(arguments.get("Tags", ()))
            return {"ModelArn": arn}
        if method == "describe_model":
            return self.models[arguments["ModelName"]]
        if method == "list_tags":
            return {"Tags": self.tags[arguments["ResourceArn"]]}
        if method == "list_candidates_for_auto_ml_job":
            found = self.candidates.get(arguments["AutoMLJobName"], [])
            start = int(arguments.get("NextToken", "0"))
            page = found[start : start + 2] if arguments.get("SortBy") is None else found
            more = arguments.get("SortBy") is None and start + 2 < len(found)
            return {"Candidates": page, **({"NextToken": str(start + 2)} if more else {})}
        raise AssertionError(f"the stand-in for AWS does not do {method}")
