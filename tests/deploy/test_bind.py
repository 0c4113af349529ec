"""Where the embedded AWS listens: on loopback, unless it is told that it is in a container."""

from __future__ import annotations

import pytest

from include.local_aws.__main__ import EVERYWHERE, HOST, _listen, main
from scripts.compose_file import Project


def test_it_listens_on_loopback_unless_told_otherwise() -> None:
    """It has no access control."""
    with _listen(0) as plain, _listen(0, EVERYWHERE) as container:
        assert plain.getsockname()[0] == HOST == "127.0.0.1"
        assert container.getsockname()[0] == EVERYWHERE


def test_no_other_address_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody should expose it to a network by one option."""
    with pytest.raises(SystemExit) as caught:
        main(["--bind", "192.0.2.1", "--data", "never-made"])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert HOST in said
    assert EVERYWHERE in said


def test_only_the_compose_files_container_is_told(project: Project) -> None:
    """Whose port is published on loopback, as another test holds."""
    commands = {service.name for service in project.services.values() if "--bind" in service.command}
    assert commands == {"local-aws"}
