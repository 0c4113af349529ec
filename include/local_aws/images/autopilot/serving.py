"""The containers that candidates serve from.

An ensembling candidate has one container from rows to answers. A tuned candidate has two, features then algorithm, or
for a classification three: the last one turns class indices back into labels. What a classification container answers
with is chosen by its environment (SageMaker developer guide, "Configure inference output in generated containers"):
``SAGEMAKER_INFERENCE_OUTPUT`` names the keys, ``SAGEMAKER_INFERENCE_INPUT`` those that arrive from the container
before. The keys are ``predicted_label`` (alone by default), ``probability``, ``probabilities`` and ``labels``.
``probability`` is that of the positive class in tuned binary models, that of the predicted label everywhere else.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib  # type: ignore[import-untyped]
import numpy as np
import pandas as pd

from include.local_aws.images import BadRequest, Container
from include.local_aws.images.autopilot import recordio
from include.local_aws.images.autopilot.artifacts import FORMAT, MANIFEST, MODEL
from include.local_aws.images.autopilot.families import Floats, Model
from include.local_aws.images.autopilot.features import FeaturePipeline, Matrix
from include.local_aws.images.autopilot.predictor import Predictor
from include.local_aws.images.autopilot.table import MISSING, Schema

CSV = "text/csv"
RECORDIO = "application/x-recordio-protobuf"
KEYS = ("predicted_label", "probability", "probabilities", "labels")


class UnusableModel(RuntimeError):
    """The model artifact or the container's environment does not fit; the container does not come up."""


def load(model_dir: Path, environment: Mapping[str, str]) -> Container:
    """Load the model in ``model_dir`` into the container that the artifact and the environment ask for.

    Raises:
        UnusableModel: the artifact is not one of these containers', or the environment asks for what it cannot give.
    """
    manifest_path = model_dir / MANIFEST
    if not manifest_path.is_file():
        raise UnusableModel(f"The model artifact has no {MANIFEST}: expected one that an Autopilot candidate wrote.")
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    if manifest["format"] != FORMAT:
        raise UnusableModel(f"The model artifact has format {manifest['format']}, expected {FORMAT}: train it again.")
    model = joblib.load(model_dir / MODEL)
    kind = manifest["kind"]
    if kind == "ensemble":
        return EnsembleContainer(model, environment)
    if kind == "algorithm":
        return AlgorithmContainer(model, environment)
    mode = environment.get("AUTOML_TRANSFORM_MODE", "feature-transform")
    if mode == "feature-transform":
        return FeatureContainer(model, environment)
    if mode == "inverse-label-transform":
        return LabelContainer(model.schema, environment)
    raise UnusableModel(f"AUTOML_TRANSFORM_MODE is {mode!r}: expected feature-transform or inverse-label-transform.")


class EnsembleContainer:
    """Rows in, answers out."""

    def __init__(self, predictor: Predictor, environment: Mapping[str, str]) -> None:
        self._predictor = predictor
        self._keys = _output_keys(environment, KEYS) if predictor.schema.labels else ()

    def invoke(self, body: bytes, content_type: str, accept: str | None) -> tuple[bytes, str]:
        """Predict for CSV rows without header."""
        _refuse_other_than(accept, CSV)
        predicted = self._predictor.predict(read_rows(body, content_type, self._predictor.schema))
        labels = self._predictor.schema.labels
        if not labels:
            return _numbers(predicted)
        chosen = predicted.argmax(axis=1)
        return _table(
            {
                "predicted_label": [labels[index] for index in chosen],
                "probability": [float(value) for value in predicted.max(axis=1)],
                "probabilities": [_list(row) for row in predicted],
                "labels": [str(list(labels))] * len(predicted),
            },
            self._keys,
        )


class FeatureContainer:
    """The first container of a tuned candidate: rows in, a feature matrix out."""

    def __init__(self, pipeline: FeaturePipeline, environment: Mapping[str, str]) -> None:
        self._pipeline = pipeline
        self._default = environment.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", CSV)
        self._sparse = environment.get("AUTOML_SPARSE_ENCODE_RECORDIO_PROTOBUF") == "1"

    def invoke(self, body: bytes, content_type: str, accept: str | None) -> tuple[bytes, str]:
        """Transform CSV rows without header."""
        wanted = _media_type(accept) or self._default
        matrix = self._pipeline.transform(read_rows(body, content_type, self._pipeline.schema))
        if wanted == RECORDIO:
            return recordio.encode(matrix, sparse=self._sparse), RECORDIO
        _refuse_other_than(wanted, CSV)
        lines = (",".join("" if np.isnan(value) else repr(float(value)) for value in row) + "\n" for row in matrix)
        return "".join(lines).encode(), CSV


@dataclass(frozen=True)
class Algorithm:
    """What an algorithm container loads."""

    model: Model
    width: int
    classes: int


class AlgorithmContainer:
    """The second container: features in, a number or class indices and probabilities out."""

    _SUPPORTED = KEYS[:3]

    def __init__(self, algorithm: Algorithm, environment: Mapping[str, str]) -> None:
        self._algorithm = algorithm
        self._keys = _output_keys(environment, self._SUPPORTED) if algorithm.classes else ()

    def invoke(self, body: bytes, content_type: str, accept: str | None) -> tuple[bytes, str]:
        """Predict for a feature matrix."""
        _refuse_other_than(accept, CSV)
        predicted = self._algorithm.model.predict(self._matrix(body, content_type))
        if not self._algorithm.classes:
            return _numbers(predicted)
        chosen = predicted.argmax(axis=1)
        positive = predicted[:, 1] if self._algorithm.classes == 2 else predicted.max(axis=1)
        return _table(
            {
                "predicted_label": [int(index) for index in chosen],
                "probability": [float(value) for value in positive],
                "probabilities": [_list(row) for row in predicted],
            },
            self._keys,
        )

    def _matrix(self, body: bytes, content_type: str) -> Matrix:
        kind = _media_type(content_type)
        try:
            if kind == RECORDIO:
                matrix = recordio.decode(body)
            elif kind == CSV:
                rows = [[float(cell) if cell else np.nan for cell in row] for row in _csv_rows(body)]
                matrix = np.array(rows, dtype=np.float32)
            else:
                raise BadRequest(f"Content type {content_type!r} is not supported: expected {RECORDIO} or {CSV}.")
        except recordio.MalformedRecord as error:
            raise BadRequest(f"The body is not {RECORDIO}: {error}.") from error
        except (ValueError, OverflowError) as error:
            raise BadRequest(f"The features must be rows of numbers, all of one length: {error}.") from error
        if matrix.ndim != 2 or matrix.shape[1] != self._algorithm.width:
            found = matrix.shape[1] if matrix.ndim == 2 else 0
            raise BadRequest(f"Expected {self._algorithm.width} features a row, found {found}.")
        return matrix


class LabelContainer:
    """The third container of a tuned classification: class indices in, labels out."""

    _SUPPORTED = ("predicted_label", "probability", "labels", "probabilities")

    def __init__(self, schema: Schema, environment: Mapping[str, str]) -> None:
        self._labels = schema.labels
        self._inputs = _keys(
            environment.get("SAGEMAKER_INFERENCE_INPUT", KEYS[0]), "SAGEMAKER_INFERENCE_INPUT", KEYS[:3]
        )
        self._keys = _output_keys(environment, self._SUPPORTED)
        missing = [key for key in self._keys if key not in (*self._inputs, "labels")]
        if missing:
            raise UnusableModel(
                f"SAGEMAKER_INFERENCE_OUTPUT asks for {missing[0]}, which SAGEMAKER_INFERENCE_INPUT "
                f"({','.join(self._inputs)}) does not bring: name it in the container before."
            )

    def invoke(self, body: bytes, content_type: str, accept: str | None) -> tuple[bytes, str]:
        """Turn the algorithm's answers into labels."""
        _refuse_other_than(accept, CSV)
        if _media_type(content_type) != CSV:
            raise BadRequest(f"Content type {content_type!r} is not supported: expected {CSV}.")
        rows = _csv_rows(body)
        for number, row in enumerate(rows, start=1):
            if len(row) != len(self._inputs):
                raise BadRequest(
                    f"Row {number} has {len(row)} fields: expected {len(self._inputs)}, "
                    f"as SAGEMAKER_INFERENCE_INPUT says ({','.join(self._inputs)})."
                )
        columns: dict[str, list[object]] = {key: [row[index] for row in rows] for index, key in enumerate(self._inputs)}
        if "predicted_label" in columns:
            columns["predicted_label"] = [self._label(str(cell)) for cell in columns["predicted_label"]]
        columns["labels"] = [str(list(self._labels))] * len(rows)
        return _table(columns, self._keys)

    def _label(self, cell: str) -> str:
        try:
            index = int(float(cell))
        except ValueError as error:
            raise BadRequest(f"Expected the index of a class, found {cell!r}.") from error
        if not 0 <= index < len(self._labels):
            raise BadRequest(f"Expected the index of one of {len(self._labels)} classes, found {cell!r}.")
        return self._labels[index]


def read_rows(body: bytes, content_type: str, schema: Schema) -> pd.DataFrame:
    """CSV rows without header as text cells in the training's columns (without the target, in their order).

    Rows may also hold only the columns that the model uses, where the training had others besides.

    Raises:
        BadRequest: another content type, bytes that are not UTF-8, or a row of another length; the sentence names the
        row.
    """
    if _media_type(content_type) != CSV:
        raise BadRequest(f"Content type {content_type!r} is not supported: expected {CSV}.")
    rows = _csv_rows(body)
    if not rows:
        raise BadRequest("The body holds no row: expected CSV rows without header.")
    every = [column.name for column in schema.columns]
    while len(every) > 1 and len(rows) > 1 and rows[-1] == [""]:
        rows.pop()
    used = [column.name for column in schema.used]
    names = used if len(rows[0]) == len(used) else every
    for number, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise BadRequest(
                f"Row {number} has {len(row)} columns, expected {len(names)}: the training data's without the target, "
                f"from {names[0]!r} to {names[-1]!r}."
            )
    if rows[0] == names:
        raise BadRequest("Row 1 is the header: send rows only.")
    cells = [[None if cell in MISSING else cell for cell in row] for row in rows]
    return pd.DataFrame(cells, columns=pd.Index(names), dtype=object)


def _csv_rows(body: bytes) -> list[list[str]]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest(f"The body is not UTF-8: byte {error.start} cannot be decoded.") from error
    try:
        # A line without any character is a row whose only cell is empty.
        return [row or [""] for row in csv.reader(io.StringIO(text, newline=""), strict=True)]
    except csv.Error as error:
        raise BadRequest(f"The body is not CSV: {error}.") from error


def _media_type(header: str | None) -> str | None:
    """The media type without parameters; None where any will do."""
    kind = (header or "").split(";")[0].strip().lower()
    return None if kind in ("", "*/*", "text/*", "application/*") else kind


def _refuse_other_than(accept: str | None, supported: str) -> None:
    if _media_type(accept) not in (None, supported):
        raise BadRequest(f"Accept {accept!r} is not supported: expected {supported}.")


def _output_keys(environment: Mapping[str, str], supported: Sequence[str]) -> tuple[str, ...]:
    return _keys(environment.get("SAGEMAKER_INFERENCE_OUTPUT") or KEYS[0], "SAGEMAKER_INFERENCE_OUTPUT", supported)


def _keys(value: str, variable: str, supported: Sequence[str]) -> tuple[str, ...]:
    keys = tuple(key.strip() for key in value.split(","))
    for key in keys:
        if key not in supported:
            raise UnusableModel(f"{variable} names {key!r}: this container supports {', '.join(supported)}.")
    return keys


def _list(values: Floats) -> str:
    return str([float(value) for value in values])


def _numbers(predicted: Floats) -> tuple[bytes, str]:
    return "".join(f"{float(value)!r}\n" for value in predicted).encode(), CSV


def _table(columns: Mapping[str, Sequence[object]], keys: Sequence[str]) -> tuple[bytes, str]:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(zip(*(columns[key] for key in keys), strict=True))
    return out.getvalue().encode(), CSV
