"""Tune the chosen candidates together: one tuning job with a definition for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import DataError
from automl_retraining.core.records import Candidate, SplitResult
from automl_retraining.operators import arguments
from automl_retraining.operators.candidate_features import Featured
from automl_retraining.operators.tuning import END_ALLOWANCE, TuningOperator
from automl_retraining.sagemaker import algorithms, steps, storage, training, tuned, tuning
from automl_retraining.sagemaker.candidate_definitions import CandidateDefinitions

if TYPE_CHECKING:
    from airflow.sdk import Context


class CandidateTuningOperator(TuningOperator):
    """Runs one tuning job over candidate definitions; its best training job behind its data transformer is the result.

    Objectives, fixed hyperparameters and ranges are the notebook's; the budget is the pipeline's ``candidates``. Of the
    leaderboard's rows ``algorithm`` is the candidate's name (``dpp0-xgboost``). XCom: a ``SearchResult``.

    Args:
        pipeline: The model kept fresh.
        split: The split task's XCom.
        definitions: The definitions task's XCom.
        featured: The XComs of all `MakeFeaturesOperator`.
        kwargs: The base's: ``max_jobs``, ``max_parallel``, ``max_run_time``.
    """

    template_fields: Sequence[str] = (
        "split", "definitions", "featured", "max_jobs", "max_parallel", "max_run_time",
    )  # fmt: skip

    def __init__(self, *, pipeline: Pipeline, split: Any, definitions: Any, featured: Any, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, split=split, preprocessed=None, **kwargs)
        self.definitions = definitions
        self.featured = featured

    @property
    def table(self) -> SplitResult:
        """The split's XCom as a value."""
        return SplitResult.model_validate(self.split)

    @property
    def defined(self) -> CandidateDefinitions:
        """The definitions' XCom as a value."""
        return CandidateDefinitions.model_validate(self.definitions)

    @property
    def chosen(self) -> dict[str, Featured]:
        """The chosen candidates' features by their names; DataError where there are none."""
        found = [Featured.model_validate(each) for each in self.featured or ()]
        if not found:
            raise DataError("expected the features of at least one chosen candidate, found none")
        return {each.candidate: each for each in found}

    def options(self, context: Context, name: str) -> tuning.TuningOptions:  # noqa: ARG002 - the base's signature
        """The typed options: the notebook's definitions, the form's budget, then the pipeline's."""
        spec, chosen = self.pipeline.candidates, self.chosen
        max_jobs = arguments.number("max_jobs", self.max_jobs, int) or spec.max_jobs
        if max_jobs < len(chosen):
            self.log.warning("%d training jobs for %d candidates: some will not be tried", max_jobs, len(chosen))
        return tuning.TuningOptions(
            definitions=tuple(self._tuned(context, each) for each in chosen.values()),
            strategy=spec.strategy,
            max_jobs=max_jobs,
            max_parallel=arguments.number("max_parallel", self.max_parallel, int) or spec.max_parallel,
            max_run_time=arguments.number("max_run_time", self.max_run_time, int) or spec.max_run_time,
            seed=spec.seed,
        )

    def longest_wait(self) -> float:
        """The search's own limit and half an hour for its last trainings, or ``max_wait`` where that is less."""
        own = arguments.number("max_run_time", self.max_run_time, int) or self.pipeline.candidates.max_run_time
        return min(self.max_wait, own + END_ALLOWANCE)

    def objective(self, algorithm: str) -> algorithms.Objective:
        """What the candidate's trainings are judged by, as the notebook says."""
        definitions = self.defined
        metric = definitions.named(algorithm)[1].objective
        return algorithms.Objective(metric, metric, definitions.maximize)

    def candidate(self, name: str, algorithm: str, row: Candidate | None = None) -> Candidate:
        """The training job as a candidate with the containers that serve it; JobFailed where its artifact is gone."""
        definitions, made = self.defined, self.chosen[algorithm]
        chosen, shared = definitions.named(algorithm)
        description = self.sm.describe_training_job(TrainingJobName=name)
        tuned.check_artifact(self.s3, description)
        whole = tuned.of_description(description, algorithm, shared.objective)
        chain = steps.containers(
            definitions.transformer_image,
            made.transformer_uri,
            chosen.algorithm,
            shared.inference_image,
            steps.artifact(description),
            self.table.problem_type,
        )
        value = whole.objective_value if row is None else row.objective_value
        return whole.model_copy(update={"containers": chain, "objective_value": value})

    def keep_for_warm_start(self, context: Context, job_name: str) -> None:
        """Nothing: features differ from run to run, and SageMaker starts several definitions cold."""

    def billable(self, rows: Iterable[Candidate]) -> float | None:
        """What the trainings took; none of them is on spot."""
        return sum(row.duration or 0.0 for row in rows)

    def algorithm_of(self, summary: dict[str, Any]) -> str:
        """The candidate, by the definition's name, which a tuning job of several gives; else there is only one."""
        return str(summary.get("TrainingJobDefinitionName") or next(iter(self.chosen)))

    def _tuned(self, context: Context, made: Featured) -> tuning.TuningDefinition:
        chosen, shared = self.defined.named(made.candidate)
        spec, aws = self.pipeline.candidates, self.pipeline.aws
        machine = chosen.algorithm_machine
        return tuning.TuningDefinition(
            name=made.candidate,
            training=training.TrainingOptions(
                image_uri=shared.training_image,
                role_arn=self.deployment.role_of(self.pipeline),
                output_uri=storage.join(self.run_folder(context), "candidates", made.candidate, "tuning"),
                channels={"train": made.train_uri, "validation": made.validation_uri},
                content_type=chosen.features_type,
                hyperparameters={**shared.static, **chosen.static},
                instance_type=spec.instance_type or machine.instance_type,
                instance_count=machine.instance_count,
                volume_gb=machine.volume_size_in_gb,
                max_run_time=spec.max_training_job_run_time,
                kms_key=aws.kms_key,
                volume_kms_key=aws.kms_key,
                subnets=aws.subnets,
                security_group_ids=aws.security_group_ids,
            ),
            metric=shared.objective,
            maximize=self.defined.maximize,
            ranges=shared.ranges,
        )
