"""A notebook instance is a Jupyter server of its own, with files that stay when it is off."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.local_aws import Running, descendants
from tests.support.local_aws_requests import ROLE, until

pytestmark = pytest.mark.local_aws

GIVEN = {"InstanceType": "ml.t3.medium", "RoleArn": ROLE}
WAIT = {"Delay": 0.1, "MaxAttempts": 600}


@pytest.fixture
def sagemaker(aws: Running) -> Any:
    return aws.client("sagemaker")


@pytest.fixture(scope="module")
def notebook(aws: Running) -> Iterator[str]:
    """One that is in service."""
    sagemaker = aws.client("sagemaker")
    sagemaker.create_notebook_instance(NotebookInstanceName="book", **GIVEN, Tags=[{"Key": "k", "Value": "v"}])
    sagemaker.get_waiter("notebook_instance_in_service").wait(NotebookInstanceName="book", WaiterConfig=WAIT)
    yield "book"
    if sagemaker.describe_notebook_instance(NotebookInstanceName="book")["NotebookInstanceStatus"] == "InService":
        stop(sagemaker, "book")
    delete(sagemaker, "book")


def stop(sagemaker: Any, name: str) -> None:
    sagemaker.stop_notebook_instance(NotebookInstanceName=name)
    sagemaker.get_waiter("notebook_instance_stopped").wait(NotebookInstanceName=name, WaiterConfig=WAIT)


def delete(sagemaker: Any, name: str) -> None:
    sagemaker.delete_notebook_instance(NotebookInstanceName=name)
    sagemaker.get_waiter("notebook_instance_deleted").wait(NotebookInstanceName=name, WaiterConfig=WAIT)


def url(sagemaker: Any, name: str) -> tuple[str, str]:
    answer = sagemaker.create_presigned_notebook_instance_url(NotebookInstanceName=name)
    address, _, token = answer["AuthorizedUrl"].partition("/?token=")
    return address, token


def ask(where: tuple[str, str], path: str, method: str = "GET", document: Any = None) -> Any:
    address, token = where
    headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(f"{address}{path}", body, headers, method=method)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - loopback
        return json.loads(response.read() or b"null")


def kernels(aws: Running) -> list[int]:
    found = []
    for pid in descendants(aws.process.pid):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except FileNotFoundError:
            continue
        if b"ipykernel_launcher" in command:
            found.append(pid)
    return found


def test_it_is_described_as_it_was_created(sagemaker: Any, notebook: str) -> None:
    """With AWS's defaults, and listed."""
    found = sagemaker.describe_notebook_instance(NotebookInstanceName=notebook)
    assert found["NotebookInstanceStatus"] == "InService"
    assert (found["VolumeSizeInGB"], found["DirectInternetAccess"], found["RootAccess"]) == (5, "Enabled", "Enabled")
    assert found["Url"].startswith("127.0.0.1:")
    assert sagemaker.list_tags(ResourceArn=found["NotebookInstanceArn"])["Tags"] == [{"Key": "k", "Value": "v"}]
    (listed,) = sagemaker.list_notebook_instances(NameContains="boo", StatusEquals="InService")["NotebookInstances"]
    assert listed["NotebookInstanceArn"] == found["NotebookInstanceArn"]
    with pytest.raises(ClientError, match="Cannot create a duplicate Notebook Instance"):
        sagemaker.create_notebook_instance(NotebookInstanceName=notebook, **GIVEN)


def test_its_url_leads_to_jupyter_and_no_other_token_does(sagemaker: Any, notebook: str) -> None:
    """A stranger's request is refused."""
    address, token = url(sagemaker, notebook)
    assert ask((address, token), "/api/status")["kernels"] == 0
    with pytest.raises(urllib.error.HTTPError, match="403"):
        ask((address, "x" * len(token)), "/api/status")
    with urllib.request.urlopen(f"{address}/?token={token}", timeout=30) as response:  # noqa: S310 - loopback
        assert b"Jupyter" in response.read()


def test_its_kernels_end_with_it_and_its_files_stay(aws: Running, sagemaker: Any, notebook: str) -> None:
    """Stopped, started again: the same files, another token."""
    first = url(sagemaker, notebook)
    ask(first, "/api/contents/note.txt", "PUT", {"type": "file", "format": "text", "content": "kept"})
    ask(first, "/api/kernels", "POST", {})
    assert len(kernels(aws)) == 1
    stop(sagemaker, notebook)
    assert kernels(aws) == []
    with pytest.raises(urllib.error.URLError):
        ask(first, "/api/status")
    with pytest.raises(ClientError, match=r"Status \(Stopped\) not in \(\[InService\]\)"):
        sagemaker.create_presigned_notebook_instance_url(NotebookInstanceName=notebook)
    sagemaker.update_notebook_instance(NotebookInstanceName=notebook, InstanceType="ml.t3.large", VolumeSizeInGB=6)
    with pytest.raises(ClientError, match="can only be increased"):
        sagemaker.update_notebook_instance(NotebookInstanceName=notebook, VolumeSizeInGB=5)
    sagemaker.start_notebook_instance(NotebookInstanceName=notebook)
    sagemaker.get_waiter("notebook_instance_in_service").wait(NotebookInstanceName=notebook, WaiterConfig=WAIT)
    second = url(sagemaker, notebook)
    assert second[1] != first[1]
    assert ask(second, "/api/contents/note.txt")["content"] == "kept"
    found = sagemaker.describe_notebook_instance(NotebookInstanceName=notebook)
    assert (found["InstanceType"], found["VolumeSizeInGB"]) == ("ml.t3.large", 6)


def test_a_jupyter_server_that_ends_by_itself_comes_back(sagemaker: Any, notebook: str) -> None:
    """Pending in between."""
    before = url(sagemaker, notebook)
    ask(before, "/api/shutdown", "POST", {})
    deadline = time.monotonic() + 60
    while True:
        assert time.monotonic() < deadline
        answer = until(
            lambda: sagemaker.describe_notebook_instance(NotebookInstanceName=notebook),
            "NotebookInstanceStatus",
            ("Pending",),
        )
        if answer["Url"] != before[0].removeprefix("http://"):
            break
        time.sleep(0.1)
    assert ask(url(sagemaker, notebook), "/api/status")["kernels"] == 0


def test_what_its_status_forbids_is_refused(sagemaker: Any, notebook: str) -> None:
    """In AWS's words."""
    for operation, allowed in (
        (sagemaker.start_notebook_instance, "Stopped, Failed"),
        (sagemaker.delete_notebook_instance, "Stopped, Failed"),
        (sagemaker.update_notebook_instance, "Stopped, Failed"),
    ):
        with pytest.raises(ClientError) as caught:
            operation(NotebookInstanceName=notebook)
        assert caught.value.response["Error"]["Code"] == "ValidationException"
        assert caught.value.response["Error"]["Message"] == f"Status (InService) not in ([{allowed}])."


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"LifecycleConfigName": "a"}, "does not implement LifecycleConfigName"),
        ({"DefaultCodeRepository": "https://example.com/a"}, "does not implement DefaultCodeRepository"),
        ({"DirectInternetAccess": "Disabled"}, "with a SubnetId"),
    ],
)
def test_what_it_cannot_have_is_refused(sagemaker: Any, given: dict[str, Any], sentence: str) -> None:
    """And nothing is created."""
    with pytest.raises(ClientError, match=sentence):
        sagemaker.create_notebook_instance(NotebookInstanceName="none", **GIVEN, **given)
    with pytest.raises(ClientError, match=r"\(ValidationException\).*RecordNotFound"):
        sagemaker.describe_notebook_instance(NotebookInstanceName="none")
