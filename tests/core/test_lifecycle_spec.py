"""The sections about the registry and about how long things are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from automl_retraining.core.config import Pipeline, load_pipeline
from automl_retraining.core.errors import ConfigError

MINIMAL = "source: a.csv\ntarget: y\ngate: {metric: rmse}\n"


def pipeline(name: str, **more: Any) -> Pipeline:
    """A pipeline of that name."""
    return Pipeline.model_validate({"name": name, "source": "a", "target": "y", "gate": {"metric": "rmse"}, **more})


@pytest.mark.parametrize(("name", "group"), [("churn", "art-churn"), ("a__b", "art-a--b")])
def test_the_group_is_named_as_the_pipeline_in_letters_that_aws_takes(name: str, group: str) -> None:
    """No underscore, no hyphen at the end."""
    assert pipeline(name).package_group == group


def test_a_group_that_is_named_wins() -> None:
    """As the endpoint's name does."""
    assert pipeline("churn", registry={"group": "Models"}).package_group == "Models"


def test_by_default_a_quarter_of_a_year_is_kept_and_the_registry_is_on() -> None:
    """What a team forgets to say must not be lost."""
    made = pipeline("churn")
    assert (made.registry.enabled, made.registry.adopt, made.retention.days) == (True, False, 90)


@pytest.mark.parametrize(
    ("text", "found"),
    [("retention: {days: 0}\n", "retention.days"), ("retention: {models: 0}\n", "retention.models"),
     ("registry: {group: a_b}\n", "registry.group"), ("retention: {keep: 3}\n", "retention.keep")],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_its_key(tmp_path: Path, text: str, found: str) -> None:
    """Nothing kept at all would take the way back with it."""
    path = tmp_path / "p.yaml"
    path.write_text(MINIMAL + text)
    with pytest.raises(ConfigError, match=found):
        load_pipeline(path)
