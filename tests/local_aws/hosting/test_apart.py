"""A container in a process of its own."""

import os
import signal
from typing import Any

import pytest

from include.local_aws.hosting.apart import Apart, ContainerGone
from include.local_aws.images import BadRequest


class Telling:
    """A container that tells of its process, or misbehaves on request."""

    def invoke(self, body: bytes, content_type: str, accept: str | None) -> tuple[bytes, str]:
        if body == b"bad":
            raise BadRequest("the caller's fault")
        if body == b"broken":
            raise KeyError("the container's fault")
        if body == b"die":
            os.kill(os.getpid(), signal.SIGKILL)
        return f"{os.getpid()} {os.environ.get('ONLY_THERE')} {content_type} {accept}".encode(), "text/plain"


def telling() -> Telling:
    os.environ["ONLY_THERE"] = "yes"
    return Telling()


def broken() -> Any:
    raise ValueError("no model here")


def test_it_answers_from_another_process_whose_environment_is_its_own() -> None:
    container = Apart(telling)
    answer, content_type = container.invoke(b"x", "text/csv", None)
    pid, only_there, *rest = answer.decode().split()
    assert int(pid) != os.getpid()
    assert only_there == "yes"
    assert "ONLY_THERE" not in os.environ
    assert (rest, content_type) == (["text/csv", "None"], "text/plain")


def test_the_callers_fault_and_the_containers_stay_apart() -> None:
    container = Apart(telling)
    with pytest.raises(BadRequest, match="the caller's fault"):
        container.invoke(b"bad", "text/csv", None)
    with pytest.raises(RuntimeError, match='KeyError: "the container\'s fault"'):
        container.invoke(b"broken", "text/csv", None)
    assert container.invoke(b"x", "text/csv", None)[1] == "text/plain"


def test_a_container_that_does_not_load_says_why() -> None:
    with pytest.raises(RuntimeError, match="no model here"):
        Apart(broken)


def test_a_process_that_ended_is_said() -> None:
    container = Apart(telling)
    with pytest.raises(ContainerGone, match="has ended"):
        container.invoke(b"die", "text/csv", None)
