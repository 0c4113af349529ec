"""What the checks of the data look at, read from S3: rows of this run's parts and the champion's manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl_retraining.core.errors import StorageError
from automl_retraining.core.records import Manifest, ModelRef
from automl_retraining.sagemaker import storage
from automl_retraining.sagemaker.download import s3_source
from automl_retraining.sagemaker.storage import join

if TYPE_CHECKING:
    from automl_retraining.core.sanity_looked import Looked


def look_at(s3: Any, folder: str, *, champion: ModelRef | None, rows: int, seed: int) -> Looked:
    """Draw rows of the train and the test part, and find the test rows that stand in the train part too.

    Both parts stream by once, the train part to its end; memory holds the rows drawn (docs/data.md).

    Args:
        s3: a boto3 S3 client.
        folder: the run folder's URI.
        champion: what serves now; None where nothing does.
        rows: most rows of each part.
        seed: of the draw.

    Raises:
        StorageError: a part cannot be read, or is not what the manifest says.
    """
    from automl_retraining.core.sanity_looked import Looked
    from automl_retraining.core.sanity_sample import Copies, draw

    manifest = storage.read_record(s3, join(folder, "manifest.json"), Manifest)
    then, unknown = _champions_manifest(s3, champion)
    parts = manifest.split
    with s3_source(s3, parts.test.uri).open() as stream:
        test = draw(
            stream, parts.test.uri, parts.test, manifest,
            rows=rows, seed=(seed, 1), keep=parts.spec.group, records=True,
        )  # fmt: skip
    copies = Copies(test.records)
    with s3_source(s3, parts.train.uri).open() as stream:
        train = draw(stream, parts.train.uri, parts.train, manifest, rows=rows, seed=(seed, 0), copies=copies)
    return Looked(manifest, train, test, copies, then, unknown)


def _champions_manifest(s3: Any, champion: ModelRef | None) -> tuple[Manifest | None, str | None]:
    if champion is None:
        return None, None
    unknown = f"what champion {champion.model_name} was trained on is not known: "
    if not champion.run_folder:
        return None, unknown + "its model carries no tag of a run folder"
    try:
        return storage.read_record(s3, join(champion.run_folder, "manifest.json"), Manifest), None
    except StorageError as error:
        if error.retryable:
            raise
        return None, unknown + str(error)
