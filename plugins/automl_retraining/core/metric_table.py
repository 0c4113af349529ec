"""The metrics that models are judged by: names, directions, problem types, and how their values read.

Light (no numpy), so that the gate and a pipeline's validation can use it. The numbers come from ``core/metrics.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from automl_retraining.core.errors import ConfigError
from automl_retraining.core.section import ProblemType

MINUS = "−"

FEW_DISCORDANT = 25
"""Below this many rows on which exactly one model is right, a bootstrap of label-based metrics is not trusted."""


@dataclass(frozen=True)
class MetricSpec:
    """One metric under scikit-learn's name.

    ``label_based``: depends on predicted labels only, so it changes only where two models disagree.
    ``low``/``high``: the range that the value cannot leave. ``in_target_unit``: the value has the target's unit.
    """

    name: str
    greater_is_better: bool
    problem_types: tuple[ProblemType, ...]
    low: float = 0.0
    high: float = 1.0
    label_based: bool = False
    needs_probabilities: bool = False
    in_target_unit: bool = False

    def improvement(self, difference: float) -> float:
        """Turn challenger minus champion into "how much better", positive when the challenger is better."""
        return difference if self.greater_is_better else -difference


_BINARY: tuple[ProblemType, ...] = ("BinaryClassification",)
_MULTICLASS: tuple[ProblemType, ...] = ("MulticlassClassification",)
_CLASSES = _BINARY + _MULTICLASS
_REGRESSION: tuple[ProblemType, ...] = ("Regression",)

METRICS: dict[str, MetricSpec] = {
    spec.name: spec
    for spec in (
        MetricSpec("rmse", False, _REGRESSION, high=math.inf, in_target_unit=True),
        MetricSpec("mae", False, _REGRESSION, high=math.inf, in_target_unit=True),
        MetricSpec("r2", True, _REGRESSION, low=-math.inf),
        MetricSpec("mape", False, _REGRESSION, high=math.inf),
        MetricSpec("roc_auc", True, _BINARY, needs_probabilities=True),
        MetricSpec("roc_auc_ovr", True, _MULTICLASS, needs_probabilities=True),
        MetricSpec("log_loss", False, _CLASSES, high=math.inf, needs_probabilities=True),
        MetricSpec("accuracy", True, _CLASSES, label_based=True),
        MetricSpec("balanced_accuracy", True, _CLASSES, label_based=True),
        MetricSpec("f1", True, _BINARY, label_based=True),
        MetricSpec("f1_macro", True, _CLASSES, label_based=True),
        MetricSpec("f1_weighted", True, _CLASSES, label_based=True),
        MetricSpec("precision", True, _BINARY, label_based=True),
        MetricSpec("recall", True, _BINARY, label_based=True),
        MetricSpec("precision_macro", True, _MULTICLASS, label_based=True),
        MetricSpec("recall_macro", True, _MULTICLASS, label_based=True),
    )
}
"""Every metric by name."""

DEFAULT_METRIC: dict[ProblemType, str] = {
    "BinaryClassification": "roc_auc",
    "MulticlassClassification": "accuracy",
    "Regression": "rmse",
}


def metrics_for(problem_type: ProblemType) -> tuple[MetricSpec, ...]:
    """The metrics of that problem type, in the order in which people read them."""
    return tuple(spec for spec in METRICS.values() if problem_type in spec.problem_types)


def metric_spec(name: str, problem_type: ProblemType) -> MetricSpec:
    """The metric of that name.

    Raises:
        ConfigError: there is no such metric for the problem type; the message lists those there are.
    """
    spec = METRICS.get(name)
    if spec is None or problem_type not in spec.problem_types:
        known = ", ".join(other.name for other in metrics_for(problem_type))
        raise ConfigError(f"gate metric: expected one of {known} for {problem_type}, found {name!r}: name one of these")
    return spec


# ---------------------------------------------------------------- how numbers read


def decimals(*widths: float) -> int:
    """Decimals that show the smallest of these numbers with two significant digits: at least 0, at most 6.

    Zero, infinite and undefined widths ask for nothing; without any width, three decimals.
    """
    sizes = [abs(width) for width in widths if width and math.isfinite(width)]
    if not sizes:
        return 3
    return min(max(1 - math.floor(math.log10(min(sizes))), 0), 6)


def number(value: float, places: int) -> str:
    """``value`` with that many decimals, thousands separated, with a real minus sign and never a minus zero."""
    if math.isinf(value):
        return "∞" if value > 0 else MINUS + "∞"
    text = f"{value:,.{places}f}"
    if text.startswith("-"):
        text = text[1:] if float(text[1:].replace(",", "")) == 0 else MINUS + text[1:]
    return text


def span(low: float, high: float, places: int) -> str:
    """An interval as people write it: ``0.905–0.936``, or ``−0.003 to 0.021`` where a sign would blur the dash."""
    ends = number(low, places), number(high, places)
    return " to ".join(ends) if any(end.startswith(MINUS) for end in ends) else "–".join(ends)
