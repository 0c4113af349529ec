"""Feature importance out of Clarify's report."""

from __future__ import annotations

from typing import Any

import pytest

from automl_retraining.core.errors import EvidenceError
from automl_retraining.core.importance import from_clarify


def analysis(**labels: dict[str, float]) -> dict[str, Any]:
    """Clarify's analysis.json."""
    return {
        "explanations": {"kernel_shap": {label: {"global_shap_values": values} for label, values in labels.items()}}
    }


def test_features_are_ordered_by_their_mean_absolute_shap_value() -> None:
    """The sign does not count."""
    assert list(from_clarify(analysis(label0={"a": 0.1, "b": -0.5})).items()) == [("b", 0.5), ("a", 0.1)]


def test_several_labels_are_averaged() -> None:
    """A multiclass report has values for each label."""
    assert from_clarify(analysis(x={"a": 0.2}, y={"a": -0.4, "b": 0.2})) == pytest.approx({"a": 0.3, "b": 0.1})


@pytest.mark.parametrize("document", [{}, {"explanations": {"kernel_shap": {"label0": {}}}}, {"explanations": []}])
def test_another_shape_is_named(document: Any) -> None:
    """An error of ours, not a KeyError."""
    with pytest.raises(EvidenceError, match="kernel_shap"):
        from_clarify(document)
