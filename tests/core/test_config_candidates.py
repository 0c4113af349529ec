"""The ``candidates`` section of a pipeline's YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl_retraining.core.config import load_pipeline
from automl_retraining.core.errors import ConfigError

BASE = "source: a.csv\ntarget: y\ngate: {metric: roc_auc}\n"


def test_the_defaults_are_a_small_budget_chosen_by_rule(tmp_path: Path) -> None:
    """Nothing has to be said."""
    (tmp_path / "p.yaml").write_text(BASE)
    spec = load_pipeline(tmp_path / "p.yaml").candidates
    assert (spec.pick, spec.max_picked, spec.max_jobs) == ("rule", 3, 10)
    assert spec.algorithms == ("xgboost", "linear-learner", "mlp")


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("{algorithms: []}", "expected at least one of xgboost, linear-learner, mlp, found an empty list"),
        ("{algorithms: [lightgbm]}", "lightgbm"),
        ("{names: [dpp0-xgboost, dpp0-xgboost]}", "names: expected each once"),
        ("{max_picked: 11}", "candidates.max_picked"),
        ("{pick: dice}", "candidates.pick"),
        ("{answer_within: soon}", 'such as "90s"'),
        ("{strategy: Grid}", "candidates.strategy"),
        ("{instance_type: big}", "candidates.instance_type"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_key(tmp_path: Path, section: str, words: str) -> None:
    """File and key are in the sentence."""
    (tmp_path / "p.yaml").write_text(f"{BASE}candidates: {section}\n")
    with pytest.raises(ConfigError, match=words) as error:
        load_pipeline(tmp_path / "p.yaml")
    assert "p.yaml" in str(error.value)
