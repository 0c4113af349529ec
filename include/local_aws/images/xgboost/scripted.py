"""Script mode of the XGBoost image: the user's script trains, the user's handlers serve.

What they don't define is done as the real image does it: requests become an ``xgboost.DMatrix``, answers are encoded
by the framework. There is no default for ``model_fn``: how a model was saved is the script's own matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xgboost

from include.local_aws.images import Container, tables
from include.local_aws.scripting import encoders, serving, training

_CONTENTS = (tables.CSV, tables.LIBSVM, tables.RECORDIO)


def train(root: Path) -> None:
    """Run the script that the hyperparameters name; see `scripting.training.train`."""
    training.train(root, framework="sagemaker_xgboost_container.training:main")


def serve(model_dir: Path, environment: Mapping[str, str]) -> Container:
    """Load the user's handlers; see `scripting.serving.load`."""
    return serving.load(model_dir, environment, DEFAULTS)


def model_fn(model_dir: str) -> Any:
    """Refused: only the user's script knows how its model was saved."""
    raise serving.UnusableScript(
        f"The inference script must define model_fn(model_dir), which loads the model from {model_dir}."
    )


def input_fn(body: str | bytes, content_type: str) -> Any:
    """The rows of a CSV, LIBSVM or RecordIO-protobuf body."""
    content = body.encode() if isinstance(body, str) else body
    return xgboost.DMatrix(tables.request(content, content_type, _CONTENTS)[0].features)


def predict_fn(data: Any, model: Any) -> Any:
    """What the booster predicts."""
    return model.predict(data, validate_features=False)


def output_fn(prediction: Any, accept: str) -> tuple[bytes, str]:
    """The prediction as JSON, CSV or NPY."""
    return encoders.encode(prediction, accept), accept


DEFAULTS = serving.Handlers(model_fn, input_fn, predict_fn, output_fn)
