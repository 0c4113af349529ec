"""CloudWatch's three protocols: RPC v2 with CBOR, AWS JSON, and forms answered in XML.

Requests become JSON values, as `wire.inputs` reads them; answers are written from those of `wire.outputs`.
Source: botocore's serializers and parsers, which all official clients' agree with.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

from include.local_aws.wire import cbor, protocols
from include.local_aws.wire.errors import AwsError, SerializationException

TARGET = "GraniteServiceVersion20100801"
_NAMESPACE = "http://monitoring.amazonaws.com/doc/2010-08-01/"
_PATH = re.compile(rf"/service/{TARGET}/operation/(\w+)")


@dataclass(frozen=True)
class Request:
    """One request: how it speaks, and for which operation."""

    protocol: str
    operation: str
    body: bytes


@cache
def service() -> ServiceModel:
    """The CloudWatch service model that this machine's botocore carries."""
    description: dict[str, Any] = Loader().load_service_model("cloudwatch", "service-2")
    return ServiceModel(description, "cloudwatch")


@cache
def operation(name: str) -> OperationModel:
    """One operation's model."""
    return service().operation_model(name)


def request_of(headers: dict[str, str], path: str, body: bytes) -> Request:
    """The request in a body, by its path and its headers (with names in lower case)."""
    protocol = protocols.protocol_of("monitoring", headers)
    match protocol:
        case "cbor":
            found = _PATH.fullmatch(path)
            return Request(protocol, found[1] if found else "", body)
        case "json":
            return Request(protocol, headers["x-amz-target"].rpartition(".")[2], body)
        case _:
            form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
            return Request("query", form.get("Action", ""), body)


def document(request: Request) -> Any:
    """The request's members as JSON values; raises `SerializationException`."""
    try:
        match request.protocol:
            case "cbor":
                return cbor.read(request.body) if request.body else {}
            case "json":
                return json.loads(request.body or b"{}")
        form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        shape = operation(request.operation).input_shape
        return _of_form(shape, {key: value for key, value in form.items() if key not in ("Action", "Version")}, "")
    except (ValueError, RecursionError) as error:
        raise SerializationException(f"Expected a request of {request.operation}, found: {error}") from error


def _of_form(shape: Shape, form: dict[str, str], path: str) -> Any:
    """The value of a shape at a dotted path of a form; raises `ValueError` for text that is no such value."""
    below = f"{path}." if path else ""
    if isinstance(shape, StructureShape):
        names = dict.fromkeys(key.removeprefix(below).split(".")[0] for key in form if key.startswith(below))
        members = {name: shape.members.get(name) for name in names}
        return {
            name: _of_form(member, form, below + name) if member is not None else form.get(below + name)
            for name, member in members.items()
        }
    if isinstance(shape, ListShape):
        start = f"{below}member."
        places = sorted({int(key.removeprefix(start).split(".")[0]) for key in form if key.startswith(start)})
        return [_of_form(shape.member, form, f"{start}{place}") for place in places]
    if isinstance(shape, MapShape):
        raise ValueError(f"{path} is a map, which no form holds here.")
    text = form[path]
    match shape.type_name:
        case "integer" | "long":
            return int(text)
        case "float" | "double":
            return float(text)
        case "boolean":
            return {"true": True, "false": False}[text.lower()] if text.lower() in ("true", "false") else text
        case "timestamp":
            return _moment(text)
    return text


def _moment(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def answer(request: Request, written: dict[str, Any]) -> protocols.Answer:
    """Content type, headers and body of a success."""
    shape = operation(request.operation).output_shape
    match request.protocol:
        case "cbor":
            body = cbor.write(_timed(shape, written)) if shape else b""
            return "application/cbor", {"smithy-protocol": "rpc-v2-cbor"}, body
        case "json":
            return "application/x-amz-json-1.0", {}, json.dumps(written).encode()
    name = request.operation
    inner = _xml(shape, written) if shape else ""
    result = f"<{name}Result>{inner}</{name}Result>" if shape else ""
    text = f'<{name}Response xmlns="{_NAMESPACE}">{result}<ResponseMetadata><RequestId>local</RequestId>'
    return "text/xml", {}, f"{text}</ResponseMetadata></{name}Response>".encode()


def failure(request: Request, error: AwsError) -> protocols.Answer:
    """Content type, headers and body of an error, with its code for clients that once spoke the query protocol."""
    content_type, headers, body = protocols.error(request.protocol, error.code, error.status, error.message)
    if request.protocol != "query":
        side = "Sender" if error.status < 500 else "Receiver"
        headers = {**headers, "x-amzn-query-error": f"{error.code};{side}"}
    return content_type, headers, body


def _timed(shape: Shape, value: Any) -> Any:
    """The value with its moments as CBOR's times."""
    if isinstance(shape, StructureShape):
        return {name: _timed(shape.members[name], each) for name, each in value.items()}
    if isinstance(shape, ListShape):
        return [_timed(shape.member, each) for each in value]
    if isinstance(shape, MapShape):
        return {key: _timed(shape.value, each) for key, each in value.items()}
    return cbor.Time(value) if shape.type_name == "timestamp" else value


def _xml(shape: Shape, value: Any) -> str:
    if isinstance(shape, StructureShape):
        return "".join(f"<{name}>{_xml(shape.members[name], each)}</{name}>" for name, each in value.items())
    if isinstance(shape, ListShape):
        return "".join(f"<member>{_xml(shape.member, each)}</member>" for each in value)
    if isinstance(shape, MapShape):
        pairs = value.items()
        return "".join(f"<entry><key>{escape(k)}</key><value>{_xml(shape.value, v)}</value></entry>" for k, v in pairs)
    if shape.type_name == "timestamp":
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value).lower() if isinstance(value, bool) else escape(str(value))
