"""The champion's jobs, run again on the new data: one operator for each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from automl_retraining.core.config import Pipeline
from automl_retraining.core.records import SearchResult, SplitResult
from automl_retraining.operators.autopilot import REPORTS_ALLOWANCE, AutopilotOperator
from automl_retraining.operators.base import START_ALLOWANCE, SageMakerJobOperator
from automl_retraining.operators.processing import PreprocessOperator
from automl_retraining.sagemaker import candidates, endpoint, refit, requests, storage, tags, tuned, watching
from automl_retraining.sagemaker.jobs import TRAINING, Description, JobKind, read
from automl_retraining.sagemaker.lineage import Lineage, NotRefittable
from automl_retraining.sagemaker.tuned import Preprocessed
from automl_retraining.sagemaker.watching import History

if TYPE_CHECKING:
    from airflow.sdk import Context


class Again(SageMakerJobOperator):
    """Mixin of what runs one of the champion's jobs again: its description as a request, and its other tags."""

    _carried: Sequence[tags.Tag] = ()

    def described(self, name: str | None) -> dict[str, Any]:
        """What the champion's job was asked to do; the tags that somebody else gave it are kept for the new one."""
        description = watching.describe(self.sm, self.kind, name) if name else None
        if description is None:
            raise NotRefittable(
                f"{self.kind.title} {name}, which made the champion, is not there any more: somebody deleted it after "
                "find_jobs had found it; clear find_jobs"
            )
        self._carried = refit.carried_tags(endpoint.tags_of(self.sm, str(description[self.kind.arn_member])))
        return refit.arguments(self.sm, self.kind, description)

    def own_copy(self, context: Context, prefixes: Mapping[str, str]) -> dict[str, str]:
        """Copy what a job brings from S3 beside the data, its code, into the run folder; where, by channel.

        The run's folder alone then holds what the next refit needs, however old the run is that the code came from.
        """
        copied = {}
        for channel, prefix in prefixes.items():
            parent, _, last = prefix.rpartition("/")
            target = storage.join(self.run_folder(context), "preprocessing", "source", channel)
            for uri in storage.list_uris(self.s3, prefix):
                storage.copy(self.s3, uri, storage.join(target, uri.removeprefix(f"{parent}/")))
            copied[channel] = f"{target}/{last}"
        return copied

    def tagged(self, context: Context, request: Mapping[str, Any], *, name_member: str) -> dict[str, Any]:
        """As the base's, and the tags that were kept."""
        tagged = super().tagged(context, request, name_member=name_member)
        own = {tag["Key"] for tag in tagged["Tags"]}
        return {**tagged, "Tags": [*tagged["Tags"], *(tag for tag in self._carried if tag["Key"] not in own)]}


class RefitOperator(Again):
    """Base of the operators that run one of the champion's jobs again.

    Args:
        pipeline: The model kept fresh: its ``refit`` section says what changes beside the data.
        split: The split task's XCom.
        lineage: The ``Lineage`` of ``find_jobs``.
        kwargs: The base's.
    """

    template_fields: Sequence[str] = ("split", "lineage")

    def __init__(self, *, pipeline: Pipeline, split: Any, lineage: Any, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, **kwargs)
        self.split = split
        self.lineage = lineage

    @property
    def given(self) -> tuple[SplitResult, Lineage]:
        """The two XComs as values."""
        return SplitResult.model_validate(self.split), Lineage.model_validate(self.lineage)

    def longest_wait(self) -> float:
        """What the ``refit`` section allows, and half an hour around it."""
        spec = self.pipeline.refit
        own = spec.max_wait if spec.max_wait is not None else spec.max_run_time
        if own is None:
            return self.max_wait
        # Without its own limit, waiting for a spot instance may take as long again.
        return min(self.max_wait, own * (2 if spec.max_wait is None and spec.spot else 1) + START_ALLOWANCE)


class RefitPreprocessOperator(Again, PreprocessOperator):
    """The champion's processing job on the new train and validation parts. XCom: ``Preprocessed``.

    The code is a copy of the champion's; the table's description (``spec.json``) is new.

    Args:
        pipeline: The model kept fresh.
        split: The split task's XCom.
        lineage: The ``Lineage`` of ``find_jobs``.
        kwargs: The base's.
    """

    template_fields: Sequence[str] = ("split", "lineage")

    def __init__(self, *, pipeline: Pipeline, split: Any, lineage: Any, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, split=split, **kwargs)
        self.lineage = lineage

    def request(self, context: Context, name: str) -> dict[str, Any]:
        """CreateProcessingJob's arguments; the spec is uploaded first."""
        data = self.data(context)
        described = self.described(Lineage.model_validate(self.lineage).preprocessing_job)
        return refit.processing(
            described,
            name,
            pipeline=self.pipeline,
            role_arn=self.deployment.role_of(self.pipeline),
            inputs={**data, **self.own_copy(context, refit.prefixes(described, without=data))},
            outputs={part: self._output(context, name, part) for part in ("train", "validation", "model")},
        )

    def longest_wait(self) -> float:
        """What the ``refit`` section allows, and half an hour around it."""
        own = self.pipeline.refit.max_run_time
        return self.max_wait if own is None else min(self.max_wait, own + START_ALLOWANCE)


class RefitTrainOperator(RefitOperator):
    """The champion's own training job on the new features. Writes ``leaderboard.json``. XCom: a ``SearchResult``.

    Args:
        pipeline: The model kept fresh.
        split: The split task's XCom.
        lineage: The ``Lineage`` of ``find_jobs``.
        preprocess: Id of the task that returned ``Preprocessed``, or was skipped.
        make_features: Id of the task that made an Autopilot champion's features, or was skipped.
        kwargs: The base's.
    """

    kind: ClassVar[JobKind] = TRAINING

    def __init__(self, *, preprocess: str, make_features: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.preprocess = preprocess
        self.make_features = make_features

    def request(self, context: Context, name: str) -> dict[str, Any]:
        """CreateTrainingJob's arguments."""
        made = self._features(context)
        described = self.described(self.given[1].training_job)
        digest = made.get("digest")
        return refit.training(
            described,
            name,
            pipeline=self.pipeline,
            role_arn=self.deployment.role_of(self.pipeline),
            channels={part: made[f"{part}_uri"] for part in ("train", "validation")},
            output_uri=storage.join(self.run_folder(context), "training"),
            environment={tuned.FEATURES: digest} if digest else {},
            spot=self.pipeline.refit.spot,
        )

    def result(self, context: Context, description: Description, history: History) -> dict[str, Any]:
        """The one candidate there is: the champion's containers over the two new artifacts."""
        split, lineage = self.given
        made = self._features(context)
        tuned.check_artifact(self.s3, description)
        chain = lineage.refitted(made["model_uri"], description["ModelArtifacts"]["S3ModelArtifacts"])
        name = description["TrainingJobName"]
        metric = objective_metric(description)
        best = tuned.of_description(description, candidates.algorithm(name, chain) or "unknown", metric)
        best = best.model_copy(update={"containers": chain})
        job = read(TRAINING, description)
        board = tuned.leaderboard(
            job,
            [best],
            metric=metric,
            maximize=not _is_error(metric),
            best=name,
            billable=description.get("BillableTimeInSeconds"),
            transitions=history.transitions,
        )
        uri = storage.join(self.run_folder(context), "leaderboard.json")
        storage.write_record(self.s3, uri, board)
        return SearchResult(
            job_name=name,
            job_arn=job.arn or "",
            kind=TRAINING.key,
            candidate=best,
            problem_type=split.problem_type,
            leaderboard_uri=uri,
        ).model_dump(mode="json")

    def _features(self, context: Context) -> dict[str, Any]:
        ti: Any = context["ti"]
        if made := ti.xcom_pull(task_ids=self.preprocess):
            preprocessed = Preprocessed.model_validate(made)
            return preprocessed.model_dump(include={"train_uri", "validation_uri", "model_uri", "digest"})
        return dict(ti.xcom_pull(task_ids=self.make_features))


class SearchAgainOperator(AutopilotOperator):
    """A new Autopilot job in the mode and of the algorithms of the ensemble that is the champion.

    Args:
        pipeline: The model kept fresh.
        split: The split task's XCom.
        lineage: The ``Lineage`` of ``find_jobs``.
        kwargs: The base's.
    """

    template_fields: Sequence[str] = ("split", "lineage")

    def __init__(self, *, pipeline: Pipeline, split: Any, lineage: Any, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, split=split, mode="ENSEMBLING", **kwargs)
        self.lineage = lineage

    def longest_wait(self) -> float:
        """As the base's, from the limit that ``refit`` sets where it sets one."""
        own = self.pipeline.refit.max_run_time
        return super().longest_wait() if own is None else min(self.max_wait, own + REPORTS_ALLOWANCE)

    def options(self, context: Context) -> requests.AutoMLOptions:
        """The pipeline's options under the champion's restrictions."""
        lineage = Lineage.model_validate(self.lineage)
        options = super().options(context)
        limit = self.pipeline.refit.max_run_time
        return options.model_copy(
            update={
                "algorithms": lineage.algorithms,
                "max_candidates": lineage.max_candidates or options.max_candidates,
                "max_run_time": limit or options.max_run_time,
            }
        )


def objective_metric(description: Description) -> str:
    """The metric that a training was, or would be, judged by.

    What a tuning job told it to optimise, else the first that it emitted for the validation rows.
    """
    told = (description.get("HyperParameters") or {}).get("_tuning_objective_metric")
    if told:
        return str(told).strip('"')
    emitted = [str(each["MetricName"]) for each in description.get("FinalMetricDataList") or ()]
    return next((name for name in emitted if name.startswith("validation:")), emitted[0] if emitted else "unknown")


def _is_error(metric: str) -> bool:
    word = metric.rpartition(":")[2].lower()
    return any(part in word for part in ("rmse", "mse", "mae", "mape", "error", "loss", "objective"))
