"""The scikit-learn container's own handlers, for what the user's inference script does not define.

There is no default for ``model_fn``, as in AWS's image: how a model was saved is the script's own matter.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from include.local_aws.images import Container
from include.local_aws.scripting import encoders, serving


def load(model_dir: Path, environment: Mapping[str, str]) -> Container:
    """Load the user's script with its model; raises `scripting.serving.UnusableScript`."""
    return serving.load(model_dir, environment, DEFAULTS)


def model_fn(model_dir: str) -> Any:
    """Refused: only the user's script knows how its model was saved."""
    raise serving.UnusableScript(
        f"The inference script must define model_fn(model_dir), which loads the model from {model_dir}."
    )


def input_fn(body: str | bytes, content_type: str) -> Any:
    """An array of a CSV, JSON or NPY body; of the first two as 32-bit floats."""
    found = encoders.decode(body, content_type)
    return found.astype(np.float32) if encoders.media_type(content_type) in encoders.TEXT else found


def predict_fn(data: Any, model: Any) -> Any:
    """What the model predicts."""
    return model.predict(data)


def output_fn(prediction: Any, accept: str) -> tuple[bytes, str]:
    """The prediction as JSON, CSV or NPY."""
    return encoders.encode(prediction, accept), accept


DEFAULTS = serving.Handlers(model_fn, input_fn, predict_fn, output_fn)
