"""Search for a model with SageMaker Autopilot (CreateAutoMLJobV2)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import JobFailed, RequestError
from automl_retraining.core.records import SearchResult, SplitResult
from automl_retraining.operators import arguments
from automl_retraining.operators.base import SageMakerJobOperator
from automl_retraining.sagemaker import candidates, requests, storage
from automl_retraining.sagemaker.jobs import AUTOML, Description, JobKind, read
from automl_retraining.sagemaker.watching import History

if TYPE_CHECKING:
    from airflow.sdk import Context

REPORTS_ALLOWANCE = 3600
"""Seconds after the search's own time limit for Autopilot's reports, before the task gives up."""


class AutopilotOperator(SageMakerJobOperator):
    """Runs one Autopilot job and returns its best candidate as a ``SearchResult``.

    What is not said comes from the pipeline's ``search`` section and from the split. Every argument but the pipeline is
    a template, so the trigger form's values fit in; texts are cast. The job's name is pushed as XCom ``job_name`` right
    after the submission.

    Writes ``leaderboard.json`` (all candidates) and ``notebooks/`` into the run folder. A search that ran into its
    limits but found a servable candidate is a success with a warning.

    Args:
        pipeline: The model kept fresh.
        split: The split task's XCom (``split.output``): where the data are, target and problem type.
        mode: ``AUTO``, ``ENSEMBLING`` or ``HYPERPARAMETER_TUNING``.
        max_candidates: 1 to 750.
        max_run_time: Seconds for the whole search.
        max_training_job_run_time: Seconds for one candidate; never more than the whole search's.
        metric: The objective under SageMaker's name; by default the problem type's.
        algorithms: Only these; not with AUTO.
        sample_weight: Column of row weights; with ENSEMBLING only.
        feature_specification_uri: Written from the pipeline's ``feature_types`` where not given.
        validation_fraction: Share of the train part to validate on, instead of the split's validation part.
        candidate_definitions_only: Stop after the candidate definitions.
        volume_kms_key: For the volumes; the pipeline's ``kms_key`` encrypts the output.
        encrypt_traffic: Between the training instances.
        model_deploy_config: Refused: deployment goes through the gate.
        kwargs: The base's.
    """

    kind: ClassVar[JobKind] = AUTOML
    template_fields: Sequence[str] = (
        "split", "mode", "max_candidates", "max_run_time", "max_training_job_run_time", "metric", "algorithms",
        "sample_weight", "feature_specification_uri", "validation_fraction", "volume_kms_key",
    )  # fmt: skip

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        split: Any,
        mode: str | None = None,
        max_candidates: int | str | None = None,
        max_run_time: int | str | None = None,
        max_training_job_run_time: int | str | None = None,
        metric: str | None = None,
        algorithms: Any = None,
        sample_weight: str | None = None,
        feature_specification_uri: str | None = None,
        validation_fraction: float | str | None = None,
        candidate_definitions_only: bool = False,
        volume_kms_key: str | None = None,
        encrypt_traffic: bool = False,
        model_deploy_config: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pipeline=pipeline, **kwargs)
        self.split = split
        self.mode = mode
        self.max_candidates = max_candidates
        self.max_run_time = max_run_time
        self.max_training_job_run_time = max_training_job_run_time
        self.metric = metric
        self.algorithms = algorithms
        self.sample_weight = sample_weight
        self.feature_specification_uri = feature_specification_uri
        self.validation_fraction = validation_fraction
        self.candidate_definitions_only = candidate_definitions_only
        self.volume_kms_key = volume_kms_key
        self.encrypt_traffic = encrypt_traffic
        self.model_deploy_config = model_deploy_config

    def request(self, context: Context, name: str) -> dict[str, Any]:
        """CreateAutoMLJobV2's arguments; writes the feature specification first where the pipeline has one."""
        return requests.create_auto_ml_job_v2(name, self.options(context))

    def options(self, context: Context) -> requests.AutoMLOptions:
        """The typed options: arguments first, then the pipeline's, then the split's.

        Raises:
            RequestError: a value that cannot be cast; rules between options are checked by the request builder.
        """
        split = SplitResult.model_validate(self.split)
        search, aws = self.pipeline.search, self.pipeline.aws
        folder = self.run_folder(context)
        metric = arguments.text(self.metric) or search.metric or requests.METRICS[split.problem_type][0]
        fraction = arguments.number("validation_fraction", self.validation_fraction, float)
        most = arguments.number("max_run_time", self.max_run_time, int) or search.max_run_time
        return requests.AutoMLOptions(
            train_uri=split.train_uri,
            validation_uri=None if fraction is not None else split.validation_uri,
            validation_fraction=fraction,
            target=split.target,
            output_uri=storage.join(folder, "autopilot"),
            role_arn=self.deployment.role_of(self.pipeline),
            problem_type=split.problem_type,
            metric=metric,
            mode=_mode(arguments.text(self.mode) or search.mode),
            algorithms=arguments.names(self.algorithms) or search.algorithms,
            max_candidates=arguments.number("max_candidates", self.max_candidates, int) or search.max_candidates,
            max_run_time=most,
            max_training_job_run_time=arguments.number("max_training_job_run_time", self.max_training_job_run_time, int)
            or search.max_training_job_run_time,
            sample_weight=arguments.text(self.sample_weight) or search.sample_weight,
            feature_specification_uri=self._feature_specification(folder),
            candidate_definitions_only=self.candidate_definitions_only,
            kms_key=aws.kms_key,
            volume_kms_key=arguments.text(self.volume_kms_key) or aws.kms_key,
            encrypt_traffic=self.encrypt_traffic,
            subnets=aws.subnets,
            security_group_ids=aws.security_group_ids,
            model_deploy_config=self.model_deploy_config,
        )

    def longest_wait(self) -> float:
        """The search's own limit and an hour for its reports, or ``max_wait`` where that is less."""
        own = arguments.number("max_run_time", self.max_run_time, int) or self.pipeline.search.max_run_time
        return min(self.max_wait, own + REPORTS_ALLOWANCE)

    def usable(self, description: Description) -> bool:
        """Whether there is a best candidate that can serve.

        A job that reached a limit may say Stopped: its secondary status tells it from one that somebody stopped. One
        whose report failed may say Failed although its models are there.
        """
        return _servable(description)

    def result(self, context: Context, description: Description, history: History) -> dict[str, Any]:
        """Write the leaderboard and the notebooks; the best candidate with its containers."""
        folder = self.run_folder(context)
        job = read(AUTOML, description)
        notebooks = self._fetch_notebooks(folder, description)
        board = candidates.leaderboard(
            description,
            candidates.list_candidates(self.sm, job.name),
            transitions=history.transitions,
            notebooks=notebooks,
        )
        leaderboard_uri = storage.join(folder, "leaderboard.json")
        storage.write_record(self.s3, leaderboard_uri, board)
        self.log.info("%d candidates in %s", len(board.candidates), leaderboard_uri)
        if self.candidate_definitions_only:
            return {"job_name": job.name, "leaderboard_uri": leaderboard_uri, "notebooks": notebooks}
        if not _servable(description):
            raise JobFailed(
                f"Autopilot job {job.name} ended as {job.state} without a candidate that can serve: expected a best "
                "candidate with inference containers. Give the search more time or candidates, or read its notebooks"
            )
        best = candidates.candidate(description["BestCandidate"])
        self.log.info("best candidate %s: %s %s", best.name, best.objective_metric, best.objective_value)
        return SearchResult(
            job_name=job.name,
            job_arn=job.arn or "",
            kind=AUTOML.key,
            mode=candidates.mode(description),
            candidate=best,
            problem_type=SplitResult.model_validate(self.split).problem_type,
            leaderboard_uri=leaderboard_uri,
        ).model_dump(mode="json")

    def _feature_specification(self, folder: str) -> str | None:
        given = arguments.text(self.feature_specification_uri)
        if given is not None or not self.pipeline.search.feature_types:
            return given
        uri = storage.join(folder, "data", "feature_specification.json")
        text = json.dumps({"FeatureDataTypes": dict(self.pipeline.search.feature_types)}, indent=2, sort_keys=True)
        storage.write_text(self.s3, uri, text + "\n", "application/json")
        return uri

    def _fetch_notebooks(self, folder: str, description: Description) -> list[str]:
        """Copy both notebooks into the run folder; the URIs of those that the job wrote."""
        artifacts = description.get("AutoMLJobArtifacts") or {}
        copied = []
        for member, name in (("DataExplorationNotebookLocation", "data_exploration.ipynb"),
                             ("CandidateDefinitionNotebookLocation", "candidate_definitions.ipynb")):  # fmt: skip
            source = artifacts.get(member)
            if not source:
                continue
            target = storage.join(folder, "notebooks", name)
            try:
                storage.copy(self.s3, source, target)
            except storage.ObjectMissing as error:
                self.log.warning("notebook %s is announced but not there: %s", name, error)
                continue
            copied.append(target)
        return copied


def _servable(description: Description) -> bool:
    return bool((description.get("BestCandidate") or {}).get("InferenceContainers"))


def _mode(value: str) -> Any:
    if value not in ("AUTO", "ENSEMBLING", "HYPERPARAMETER_TUNING"):
        raise RequestError(f"mode: expected AUTO, ENSEMBLING or HYPERPARAMETER_TUNING, found {value!r}")
    return value
