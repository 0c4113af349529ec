"""What a caller reads when its call is throttled or fails for no reason of its own, in the form of its service."""

import json

from include.local_aws.faults.settings import ERRORS, Fault

Answer = tuple[int, bytes, str, list[tuple[str, str]]]
"""HTTP status, body, content type and headers."""

_SENTENCES = {
    "InternalFailure": "The request processing has failed because of an unknown error, exception or failure.",
    "InternalServerError": "The request processing has failed because of an unknown error, exception or failure.",
    "ServiceUnavailable": "The request has failed due to a temporary failure of the server.",
    "RequestTimeout": "Your socket connection to the server was not read from or written to within the timeout period.",
}


def answer(fault: Fault, service: str, form: str) -> Answer:
    """The answer to a call that a throttle or an error hit; `form` is json, rest-json, xml or query."""
    if fault.kind == "throttle":
        code, status, sentence = ("ThrottlingException", 400, "Rate exceeded")
        if service == "s3":
            code, status, sentence = ("SlowDown", 503, "Please reduce your request rate.")
        elif form == "query":
            code = "Throttling"
    else:
        code, status, sentence = fault.code, ERRORS[fault.code], _SENTENCES[fault.code]
        if service == "s3" and code == "InternalFailure":
            code = "InternalError"
    return _written(code, status, f"{sentence} (injected)", form)


def _written(code: str, status: int, message: str, form: str) -> Answer:
    errortype = [("x-amzn-errortype", code)]
    match form:
        case "xml":
            body = f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>injected</RequestId></Error>"
            return status, body.encode(), "application/xml", []
        case "query":
            kind = "Sender" if status < 500 else "Receiver"
            error = f"<Error><Type>{kind}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            body = f"<ErrorResponse>{error}<RequestId>injected</RequestId></ErrorResponse>"
            return status, body.encode(), "text/xml", []
        case "rest-json":
            return status, json.dumps({"Message": message}).encode(), "application/json", errortype
        case _:
            document = {"__type": code, "message": message}
            return status, json.dumps(document).encode(), "application/x-amz-json-1.1", errortype
