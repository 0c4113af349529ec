"""The fitted feature pipeline as a container of a pipeline model, under the scikit-learn container's handlers.

``ART_TRANSFORM`` says which container of the model this is:

- ``features`` (first): records of raw features in, records of numbers out.
- ``labels`` (last, classification only): the algorithm's ``predicted_label`` (a place in the list of classes) and
  ``probabilities`` in, and out what ``SAGEMAKER_INFERENCE_OUTPUT`` names of ``predicted_label``, ``probability``,
  ``probabilities`` and ``labels``, as Autopilot's own models answer: lists are quoted JSON in a CSV field.
"""

import csv
import io
import json
import os
from pathlib import Path

import joblib
import numpy as np
from features import spec as specs
from features import table

TRANSFORM = os.environ.get("ART_TRANSFORM", "features")
GIVEN = os.environ.get("SAGEMAKER_INFERENCE_INPUT", "predicted_label,probabilities").split(",")
WANTED = os.environ.get("SAGEMAKER_INFERENCE_OUTPUT", "predicted_label").split(",")


def model_fn(model_dir):
    """The pipeline and its spec."""
    folder = Path(model_dir)
    return joblib.load(folder / "pipeline.joblib"), specs.read(folder / "spec.json")


def input_fn(body, content_type):
    """The request's text; ValueError for anything but CSV."""
    if content_type.split(";")[0].strip() != "text/csv":
        raise ValueError(f"expected text/csv, found {content_type}")
    return body if isinstance(body, str) else bytes(body).decode("utf-8")


def predict_fn(text, model):
    """The response's text."""
    pipeline, spec = model
    if TRANSFORM == "features":
        lines = io.StringIO()
        np.savetxt(lines, pipeline.transform(table.rows(text, spec)), delimiter=",", fmt="%.9g")
        return lines.getvalue()
    return _labels(text, spec.classes)


def output_fn(text, accept):  # noqa: ARG001 - the container's signature
    """CSV, whatever is accepted: the next container reads nothing else."""
    return text, "text/csv"


def _labels(text, classes):
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    for record in csv.reader(io.StringIO(text)):
        values = dict(zip(GIVEN, record, strict=True))
        probabilities = json.loads(values["probabilities"])
        if len(probabilities) != len(classes):
            raise ValueError(f"expected {len(classes)} probabilities ({', '.join(classes)}), found {probabilities}")
        best = int(np.argmax(probabilities))
        answer = {
            "predicted_label": classes[best],
            "probability": probabilities[best],
            "probabilities": json.dumps(probabilities),
            "labels": json.dumps(list(classes)),
        }
        writer.writerow([answer[key] for key in WANTED])
    return lines.getvalue()
