"""What a preprocessor and a trained model must agree on: columns in, features out, and their order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from automl_retraining.core.errors import DataError
from automl_retraining.core.records import Manifest, Record

_KINDS = {"integer": "number", "number": "number", "text": "category", "datetime": "datetime", "empty": "number"}
"""The preprocessor's word for a column's type. An empty column has no values to be categories."""


class FeatureContract(Record):
    """``features.json``, which the preprocessing script writes beside its model."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    target: str
    classes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that differ for other names, another order or other classes."""
        text = json.dumps([self.inputs, self.outputs, self.target, self.classes], ensure_ascii=False)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def classes(manifest: Manifest) -> tuple[str, ...]:
    """The classes in the order of the model's outputs; of two, the positive one is the second. Empty: a regression."""
    labels = manifest.labels
    positive = manifest.positive_class
    if len(labels) == 2 and positive in labels:
        return (*(label for label in labels if label != positive), str(positive))
    return labels


def preprocessing_spec(manifest: Manifest) -> dict[str, Any]:
    """``spec.json``: what the preprocessing script is told about the table."""
    types = {column.name: column.type for column in manifest.columns}
    return {
        "target": manifest.target,
        "features": [{"name": name, "kind": _KINDS[types[name]]} for name in manifest.features],
        "classes": list(classes(manifest)),
    }


def read_contract(text: str, uri: str) -> FeatureContract:
    """``features.json``; DataError for a file that is something else."""
    try:
        return FeatureContract.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(
            f"{uri}: expected what preprocess.py writes (inputs, outputs, target, classes), found "
            f"{'.'.join(map(str, first['loc'])) or 'the whole file'}: {first['msg']}"
        ) from error


def check_inputs(contract: FeatureContract, columns: Sequence[str], *, whose: str) -> None:
    """Hold the columns that a preprocessor reads against those of a table.

    Args:
        contract: The preprocessor's.
        columns: The table's features, in order.
        whose: The preprocessor, for the sentence.

    Raises:
        DataError: saying which columns are missing, new, or in another place.
    """
    if tuple(columns) == contract.inputs:
        return
    missing = [name for name in contract.inputs if name not in columns]
    new = [name for name in columns if name not in contract.inputs]
    found = [f"{', '.join(missing)} missing"] if missing else []
    found += [f"{', '.join(new)} new to it"] if new else []
    raise DataError(
        f"{whose}: expected a table with the features {', '.join(contract.inputs)}, found "
        + ("; ".join(found) or f"the same in another order, {', '.join(columns)}")
    )
