"""``python -m include.deploy.healthy COMPONENT``: the health checks of docker-compose.yaml.

Status 0 and nothing said where it is well, else 1 and a sentence. Airflow's own ``airflow jobs check`` says the same
after three seconds of imports, every time and for each component; asking the api-server costs a tenth of one. So an
Airflow component counts as unhealthy, too, while the api-server does not answer: no task could run then either.
"""

import json
import os
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

SECONDS = 5.0
LOCAL_AWS = "http://127.0.0.1:4566/_health"
API_SERVER = "http://127.0.0.1:8080/api/v2/monitor/health"
AIRFLOW_COMPONENTS = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}
"""Component to its name in the api-server's answer."""
_EXECUTION_PATH = "/execution/"


class Unhealthy(RuntimeError):
    """What is wrong, in a sentence."""


def check(component: str, environment: Mapping[str, str]) -> None:
    """Return where the component is well; raises `Unhealthy`, or `ValueError` for a component there is none of."""
    match component:
        case "local-aws":
            health = _get(LOCAL_AWS)
            if health.get("ready") is not True:
                raise Unhealthy(f"the embedded AWS is not ready yet: {health}")
        case "api-server":
            _expect("metadatabase", _get(API_SERVER))
        case "worker":
            _worker(environment)
        case _ if component in AIRFLOW_COMPONENTS:
            _expect(AIRFLOW_COMPONENTS[component], _get(monitor(environment)))
        case _:
            known = ["local-aws", "api-server", *AIRFLOW_COMPONENTS, "worker"]
            raise ValueError(f"expected one of {', '.join(known)}, found {component!r}")


def monitor(environment: Mapping[str, str]) -> str:
    """Where the api-server tells how the components are, as seen from another container."""
    url = environment.get("AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "")
    if not url.endswith(_EXECUTION_PATH):
        raise Unhealthy(
            f"expected AIRFLOW__CORE__EXECUTION_API_SERVER_URL to be the api-server's address and {_EXECUTION_PATH}, "
            f"found {url!r}"
        )
    return f"{url.removesuffix(_EXECUTION_PATH)}/api/v2/monitor/health"


def _expect(part: str, health: Mapping[str, Any]) -> None:
    said = health.get(part) or {}
    if said.get("status") != "healthy":
        raise Unhealthy(f"the api-server says that {part} is not healthy: {said}")


def _get(url: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:  # noqa: S310 - http, from this file or compose's
            return dict(json.load(answer))
    except (OSError, ValueError) as error:
        raise Unhealthy(f"{url} does not answer: {error}") from error


def _worker(environment: Mapping[str, str]) -> None:
    executor = environment.get("AIRFLOW__CORE__EXECUTOR", "")
    if "CeleryExecutor" not in executor:
        raise Unhealthy(
            f"expected AIRFLOW_EXECUTOR=CeleryExecutor beside the profile celery, found {executor!r}: nothing would "
            "ever be sent to this worker"
        )
    from celery import Celery

    name = f"celery@{socket.gethostname()}"
    app = Celery(broker=environment["AIRFLOW__CELERY__BROKER_URL"])
    try:
        with app.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=SECONDS)
            answers = app.control.inspect(destination=[name], timeout=SECONDS, connection=connection).ping()
    except Exception as error:  # whatever the broker's client raises: the worker can't be reached
        raise Unhealthy(f"the broker can't be asked for {name}: {error}") from error
    if not answers or name not in answers:
        raise Unhealthy(f"{name} does not answer")


def main() -> int:
    """The command line."""
    if len(sys.argv) != 2:
        print("usage: python -m include.deploy.healthy COMPONENT", file=sys.stderr)
        return 2
    try:
        check(sys.argv[1], os.environ)
    except (Unhealthy, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
