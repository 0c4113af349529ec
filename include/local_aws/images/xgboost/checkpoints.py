"""XGBoost's checkpoints: the model after each round, and the last of them as where to go on."""

from __future__ import annotations

import re
from pathlib import Path

import xgboost

KEPT = 5
"""How many are kept, as the real image does."""
_NAME = re.compile(r"xgboost-checkpoint\.(\d+)")


class Checkpoints:
    """Those in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def _found(self) -> list[tuple[int, Path]]:
        matches = [(_NAME.fullmatch(path.name), path) for path in self._folder.iterdir()]
        return sorted((int(match[1]), path) for match, path in matches if match)

    def latest(self) -> tuple[xgboost.Booster | None, int]:
        """The last readable one and how many rounds it has; None and 0 without any."""
        for _, path in reversed(self._found()):
            booster = xgboost.Booster()
            try:
                booster.load_model(bytearray(path.read_bytes()))
            except xgboost.core.XGBoostError as error:
                print(f"The checkpoint {path.name} can't be read: {str(error).splitlines()[0]}", flush=True)
                continue
            return booster, booster.num_boosted_rounds()
        return None, 0

    def save(self, model: xgboost.Booster) -> None:
        """Write one, whole or not at all, and remove the oldest."""
        last = model.num_boosted_rounds() - 1
        part = self._folder / ".part"
        part.write_bytes(model.save_raw("ubj"))
        part.replace(self._folder / f"xgboost-checkpoint.{last}")
        for _, path in self._found()[:-KEPT]:
            path.unlink()
