"""The directory that a training container finds, for tests of what an image's `train` makes of it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.local_aws import images

Numbers = NDArray[np.float64]


def opt_ml(
    root: Path,
    hyperparameters: Mapping[str, object],
    channels: Mapping[str, str | bytes],
    content_type: str | None = "text/csv",
    checkpoints: bool = False,
) -> Path:
    """`root` laid out as ``/opt/ml`` with one file in each channel."""
    config = root / "input" / "config"
    config.mkdir(parents=True)
    (root / "model").mkdir()
    described = {"TrainingInputMode": "File", **({"ContentType": content_type} if content_type else {})}
    texts = {name: str(value) for name, value in hyperparameters.items()}
    (config / "hyperparameters.json").write_text(json.dumps(texts))
    (config / "inputdataconfig.json").write_text(json.dumps(dict.fromkeys(channels, described)))
    if checkpoints:
        (config / "checkpointconfig.json").write_text(
            json.dumps({"LocalPath": "/opt/ml/checkpoints", "S3Uri": "s3://b"})
        )
    for name, content in channels.items():
        folder = root / "input" / "data" / name
        folder.mkdir(parents=True)
        (folder / "part-0").write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def train(image: str, root: Path) -> Path:
    """Let the image train, and answer the directory of its model."""
    training = images.training(image)
    assert training is not None
    training.train(root)
    return root / "model"


def serve(image: str, model: Path, environment: Mapping[str, str] | None = None) -> images.Container:
    """The image's container of a model."""
    return images.find(image).serve(model, environment or {})


def booster_of(model: Path) -> Any:
    """The booster in an XGBoost training's model directory, opened by xgboost itself."""
    import xgboost

    booster = xgboost.Booster()
    booster.load_model(bytearray((model / "xgboost-model").read_bytes()))
    return booster


def csv(*columns: Numbers) -> str:
    """Columns as CSV without a header."""
    return "".join(",".join(repr(float(cell)) for cell in row) + "\n" for row in np.column_stack(columns))


def last_values(log: str, request: Mapping[str, object], image: str) -> dict[str, float]:
    """The metrics that the image's definitions find in a log."""
    from include.local_aws.training.metrics import Metrics

    training = images.training(image)
    assert training is not None
    metrics = Metrics(training.metrics(request))
    metrics.read(log.splitlines(), 0.0)
    return {each["MetricName"]: each["Value"] for each in metrics.final()}
