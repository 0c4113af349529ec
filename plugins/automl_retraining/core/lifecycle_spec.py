"""The sections of a pipeline's YAML about what outlives a run: the model registry, and how long things are kept."""

from __future__ import annotations

from pydantic import Field

from automl_retraining.core.section import Section


class RegistrySpec(Section):
    """The model registry: a model package group, with a version for each candidate that reached the gate."""

    enabled: bool = True
    group: str | None = Field(
        None, pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$", description="the group's name; else art-<pipeline>"
    )
    adopt: bool = Field(False, description="take a group that was not made by this pipeline")


class RetentionSpec(Section):
    """What the DAG ``retention`` keeps of a pipeline. What serves, or may serve again, is kept whatever these say."""

    enabled: bool = Field(True, description="false: nothing of this pipeline is ever retired")
    days: int = Field(90, ge=1, le=3650, description="nothing younger is retired")
    models: int = Field(3, ge=1, le=1000, description="the last so many promoted models, with their configurations")
    runs: int = Field(20, ge=1, le=100_000, description="the newest so many run folders")
    packages: int = Field(50, ge=1, le=10_000, description="the newest so many versions of the model package group")
