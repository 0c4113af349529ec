"""One search for each mode and problem type, shared by the tests that read what it left."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.local_aws.images.autopilot import search
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
