"""``make demo``, as its users run it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from scripts.stack import ROOT


def left_running() -> list[str]:
    """Command lines of processes that belong to the demo's state folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue  # gone, or not ours to read
        if f"AIRFLOW_HOME={ROOT}/.local/demo/airflow".encode() in environment.split(b"\0"):
            found.append(command.replace(b"\0", b" ").decode())
    return found


def test_the_demo_ends_well_and_leaves_nothing_running() -> None:
    """Both runs succeed, the last line says what came of them, and every process it started is gone."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.demo"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AWS_"))},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    last = done.stdout.strip().splitlines()[-1]
    assert re.fullmatch(r"demo: promoted, (promoted|kept)", last)
    for shown in ("TrainingModels", "candidate", "verdict: ", "live prediction from endpoint art-churn", "report: "):
        assert shown in done.stdout, done.stdout
    assert (ROOT / ".local" / "demo" / "report.html").stat().st_size > 20_000
    assert left_running() == []
