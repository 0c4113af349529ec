"""The reference of a champion: the last model that was promoted by superiority.

A non-inferior challenger may be a little worse than the champion, and the next one a little worse than that. Holding
each of them against the reference as well keeps a series of them within one margin of a model that was once shown to be
better (docs/gate.md). The chain is read from what promoted each model: its own run's ``decision.json``, found through
the model's tag ``art:run-folder``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from automl_retraining.core.errors import StorageError
from automl_retraining.core.records import Decision, ModelRef
from automl_retraining.sagemaker import endpoint, storage

NOT_ASKED = "it was not scored, as the policy's mode was superiority"
"""Why there are no scores of a reference that is known, where nothing is wrong."""


@dataclass(frozen=True)
class Reference:
    """The model, or why it is not known; and why it cannot be scored, where it is known but gone."""

    model: ModelRef | None
    problem: str | None = None


def find(sm: Any, s3: Any, champion: ModelRef) -> ModelRef | None:
    """The champion's reference; None where it cannot be told.

    Raises:
        StorageError: S3 did not answer.
    """
    return look(sm, s3, champion).model


def look(sm: Any, s3: Any, champion: ModelRef) -> Reference:
    """The champion's reference, or in words what stands in the way of one.

    - Promoted by superiority, as the first model, or by a person (an approved doubt, a model deployed by hand, an
      adopted one): the champion is the reference itself.
    - Promoted as not inferior: the reference of that decision carries on.

    Raises:
        StorageError: S3 did not answer (worth a retry; a folder that is gone is told as a ``problem`` instead).
    """
    if not champion.run_folder:
        return Reference(champion)  # no run of ours made it: whoever put it there answers for it
    uri = storage.join(champion.run_folder, "decision.json")
    unknown = f"the reference of champion {champion.model_name} cannot be told: "
    try:
        decision = storage.read_record(s3, uri, Decision)
    except StorageError as error:
        if error.retryable:
            raise
        return Reference(None, unknown + str(error))
    if decision.challenger != champion.model_name:
        return Reference(
            None, f"{unknown}expected {uri} to tell about it, found {decision.challenger}: that run was cleared since"
        )
    by_margin = decision.verdict == "promote" and decision.policy.mode == "non_inferiority" and decision.champion
    if not by_margin:
        return Reference(champion)
    if decision.reference is None:
        return Reference(None, f"{unknown}{uri} names none")
    name = decision.reference.model_name
    if name != champion.model_name and endpoint.describe_model(sm, name) is None:
        return Reference(
            decision.reference,
            f"the reference {name} (the last model promoted by superiority) is not there any more: somebody deleted it",
        )
    return Reference(decision.reference)
