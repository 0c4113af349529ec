"""The containers that candidates serve from.

An ensembling candidate has one container from rows to answers. A tuned candidate has two, features then its
algorithm's own image, or for a classification three: the last one turns class indices back into labels. What a
classification container answers with is chosen by its environment (SageMaker developer guide, "Configure inference
output in generated containers"): ``SAGEMAKER_INFERENCE_OUTPUT`` names the keys, ``SAGEMAKER_INFERENCE_INPUT`` those
that arrive from the container before. The keys are ``predicted_label`` (alone by default), ``probability``,
``probabilities`` and ``labels``. ``probability`` is that of the positive class in tuned binary models, that of the
predicted label everywhere else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib  # type: ignore[import-untyped]
import numpy as np
import pandas as pd

from include.local_aws.images import BadRequest, Container
from include.local_aws.images.autopilot import answers, recordio
from include.local_aws.images.autopilot.answers import CSV, KEYS, RECORDIO, UnusableModel
from include.local_aws.images.autopilot.artifacts import FORMAT, MANIFEST, MODEL
from include.local_aws.images.autopilot.features import FeaturePipeline, Matrix
from include.local_aws.images.autopilot.predictor import Predictor
from include.local_aws.images.autopilot.table import MISSING, Schema, parse_numbers


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
    mode = environment.get("AUTOML_TRANSFORM_MODE")
    if mode is None:
        return TrainingRowsContainer(model, tuple(manifest["header"]), environment)
    if mode == "feature-transform":
        return FeatureContainer(model, environment)
    if mode == "inverse-label-transform":
        return LabelContainer(model.schema, environment)
    raise UnusableModel(
        f"AUTOML_TRANSFORM_MODE is {mode!r}: expected feature-transform, inverse-label-transform, or no such variable "
        "for training rows, which have the target."
    )


class EnsembleContainer:
    """Rows in, answers out."""

    def __init__(self, predictor: Predictor, environment: Mapping[str, str]) -> None:
        self._predictor = predictor
        self._keys = answers.output_keys(environment, KEYS) if predictor.schema.labels else ()

    def invoke(self, body: bytes, content_type: str, accept: str | None) -> tuple[bytes, str]:
        """Predict for CSV rows without header."""
        answers.refuse_other_than(accept, CSV)
        predicted = self._predictor.predict(read_rows(body, content_type, self._predictor.schema))
        labels = self._predictor.schema.labels
        if not labels:
            return answers.numbers(predicted)
        chosen = predicted.argmax(axis=1)
        return answers.table(
            {
                "predicted_label": [labels[index] for index in chosen],
                "probability": [float(value) for value in predicted.max(axis=1)],
                "probabilities": [answers.listed(row) for row in predicted],
                "labels": [str(list(labels))] * len(predicted),
            },
            self._keys,
        )


class FeatureContainer:
    """The first container of a tuned candidate: rows in, a feature matrix out."""

    def __init__(self, pipeline: FeaturePipeline, environment: Mapping[str, str]) -> None:
        self._pipeline = pipeline
        self._form = _Form.of(environment)

    def invoke(self, body: bytes, content_type: str, accept: str | None) -> tuple[bytes, str]:
        """Transform CSV rows without header and without target."""
        matrix = self._pipeline.transform(read_rows(body, content_type, self._pipeline.schema))
        return self._form.write(matrix, None, accept)


class TrainingRowsContainer:
    """The same for rows to train on, target included: features with their labels out, the label first in CSV."""

    def __init__(self, pipeline: FeaturePipeline, header: Sequence[str], environment: Mapping[str, str]) -> None:
        self._pipeline = pipeline
        self._header = header
        self._form = _Form.of(environment)

    def invoke(self, body: bytes, content_type: str, accept: str | None) -> tuple[bytes, str]:
        """Transform CSV rows without header, columns as in the training files."""
        rows = read_training_rows(body, content_type, self._header)
        try:
            labels = encode_labels(rows[self._pipeline.schema.target], self._pipeline.schema)
        except UnknownLabel as error:
            raise BadRequest(str(error)) from error
        return self._form.write(self._pipeline.transform(rows), labels, accept)


@dataclass(frozen=True)
class _Form:
    """How a feature matrix leaves."""

    default: str
    sparse: bool

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> _Form:
        return cls(
            environment.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", CSV),
            environment.get("AUTOML_SPARSE_ENCODE_RECORDIO_PROTOBUF") == "1",
        )

    def write(self, matrix: Matrix, labels: Matrix | None, accept: str | None) -> tuple[bytes, str]:
        wanted = answers.media_type(accept) or self.default
        if wanted == RECORDIO:
            return recordio.encode(matrix, labels=labels, sparse=self.sparse), RECORDIO
        answers.refuse_other_than(wanted, CSV)
        return answers.matrix(matrix if labels is None else np.column_stack([labels, matrix]))


class LabelContainer:
    """The third container of a tuned classification: class indices in, labels out."""

    _SUPPORTED = ("predicted_label", "probability", "labels", "probabilities")

    def __init__(self, schema: Schema, environment: Mapping[str, str]) -> None:
        self._labels = schema.labels
        self._inputs = answers.keys(
            environment.get("SAGEMAKER_INFERENCE_INPUT", KEYS[0]), "SAGEMAKER_INFERENCE_INPUT", KEYS[:3]
        )
        self._keys = answers.output_keys(environment, self._SUPPORTED)
        missing = [key for key in self._keys if key not in (*self._inputs, "labels")]
        if missing:
            raise UnusableModel(
                f"SAGEMAKER_INFERENCE_OUTPUT asks for {missing[0]}, which SAGEMAKER_INFERENCE_INPUT "
                f"({','.join(self._inputs)}) does not bring: name it in the container before."
            )

    def invoke(self, body: bytes, content_type: str, accept: str | None) -> tuple[bytes, str]:
        """Turn the algorithm's answers into labels."""
        answers.refuse_other_than(accept, CSV)
        if answers.media_type(content_type) != CSV:
            raise BadRequest(f"Content type {content_type!r} is not supported: expected {CSV}.")
        rows = answers.csv_rows(body)
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
        return answers.table(columns, self._keys)

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
    if answers.media_type(content_type) != CSV:
        raise BadRequest(f"Content type {content_type!r} is not supported: expected {CSV}.")
    rows = answers.csv_rows(body)
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


class UnknownLabel(ValueError):
    """A row's target is missing, or is no value that the model knows; the sentence names the row."""


def read_training_rows(body: bytes, content_type: str, header: Sequence[str]) -> pd.DataFrame:
    """CSV rows without header as text cells in the columns of ``header``.

    Raises:
        BadRequest: as `read_rows`.
    """
    if answers.media_type(content_type) != CSV:
        raise BadRequest(f"Content type {content_type!r} is not supported: expected {CSV}.")
    rows = answers.csv_rows(body)
    while len(header) > 1 and len(rows) > 1 and rows[-1] == [""]:
        rows.pop()
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise BadRequest(
                f"Row {number} has {len(row)} columns, expected {len(header)}, the training data's with the target: "
                f"{', '.join(header)}."
            )
    if rows and rows[0] == list(header):
        raise BadRequest("Row 1 is the header: send rows only.")
    cells = [[None if cell in MISSING else cell for cell in row] for row in rows]
    return pd.DataFrame(cells, columns=pd.Index(list(header)), dtype=object)


def encode_labels(target: pd.Series[str], schema: Schema) -> Matrix:
    """The target's cells as class indices, or as numbers for a regression. Shape (rows,).

    Raises:
        UnknownLabel: a cell is missing, or is not one of the labels, or not a number.
    """
    if schema.labels:
        index = {label: float(number) for number, label in enumerate(schema.labels)}
        values = np.array([index.get(cell, np.nan) for cell in target], dtype=np.float32)
        expected = f"one of {', '.join(map(repr, schema.labels))}"
    else:
        values = parse_numbers(target).astype(np.float32)
        expected = "a number"
    strange = np.flatnonzero(~np.isfinite(values))
    if len(strange):
        row = int(strange[0])
        cell = target.iloc[row]
        found = "nothing" if pd.isna(cell) else repr(cell)
        raise UnknownLabel(f"The target {schema.target!r} of row {row + 1} must be {expected}, found {found}.")
    return values
