"""The one role that there is from the start, so that whoever asks IAM about SageMaker's role is answered as by AWS.

Roles have no effect here. This one is made through IAM's own CreateRole, before the first call of IAM; others are made
the same way, by anybody.
"""

import io
import json
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any
from urllib.parse import urlencode

from include.local_aws.addressing import signed_service

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

NAME = "automl-retraining"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def with_role(find: Callable[[dict[str, Any]], Wsgi]) -> Callable[[dict[str, Any]], Wsgi]:
    """`find`, which finds the application for a call, but the role is made before the first call of IAM."""
    lock = Lock()
    made = False

    def found(environ: dict[str, Any]) -> Wsgi:
        nonlocal made
        application = find(environ)
        if signed_service(environ.get("HTTP_AUTHORIZATION", "")) == "iam":
            with lock:
                if not made:
                    make(application, environ)
                    made = True
        return application

    return found


def make(iam: Wsgi, environ: dict[str, Any]) -> None:
    """Make it with the application that answers IAM's calls, in a copy of the environment of a call that came.

    Raises:
        RuntimeError: IAM did not make it.
    """
    asked = {
        "Action": "CreateRole",
        "Version": "2010-05-08",
        "RoleName": NAME,
        "AssumeRolePolicyDocument": json.dumps(_TRUST),
        "Description": "What SageMaker assumes; it has no effect here.",
    }
    body = urlencode(asked).encode()
    said: list[str] = []
    answer = iam(
        {
            **environ,
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "CONTENT_TYPE": "application/x-www-form-urlencoded; charset=utf-8",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        },
        lambda status, *_: said.append(status),
    )
    text = b"".join(answer)
    if not said or not said[0].startswith("200"):
        raise RuntimeError(f"expected IAM to make the role {NAME}, it answered {said}: {text[:300]!r}")
