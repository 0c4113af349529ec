"""What airflow-init does before the components start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from include.deploy.prepare import BUCKET, CONNECTION, NotPrepared, bucket, embedded_aws, main, write_logins
from scripts.compose_file import Project

LOGINS = {"AIRFLOW_ADMIN_PASSWORD": "a", "AIRFLOW_VIEWER_PASSWORD": "v"}


def test_the_logins_are_written_for_their_owner_only_and_renewed(tmp_path: Path) -> None:
    """In the form that Airflow's simple auth manager reads."""
    path = tmp_path / "passwords.json"
    environment = {**LOGINS, "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(path)}
    write_logins(environment)
    assert json.loads(path.read_text()) == {"admin": "a", "viewer": "v"}
    path.chmod(0o644)
    write_logins({**environment, "AIRFLOW_ADMIN_PASSWORD": "b"})
    assert json.loads(path.read_text())["admin"] == "b"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_password_is_named(tmp_path: Path) -> None:
    """Airflow would otherwise draw one and print it into a log."""
    path = str(tmp_path / "passwords.json")
    with pytest.raises(NotPrepared, match="expected AIRFLOW_VIEWER_PASSWORD in the environment, found nothing"):
        write_logins({"AIRFLOW_ADMIN_PASSWORD": "a", "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": path})


@pytest.mark.parametrize(
    ("connection", "endpoint"),
    [
        ("aws://K:S@/?region_name=eu-west-1", None),
        ("aws://", None),
        (
            "aws://local:local@/?region_name=us-east-1&endpoint_url=http%3A%2F%2Flocal-aws%3A4566",
            "http://local-aws:4566",
        ),
        ('aws://?__extra__={"endpoint_url":"http://h:1"}', "http://h:1"),
        ('{"conn_type": "aws", "extra": {"endpoint_url": "http://h:1"}}', "http://h:1"),
        ('{"conn_type": "aws", "extra": "{\\"endpoint_url\\": \\"http://h:1\\"}"}', "http://h:1"),
        ('{"conn_type": "aws", "extra": {"region_name": "x"}}', None),
        ('{"conn_type": "aws"}', None),
    ],
)
def test_where_a_connection_leads_is_read_from_each_form_that_airflow_takes(
    connection: str, endpoint: str | None
) -> None:
    """Only an endpoint that it names is the embedded AWS."""
    assert embedded_aws(connection) == endpoint


def test_in_a_real_account_no_bucket_is_made() -> None:
    """And it says so."""
    said = bucket({CONNECTION: "aws://K:S@/?region_name=eu-west-1", BUCKET: "mine"})
    assert said == "bucket mine: in your AWS account, nothing was done there"


def test_the_compose_files_own_connection_leads_to_the_embedded_aws(project: Project) -> None:
    """By its name and port on the network of the services."""
    environment = project.services["airflow-init"].environment
    assert embedded_aws(environment[CONNECTION]) == "http://local-aws:4566"
    command = project.services["local-aws"].command
    assert command[command.index("--port") + 1] == "4566"


def test_the_command_line_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    """With its usage."""
    assert main(["everything"]) == 2
    assert "usage" in capsys.readouterr().err
