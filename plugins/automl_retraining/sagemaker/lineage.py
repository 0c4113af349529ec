"""How the champion was made: from the model behind the endpoint to the jobs whose artifacts it serves.

A job is found by its name in the location that it wrote to, and believed only when its description says that it wrote
there. Nothing is looked up in a table of ours, so that a refit's model is refitted as any other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from automl_retraining.core import names
from automl_retraining.core.errors import JobVanished
from automl_retraining.core.records import ContainerSpec, Record
from automl_retraining.sagemaker import candidates, endpoint, inference, storage, watching
from automl_retraining.sagemaker.jobs import AUTOML, PROCESSING, TRAINING, TRANSFORM, Description, JobKind

Way = Literal["processing", "autopilot", "ensemble"]

PROCESSING_INPUTS = ("spec", "train", "validation")
PROCESSING_OUTPUTS = ("train", "validation", "model")
"""Channels of a processing job that a refit points at new places."""
FEATURE_CHANNELS = ("train", "validation")
"""Channels of the algorithm's training job."""

_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")
_FAMILIES: Mapping[str, str] = {
    "CatBoost": "catboost", "ExtraTrees": "extra-trees", "LightGBM": "lightgbm", "LinearModel": "linear-learner",
    "NeuralNetFastAI": "fastai", "NeuralNetTorch": "nn-torch", "RandomForest": "randomforest", "XGBoost": "xgboost",
}  # fmt: skip
"""Autopilot's algorithm by the family that leads an ensembling candidate's name (AutoGluon's model names)."""


class NotRefittable(JobVanished):
    """The champion's jobs are not there, or are not such that they can be run again."""

    retryable: ClassVar[bool] = False


class Lineage(Record):
    """lineage.json and XCom of ``find_jobs``: what made the champion.

    ``processing``: the processing job ``preprocessing_job`` made features and the first container; ``training_job``
    trained on them. ``autopilot``: the training job ``preprocessing_job`` fitted the first container, ``transform_job``
    made the features with the container ``transform_container``. ``ensemble``: ``automl_job`` made all of it.
    """

    champion: str
    way: Way
    containers: tuple[ContainerSpec, ...]
    preprocessing_job: str | None = None
    transform_job: str | None = None
    transform_container: ContainerSpec | None = None
    training_job: str | None = None
    automl_job: str | None = None
    algorithms: tuple[str, ...] = ()
    max_candidates: int | None = None

    def refitted(self, preprocessor: str, model: str) -> tuple[ContainerSpec, ...]:
        """The champion's containers over new artifacts: images and environments as they are."""
        new = {self.containers[0].model_data_url: preprocessor, self.containers[1].model_data_url: model}
        return tuple(
            container.model_copy(update={"model_data_url": new[container.model_data_url]})
            for container in self.containers
        )

    def sentence(self) -> str:
        """What will be run again."""
        if self.way == "ensemble":
            only = f" of {', '.join(self.algorithms)}" if self.algorithms else ""
            return (
                f"model {self.champion} is an ensemble of Autopilot job {self.automl_job}: an ensemble has no steps "
                f"to run again, so a new search in the same mode{only} stands in for them"
            )
        jobs = [f"processing job {self.preprocessing_job}"]
        if self.way == "autopilot":
            jobs = [f"training job {self.preprocessing_job}", f"batch transform job {self.transform_job}"]
        return f"model {self.champion} was made by {', '.join(jobs)} and training job {self.training_job}"


def find(sm: Any, s3: Any, champion: str) -> Lineage:
    """The jobs that made a model.

    Raises:
        NotRefittable: which job, object or member was expected where, and what was found.
    """
    chain = _containers(sm, champion)
    first = _artifact(chain[0], champion)
    if len(chain) == 1:
        return _ensemble(sm, champion, chain, first)
    second = _artifact(chain[1], champion)
    strangers = [each.model_data_url for each in chain if each.model_data_url not in (first, second)]
    if strangers or first == second:
        raise NotRefittable(
            f"model {champion}: expected containers over two artifacts, the preprocessor's and the algorithm's, found "
            f"{'one' if first == second else f'also {strangers[0]}'}"
        )
    training = _maker(sm, TRAINING, second)
    if training is None:
        raise NotRefittable(
            f"model {champion}: expected the training job that wrote {second}, found none that its path names and that "
            "wrote there: it was deleted, or the artifact was copied"
        )
    _check_names(training, "InputDataConfig", "ChannelName", FEATURE_CHANNELS, "training job", "TrainingJobName")
    if (processing := _maker(sm, PROCESSING, first)) is not None:
        _check_processing(s3, processing)
        return Lineage(
            champion=champion,
            way="processing",
            containers=chain,
            preprocessing_job=processing["ProcessingJobName"],
            training_job=training["TrainingJobName"],
        )
    processor = _maker(sm, TRAINING, first)
    if processor is None:
        raise NotRefittable(
            f"model {champion}: expected the processing or training job that wrote its preprocessor {first}, found "
            "none that its path names and that wrote there: it was deleted, or the artifact was copied"
        )
    return _autopilot(sm, s3, champion, chain, processor, training)


def _containers(sm: Any, champion: str) -> tuple[ContainerSpec, ...]:
    model = endpoint.describe_model(sm, champion)
    if model is None:
        raise NotRefittable(f"model {champion} serves but was deleted: what it was made of cannot be told any more")
    raw = model.get("Containers") or [model.get("PrimaryContainer") or {}]
    foreign = [each for each in raw if "Image" not in each]
    if foreign:
        raise NotRefittable(
            f"model {champion}: expected containers that name their image, found {sorted(foreign[0]) or 'none'}"
        )
    return inference.containers(raw)


def _artifact(container: ContainerSpec, champion: str) -> str:
    if not container.model_data_url:
        raise NotRefittable(
            f"model {champion}: expected a model.tar.gz in each of its containers, {container.image} has none"
        )
    return container.model_data_url


def _ensemble(sm: Any, champion: str, chain: Sequence[ContainerSpec], artifact: str) -> Lineage:
    job = _maker(sm, AUTOML, artifact)
    if job is None:
        raise NotRefittable(
            f"model {champion}: expected the Autopilot job that wrote {artifact}, found none that its path names and "
            "that wrote there: a model of a single container is refitted only where Autopilot made it"
        )
    tabular = (job.get("AutoMLProblemTypeConfig") or {}).get("TabularJobConfig") or {}
    generation = (tabular.get("CandidateGenerationConfig") or {}).get("AlgorithmsConfig") or ()
    asked = tuple(name for each in generation for name in each.get("AutoMLAlgorithms", ()))
    made = next(
        (
            each["CandidateName"]
            for each in candidates.list_candidates(sm, job["AutoMLJobName"])
            if artifact in {container.get("ModelDataUrl") for container in each.get("InferenceContainers", ())}
        ),
        "",
    )
    family = _FAMILIES.get(candidates.algorithm(made, chain) or "")
    return Lineage(
        champion=champion,
        way="ensemble",
        containers=tuple(chain),
        automl_job=job["AutoMLJobName"],
        # A stack of several families does not say which: the job's own list, or all of them.
        algorithms=(family,) if family else asked,
        max_candidates=(tabular.get("CompletionCriteria") or {}).get("MaxCandidates"),
    )


def _autopilot(
    sm: Any,
    s3: Any,
    champion: str,
    chain: Sequence[ContainerSpec],
    processor: Description,
    training: Description,
) -> Lineage:
    _check_names(processor, "InputDataConfig", "ChannelName", ("train",), "training job", "TrainingJobName")
    for name, uri in _channels(processor).items():
        if name != "train":
            _check_there(s3, uri, f"the channel {name} of training job {processor['TrainingJobName']}")
    job = _transform(sm, _channels(training)["train"], training["TrainingJobName"])
    if job is None:
        raise NotRefittable(
            f"model {champion}: expected the batch transform job that made the features of training job "
            f"{training['TrainingJobName']} at {_channels(training)['train']}, found none"
        )
    model = endpoint.describe_model(sm, job["ModelName"])
    if model is None or not model.get("PrimaryContainer"):
        raise NotRefittable(
            f"model {champion}: expected the model {job['ModelName']} of batch transform job {job['TransformJobName']} "
            "with one container, whose environment makes the features, found that it was deleted"
        )
    return Lineage(
        champion=champion,
        way="autopilot",
        containers=tuple(chain),
        preprocessing_job=processor["TrainingJobName"],
        transform_job=job["TransformJobName"],
        transform_container=inference.containers([model["PrimaryContainer"]])[0],
        training_job=training["TrainingJobName"],
    )


def _transform(sm: Any, features: str, training_job: str) -> Description | None:
    """The transform job that wrote the features: named by their place, or among the steps of Autopilot's candidate."""
    if (job := _maker(sm, TRANSFORM, features)) is not None:
        return job
    automl = _maker(sm, AUTOML, features)
    if automl is None:
        return None
    for candidate in candidates.list_candidates(sm, automl["AutoMLJobName"]):
        steps = candidate.get("CandidateSteps") or ()
        if training_job not in {step["CandidateStepName"] for step in steps}:
            continue
        for step in steps:
            if step["CandidateStepType"] == "AWS::SageMaker::TransformJob":
                return watching.describe(sm, TRANSFORM, step["CandidateStepName"])
    return None


def _maker(sm: Any, kind: JobKind, uri: str) -> Description | None:
    """The job of that kind that the location names and that says that it wrote there; the innermost first.

    Only names of ours, and those that Autopilot gives the steps of a job of ours, are asked for: a role that may read
    no other jobs is told of a stranger's that access is denied, not that there is none.
    """
    _, key = storage.parse_uri(uri)
    for name in reversed(key.split("/")):
        if name.startswith(f"{names.PREFIX}-") and _NAME.fullmatch(name) and len(name) <= kind.name_limit:
            description = watching.describe(sm, kind, name)
            if description is not None and _wrote(kind, description, uri):
                return description
    return None


def _wrote(kind: JobKind, description: Description, uri: str) -> bool:
    if kind is TRAINING:
        return bool((description.get("ModelArtifacts") or {}).get("S3ModelArtifacts") == uri)
    if kind is PROCESSING:
        outputs = (description.get("ProcessingOutputConfig") or {}).get("Outputs") or ()
        places = [(each.get("S3Output") or {}).get("S3Uri") for each in outputs]
    elif kind is TRANSFORM:
        places = [(description.get("TransformOutput") or {}).get("S3OutputPath")]
    else:
        places = [(description.get("OutputDataConfig") or {}).get("S3OutputPath")]
    return any(place and f"{uri.rstrip('/')}/".startswith(f"{place.rstrip('/')}/") for place in places)


def _channels(training: Description) -> dict[str, str]:
    return {
        each["ChannelName"]: (each["DataSource"].get("S3DataSource") or {}).get("S3Uri", "")
        for each in training.get("InputDataConfig") or ()
    }


def _check_processing(s3: Any, description: Description) -> None:
    name = description["ProcessingJobName"]
    _check_names(description, "ProcessingInputs", "InputName", PROCESSING_INPUTS, "processing job", "ProcessingJobName")
    _check_names(
        description.get("ProcessingOutputConfig") or {}, "Outputs", "OutputName", PROCESSING_OUTPUTS,
        f"processing job {name}",
    )  # fmt: skip
    for each in description["ProcessingInputs"]:
        if each["InputName"] not in PROCESSING_INPUTS:
            uri = (each.get("S3Input") or {}).get("S3Uri", "")
            _check_there(s3, uri, f"the input {each['InputName']} of processing job {name}")


def _check_names(
    description: Mapping[str, Any], member: str, key: str, wanted: Sequence[str], what: str, name: str = ""
) -> None:
    found = [each.get(key) for each in description.get(member) or ()]
    missing = [each for each in wanted if each not in found]
    if missing:
        raise NotRefittable(
            f"{f'{what} {description.get(name)}' if name else what}: expected {key} {', '.join(wanted)}, which a refit "
            f"points at new places, found {', '.join(map(str, found)) or 'none'}"
        )


def _check_there(s3: Any, uri: str, what: str) -> None:
    """Code that a job brings from S3 is run again from where it is."""
    if not uri.startswith("s3://") or not storage.any_below(s3, uri):
        raise NotRefittable(f"expected {what} at {uri or 'an S3 URI'}, found nothing there: it was deleted")
