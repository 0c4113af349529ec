"""One search for each mode and problem type, shared by the tests that read what it left."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from include.local_aws.images.autopilot import layout, search
from tests.local_aws.images.autopilot import jobs

MODES = ("ENSEMBLING", "HYPERPARAMETER_TUNING")
PROBLEMS = ("BinaryClassification", "MulticlassClassification", "Regression")


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """Roots of finished jobs by mode and problem type, each with three candidates."""
    roots = {}
    for mode in MODES:
        for problem in PROBLEMS:
            root = jobs.write(
                tmp_path_factory.mktemp(f"{mode}-{problem}"),
                jobs.table(problem),
                Mode=mode,
                CompletionCriteria={"MaxCandidates": 3},
            )
            search.run(root)
            roots[mode, problem] = root
    return roots


@pytest.fixture
def own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data processors' modules of this test only: a training job has a process of its own, tests share one."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in [name for name in sys.modules if name.startswith(layout.MODULES)]:
        monkeypatch.delitem(sys.modules, name)
