"""Captured answers and the labels that arrived for them, read from S3. Every function takes a boto3 S3 client."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from automl_retraining.core.errors import EvidenceError
from automl_retraining.sagemaker import storage

if TYPE_CHECKING:
    from automl_retraining.core.ab_quality import Answered


def labels(s3: Any, uri: str) -> dict[str, str]:
    """Labels by inference id: of the object of that name, or of every one below a prefix that ends in ``/``.

    Nothing there yet means that none has arrived.

    Raises:
        EvidenceError: a file that is not CSV with the columns inference_id and label.
        StorageError: S3 does not give it.
    """
    from automl_retraining.core.ab_quality import read_labels

    if uri.endswith("/"):
        names = [each for each in storage.list_uris(s3, uri) if not each.endswith("/")]
    else:
        names = [uri] if storage.exists(s3, uri) else []
    return read_labels((name, storage.read_bytes(s3, name)) for name in names)


def answers(
    s3: Any, destination: str, endpoint_name: str, variant: str, *, since: datetime, until: datetime
) -> Iterator[Answered]:
    """What the variant answered between the two times, as data capture kept it.

    The layout is the developer guide's, "Capture data from real-time endpoint":
    ``<destination>/<endpoint>/<variant>/yyyy/mm/dd/hh/<name>.jsonl``.
    """
    from automl_retraining.core.ab_quality import Answered

    hour = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour <= until:
        folder = storage.join(destination, endpoint_name, variant, f"{hour:%Y/%m/%d/%H}") + "/"
        for uri in storage.list_uris(s3, folder):
            for number, line in enumerate(storage.read_bytes(s3, uri).splitlines(), start=1):
                try:
                    event = json.loads(line)
                    metadata, output = event["eventMetadata"], event["captureData"].get("endpointOutput")
                    at = datetime.fromisoformat(metadata["inferenceTime"])
                    if output is None or not since.replace(microsecond=0) <= at <= until:
                        continue
                    data = str(output["data"])
                    body = base64.b64decode(data, validate=True) if output["encoding"] == "BASE64" else data.encode()
                except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
                    raise EvidenceError(f"{uri}: line {number}: expected a captured answer, found: {error}") from error
                yield Answered(metadata.get("inferenceId"), body)
        hour += timedelta(hours=1)
