"""Which configuration a rollback puts back: the one before, one that is named, or one of a model that is named.

Every configuration that this project puts behind an endpoint says in its tag ``art:previous-config`` what served before
it. A rollback moves the endpoint to that configuration itself, whose own tag still names the one before that: a second
rollback goes one further back, never forth again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from automl_retraining.core.errors import NotOurs, RollbackRefused
from automl_retraining.sagemaker import tags
from automl_retraining.sagemaker.endpoint import (
    CHAMPION_VARIANT,
    Endpoint,
    describe_config,
    describe_model,
    tags_of,
)


@dataclass(frozen=True)
class Target:
    """What to put back. ``config`` is None where one is to be made; ``run_folder`` is the run's that made the model."""

    model: str
    config: str | None
    run_folder: str | None


def target(
    sm: Any, current: Endpoint, *, to_config: str | None, to_model: str | None, pipeline: str, adopt: bool
) -> Target:
    """What a rollback of this endpoint puts back.

    Args:
        current: the endpoint as it serves now.
        to_config: this configuration, rather than the one before.
        to_model: this model, in a configuration of its own.
        pipeline: whose tag the configuration or model must carry, unless ``adopt``.

    Raises:
        RollbackRefused: there is none, it was deleted, its model was, or it serves already.
        NotOurs: it is another pipeline's, or nobody's.
    """
    where = f"endpoint {current.name}"
    if to_config and to_model:
        raise RollbackRefused(f"{where}: expected to_config or to_model, found both: leave one of them empty")
    if to_model:
        if current.champion_variant.get("ModelName") == to_model:
            raise RollbackRefused(f"{where}: expected another model than the one that serves, found {to_model}")
        return Target(to_model, None, _model_folder(sm, where, to_model, pipeline=pipeline, adopt=adopt))
    name = to_config or _before(sm, current)
    if name == current.config_name:
        raise RollbackRefused(f"{where}: expected another configuration than the one that serves, found {name}")
    config = describe_config(sm, name)
    if config is None:
        raise RollbackRefused(
            f"{where}: expected to go back to configuration {name}, found that it was deleted: trigger the rollback "
            "with to_model, the name of a model of this pipeline"
        )
    _check_ours(tags_of(sm, config["EndpointConfigArn"]), f"configuration {name}", pipeline=pipeline, adopt=adopt)
    model = _champion_model(where, config)
    return Target(model, name, _model_folder(sm, where, model, pipeline=pipeline, adopt=True))


def _before(sm: Any, current: Endpoint) -> str:
    """The configuration that served before the one that serves now, by the tag of the latter."""
    found = tags_of(sm, current.config["EndpointConfigArn"]).get(tags.PREVIOUS_CONFIG)
    if found is None:
        raise RollbackRefused(
            f"endpoint {current.name}: expected the configuration that serves, {current.config_name}, to name the one "
            f"before it (tag {tags.PREVIOUS_CONFIG}), found no such tag: it is the first, or was not put there by this "
            "project; trigger the rollback with to_config or to_model"
        )
    return found


def _champion_model(where: str, config: Mapping[str, Any]) -> str:
    variants: list[Mapping[str, Any]] = list(config.get("ProductionVariants", ()))
    chosen = [each for each in variants if each["VariantName"] == CHAMPION_VARIANT] or variants
    model = chosen[0].get("ModelName") if len(chosen) == 1 else None
    if model is None:
        raise RollbackRefused(
            f"{where}: expected configuration {config['EndpointConfigName']} to have a variant named "
            f"{CHAMPION_VARIANT!r} with a model, or one variant, found {[each['VariantName'] for each in variants]}"
        )
    return str(model)


def _model_folder(sm: Any, where: str, name: str, *, pipeline: str, adopt: bool) -> str | None:
    """The folder of the run that made the model, by its tag."""
    model = describe_model(sm, name)
    if model is None:
        raise RollbackRefused(
            f"{where}: expected to go back to model {name}, found that it was deleted: choose another with to_model"
        )
    found = tags_of(sm, model["ModelArn"])
    _check_ours(found, f"model {name}", pipeline=pipeline, adopt=adopt)
    return found.get(tags.RUN_FOLDER)


def _check_ours(found: Mapping[str, str], what: str, *, pipeline: str, adopt: bool) -> None:
    owner = found.get(tags.PIPELINE)
    if adopt or owner == pipeline:
        return
    raise NotOurs(
        f"{what}: expected the tag {tags.PIPELINE} to be {pipeline!r}, found {owner!r}: go back to one of this "
        "pipeline's, or set endpoint.adopt: true"
    )
