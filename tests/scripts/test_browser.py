"""Where the tests of the pages find their browser."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scripts import browser


def test_the_browser_on_path_is_taken_and_nothing_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By any of the names that systems give it."""
    for name in browser.NAMES:
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).touch(mode=0o755)
        monkeypatch.setenv("PATH", str(folder))
        assert browser.find() == folder / name
        assert browser.ensure() == folder / name


def test_a_browser_that_playwright_only_knows_of_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a path for its own one whether that is installed or not."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "none"))
    assert browser.find() is None


def test_only_root_runs_it_without_its_sandbox() -> None:
    """Chromium refuses to start as root else."""
    assert browser.arguments() == (["--no-sandbox"] if os.geteuid() == 0 else [])
