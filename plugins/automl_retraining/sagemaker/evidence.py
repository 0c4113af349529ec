"""From a run folder's predictions to its evaluation: what is read, joined and written there.

Takes a boto3 S3 client; the judging itself is pure and lives in ``core/evaluation.py``.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from automl_retraining.core.errors import EvidenceError, StorageError
from automl_retraining.core.records import CheckResult, DataChecks, Evaluation, Manifest, ModelRef
from automl_retraining.sagemaker import storage
from automl_retraining.sagemaker.storage import join

if TYPE_CHECKING:
    import pandas as pd

    from automl_retraining.core.gate_policy import GatePolicy

log = logging.getLogger(__name__)


def evaluate_run(
    s3: Any,
    folder: str,
    *,
    policy: GatePolicy,
    challenger: ModelRef,
    champion: ModelRef | None,
    champion_error: str | None = None,
    champion_output: str = "champion",
    reference: ModelRef | None = None,
    reference_error: str | None = None,
    reference_output: str | None = None,
    notes: tuple[str, ...] = (),
) -> Evaluation:
    """Join the models' batch-transform outputs to the truth, evaluate, and write scores/ and evaluation.json.

    ``scores/*.csv`` hold every test row; the rows that the champion was trained on, which the evaluation leaves out,
    are listed in ``scores/leaked.csv``, so that the folder alone is enough to judge again.

    Args:
        s3: a boto3 S3 client.
        folder: the run folder's URI.
        policy: the pipeline's gate.
        challenger: its outputs are below ``transform/challenger/``.
        champion: its outputs are below ``transform/<champion_output>/``; None where there is none.
        champion_error: why the champion could not be scored, where it could not.
        champion_output: see ``champion``.
        reference: the last model promoted by superiority, as ``sagemaker/reference.py`` finds it.
        reference_error: why it is not known or could not be scored, where that is so.
        reference_output: its outputs are below ``transform/<reference_output>/``; None where it is the champion itself
            or was not scored.
        notes: sentences for the evaluation's warnings.

    Raises:
        EvidenceError: the challenger's outputs do not join to the truth. Where the champion's or the reference's do
            not, that is the evaluation's ``champion_error`` or ``reference_error`` instead: an old model that no longer
            answers must not stop a run.
    """
    from automl_retraining.core import evaluation, predictions

    manifest = storage.read_record(s3, join(folder, "manifest.json"), Manifest)
    truth = predictions.read_truth(storage.read_bytes(s3, manifest.truth_uri))
    challenger_scores = _scores(s3, manifest, truth, join(folder, "transform", "challenger"))
    champion_scores = reference_scores = None
    leaked: list[int] = []
    unknown = None
    if champion is not None and champion_error is None:
        try:
            champion_scores = _scores(s3, manifest, truth, join(folder, "transform", champion_output))
        except EvidenceError as error:
            champion_error = str(error)
    if champion is not None:
        leaked, unknown = leaked_rows(s3, truth, manifest, champion)
    if reference is not None and reference_output is not None and reference_error is None:
        try:
            reference_scores = _scores(s3, manifest, truth, join(folder, "transform", reference_output))
        except EvidenceError as error:
            reference_error = str(error)
        further, unknown_too = leaked_rows(s3, truth, manifest, reference, "reference")
        leaked = sorted({*leaked, *further})
        if reference.run_folder:
            unknown = unknown or unknown_too
        elif unknown_too:
            notes += (unknown_too,)  # an adopted model: nobody can ever know
    result = evaluation.evaluate(
        manifest=manifest,
        policy=policy,
        challenger=challenger,
        challenger_scores=challenger_scores,
        champion=champion,
        champion_scores=champion_scores,
        champion_error=champion_error,
        leaked=leaked,
        leakage_unknown=unknown,
        reference=reference,
        reference_scores=reference_scores,
        reference_error=reference_error,
        checks=_checks(s3, folder),
        notes=notes,
    )
    tables = {"challenger": challenger_scores, "champion": champion_scores, "reference": reference_scores}
    for role, scores in tables.items():
        if scores is not None:
            storage.write_bytes(
                s3, join(folder, "scores", f"{role}.csv"), predictions.scores_to_csv(scores), "text/csv"
            )
    storage.write_text(
        s3, join(folder, "scores", "leaked.csv"), "".join(f"{row}\n" for row in ["row_id", *leaked]), "text/csv"
    )
    storage.write_record(s3, join(folder, "evaluation.json"), result)
    return result


def leaked_rows(
    s3: Any, truth: pd.DataFrame, manifest: Manifest, model: ModelRef, role: str = "champion"
) -> tuple[list[int], str | None]:
    """The ids of the test rows whose key that model was trained or validated on, or why that cannot be told.

    Keys are compared by their hashes, so both runs must have hashed the same columns with the same salt.
    """
    import numpy as np

    unknown = f"it cannot be told whether {role} {model.model_name} was trained on some of these test rows: "
    if not model.run_folder:
        return [], unknown + "its model carries no tag of a run folder"
    uri = join(model.run_folder, "manifest.json")
    try:
        then = storage.read_record(s3, uri, Manifest).split
        keys = np.frombuffer(storage.read_bytes(s3, then.keys_uri), dtype=">u8").astype(np.uint64)
    except StorageError as error:
        if error.retryable:
            raise
        return [], unknown + str(error)
    now = manifest.split
    if (then.by, then.columns) != (now.by, now.columns):
        before, after = (f"{split.by} ({', '.join(split.columns)})" for split in (then, now))
        return [], unknown + f"its rows were split by {before}, these by {after}"
    if then.salt != now.salt:
        return [], unknown + "it is another pipeline's, or the salt in state/split.json was made anew since"
    hashes = np.frombuffer(bytes.fromhex("".join(truth["key_hash"])), dtype=">u8").astype(np.uint64)
    return [int(row) for row in truth.index[np.isin(hashes, keys)]], None


def _checks(s3: Any, folder: str) -> tuple[CheckResult, ...]:
    """What the data checks of this run found; nothing where they were not made."""
    uri = join(folder, "checks.json")
    return storage.read_record(s3, uri, DataChecks).results if storage.exists(s3, uri) else ()


def _scores(s3: Any, manifest: Manifest, truth: pd.DataFrame, transform_uri: str) -> pd.DataFrame:
    from automl_retraining.core import predictions

    parts = [uri for uri in storage.list_uris(s3, transform_uri + "/") if uri.endswith(".out")]
    if not parts:
        raise EvidenceError(
            f"expected batch transform's output files below {transform_uri}/, found none: clear the task that scored"
        )
    outputs = predictions.read_outputs(
        (storage.read_bytes(s3, uri) for uri in parts), problem_type=manifest.problem_type, labels=manifest.labels
    )
    return predictions.join(truth, outputs)
