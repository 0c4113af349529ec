"""Which requests are taken for a foreign web page's."""

from typing import Any

import pytest

from include.local_aws.pages import refusal


def scope(**headers: str) -> dict[str, Any]:
    return {"headers": [(name.encode(), value.encode()) for name, value in headers.items()]}


@pytest.mark.parametrize("origin", ["https://evil.example.com", "null", "http://127.0.0.1.evil.example", "http://10.0.0.7",
                                    "http://[", "file://", ""])  # fmt: skip
def test_a_request_that_a_page_of_another_machine_sent_is_refused_by_its_origin(origin: str) -> None:
    said = refusal(scope(host="127.0.0.1:4566", origin=origin))
    assert said is not None
    assert f"A web page of {origin} sent" in said


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"])
def test_a_page_on_this_machine_may_call(origin: str) -> None:
    assert refusal(scope(host="127.0.0.1:4566", origin=origin)) is None


@pytest.mark.parametrize(
    "host", ["evil.example.com", "evil.example.com:4566", "127.0.0.1.nip.io:4566", "localhost.x.y", "["]
)
def test_a_public_name_that_was_pointed_here_is_refused_by_the_host(host: str) -> None:
    said = refusal(scope(host=host))
    assert said is not None
    assert repr(host) in said


@pytest.mark.parametrize("host", ["127.0.0.1:4566", "[::1]:4566", "localhost:4566", "local-aws:4566", "10.1.2.3",
                                  "bucket.localhost:4566", "host.docker.internal", "sts.amazonaws.com"])  # fmt: skip
def test_loopback_addresses_service_names_and_names_nobody_can_register_are_taken(host: str) -> None:
    assert refusal(scope(host=host)) is None


def test_a_client_that_sends_neither_header_is_taken() -> None:
    assert refusal(scope()) is None
