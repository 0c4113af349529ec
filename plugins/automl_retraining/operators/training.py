"""Train one model on the preprocessor's features: what a single training and a search of many have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from automl_retraining.core.config import Pipeline
from automl_retraining.core.records import Candidate, Leaderboard, SearchResult, SplitResult
from automl_retraining.core.trainer_specs import ParameterRange
from automl_retraining.operators.base import START_ALLOWANCE, SageMakerJobOperator
from automl_retraining.sagemaker import algorithms, images, storage, training, tuned
from automl_retraining.sagemaker.jobs import TRAINING, Description, JobKind, read
from automl_retraining.sagemaker.tuned import Preprocessed
from automl_retraining.sagemaker.watching import History

if TYPE_CHECKING:
    from airflow.sdk import Context


class FeatureTrainingOperator(SageMakerJobOperator):
    """Base of the operators that train on the features of a ``PreprocessOperator``.

    Args:
        pipeline: The model kept fresh: its ``tuning`` section says what to train.
        split: The split task's XCom.
        preprocessed: The preprocessing task's XCom.
        kwargs: The base's.
    """

    template_fields: Sequence[str] = ("split", "preprocessed")

    def __init__(self, *, pipeline: Pipeline, split: Any, preprocessed: Any, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, **kwargs)
        self.split = split
        self.preprocessed = preprocessed

    @property
    def given(self) -> tuple[SplitResult, Preprocessed]:
        """The two XComs as values."""
        return SplitResult.model_validate(self.split), Preprocessed.model_validate(self.preprocessed)

    def objective(self, algorithm: str) -> algorithms.Objective:
        """What the algorithm's trainings are judged by; RequestError where its image has nothing that means it."""
        return algorithms.objective(algorithm, self.given[0].problem_type, self.pipeline.search.metric)

    def training(
        self, context: Context, algorithm: str, name: str
    ) -> tuple[training.TrainingOptions, Mapping[str, ParameterRange]]:
        """One training's options with its fixed hyperparameters, and the ranges of those to be searched.

        Artifacts and checkpoints go below the job's name in the run folder.
        """
        split, made = self.given
        spec, aws = self.pipeline.tuning, self.pipeline.aws
        fixed, ranges = algorithms.hyperparameters(
            self.pipeline, algorithm, split.problem_type, len(split.labels), self.objective(algorithm)
        )
        folder = storage.join(self.run_folder(context), "training")
        options = training.TrainingOptions(
            image_uri=images.image_uri(algorithm, str(self.sm.meta.region_name), algorithms.VERSIONS[algorithm]),
            role_arn=self.deployment.role_of(self.pipeline),
            output_uri=folder,
            channels={"train": made.train_uri, "validation": made.validation_uri},
            hyperparameters=fixed,
            environment={tuned.FEATURES: made.digest},
            instance_type=spec.instance_type,
            volume_gb=spec.volume_gb,
            max_run_time=spec.max_training_job_run_time,
            spot=spec.spot,
            max_wait=spec.max_wait,
            checkpoint_uri=storage.join(folder, "checkpoints", name) if spec.spot else None,
            kms_key=aws.kms_key,
            volume_kms_key=aws.kms_key,
            subnets=aws.subnets,
            security_group_ids=aws.security_group_ids,
        )
        return options, ranges

    def candidate(self, name: str, algorithm: str, row: Candidate | None = None) -> Candidate:
        """The training job as a candidate with the containers that serve it.

        Raises:
            JobFailed: its artifact is gone.
            DataError: it was trained on other features than the preprocessor makes.
        """
        split, made = self.given
        description = self.sm.describe_training_job(TrainingJobName=name)
        tuned.check_artifact(self.s3, description)
        chain = tuned.containers(made, algorithm, description, split.problem_type)
        whole = tuned.of_description(description, algorithm, self.objective(algorithm).metric)
        # The tuning job's own summary knows which hyperparameters were searched; the description has all of them.
        objective = row or whole
        return whole.model_copy(
            update={
                "containers": chain,
                "objective_metric": objective.objective_metric,
                "objective_value": objective.objective_value,
            }
        )

    def found(self, context: Context, board: Leaderboard, best: Candidate) -> dict[str, Any]:
        """Write the leaderboard and return the search's XCom."""
        uri = storage.join(self.run_folder(context), "leaderboard.json")
        rows = tuple(best if row.name == best.name else row for row in board.candidates)
        storage.write_record(self.s3, uri, board.model_copy(update={"candidates": rows}))
        self.log.info("%d training jobs in %s", len(rows), uri)
        self.log.info("best: %s, %s %s", best.name, best.objective_metric, best.objective_value)
        return SearchResult(
            job_name=board.job_name,
            job_arn=board.job_arn,
            kind=board.kind,
            candidate=best,
            problem_type=SplitResult.model_validate(self.split).problem_type,
            leaderboard_uri=uri,
        ).model_dump(mode="json")


class TrainOperator(FeatureTrainingOperator):
    """Trains one model with fixed hyperparameters: ``tuning: {search: false}``. XCom: a ``SearchResult``."""

    kind: ClassVar[JobKind] = TRAINING

    def request(self, context: Context, name: str) -> dict[str, Any]:
        """CreateTrainingJob's arguments."""
        options, _ = self.training(context, self.pipeline.tuning.algorithms[0], name)
        return training.create_training_job(name, options)

    def longest_wait(self) -> float:
        """The job's own limit, or the wait for a spot instance, and half an hour around it."""
        spec = self.pipeline.tuning
        own = spec.max_training_job_run_time
        return min(self.max_wait, (spec.max_wait or 2 * own if spec.spot else own) + START_ALLOWANCE)

    def result(self, context: Context, description: Description, history: History) -> dict[str, Any]:
        """The one candidate there is."""
        algorithm = self.pipeline.tuning.algorithms[0]
        objective = self.objective(algorithm)
        best = self.candidate(description["TrainingJobName"], algorithm)
        board = tuned.leaderboard(
            read(TRAINING, description),
            [best],
            metric=objective.metric,
            maximize=objective.maximize,
            best=best.name,
            billable=description.get("BillableTimeInSeconds"),
            transitions=history.transitions,
        )
        return self.found(context, board, best)
