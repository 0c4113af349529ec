"""Fit the feature pipeline on the train part, apply it to train and validation, and write both and the pipeline.

A processing job's script. Inputs below ``--input``: ``spec/spec.json``, ``train/*.csv``, ``validation/*.csv`` (with a
header). Outputs below ``--output``: ``train/train.csv`` and ``validation/validation.csv`` (or ``.npy``), the label
first and no header, and ``model/``: ``model.tar.gz`` for SageMaker's scikit-learn container, and ``features.json``.
"""

import argparse
import io
import json
import shutil
import sys
import tarfile
import tempfile
import traceback
from pathlib import Path

import joblib
import numpy as np

from features import spec as specs
from features import table
from features.pipeline import build

HERE = Path(__file__).resolve().parent
MESSAGE = Path("/opt/ml/output/message")
"""What a processing job writes here is its ExitMessage (at most 1 KB)."""


def main(arguments: list[str]) -> None:
    """Do it; the exit message says how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, default=Path("/opt/ml/processing/input"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output"))
    parser.add_argument("--format", choices=("csv", "npy"), default="csv")
    options = parser.parse_args(arguments)

    spec_path = options.input / "spec" / "spec.json"
    spec = specs.read(spec_path)
    features, labels = table.read(options.input / "train", spec)
    pipeline = build(spec).fit(features)
    names = [str(name) for name in pipeline.get_feature_names_out()]
    print(f"fitted on {len(features)} rows: {len(spec.features)} columns become {len(names)} features")
    write(options.output / "train", "train", options.format, labels, pipeline.transform(features))
    features, labels = table.read(options.input / "validation", spec)
    write(options.output / "validation", "validation", options.format, labels, pipeline.transform(features))
    contract = {"inputs": list(spec.features), "outputs": names, "target": spec.target, "classes": list(spec.classes)}
    model(options.output / "model", pipeline, spec_path, contract)


def write(folder: Path, name: str, form: str, labels: np.ndarray, features: np.ndarray) -> None:
    """One part: shape (rows, 1 + features), the label first."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = np.column_stack([labels, features])
    if form == "npy":
        np.save(folder / f"{name}.npy", rows)
    else:
        np.savetxt(folder / f"{name}.csv", rows, delimiter=",", fmt="%.9g")
    print(f"{name}: {rows.shape[0]} rows")


def model(folder: Path, pipeline: object, spec_path: Path, contract: dict[str, object]) -> None:
    """``model.tar.gz`` (the fitted pipeline, its spec and the code that serves it) and ``features.json`` beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(contract, indent=1)
    (folder / "features.json").write_text(text + "\n", encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        stage = Path(scratch)
        joblib.dump(pipeline, stage / "pipeline.joblib")
        shutil.copy(spec_path, stage / "spec.json")
        (stage / "features.json").write_text(text + "\n", encoding="utf-8")
        shutil.copytree(HERE / "features", stage / "code" / "features", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(HERE / "inference.py", stage / "code" / "inference.py")
        with tarfile.open(folder / "model.tar.gz", "w:gz") as archive:
            for path in sorted(stage.iterdir()):
                archive.add(path, arcname=path.name)


def _leave_message(text: str) -> None:
    if MESSAGE.parent.is_dir():
        MESSAGE.write_text(text[-1000:], encoding="utf-8")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except table.TableError as error:
        _leave_message(str(error))
        sys.exit(f"error: {error}")
    except Exception:
        # Whoever runs the job sees its exit message first: the last lines say what happened.
        lines = io.StringIO()
        traceback.print_exc(file=lines)
        _leave_message(lines.getvalue())
        raise
