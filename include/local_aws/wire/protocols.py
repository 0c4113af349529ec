"""An error in the form that the clients of any AWS service read: each service has one of six protocols.

Source: botocore's error parsers (botocore/parsers.py), which all official clients' agree with.
"""

import json
from collections.abc import Mapping
from xml.sax.saxutils import escape

_XML_SERVICES = ("cloudfront", "route53")
"""The services with REST and XML, S3 apart, that moto has."""

Answer = tuple[str, dict[str, str], bytes]
"""Content type, further headers and body."""


def protocol_of(service: str, headers: Mapping[str, str]) -> str:
    """cbor, json, query, ec2, rest-xml or rest-json, from a request's headers (by lower-case name)."""
    if headers.get("smithy-protocol") == "rpc-v2-cbor":
        return "cbor"
    if "x-amz-target" in headers:
        return "json"
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return "ec2" if service == "ec2" else "query"
    return "rest-xml" if service in _XML_SERVICES else "rest-json"


def error(protocol: str, code: str, status: int, message: str) -> Answer:
    """An error's answer in a protocol of `protocol_of`."""
    typed = {"x-amzn-errortype": code}
    kind = "Sender" if status < 500 else "Receiver"
    described = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    match protocol:
        case "cbor":
            headers = {"smithy-protocol": "rpc-v2-cbor", **typed}
            return "application/cbor", headers, _cbor({"__type": code, "message": message})
        case "json":
            return "application/x-amz-json-1.1", typed, json.dumps({"__type": code, "message": message}).encode()
        case "query" | "rest-xml":
            body = f"<Error><Type>{kind}</Type>{described}</Error><RequestId>local</RequestId>"
            return "text/xml", {}, f"<ErrorResponse>{body}</ErrorResponse>".encode()
        case "ec2":
            body = f"<Errors><Error>{described}</Error></Errors><RequestID>local</RequestID>"
            return "text/xml", {}, f"<Response>{body}</Response>".encode()
        case _:
            return "application/json", typed, json.dumps({"message": message}).encode()


def _cbor(texts: Mapping[str, str]) -> bytes:
    """A map of texts (RFC 8949, major types 5 and 3)."""
    head = bytes([0xA0 + len(texts)])
    return head + b"".join(_cbor_text(each) for pair in texts.items() for each in pair)


def _cbor_text(text: str) -> bytes:
    body = text.encode()
    return b"\x7a" + len(body).to_bytes(4, "big") + body
