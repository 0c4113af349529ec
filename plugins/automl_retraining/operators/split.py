"""The first task of every story: the table read once, judged, split, and written to the run folder."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from automl_retraining.core.config import Pipeline, project_root
from automl_retraining.core.errors import StorageError
from automl_retraining.core.names import run_folder_uri
from automl_retraining.core.records import Manifest, Outcome
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.base import SageMakerOperator
from automl_retraining.sagemaker import storage

if TYPE_CHECKING:
    from airflow.sdk import Context

    from automl_retraining.core.cutoff import Cutoff
    from automl_retraining.core.manifest import DataFiles, LastRun, SplitState
    from automl_retraining.core.source import Source
    from automl_retraining.core.split import SplitOutcome

_DONE = frozenset({"promoted", "kept", "waiting"})
"""Outcomes after which the same data need not be trained on again."""


class SplitOperator(SageMakerOperator):
    """Read the source, check it, split it by row into train, validation and test, and write ``manifest.json``.

    XCom: the SplitResult. Files appear in the run folder only when the whole table was found good, the manifest last.

    Args:
        pipeline: The model kept fresh.
        source: The table; templated. The pipeline's own where it is empty.
        min_train_rows: Fewest rows of the training part; Autopilot takes no fewer than 500.
        kwargs: BaseOperator's.

    Raises:
        AirflowFailException: the table cannot be trained on, and which line says so; nothing was written or created.
        AirflowSkipException: the pipeline says ``skip_unchanged`` and neither table nor split changed since the last
            run, which ended with a decision.
        StorageError: the source or S3 did not answer; retried.
    """

    template_fields: Sequence[str] = ("source",)

    def __init__(self, *, pipeline: Pipeline, source: str = "", min_train_rows: int = 500, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, **kwargs)
        self.source = source
        self.min_train_rows = min_train_rows

    @fail_for_good("split the table")
    def execute(self, context: Context) -> dict[str, Any]:
        """Read the table once (twice where the split is by time)."""
        from automl_retraining.core.hashing import new_salt
        from automl_retraining.core.manifest import DataFiles, LastRun, SplitState, split_result, summary

        run_id = str(context["run_id"])
        files = DataFiles(self.run_folder(context))
        source = self._locate(self.source.strip() or self.pipeline.source)
        last = self._last_run()
        previous = self._previous_manifest(last, run_id)
        if self.pipeline.skip_unchanged and last is not None and last.run_id != run_id:
            self._skip_if_unchanged(source, previous, last)
        state = self._state()
        new_state = state is None
        state = state or SplitState(salt=new_salt())
        cutoff, sha256 = self._cutoff(source, previous.split.cutoff if previous else state.cutoff)
        if new_state and cutoff is not None:
            state = SplitState(salt=state.salt, cutoff=cutoff.text)
        manifest = self._write(source, files, run_id, state, cutoff, previous, new_state=new_state, sha256=sha256)
        storage.write_record(self.s3, files.manifest, manifest)
        storage.write_record(self.s3, self._state_uri("last_run"), LastRun(run_id=run_id, run_folder=files.folder))
        for line in summary(manifest):
            self.log.info("%s", line)
        self.log.info("manifest: %s", files.manifest)
        return split_result(manifest, files).model_dump(mode="json")

    # ------------------------------------------------------------ the pipeline's state

    @property
    def _bucket(self) -> str:
        return self.deployment.bucket_of(self.pipeline)

    def _state_uri(self, name: str) -> str:
        return f"s3://{self._bucket}/{self.pipeline.name}/state/{name}.json"

    def _state(self) -> SplitState | None:
        from automl_retraining.core.manifest import SplitState

        try:
            return storage.read_record(self.s3, self._state_uri("split"), SplitState)
        except storage.ObjectMissing:
            return None

    def _last_run(self) -> LastRun | None:
        from automl_retraining.core.manifest import LastRun

        try:
            return storage.read_record(self.s3, self._state_uri("last_run"), LastRun)
        except storage.ObjectMissing:
            return None

    def _previous_manifest(self, last: LastRun | None, run_id: str) -> Manifest | None:
        """The manifest of the run before this one; a retried run's own manifest says which that was."""
        if last is None:
            return None
        manifest = self._manifest(last.run_folder)
        if manifest is None or last.run_id != run_id:
            return manifest
        if manifest.previous_run is None:
            return None
        return self._manifest(run_folder_uri(self._bucket, self.pipeline.name, manifest.previous_run))

    def _manifest(self, folder: str) -> Manifest | None:
        try:
            return storage.read_record(self.s3, f"{folder}/manifest.json", Manifest)
        except storage.ObjectMissing:
            self.log.warning("the last run's %s/manifest.json is gone: nothing to hold this table against", folder)
            return None

    # ------------------------------------------------------------ the source

    def _locate(self, source: str) -> Source:
        from automl_retraining.core.source import locate, scheme_of
        from automl_retraining.sagemaker.download import s3_source

        if scheme_of(source) == "s3":
            return s3_source(self.s3, source)
        return locate(source, root=project_root(), data_dirs=self.deployment.data_dirs)

    def _skip_if_unchanged(self, source: Source, previous: Manifest | None, last: LastRun) -> None:
        from airflow.sdk.exceptions import AirflowSkipException

        from automl_retraining.core.manifest import same_data
        from automl_retraining.core.source import HashingReader

        if previous is None or source.size not in (None, previous.source.bytes):
            return
        try:
            outcome = storage.read_record(self.s3, f"{last.run_folder}/outcome.json", Outcome).outcome
        except storage.ObjectMissing:
            outcome = None
        if outcome not in _DONE:
            self.log.info("the last run, %s, ended without a decision: not skipped", last.run_id)
            return
        with source.open() as stream:
            reader = HashingReader(stream)
            while reader.read(1 << 20):
                pass
        if same_data(self.pipeline, previous, reader.sha256):
            raise AirflowSkipException(
                f"source {source.uri} is unchanged since run {last.run_id} (sha256 {reader.sha256[:12]}…), which ended "
                f"{outcome}, and so is the split; skip_unchanged: true says to do nothing then"
            )

    # ------------------------------------------------------------ the passes

    def _cutoff(self, source: Source, before: str | None) -> tuple[Cutoff | None, str | None]:
        from automl_retraining.core.cutoff import find_cutoff

        spec = self.pipeline.split
        if spec.time is None:
            return None, None
        with source.open() as stream:
            return find_cutoff(stream, f"source {source.uri}", spec.time, spec.test, before)

    def _write(
        self,
        source: Source,
        files: DataFiles,
        run_id: str,
        state: SplitState,
        cutoff: Cutoff | None,
        previous: Manifest | None,
        *,
        new_state: bool,
        sha256: str | None,
    ) -> Manifest:
        from automl_retraining.core.manifest import make_manifest
        from automl_retraining.sagemaker.upload import Uploads

        with Uploads(self.s3, kms_key=self.pipeline.aws.kms_key) as uploads:
            outcome = self._split(source, files, state, cutoff, uploads)
            if sha256 not in (None, outcome.sha256):
                raise StorageError(f"source {source.uri}: the table changed between two readings: try again")
            manifest = make_manifest(
                self.pipeline,
                outcome,
                run_id=run_id,
                source_uri=source.uri,
                created=datetime.now(UTC),
                salt=state.salt,
                cutoff=cutoff.text if cutoff else None,
                files=files,
                previous=previous,
            )
            if new_state and not storage.create_text(self.s3, self._state_uri("split"), state.to_json()):
                raise StorageError(
                    f"expected to be the pipeline's first run, found {self._state_uri('split')} written meanwhile by "
                    "another one: try again"
                )
        return manifest

    def _split(
        self, source: Source, files: DataFiles, state: SplitState, cutoff: Cutoff | None, uploads: Any
    ) -> SplitOutcome:
        from automl_retraining.core.manifest import roles_of
        from automl_retraining.core.split import Sinks, SplitRequest, split

        sinks = Sinks(
            train=uploads.open(files.part("train"), "text/csv"),
            validation=uploads.open(files.part("validation"), "text/csv"),
            test=uploads.open(files.part("test"), "text/csv"),
            transform=uploads.open(files.transform, "text/csv"),
            truth=uploads.open(files.truth, "text/csv"),
        )
        request = SplitRequest(
            name=f"source {source.uri}",
            roles=roles_of(self.pipeline),
            salt=state.salt,
            problem_type=self.pipeline.problem_type,
            positive_class=self.pipeline.positive_class,
            cutoff=cutoff,
            min_train_rows=self.min_train_rows,
        )
        with source.open() as stream:
            outcome = split(stream, request, sinks)
        uploads.open(files.keys).write(outcome.keys)
        return outcome
