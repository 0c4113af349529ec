"""The health checks of docker-compose.yaml: quiet where it is well, else a sentence."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from include.deploy import healthy
from include.deploy.healthy import Unhealthy, check
from scripts.compose_file import Project

WELL = {name: {"status": "healthy"} for name in ("metadatabase", "scheduler", "triggerer", "dag_processor")}


class _Answer(BaseHTTPRequestHandler):
    body: object = WELL

    def do_GET(self) -> None:
        data = json.dumps(self.body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    """A server that answers with `_Answer.body`, as the api-server and the embedded AWS do."""
    server = HTTPServer(("127.0.0.1", 0), _Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def environment(url: str) -> dict[str, str]:
    return {"AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/"}


@pytest.mark.parametrize("component", sorted(healthy.AIRFLOW_COMPONENTS))
def test_a_component_is_well_when_the_api_server_says_so(
    component: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its heartbeat in the database."""
    check(component, environment(url))
    part = healthy.AIRFLOW_COMPONENTS[component]
    for status in ("unhealthy", None):
        monkeypatch.setattr(_Answer, "body", {**WELL, part: {"status": status}})
        with pytest.raises(Unhealthy, match=f"{part} is not healthy"):
            check(component, environment(url))


def test_the_embedded_aws_is_well_once_it_is_ready(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers before that."""
    monkeypatch.setattr(healthy, "LOCAL_AWS", url)
    monkeypatch.setattr(_Answer, "body", {"ready": True})
    check("local-aws", {})
    monkeypatch.setattr(_Answer, "body", {"ready": False})
    with pytest.raises(Unhealthy, match="not ready yet"):
        check("local-aws", {})


def test_nobody_who_answers_is_not_well() -> None:
    """The sentence names the address."""
    with pytest.raises(Unhealthy, match=r"http://127\.0\.0\.1:1/api/v2/monitor/health does not answer"):
        check("scheduler", environment("http://127.0.0.1:1"))


def test_a_worker_beside_another_executor_is_told_so() -> None:
    """Rather than waiting for ever for tasks that nobody sends."""
    with pytest.raises(Unhealthy, match="expected AIRFLOW_EXECUTOR=CeleryExecutor"):
        check("worker", {"AIRFLOW__CORE__EXECUTOR": "LocalExecutor"})


def test_a_worker_without_its_broker_is_not_well() -> None:
    """Whatever the broker's client makes of it."""
    with pytest.raises(Unhealthy, match="the broker can't be asked"):
        check(
            "worker",
            {"AIRFLOW__CORE__EXECUTOR": "CeleryExecutor", "AIRFLOW__CELERY__BROKER_URL": "redis://127.0.0.1:1/0"},
        )


def test_an_address_that_is_not_the_execution_apis_is_refused() -> None:
    """It is where the api-server's address comes from."""
    with pytest.raises(Unhealthy, match="found ''"):
        check("scheduler", {})


def test_an_unknown_component_is_refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """By name, with the names there are."""
    monkeypatch.setattr("sys.argv", ["healthy", "webserver"])
    assert healthy.main() == 1
    assert "expected one of local-aws, api-server, scheduler" in capsys.readouterr().err


def test_the_compose_files_checks_name_their_own_service(project: Project) -> None:
    """No service answers for another."""
    for service in project.services.values():
        assert (
            service.healthcheck is None
            or service.name in ("postgres", "redis")
            or (service.healthcheck.test == ("python", "-m", "include.deploy.healthy", service.name))
        )
