"""Every AWS service that is not ours: moto, mounted whole and unchanged. It keeps nothing across restarts.

What moto lacks comes back as an error that the service's clients can read, and IAM's policy simulator, which moto
lacks too, says what holds here: there is no access control, everything is allowed.
"""

import io
import logging
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from include.local_aws import roles
from include.local_aws.addressing import signed_service
from include.local_aws.asgi import App
from include.local_aws.wire.errors import not_implemented
from include.local_aws.wire.protocols import Answer, error, protocol_of

log = logging.getLogger(__name__)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]

_SIMULATORS = ("SimulatePrincipalPolicy", "SimulateCustomPolicy")
_LARGEST_FORM = 1024 * 1024


def app() -> App:
    """moto's WSGI application as an ASGI one."""
    from a2wsgi import WSGIMiddleware
    from moto.server import DomainDispatcherApplication, create_backend_app

    moto = readable(roles.with_role(DomainDispatcherApplication(create_backend_app).get_application))
    return cast("App", WSGIMiddleware(cast("Any", moto), workers=8))


def readable(find: Callable[[Environ], Wsgi]) -> Wsgi:
    """The applications that `find` finds, as one; what is missing or breaks is answered in the service's protocol.

    `find` raises AttributeError where there is no application for the service of a request: moto's does.
    """

    def answered(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        headers = _headers(environ)
        service = signed_service(headers.get("authorization", "")) or "unknown"
        form = _form(environ, headers) if service == "iam" else {}
        if form.get("Action") in _SIMULATORS:
            return _respond(start_response, HTTPStatus.OK, ("text/xml", {}, allowed(form)))
        protocol = protocol_of(service, headers)
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, answer_headers: list[tuple[str, str]], *_: object) -> None:
            started[:] = [(status, answer_headers)]

        try:
            moto = find(environ)
        except AttributeError:
            said = not_implemented(f"the service {service}").message
            return _respond(start_response, HTTPStatus.NOT_IMPLEMENTED, error(protocol, "NotImplemented", 501, said))
        try:
            body = moto(environ, start)
        except NotImplementedError as missing:
            said = not_implemented(f"this call of {service} ({str(missing).rstrip('.')})").message
            return _respond(start_response, HTTPStatus.NOT_IMPLEMENTED, error(protocol, "NotImplemented", 501, said))
        except Exception as failure:
            log.exception("moto could not answer a call of %s", service)
            said = f"{type(failure).__name__}: {failure}"
            broken = error(protocol, "InternalFailure", 500, said)
            return _respond(start_response, HTTPStatus.INTERNAL_SERVER_ERROR, broken)
        status, answer_headers = started[0]
        if _is_page(status, answer_headers) and service != "unknown":
            asked = f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}"
            said = not_implemented(f"this call of {service} ({asked})").message
            return _respond(start_response, HTTPStatus.NOT_IMPLEMENTED, error(protocol, "NotImplemented", 501, said))
        start_response(status, answer_headers)
        return body

    return answered


def allowed(form: Mapping[str, str]) -> bytes:
    """The policy simulator's answer to a request: every action on every resource is allowed."""
    actions = [value for name, value in form.items() if name.startswith("ActionNames.member.")]
    resources = [value for name, value in form.items() if name.startswith("ResourceArns.member.")] or ["*"]
    members = "".join(
        f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalResourceName>{escape(resource)}"
        "</EvalResourceName><EvalDecision>allowed</EvalDecision><MatchedStatements/><MissingContextValues/></member>"
        for action in actions
        for resource in resources
    )
    name = form["Action"]
    result = f"<IsTruncated>false</IsTruncated><EvaluationResults>{members}</EvaluationResults>"
    return (
        f'<{name}Response xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><{name}Result>{result}</{name}Result>'
        f"<ResponseMetadata><RequestId>local</RequestId></ResponseMetadata></{name}Response>"
    ).encode()


def _headers(environ: Environ) -> dict[str, str]:
    named = {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")}
    return {**named, "content-type": environ.get("CONTENT_TYPE") or ""}


def _form(environ: Environ, headers: Mapping[str, str]) -> dict[str, str]:
    """The members of a form, which is put back for whoever reads it next."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if protocol_of("iam", headers) != "query" or not 0 < length <= _LARGEST_FORM:
        return {}
    body = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    return dict(parse_qsl(body.decode("utf-8", "replace")))


def _is_page(status: str, headers: Iterable[tuple[str, str]]) -> bool:
    """Whether the answer is the web framework's own page for a path or a method that moto has nothing at."""
    types = [value for name, value in headers if name.lower() == "content-type"]
    return status[:3] in ("404", "405") and any(value.startswith("text/html") for value in types)


def _respond(start_response: StartResponse, status: HTTPStatus, answer: Answer) -> Iterable[bytes]:
    content_type, headers, body = answer
    named = {"Content-Type": content_type, "Content-Length": str(len(body)), **headers}
    start_response(f"{status.value} {status.phrase}", list(named.items()))
    return [body]
