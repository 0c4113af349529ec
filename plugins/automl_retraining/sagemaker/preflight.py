"""What a run needs of the account, looked at before anything is paid for.

Each check asks AWS and changes nothing, but for one object in the run folder that is written, read and deleted. What is
certainly missing is told from what cannot be told, because the credentials may not look or the service does not answer:
a role that may train need not be allowed to read IAM.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from automl_retraining.core.errors import EndpointError, RegistryError, StorageError
from automl_retraining.sagemaker import endpoint, failures, registry, storage

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "Forbidden",
                     "NotAuthorized"})  # fmt: skip
_NO_ROLE = frozenset({"NoSuchEntity", "NoSuchEntityException"})
_NO_BUCKET = frozenset({"404", "NoSuchBucket", "NotFound"})
_SERVICE = "sagemaker.amazonaws.com"
_ROLE_ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:ListBucket")


@dataclass(frozen=True)
class Finding:
    """One sentence. ``missing`` ends the run; otherwise it is a warning."""

    missing: bool
    sentence: str


def missing(sentence: str) -> list[Finding]:
    """The run cannot do without."""
    return [Finding(True, sentence)]


def unsure(sentence: str) -> list[Finding]:
    """It cannot be told, or may go well all the same."""
    return [Finding(False, sentence)]


def all_of(checks: Iterable[Callable[[], list[Finding]]]) -> list[Finding]:
    """The findings of all checks, in their order; they ask AWS at the same time.

    Raises:
        ClientError, BotoCoreError, StorageError: AWS did not answer S3's or SageMaker's part; worth a retry.
    """
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8, thread_name_prefix="preflight") as pool:
        return [finding for found in list(pool.map(lambda check: check(), checks)) for finding in found]


def role(iam: Any, role_arn: str, bucket: str | None) -> list[Finding]:
    """The role exists, SageMaker may assume it, and its policies let it read and write the bucket.

    A bucket's own policy may allow what the role's do not, so rights that are missing are a warning.
    """
    what, name = f"role {role_arn}", role_arn.rpartition("/")[2]
    found = _ask(lambda: iam.get_role(RoleName=name)["Role"], what, gone=_NO_ROLE)
    if isinstance(found, list):
        return found
    if found is None:
        return missing(f"{what}: expected it to exist in this account, found none: create it, or mend aws.role_arn")
    if found["Arn"] != role_arn:
        return missing(f"{what}: expected it in this account, found {found['Arn']}: mend aws.role_arn")
    if not trusted(found.get("AssumeRolePolicyDocument") or {}):
        return missing(
            f"{what}: expected a trust policy that lets {_SERVICE} assume it, found none: add that principal to it"
        )
    if bucket is None:
        return []
    answer = _ask(
        lambda: iam.simulate_principal_policy(
            PolicySourceArn=role_arn,
            ActionNames=list(_ROLE_ACTIONS),
            ResourceArns=[f"arn:{role_arn.split(':')[1]}:s3:::{bucket}{end}" for end in ("", "/*")],
        ),
        f"{what}: its rights",
    )
    if isinstance(answer, list):
        return answer
    # An action fits either the bucket or its objects: allowed on one of the two is enough.
    allowed = {each["EvalActionName"] for each in answer["EvaluationResults"] if each["EvalDecision"] == "allowed"}
    lacking = [action for action in _ROLE_ACTIONS if action not in allowed]
    words = f"{what}: expected its policies to allow {', '.join(lacking)} on bucket {bucket}, found that they do not"
    return unsure(f"{words}; jobs fail unless the bucket's own policy does") if lacking else []


def trusted(document: Mapping[str, Any] | str) -> bool:
    """Whether a trust policy lets SageMaker assume the role, whatever its conditions."""
    # IAM's API writes percent-encoded JSON, which boto3 reads.
    policy: Mapping[str, Any] = json.loads(unquote(document)) if isinstance(document, str) else document
    statements = policy.get("Statement") or ()
    for statement in [statements] if isinstance(statements, Mapping) else statements:
        principal = statement.get("Principal") or {}
        services = principal.get("Service") if isinstance(principal, Mapping) else principal
        named = [services] if isinstance(services, str) else services or []
        if statement.get("Effect") == "Allow" and any(each in (_SERVICE, "*") for each in named):
            return True
    return False


def bucket(s3: Any, name: str, region: str, run_folder: str) -> list[Finding]:
    """The bucket exists in the jobs' region, and objects of the run folder can be written, read and deleted."""
    what = f"bucket {name}"
    found = _ask(lambda: s3.head_bucket(Bucket=name), what, gone=_NO_BUCKET, retry=True)
    if found is None:
        return missing(f"{what}: expected it to exist, found none: create it in {region}, or mend aws.bucket")
    problems = found if isinstance(found, list) else []
    where = None if isinstance(found, list) else found.get("BucketRegion")
    if where and where != region:
        problems = missing(
            f"{what}: expected it in {region}, where the jobs run, found it in {where}: SageMaker reads and writes in "
            "its own region only; name another bucket, or set aws.region"
        )
    return [*problems, *_object(s3, storage.join(run_folder, f"preflight-{uuid.uuid4().hex[:12]}.txt"))]


def _object(s3: Any, uri: str) -> list[Finding]:
    text = "written, read and deleted before the run\n"
    try:
        storage.write_text(s3, uri, text)
        try:
            found = storage.read_text(s3, uri)
        finally:
            folder, key = storage.parse_uri(uri)
            with storage.words("delete", uri):
                s3.delete_object(Bucket=folder, Key=key)
    except StorageError as error:
        if error.retryable:
            raise
        return missing(f"run folder: {error}")
    return [] if found == text else missing(f"run folder: expected to read what was written to {uri}, found {found!r}")


def kms_key(kms: Any, key: str) -> list[Finding]:
    """The key exists and is enabled."""
    what = f"KMS key {key}"
    found = _ask(lambda: kms.describe_key(KeyId=key)["KeyMetadata"], what, gone=frozenset({"NotFoundException"}))
    if isinstance(found, list):
        return found
    if found is None:
        return missing(f"{what}: expected it to exist, found none in this region: mend aws.kms_key")
    if found.get("KeyState") != "Enabled":
        return missing(f"{what}: expected it to be enabled, found {found.get('KeyState')}: enable it")
    return []


def endpoint_free(sm: Any, name: str, *, adopt: bool, pipeline: str) -> list[Finding]:
    """The endpoint is ours to write, where there is one, and in a state out of which an update leads."""
    found = _ask(lambda: endpoint.describe(sm, name), f"endpoint {name}", retry=True)
    if isinstance(found, list) or found is None:
        return found or []
    try:
        endpoint.check_ours(found, adopt=adopt, pipeline=pipeline)
    except EndpointError as error:
        return missing(str(error))
    reason = f" ({found.failure_reason})" if found.failure_reason else ""
    if found.status in ("OutOfService", "UpdateRollbackFailed"):
        return missing(
            f"endpoint {name}: expected one that can be updated, found {found.status}{reason}: bring it back to "
            "InService, or delete it to let the run create it anew"
        )
    if found.status == "Failed":
        return unsure(f"endpoint {name} is Failed{reason}: a promotion deletes it and creates it anew")
    return []


def group_free(sm: Any, group: str, own: Mapping[str, str], *, adopt: bool) -> list[Finding]:
    """The model package group is this pipeline's, where there is one."""
    found = _ask(lambda: registry.group_of(sm, group), f"model package group {group}", retry=True)
    if isinstance(found, list) or found is None:
        return found or []
    try:
        registry.check_group(group, found[1], own, adopt=adopt)
    except RegistryError as error:
        return missing(str(error))
    return []


def _ask(call: Callable[[], Any], what: str, *, gone: frozenset[str] = frozenset(), retry: bool = False) -> Any:
    """AWS's answer; None where it says that there is no such thing; findings where it does not let itself be asked.

    Args:
        call: The call.
        what: What is asked for, for the sentence.
        gone: Codes that mean that there is none.
        retry: Raise what a retry of the task may mend. Without it that is only a warning.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call()
    except (ClientError, BotoCoreError) as error:
        code = failures.code(error)
        if code in gone:
            return None
        if retry and code not in _DENIED:
            raise
        return unsure(f"{what} cannot be checked: {failures.sentence(error, 'looking')}")
