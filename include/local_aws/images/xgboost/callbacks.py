"""What happens between the rounds of a training: a line in the log, a checkpoint, the end on SIGTERM."""

from __future__ import annotations

import os
import signal
import types
from collections.abc import Mapping, Sequence
from typing import Any

import xgboost

from include.local_aws.images.xgboost.checkpoints import Checkpoints

Evaluations = Mapping[str, Mapping[str, Sequence[float]]]


class Printer(xgboost.callback.TrainingCallback):  # type: ignore[misc]
    """One line a round; `first` is the number of the first one."""

    def __init__(self, first: int) -> None:
        super().__init__()
        self._first = first

    def after_iteration(self, model: Any, epoch: int, evals_log: Evaluations) -> bool:  # noqa: ARG002 - xgboost's
        """Print the measures of a round."""
        values = "".join(
            f"#011{data}-{metric}:{log[-1]:.5f}"
            for data, measured in evals_log.items()
            for metric, log in measured.items()
        )
        print(f"[{epoch + self._first}]{values}", flush=True)
        return False


class Saver(xgboost.callback.TrainingCallback):  # type: ignore[misc]
    """A checkpoint after each round."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        super().__init__()
        self._checkpoints = checkpoints

    def after_iteration(self, model: Any, epoch: int, evals_log: Evaluations) -> bool:  # noqa: ARG002 - xgboost's
        """Save the model of all rounds until now."""
        self._checkpoints.save(model)
        return False


class Termination(xgboost.callback.TrainingCallback):  # type: ignore[misc]
    """SIGTERM ends the training after the round that is under way, or the process at once where nothing is saved."""

    def __init__(self, *, saves: bool) -> None:
        super().__init__()
        self.asked = False
        self._saves = saves

    def before_training(self, model: Any) -> Any:
        """Take SIGTERM over."""
        signal.signal(signal.SIGTERM, self._ask)
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Evaluations) -> bool:  # noqa: ARG002 - xgboost's
        """Whether to end."""
        return self.asked

    def _ask(self, _signal: int, _frame: types.FrameType | None) -> None:
        if not self._saves:
            os._exit(0)
        self.asked = True
