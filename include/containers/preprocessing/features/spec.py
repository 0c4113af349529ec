"""``spec.json``: the columns that the model sees and the target, as the split found them."""

import json
from dataclasses import dataclass
from pathlib import Path

KINDS = ("number", "category", "datetime")


@dataclass(frozen=True)
class Spec:
    """The table's contract. ``classes`` in the order of the model's outputs; empty for a regression."""

    target: str
    features: tuple[str, ...]
    kinds: tuple[str, ...]
    classes: tuple[str, ...]

    @property
    def classification(self) -> bool:
        """Whether the target is a class."""
        return bool(self.classes)

    def of_kind(self, kind: str) -> list[str]:
        """The features of one kind, in order."""
        return [name for name, each in zip(self.features, self.kinds, strict=True) if each == kind]


def read(path: Path) -> Spec:
    """The spec in a file; ValueError for one that is no spec."""
    document = json.loads(path.read_text(encoding="utf-8"))
    kinds = tuple(column["kind"] for column in document["features"])
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown:
        raise ValueError(f"{path}: expected the kinds {', '.join(KINDS)}, found {', '.join(unknown)}")
    return Spec(
        target=document["target"],
        features=tuple(column["name"] for column in document["features"]),
        kinds=kinds,
        classes=tuple(document["classes"]),
    )
