"""The section about A/B tests: what it refuses, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl_retraining.core.ab_spec import ABSpec
from automl_retraining.core.config import load_pipeline
from automl_retraining.core.errors import ConfigError

MINIMAL = "source: a.csv\ntarget: y\nproblem_type: Regression\ngate: {metric: rmse}\n"


def test_a_pipeline_without_the_section_has_no_test(tmp_path: Path) -> None:
    """It is asked for."""
    (tmp_path / "p.yaml").write_text(MINIMAL)
    assert load_pipeline(tmp_path / "p.yaml").ab is None
    (tmp_path / "p.yaml").write_text(MINIMAL + "ab: {watch: 2h, shift: [30, 60]}\n")
    found = load_pipeline(tmp_path / "p.yaml").ab
    assert found is not None
    assert (found.share, found.watch, found.longest_watch, found.shift) == (10, 7200, 28800, (30, 60))


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("{share: 60}", "key ab.share"),
        ("{period: 7}", "ab.period: expected 1, 5, 10, 30 or a multiple of 60 seconds, found 7"),
        ("{watch: 1m}", "ab.watch: expected at least 300 s, which is 5 periods"),
        ("{max_watch: 10m}", "ab.max_watch: expected at least ab.watch, 3600 s, found 600"),
        ("{shift: [10]}", "ab.shift: expected shares that grow from ab.share, 10, to 90 at most, found 10"),
        ("{shift: [50, 100]}", "to 90 at most, found 50, 100"),
        ("{latency_statistic: p101}", "key ab.latency_statistic"),
        ("{quality: {labels: labels.csv}}", "key ab.quality.labels"),
        ("{quality: {labels: 's3://b/l.csv', metric: f1}}", "key ab.quality.metric: expected one of"),
        ("{colour: red}", "ab.colour"),
    ],
)
def test_what_cannot_be_done_is_refused_when_the_pipeline_is_loaded(tmp_path: Path, section: str, words: str) -> None:
    """Naming the key, what was expected and what was found."""
    (tmp_path / "p.yaml").write_text(f"{MINIMAL}ab: {section}\n")
    with pytest.raises(ConfigError) as caught:
        load_pipeline(tmp_path / "p.yaml")
    assert words in str(caught.value)


def test_every_look_of_a_whole_test_is_counted() -> None:
    """Labels that come late and the steps are looked at too."""
    spec = ABSpec.model_validate(
        {"watch": 600, "max_watch": 1200, "shift": [30, 60], "shift_watch": 300,
         "quality": {"labels": "s3://b/l", "wait": 600}}
    )  # fmt: skip
    assert spec.looks == (1200 + 600 + 600) / 60
