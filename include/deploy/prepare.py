"""``python -m include.deploy.prepare``: what docker-compose.yaml does once, before Airflow's components start.

It writes the logins, brings the database to this Airflow's version, and makes the bucket where the AWS connection
leads to the embedded AWS. In a real account the bucket is yours to make. ``prepare bucket`` does the last part only.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

LOGINS = {"admin": "AIRFLOW_ADMIN_PASSWORD", "viewer": "AIRFLOW_VIEWER_PASSWORD"}
"""User to the environment variable with the password."""
PASSWORDS_FILE = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
CONNECTION = "AIRFLOW_CONN_AWS_DEFAULT"
BUCKET = "AUTOML_RETRAINING_BUCKET"


class NotPrepared(RuntimeError):
    """What is missing, in a sentence."""


def write_logins(environment: Mapping[str, str]) -> Path:
    """Write Airflow's file of passwords, readable by its owner only; a changed password holds from the next start."""
    path = Path(_needed(environment, PASSWORDS_FILE))
    logins = {user: _needed(environment, name) for user, name in LOGINS.items()}
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(logins, file)
    return fresh.replace(path)


def embedded_aws(connection: str) -> str | None:
    """The endpoint that an Airflow connection (URI or JSON) names, or None where it leads to AWS itself."""
    if connection.lstrip().startswith("{"):
        extra = json.loads(connection).get("extra") or {}
        extra = json.loads(extra) if isinstance(extra, str) else extra
        return extra.get("endpoint_url") or None
    query = parse_qs(urlsplit(connection).query)
    if "__extra__" in query:
        return json.loads(query["__extra__"][0]).get("endpoint_url") or None
    return query.get("endpoint_url", [None])[0]


def make_bucket(url: str, name: str) -> None:
    """Make the bucket at the embedded AWS, unless it is there."""
    import boto3

    s3 = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - the embedded AWS takes any
    )
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=name)


def bucket(environment: Mapping[str, str]) -> str:
    """Make the bucket of the run folders where that is ours to do, and say what was done."""
    name = _needed(environment, BUCKET)
    url = embedded_aws(_needed(environment, CONNECTION))
    if url is None:
        return f"bucket {name}: in your AWS account, nothing was done there"
    make_bucket(url, name)
    return f"bucket {name}: at the embedded AWS, {url}"


def migrate() -> None:
    """Bring the database to this Airflow's version."""
    done = subprocess.run(["airflow", "db", "migrate"], check=False)
    if done.returncode != 0:
        raise NotPrepared(f"airflow db migrate ended with status {done.returncode}: its output is above")


def _needed(environment: Mapping[str, str], name: str) -> str:
    if not environment.get(name):
        raise NotPrepared(f"expected {name} in the environment, found nothing: run make env, see .env.example")
    return environment[name]


def main(arguments: list[str]) -> int:
    """The command line; 1 with a sentence where something is missing."""
    if arguments not in ([], ["bucket"]):
        print("usage: python -m include.deploy.prepare [bucket]", file=sys.stderr)
        return 2
    try:
        if not arguments:
            print(f"logins: {write_logins(os.environ)}", flush=True)
            migrate()
        print(bucket(os.environ), flush=True)
    except NotPrepared as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
