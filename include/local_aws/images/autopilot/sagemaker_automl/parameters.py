"""Ranges of hyperparameters, written as in the SageMaker SDK."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class _Parameter:
    """A range of a hyperparameter."""

    values: tuple[Any, ...]
    scaling_type: str = "Auto"

    def described(self, name: str) -> dict[str, Any]:
        """As HyperParameterRanges has it."""
        low, high = self.values
        return {"Name": name, "MinValue": str(low), "MaxValue": str(high), "ScalingType": self.scaling_type}


class IntegerParameter(_Parameter):
    """Whole numbers from a minimum to a maximum."""

    kind = "IntegerParameterRanges"

    def __init__(self, min_value: int, max_value: int, scaling_type: str = "Auto") -> None:
        super().__init__((min_value, max_value), scaling_type)


class ContinuousParameter(_Parameter):
    """Numbers from a minimum to a maximum."""

    kind = "ContinuousParameterRanges"

    def __init__(self, min_value: float, max_value: float, scaling_type: str = "Auto") -> None:
        super().__init__((min_value, max_value), scaling_type)


class CategoricalParameter(_Parameter):
    """Some texts."""

    kind = "CategoricalParameterRanges"

    def __init__(self, values: Sequence[str]) -> None:
        super().__init__(tuple(values))

    def described(self, name: str) -> dict[str, Any]:
        """As HyperParameterRanges has it."""
        return {"Name": name, "Values": [str(value) for value in self.values]}
