"""Every name this project gives to something outside itself: run folders and SageMaker resources.

Names are functions of what they stand for, so that the same intent always gets the same name: that is
what lets a crashed task find its job again instead of starting a second one.
"""

from __future__ import annotations

import base64
import hashlib
import re

from automl_retraining.core.errors import ConfigError

PREFIX = "art"
"""First word of every resource of ours ("automl retraining")."""

SHORT_KINDS = frozenset({"automl", "tuning"})
SHORT_LIMIT = 32
"""CreateAutoMLJob, CreateAutoMLJobV2 and CreateHyperParameterTuningJob take at most 32 characters."""
LONG_LIMIT = 63
"""All other SageMaker names take at most 63 characters."""

_HASH_CHARACTERS = 12
_FOLDER_LIMIT = 120


def name_limit(kind: str) -> int:
    """The most characters SageMaker takes in a name of that kind."""
    return SHORT_LIMIT if kind in SHORT_KINDS else LONG_LIMIT


def name_prefix(kind: str) -> str:
    """What every name of that kind begins with: ``art-<kind>-``."""
    if not re.fullmatch(r"[a-z]{1,12}", kind):
        raise ConfigError(f"expected a resource kind of 1 to 12 lower-case letters, such as 'automl', found {kind!r}")
    return f"{PREFIX}-{kind}-"


def job_name(
    kind: str,
    *,
    deployment: str,
    dag_id: str,
    run_id: str,
    task_id: str,
    map_index: int,
    clear_number: int,
    failures: int,
    run_started: str = "",
) -> str:
    """The name of the one resource that this task of this run makes in this attempt.

    Args:
        kind: Which resource: ``automl``, ``transform``, ``model``, ...
        deployment: Tells two Airflows in one account apart.
        dag_id: With the next four: the task instance.
        run_id: As Airflow gives it; any Unicode.
        task_id: As Airflow gives it.
        map_index: -1 where the task is not mapped.
        clear_number: How often something in the run was cleared: a cleared task gets a new name.
        failures: Names of this task that are used up by failed or stopped jobs.
        run_started: The run's start, so that a run deleted and made again under the same id is another intent.

    Returns:
        Lower-case ASCII, legal for SageMaker (``[a-z0-9](-*[a-z0-9])*``), at most 32 characters for AutoML and
        tuning jobs (AutoML names are not case-sensitive), else 63; a readable bit of the DAG's and the task's
        name, then 60 bits of BLAKE2b over all arguments.
    """
    prefix = name_prefix(kind)
    digest = _digest(kind, deployment, dag_id, run_id, task_id, str(map_index), str(clear_number), str(failures),
                     run_started)  # fmt: skip
    room = name_limit(kind) - len(prefix) - len(digest) - 1
    readable = _readable(dag_id if room < 20 else f"{dag_id}-{task_id}", room)
    return f"{prefix}{readable}-{digest}" if readable else f"{prefix}{digest}"


def run_folder_name(run_id: str) -> str:
    """The run's folder name: the run id where every S3 tool takes it as it is, else made legal with a hash.

    Letters, digits, ``.``, ``_`` and ``-`` stay; anything else becomes ``-`` and eight hexadecimal digits of
    the id's BLAKE2b follow, so that two ids never share a folder.
    """
    legal = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", run_id) and len(run_id) <= _FOLDER_LIMIT
    if legal and not re.search(r"-[0-9a-f]{8}$", run_id):
        return run_id
    tail = hashlib.blake2b(run_id.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    body = re.sub(r"[^A-Za-z0-9._-]+", "-", run_id).lstrip("._-")[: _FOLDER_LIMIT - 9].rstrip("-")
    return f"{body or 'run'}-{tail}"


def run_folder_uri(bucket: str, pipeline: str, run_id: str) -> str:
    """``s3://<bucket>/<pipeline>/runs/<folder>``, without a slash at the end."""
    return f"s3://{bucket}/{pipeline}/runs/{run_folder_name(run_id)}"


def _digest(*parts: str) -> str:
    """Base-32 characters of BLAKE2b over the parts, each with its length so that no two lists look alike."""
    hashed = hashlib.blake2b(digest_size=8)
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        hashed.update(len(encoded).to_bytes(4, "big") + encoded)
    return base64.b32encode(hashed.digest()).decode("ascii").lower()[:_HASH_CHARACTERS]


def _readable(text: str, room: int) -> str:
    """The last whole words of the text that fit, else the beginning of its last word."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    if not words or room < 1:
        return ""
    kept: str = words[-1][:room]
    for word in reversed(words[:-1]):
        if len(kept) + 1 + len(word) > room:
            break
        kept = f"{word}-{kept}"
    return kept
