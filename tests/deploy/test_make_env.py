"""`make env`: secrets that are random, complete and their owner's only."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pytest

from scripts.make_env import filled, main, settings
from scripts.stack import ROOT

EXAMPLE = "# note\nPASSWORD=\nPORT=8080\n# OPTIONAL=1\nSOME_FERNET_KEY=\n"


def test_empty_values_are_drawn_and_the_rest_stays() -> None:
    """Comments too."""
    lines = filled(EXAMPLE).splitlines()
    assert lines[0] == "# note"
    assert lines[2:4] == ["PORT=8080", "# OPTIONAL=1"]
    assert len(lines[1]) > len("PASSWORD=") + 40


def test_two_draws_differ_and_a_fernet_key_is_one() -> None:
    """32 bytes in URL-safe base64, which the Fernet specification asks for."""
    first, second = settings(filled(EXAMPLE)), settings(filled(EXAMPLE))
    assert first["PASSWORD"] != second["PASSWORD"]
    assert len(base64.urlsafe_b64decode(first["SOME_FERNET_KEY"])) == 32
    assert first["PASSWORD"].replace("-", "").replace("_", "").isalnum()  # safe in a URL


def test_what_is_there_stays_and_what_is_missing_is_added() -> None:
    """The volumes were made with the passwords that are there."""
    again = filled(EXAMPLE, "PASSWORD=mine\nEXTRA=1\n")
    assert again.startswith("PASSWORD=mine\nEXTRA=1\nPORT=8080\nSOME_FERNET_KEY=")
    assert filled(EXAMPLE, again) == again


def test_the_file_is_its_owners_only_and_a_second_run_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And no secret is printed."""
    shutil.copy(ROOT / ".env.example", tmp_path)
    assert main(tmp_path) == 0
    path = tmp_path / ".env"
    text = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    assert main(tmp_path) == 0
    assert path.read_text() == text
    assert path.stat().st_mode & 0o777 == 0o600
    said = capsys.readouterr().out
    assert "nothing was missing" in said
    assert settings(text)["AIRFLOW_ADMIN_PASSWORD"] not in said
