"""Feature importance out of a Clarify explainability report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl_retraining.core.errors import EvidenceError


def from_clarify(document: Mapping[str, Any]) -> dict[str, float]:
    """Mean absolute SHAP value by feature, largest first; over several labels, their mean.

    Args:
        document: Clarify's ``analysis.json``:
            ``{"explanations": {"kernel_shap": {"<label>": {"global_shap_values": {"<feature>": 0.1}}}}}``
            (Amazon SageMaker developer guide, "SHAP analysis results").

    Raises:
        EvidenceError: the document has another shape.
    """
    try:
        labels = [dict(label["global_shap_values"]) for label in document["explanations"]["kernel_shap"].values()]
        features = {feature for label in labels for feature in label}
        means = {
            feature: sum(abs(float(label.get(feature, 0.0))) for label in labels) / len(labels) for feature in features
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EvidenceError(
            f"explainability report: expected explanations.kernel_shap.<label>.global_shap_values, found {error!r}"
        ) from error
    return dict(sorted(means.items(), key=lambda item: (-item[1], item[0])))
