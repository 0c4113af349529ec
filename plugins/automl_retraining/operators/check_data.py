"""The data looked at before anything is paid for: leaks, identifiers, copies and shifts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl_retraining.core.errors import DataError
from automl_retraining.core.records import DataChecks, ModelRef
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.base import SageMakerOperator
from automl_retraining.sagemaker import storage
from automl_retraining.sagemaker.samples import look_at

if TYPE_CHECKING:
    from airflow.sdk import Context


class CheckDataOperator(SageMakerOperator):
    """Make the checks that ``gate.checks`` asks for on rows of the run's parts, and write ``checks.json``.

    Where every check is off, nothing is read and ``checks.json`` says that nothing was looked for.
    XCom: the names of the checks that found something.

    Raises:
        AirflowFailException: a check whose action is ``stop`` found something; ``checks.json`` says what all of them
            found.
        StorageError: S3 did not answer; retried.
    """

    @fail_for_good("check the data")
    def execute(self, context: Context) -> list[str]:
        """Draw, look, write, and say it."""
        folder, policy = self.run_folder(context), self.pipeline.gate.checks
        where = storage.join(folder, "checks.json")
        # What a run that was cleared had found of other data must not stay, whatever happens from here on.
        nothing = DataChecks(
            pipeline=self.pipeline.name, run_id=context["run_id"], train_rows=0, test_rows=0,
            seed=self.pipeline.gate.seed, results=(),
        )  # fmt: skip
        storage.write_record(self.s3, where, nothing)
        from automl_retraining.core.sanity import look, stopping, wanted

        if not wanted(policy):
            self.log.info("gate.checks: every check is off")
            return []
        read = context["ti"].xcom_pull(task_ids="champion")
        looked = look_at(
            self.s3,
            folder,
            champion=ModelRef.model_validate(read) if read else None,
            rows=policy.rows,
            seed=self.pipeline.gate.seed,
        )
        checks = look(looked, policy, run_id=context["run_id"], seed=self.pipeline.gate.seed)
        storage.write_record(self.s3, where, checks)
        for result in checks.results:
            say: Any = self.log.warning if result.found else self.log.info
            say("%s: %s", result.name, result.sentence)
        if stops := stopping(checks, policy):
            raise DataError(
                "; ".join(f"gate.checks.{result.name} is stop, and {result.sentence}" for result in stops)
                + ". Nothing was trained. Mend the table or the pipeline's drop and split; or, where this is meant, "
                "say warn there"
            )
        return [result.name for result in checks.results if result.found]
