"""Search hyperparameters with a tuning job over one algorithm or several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, get_args

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import JobFailed, RequestError
from automl_retraining.core.records import Candidate, Record
from automl_retraining.operators import arguments
from automl_retraining.operators.training import FeatureTrainingOperator
from automl_retraining.sagemaker import outcomes, storage, tuned, tuning, watching
from automl_retraining.sagemaker.jobs import TUNING, Description, JobKind, read
from automl_retraining.sagemaker.watching import History

if TYPE_CHECKING:
    from airflow.sdk import Context

END_ALLOWANCE = 1800
"""Seconds beyond the search's own limit for its last trainings to end."""


class LastTuning(Record):
    """state/last_tuning.json: where the next search may begin."""

    job_name: str
    run_id: str


class TuningOperator(FeatureTrainingOperator):
    """Runs one tuning job and returns its best training job as a ``SearchResult``.

    Every argument but the pipeline is a template; what is not said comes from the pipeline's ``tuning`` section. Writes
    ``leaderboard.json`` with every training job. While it waits, the counts of training jobs by state and the best so
    far are logged.

    Args:
        pipeline: The model kept fresh.
        split: The split task's XCom.
        preprocessed: The preprocessing task's XCom.
        max_jobs: How many training jobs.
        max_parallel: How many at once.
        max_run_time: Seconds for the whole search.
        strategy: Bayesian, Random, Grid or Hyperband.
        kwargs: The base's.
    """

    kind: ClassVar[JobKind] = TUNING
    template_fields: Sequence[str] = (
        *FeatureTrainingOperator.template_fields,
        "max_jobs",
        "max_parallel",
        "max_run_time",
        "strategy",
    )

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        max_jobs: int | str | None = None,
        max_parallel: int | str | None = None,
        max_run_time: int | str | None = None,
        strategy: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pipeline=pipeline, **kwargs)
        self.max_jobs = max_jobs
        self.max_parallel = max_parallel
        self.max_run_time = max_run_time
        self.strategy = strategy

    def request(self, context: Context, name: str) -> dict[str, Any]:
        """CreateHyperParameterTuningJob's arguments."""
        return tuning.create_hyper_parameter_tuning_job(name, self.options(context, name))

    def options(self, context: Context, name: str) -> tuning.TuningOptions:
        """The typed options: arguments first, then the pipeline's.

        Raises:
            RequestError: a value that cannot be cast, or a metric that an algorithm does not emit.
        """
        spec = self.pipeline.tuning
        strategy = arguments.text(self.strategy) or spec.strategy
        if strategy not in get_args(tuning.Strategy):
            raise RequestError(f"strategy: expected one of {', '.join(get_args(tuning.Strategy))}, found {strategy!r}")
        options = tuning.TuningOptions(
            definitions=tuple(self._definition(context, algorithm, name) for algorithm in spec.algorithms),
            strategy=strategy,
            max_jobs=arguments.number("max_jobs", self.max_jobs, int) or spec.max_jobs,
            max_parallel=arguments.number("max_parallel", self.max_parallel, int) or spec.max_parallel,
            max_run_time=arguments.number("max_run_time", self.max_run_time, int) or spec.max_run_time,
            early_stopping=spec.early_stopping,
            seed=spec.seed,
        )
        parent = self._warm_start(context, options) if spec.warm_start else None
        return options.model_copy(update={"warm_start_from": (parent,)}) if parent else options

    def longest_wait(self) -> float:
        """The search's own limit and half an hour for its last trainings, or ``max_wait`` where that is less."""
        own = arguments.number("max_run_time", self.max_run_time, int) or self.pipeline.tuning.max_run_time
        return min(self.max_wait, own + END_ALLOWANCE)

    def meaning(self, description: Description) -> outcomes.Meaning:
        """As the table says; a job that used up its time limit is told from one that somebody stopped."""
        limits = (description.get("HyperParameterTuningJobConfig") or {}).get("ResourceLimits") or {}
        used = (description.get("ConsumedResources") or {}).get("RuntimeInSeconds")
        status = read(TUNING, description).status
        own_end = status == "Stopped" and used is not None and used >= limits.get(outcomes.OWN_LIMIT, float("inf"))
        return outcomes.meaning(TUNING, status, outcomes.OWN_LIMIT if own_end else None)

    def usable(self, description: Description) -> bool:
        """Whether there is a best training job."""
        return bool(_best(description))

    def result(self, context: Context, description: Description, history: History) -> dict[str, Any]:
        """Write the leaderboard; the best training job with the containers that serve it."""
        job = read(TUNING, description)
        summaries = tuned.list_trainings(self.sm, job.name)
        algorithm_of = {summary["TrainingJobName"]: self.algorithm_of(summary) for summary in summaries}
        rows = {
            summary["TrainingJobName"]: tuned.of_summary(summary, algorithm_of[summary["TrainingJobName"]])
            for summary in summaries
        }
        name = _best(description)
        if name is None:
            reasons = sorted({row.failure_reason for row in rows.values() if row.failure_reason})
            raise JobFailed(
                f"tuning job {job.name} ended as {job.state} without a best training job, of {len(rows)}: "
                + ("; ".join(reasons) or "none emitted the objective")
            )
        algorithm = algorithm_of.get(name) or self.pipeline.tuning.algorithms[0]
        objective = self.objective(algorithm)
        best = self.candidate(name, algorithm, rows.get(name))
        board = tuned.leaderboard(
            job,
            rows.values(),
            metric=objective.metric,
            maximize=objective.maximize,
            best=name,
            billable=self.billable(rows.values()),
            transitions=history.transitions,
        )
        found = self.found(context, board, best)
        self.keep_for_warm_start(context, job.name)
        return found

    def keep_for_warm_start(self, context: Context, job_name: str) -> None:
        """Write down where the next search may begin."""
        storage.write_record(self.s3, self._state_uri, LastTuning(job_name=job_name, run_id=context["run_id"]))

    def billable(self, rows: Iterable[Candidate]) -> float | None:
        """What the trainings took, as SageMaker bills it; with spot it bills less, and does not say how much less."""
        return None if self.pipeline.tuning.spot else sum(row.duration or 0.0 for row in rows)

    @property
    def _state_uri(self) -> str:
        return f"s3://{self.deployment.bucket_of(self.pipeline)}/{self.pipeline.name}/state/last_tuning.json"

    def _definition(self, context: Context, algorithm: str, name: str) -> tuning.TuningDefinition:
        options, ranges = self.training(context, algorithm, name)
        objective = self.objective(algorithm)
        return tuning.TuningDefinition(
            name=algorithm, training=options, metric=objective.metric, maximize=objective.maximize, ranges=ranges
        )

    def algorithm_of(self, summary: dict[str, Any]) -> str:
        """By the definition's name, which a tuning job of several algorithms gives; else there is only one."""
        return str(summary.get("TrainingJobDefinitionName") or self.pipeline.tuning.algorithms[0])

    def _warm_start(self, context: Context, options: tuning.TuningOptions) -> str | None:
        """The last run's tuning job, where this one may begin with what that found; says why not, where it may not."""
        try:
            last = storage.read_record(self.s3, self._state_uri, LastTuning)
        except storage.ObjectMissing:
            self.log.info("warm start: no earlier tuning job of this pipeline, so this one starts cold")
            return None
        if last.run_id == context["run_id"]:
            return None
        before = watching.describe(self.sm, TUNING, last.job_name)
        if before is None or not read(TUNING, before).over:
            self.log.warning("warm start: tuning job %s is gone or still running: this one starts cold", last.job_name)
            return None
        # SageMaker refuses a parent with other hyperparameters or another objective.
        now = tuning.create_hyper_parameter_tuning_job("any", options)
        if _searched(now) != _searched(before):
            self.log.warning("warm start: %s searched other hyperparameters: this one starts cold", last.job_name)
            return None
        self.log.info("warm start: beginning with what tuning job %s found", last.job_name)
        return last.job_name


def _best(description: Description) -> str | None:
    """With a warm start the best of the parents may be better; but it was trained on their data, so ours counts."""
    return (description.get("BestTrainingJob") or {}).get("TrainingJobName")


def _searched(description: Description) -> tuple[object, ...]:
    config = description["HyperParameterTuningJobConfig"]
    ranges = config.get("ParameterRanges") or {}
    static = (description.get("TrainingJobDefinition") or {}).get("StaticHyperParameters") or {}
    return (
        (config.get("HyperParameterTuningJobObjective") or {}).get("MetricName"),
        sorted(each["Name"] for group in ranges.values() for each in group),
        sorted(name for name in static if not name.startswith("_")),
    )
