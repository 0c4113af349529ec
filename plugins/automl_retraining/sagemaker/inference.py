"""From a candidate's inference containers to a model's: the chain that answers labels and probabilities.

What an Autopilot classification model answers is chosen by environment variables. Each container lists what it can
give in ``SAGEMAKER_INFERENCE_SUPPORTED``; each container that can is told what to give, and the next one what it gets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from automl_retraining.core.errors import RequestError
from automl_retraining.core.records import CLASSIFICATION_OUTPUT, ContainerSpec
from automl_retraining.core.section import ProblemType
from automl_retraining.sagemaker.answers import member

SUPPORTED = "SAGEMAKER_INFERENCE_SUPPORTED"
OUTPUT = "SAGEMAKER_INFERENCE_OUTPUT"
INPUT = "SAGEMAKER_INFERENCE_INPUT"


def containers(raw: Sequence[Mapping[str, Any]]) -> tuple[ContainerSpec, ...]:
    """``InferenceContainers`` as values: image, artifact and environment; anything else (``Mode``) is left behind."""
    return tuple(
        ContainerSpec(
            image=member(container, "Image", "inference container of a candidate"),
            model_data_url=container.get("ModelDataUrl"),
            environment=dict(container.get("Environment") or {}),
        )
        for container in raw
    )


def answering(
    chain: Sequence[ContainerSpec], problem_type: ProblemType, wanted: Sequence[str] = CLASSIFICATION_OUTPUT
) -> tuple[ContainerSpec, ...]:
    """The chain with its environment set so that the last container answers the wanted keys, in that order.

    A regression model answers one number and is left as it is.

    Raises:
        RequestError: the candidate has no containers, or its last word cannot give one of the keys.
    """
    if not chain:
        raise RequestError("expected a candidate with inference containers, found one without: it cannot serve")
    if problem_type == "Regression":
        return tuple(chain)
    result: list[ContainerSpec] = []
    given: tuple[str, ...] = ()
    for container in chain:
        supported = _keys(container.environment.get(SUPPORTED, ""))
        if not supported:
            result.append(container)
            given = ()
            continue
        environment = dict(container.environment)
        if given:
            environment[INPUT] = ",".join(given)
        given = tuple(key for key in wanted if key in supported)
        if given:
            environment[OUTPUT] = ",".join(given)
        result.append(container.model_copy(update={"environment": environment}))
    missing = [key for key in wanted if key not in given]
    if missing:
        last = result[-1]
        raise RequestError(
            f"expected the candidate's last container to answer {', '.join(wanted)}; found that {last.image} lists "
            f"{last.environment.get(SUPPORTED) or 'nothing'} in {SUPPORTED}, without {', '.join(missing)}: "
            "its predictions cannot be judged by probabilities"
        )
    return tuple(result)


def _keys(text: str) -> tuple[str, ...]:
    return tuple(key.strip() for key in text.split(",") if key.strip())
