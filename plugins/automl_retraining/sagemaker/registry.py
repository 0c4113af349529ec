"""The model registry: a group of versions for each pipeline, a version for each candidate that reached the gate.

A version carries what the model is made of, its metrics and those it was held against, where its run's folder and
report are, and a status. The status is the gate's word or a person's, and the endpoint's task obeys it: see
``require_approved``. Every function takes a boto3 SageMaker client.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from automl_retraining.core.errors import NotApproved, RegistryBusy, RegistryError
from automl_retraining.core.records import Decision, Evaluation
from automl_retraining.sagemaker import failures, in_use, tags
from automl_retraining.sagemaker.endpoint import describe_model, tags_of
from automl_retraining.sagemaker.storage import join
from automl_retraining.sagemaker.tags import as_mapping

Status = Literal["Approved", "Rejected", "PendingManualApproval"]

PACKAGE_TAG = "art:package"
"""On a model: the ARN of its version, so that it is never registered twice."""
MODEL, VERDICT, REPORT, DECISION = "art:model", "art:verdict", "art:report", "art:decision"
"""Keys of a version's CustomerMetadataProperties, beside those of the run's tags."""
STATISTICS, CHAMPION_STATISTICS, CONSTRAINTS = (
    f"model_quality/{name}.json" for name in ("statistics", "champion_statistics", "constraints")
)
"""Of the run folder: what ``core/model_quality.py`` makes of the evaluation."""

_RUN_TAGS = frozenset({tags.RUN_ID, tags.RUN_FOLDER, tags.DIGEST})
_LONGEST_TEXT = 1024


@dataclass(frozen=True)
class Serving:
    """How a version may be deployed: what the registry's page shows beside its containers."""

    realtime: str = "ml.m5.large"
    transform: str = "ml.m5.large"
    content_type: str = "text/csv"


def register(
    sm: Any,
    *,
    group: str,
    model_name: str,
    folder: str,
    evaluation: Evaluation,
    decision: Decision,
    status: Status,
    tags: Sequence[Mapping[str, str]],
    serving: Serving | None = None,
    adopt: bool = False,
) -> str:
    """Register the model as the group's next version, or find the version that it has; the version's ARN.

    A model has one version, however often its gate decides: a new verdict (a champion that had changed meanwhile)
    sets the status anew, the same verdict leaves alone what a person has made of it since.

    Args:
        sm: a SageMaker client.
        group: the group's name; it is created where there is none.
        model_name: the challenger.
        folder: the run folder's URI; the metrics' files must be there (``STATISTICS`` and the others).
        evaluation: what the metrics say.
        decision: what the gate says of them.
        status: what the version begins with.
        tags: the run's (``tags.own_tags``): a group gets the pipeline's, a version has them as its metadata.
        serving: instance types and content type; None for the defaults.
        adopt: take a group that was not made by this pipeline.

    Raises:
        RegistryError: the group is somebody else's, or the model cannot be registered.
        RegistryBusy: somebody else writes the group just now (worth a retry).
    """
    model = describe_model(sm, model_name)
    if model is None:
        raise RegistryError(f"model {model_name}: expected to register it, found no model of that name: clear the run")
    own = as_mapping(tags)
    _ensure_group(sm, group, own, adopt=adopt)
    known = tags_of(sm, model["ModelArn"]).get(PACKAGE_TAG)
    found = describe(sm, known) if known else None
    if known and found and found.get("ModelPackageGroupName") == group:
        if found.get("CustomerMetadataProperties", {}).get(VERDICT) != decision.verdict:
            set_status(sm, known, status, decision.sentence, {VERDICT: decision.verdict})
        elif not found.get("ApprovalDescription"):  # ended between the two calls below
            set_status(sm, known, found["ModelApprovalStatus"], decision.sentence)
        return known
    request = version_request(
        model,
        group=group,
        folder=folder,
        evaluation=evaluation,
        decision=decision,
        status=status,
        metadata=own,
        serving=serving or Serving(),
        token=_token(group, folder, model_name, known or ""),
    )
    arn = str(_call(sm, "create_model_package", f"register model {model_name} in group {group}", **request))
    _call(
        sm,
        "add_tags",
        f"tag model {model_name}",
        ResourceArn=model["ModelArn"],
        Tags=[{"Key": PACKAGE_TAG, "Value": arn}],
    )
    set_status(sm, arn, status, decision.sentence)
    return arn


def version_request(
    model: Mapping[str, Any],
    *,
    group: str,
    folder: str,
    evaluation: Evaluation,
    decision: Decision,
    status: Status,
    metadata: Mapping[str, str],
    serving: Serving,
    token: str,
) -> dict[str, Any]:
    """The arguments of ``create_model_package``: a pure function of DescribeModel's answer and the run's records.

    Tags cannot be given: a version has those of its group (API reference, CreateModelPackage).

    Raises:
        RegistryError: the model is itself made of a package, or has no container.
    """
    name = model["ModelName"]
    containers = [_container(name, each) for each in model.get("Containers") or [model.get("PrimaryContainer") or {}]]
    statistics = _source(folder, STATISTICS)
    limits = any(each.champion or each.baseline is not None for each in evaluation.metrics)
    quality = {"Statistics": statistics, **({"Constraints": _source(folder, CONSTRAINTS)} if limits else {})}
    baselines = {"Constraints": _source(folder, CONSTRAINTS)} if limits else {}
    if any(each.champion for each in evaluation.metrics):
        baselines["Statistics"] = _source(folder, CHAMPION_STATISTICS)
    properties = {
        **metadata,
        MODEL: name,
        VERDICT: decision.verdict,
        REPORT: join(folder, "report.html"),
        DECISION: join(folder, "decision.json"),
    }
    request: dict[str, Any] = {
        "ModelPackageGroupName": group,
        "ModelPackageDescription": f"{name}: {_text(decision.sentence)}"[:_LONGEST_TEXT],
        "InferenceSpecification": {
            "Containers": containers,
            "SupportedTransformInstanceTypes": [serving.transform],
            "SupportedRealtimeInferenceInstanceTypes": [serving.realtime],
            "SupportedContentTypes": [serving.content_type],
            "SupportedResponseMIMETypes": [serving.content_type],
        },
        "ModelApprovalStatus": status,
        "ModelMetrics": {"ModelQuality": quality},
        "CustomerMetadataProperties": {key: tags.legal_value(value) for key, value in properties.items() if value},
        "ClientToken": token,
    }
    if baselines:
        request["DriftCheckBaselines"] = {"ModelQuality": baselines}
    return request


def set_status(sm: Any, arn: str, status: Status, description: str, metadata: Mapping[str, str] | None = None) -> None:
    """Say whether the version may serve, and why.

    Raises:
        RegistryError: there is no such version (any more).
    """
    if describe(sm, arn) is None:
        raise _gone(arn)
    more = {"CustomerMetadataProperties": {k: tags.legal_value(v) for k, v in metadata.items()}} if metadata else {}
    _call(
        sm,
        "update_model_package",
        f"set version {arn} to {status}",
        ModelPackageArn=arn,
        ModelApprovalStatus=status,
        ApprovalDescription=_text(description)[:_LONGEST_TEXT],
        **more,
    )


def status_of(sm: Any, arn: str) -> str | None:
    """The version's status; None where there is no such version."""
    found = describe(sm, arn)
    return None if found is None else str(found.get("ModelApprovalStatus"))


def require_approved(sm: Any, arn: str) -> None:
    """Refuse a version that may not serve.

    Raises:
        NotApproved: it is Rejected or waits for a person; also where that was changed in the console a moment ago.
        RegistryError: it is gone.
    """
    found = describe(sm, arn)
    if found is None:
        raise _gone(arn)
    status = found.get("ModelApprovalStatus")
    if status != "Approved":
        why = found.get("ApprovalDescription") or "no reason given"
        raise NotApproved(
            f"version {arn}: expected it to be Approved before its model goes behind the endpoint, found {status} "
            f"({why}); nothing was changed. Approve it in the model registry and clear this task, or leave it so"
        )


def describe(sm: Any, arn: str) -> dict[str, Any] | None:
    """DescribeModelPackage's answer; None where there is none of that ARN."""
    return in_use.described(sm, "describe_model_package", ModelPackageName=arn)


def group_of(sm: Any, group: str) -> tuple[str, dict[str, str]] | None:
    """The group's ARN and tags; None where there is none of that name."""
    found = in_use.described(sm, "describe_model_package_group", ModelPackageGroupName=group)
    return None if found is None else (found["ModelPackageGroupArn"], tags_of(sm, found["ModelPackageGroupArn"]))


def _ensure_group(sm: Any, group: str, own: Mapping[str, str], *, adopt: bool) -> None:
    """The group is there and this pipeline's."""
    from botocore.exceptions import ClientError

    wanted = {key: value for key, value in own.items() if key not in _RUN_TAGS}
    found = group_of(sm, group)
    if found is None:
        try:
            sm.create_model_package_group(
                ModelPackageGroupName=group,
                ModelPackageGroupDescription=f"Candidates of pipeline {own[tags.PIPELINE]} that reached its gate",
                Tags=[{"Key": key, "Value": value} for key, value in wanted.items()],
            )
        except ClientError as error:
            if "already exist" not in failures.message(error).lower():
                raise
            found = group_of(sm, group)  # another run of this pipeline was first
        else:
            return
    check_group(group, found[1] if found else {}, own, adopt=adopt)


def check_group(group: str, theirs: Mapping[str, str], own: Mapping[str, str], *, adopt: bool) -> None:
    """Refuse a group whose tags are not those of this pipeline and deployment.

    Raises:
        RegistryError: it is somebody else's, and the pipeline does not say ``adopt: true``.
    """
    other = tags.difference({key: own[key] for key in (tags.DEPLOYMENT, tags.PIPELINE) if key in own}, theirs)
    if other and not adopt:
        raise RegistryError(
            f"model package group {group} was not made by this pipeline: {other}. Give the pipeline another "
            "registry.group, or set registry.adopt: true to let it add its versions to this one"
        )


def _container(model: str, container: Mapping[str, Any]) -> dict[str, Any]:
    if "Image" not in container:
        raise RegistryError(
            f"model {model}: expected containers that name an image, found {sorted(container) or 'none'}: a model that "
            "is made of a package is registered already"
        )
    carried = ("Image", "ModelDataUrl", "ModelDataSource", "Environment", "ContainerHostname")
    return {member: container[member] for member in carried if container.get(member)}


def _source(folder: str, name: str) -> dict[str, str]:
    return {"ContentType": "application/json", "S3Uri": join(folder, name)}


def _token(*parts: str) -> str:
    """The same for the same intent: a request whose answer was lost makes no second version."""
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


def _text(words: str) -> str:
    """On one line: AWS takes no line break in a description."""
    return " ".join(words.split())


def _gone(arn: str) -> RegistryError:
    return RegistryError(
        f"version {arn}: expected it in the model registry, found none: somebody deleted it; clear the task gate to "
        "register the model again"
    )


def _call(sm: Any, operation: str, doing: str, **arguments: Any) -> Any:
    """The ARN that the operation answers, where it does; a conflict as an error that is worth a retry."""
    from botocore.exceptions import ClientError

    try:
        answer = getattr(sm, operation)(**arguments)
    except ClientError as error:
        if failures.code(error) in {"ConflictException", "Conflict"}:
            raise RegistryBusy(f"{doing}: found that somebody else writes it: {failures.message(error)}") from error
        raise
    return (answer or {}).get("ModelPackageArn")
