"""The two ends of a refit's search: finding out how the champion was made, and handing on what was made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BranchMixIn

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import DataError
from automl_retraining.core.records import Manifest, ModelRef, SearchResult, SplitResult
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.base import SageMakerOperator
from automl_retraining.sagemaker import lineage, storage

if TYPE_CHECKING:
    from airflow.sdk import Context

AUTOPILOT_MIN_ROWS = 500
"""Training rows below which Autopilot refuses a table."""


class FindJobsOperator(SageMakerOperator, BranchMixIn):
    """Find the jobs that made the champion, hold the new table against what they know, and follow their branch.

    Nothing is paid for before this. Writes ``lineage.json``. XCom: key ``lineage`` has the ``Lineage``.

    Args:
        pipeline: The model kept fresh.
        split: The split task's XCom.
        champion: The champion task's XCom; nothing where there is none.
        branches: The first task of each way: ``processing``, ``autopilot``, ``ensemble``.
        always: Tasks that run whatever the way.
        kwargs: BaseOperator's.

    Raises:
        AirflowFailException: there is no champion, or its jobs cannot be found: says which DAG to run instead; or the
            table has other columns or classes than the champion knows.
    """

    inherits_from_skipmixin = True
    template_fields = ("split", "champion")

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        split: Any,
        champion: Any,
        branches: Mapping[lineage.Way, str],
        always: tuple[str, ...] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(pipeline=pipeline, **kwargs)
        self.split = split
        self.champion = champion
        self.branches = dict(branches)
        self.always = always

    @fail_for_good("find the champion's jobs")
    def execute(self, context: Context) -> Any:
        """Find, check, write, and follow one branch."""
        try:
            found = self._find()
        except lineage.NotRefittable as error:
            raise lineage.NotRefittable(f"{str(error).rstrip('.')}: {instead(self.pipeline)}") from error
        self.log.info("%s", found.sentence())
        storage.write_record(self.s3, storage.join(self.run_folder(context), "lineage.json"), found)
        context["ti"].xcom_push("lineage", found.model_dump(mode="json"))
        return self.do_branch(context, [self.branches[found.way], *self.always])

    def _find(self) -> lineage.Lineage:
        if not self.champion:
            raise lineage.NotRefittable(
                f"endpoint {self.pipeline.endpoint_name}: expected a champion to refit, found that it serves none yet"
            )
        champion = ModelRef.model_validate(self.champion)
        if not champion.run_folder:
            raise lineage.NotRefittable(
                f"model {champion.model_name}: expected a model that a run of this project made, by its tag "
                "art:run-folder, found none: what it was trained on is not known"
            )
        found = lineage.find(self.sm, self.s3, champion.model_name)
        manifest = storage.read_record(self.s3, SplitResult.model_validate(self.split).manifest_uri, Manifest)
        if found.way == "ensemble":
            rows = manifest.split.train.rows
            if rows < AUTOPILOT_MIN_ROWS:
                raise DataError(
                    f"{found.sentence()}: expected at least {AUTOPILOT_MIN_ROWS} training rows, which Autopilot needs, "
                    f"found {rows:,}"
                )
            return found
        uri = storage.join(champion.run_folder, "manifest.json")
        try:
            before = storage.read_record(self.s3, uri, Manifest)
        except storage.ObjectMissing as error:
            raise lineage.NotRefittable(
                f"model {champion.model_name}: expected the manifest of the table it was trained on at {uri}, found "
                "none: it was deleted"
            ) from error
        check_same_table(before, manifest, whose=f"the preprocessor of model {champion.model_name}")
        return found


class FoundOperator(SageMakerOperator):
    """The search's result, whichever way it was made. XCom: the ``SearchResult``, and under ``job_name`` its job.

    Args:
        pipeline: The model kept fresh.
        tasks: The tasks one of which returned a ``SearchResult``.
        kwargs: BaseOperator's.
    """

    def __init__(self, *, pipeline: Pipeline, tasks: tuple[str, ...], **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, **kwargs)
        self.tasks = tasks

    @fail_for_good("hand on the refitted model")
    def execute(self, context: Context) -> dict[str, Any]:
        """The one result that there is."""
        ti: Any = context["ti"]
        found = next(result for task in self.tasks if (result := ti.xcom_pull(task_ids=task)))
        result = SearchResult.model_validate(found)
        ti.xcom_push(key="job_name", value=result.job_name)
        candidate = result.candidate
        self.log.info("%s: %s %s", candidate.name, candidate.objective_metric, candidate.objective_value)
        return result.model_dump(mode="json")


def instead(pipeline: Pipeline) -> str:
    """Which DAG makes a champion anew."""
    others = [f"{trainer}_{pipeline.name}" for trainer in pipeline.trainers if trainer != "refit"]
    if others:
        return f"run {' or '.join(others)} instead, which makes a model from the table alone"
    return (
        f"add autopilot or tuned to the trainers of {pipeline.name}.yaml and run autopilot_{pipeline.name} or "
        f"tuned_{pipeline.name} instead, which makes a model from the table alone"
    )


def check_same_table(before: Manifest, now: Manifest, *, whose: str) -> None:
    """Hold the new table's columns, target and classes against those that a preprocessor was made for.

    Raises:
        DataError: saying what is missing, new or in another place.
    """
    if (before.target, before.problem_type) != (now.target, now.problem_type):
        raise DataError(
            f"{whose}: expected the target {before.target} ({before.problem_type}), found {now.target} "
            f"({now.problem_type})"
        )
    known, found = _trained_on(before), _trained_on(now)
    if known != found:
        missing = [name for name in known if name not in found]
        new = [name for name in found if name not in known]
        differences = [f"{', '.join(missing)} missing"] if missing else []
        differences += [f"{', '.join(new)} new to it"] if new else []
        raise DataError(
            f"{whose}: expected a table with the columns {', '.join(known)}, found "
            + ("; ".join(differences) or f"the same in another order, {', '.join(found)}")
            + ". A refit takes the columns as they were: search anew for a model of others"
        )
    if before.labels != now.labels:
        raise DataError(
            f"{whose}: expected the classes {', '.join(before.labels)} in column {before.target}, found "
            f"{', '.join(now.labels)}"
        )


def _trained_on(manifest: Manifest) -> tuple[str, ...]:
    """The columns of the training table, in the file's order."""
    kept = {*manifest.features, manifest.target}
    return tuple(column.name for column in manifest.columns if column.name in kept)
