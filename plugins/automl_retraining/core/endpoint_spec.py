"""The section of a pipeline's YAML about the endpoint that serves the champion."""

from __future__ import annotations

from pydantic import Field

from automl_retraining.core.section import INSTANCE_TYPE, Seconds, Section


class EndpointSpec(Section):
    """The endpoint that serves the champion."""

    name: str | None = Field(None, pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")
    instance_type: str = Field("ml.m5.large", pattern=INSTANCE_TYPE)
    instance_count: int = Field(1, ge=1, le=1000)
    adopt: bool = False
    smoke_rows: int = Field(5, ge=1, le=100)
    lease: Seconds = Field(1800, ge=60)
