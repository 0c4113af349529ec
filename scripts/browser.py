"""A Chromium for the tests of the pages: the one on this machine, else one that is installed now.

Run by ``make test``: ``python -m scripts.browser`` prints where it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class BrowserMissing(RuntimeError):
    """There is no browser and none could be installed; the message says what was tried and what to do."""


def find() -> Path | None:
    """The browser on PATH, else Playwright's own where it is installed."""
    for name in NAMES:
        if (found := shutil.which(name)) is not None:
            return Path(found)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
    return own if own.exists() else None


def ensure() -> Path:
    """The browser; one is installed where there is none.

    Raises:
        BrowserMissing: none is there, and neither way to install one worked.
    """
    if (found := find()) is not None:
        return found
    tried = []
    for title, install in _ways():
        failure = install()
        if (found := find()) is not None:
            return found
        tried.append(f"{title}: {failure or 'ended well, but there is no browser'}")
    raise BrowserMissing(
        "expected a Chromium for the tests of the pages, found none and could not install one "
        f"({'; '.join(tried)}): install the package chromium of your system, or run "
        f"{sys.executable} -m playwright install chromium where downloads are allowed"
    )


def arguments() -> list[str]:
    """What the browser is started with: Chromium's sandbox does not work for root."""
    return ["--no-sandbox"] if os.geteuid() == 0 else []


def _ways() -> list[tuple[str, Callable[[], str | None]]]:
    ways: list[tuple[str, Callable[[], str | None]]] = []
    if os.geteuid() == 0 and shutil.which("apt-get"):
        ways.append(("apt-get", _apt))
    ways.append(("playwright install", lambda: _run([sys.executable, "-m", "playwright", "install", "chromium"])))
    return ways


def _apt() -> str | None:
    return _run(["apt-get", "update"]) or _run(["apt-get", "install", "--yes", "--no-install-recommends", "chromium"])


def _run(command: list[str]) -> str | None:
    """The last line of what a failed command said; None where it ended well."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    except subprocess.TimeoutExpired:
        return "took longer than ten minutes"
    if done.returncode == 0:
        return None
    lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    return lines[-1].strip() if lines else f"status {done.returncode}"


def main() -> int:
    """Status 1 with a sentence where there is no browser."""
    try:
        print(ensure())
    except BrowserMissing as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
