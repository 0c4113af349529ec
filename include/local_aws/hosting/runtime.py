"""sagemaker-runtime: InvokeEndpoint, handed on to a variant's serving process."""

import asyncio
import json
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import httpx

from include.local_aws import ACCOUNT
from include.local_aws.asgi import Receive, Scope, Send, TooLarge, body_of, header, respond
from include.local_aws.hosting.endpoints import Endpoints
from include.local_aws.hosting.server import Server
from include.local_aws.store import Store

MAX_BODY = 6_291_456
"""Bytes of a request (service model, BodyBlob)."""
INVOCATION_SECONDS = 60
"""A container must answer within this (API reference, InvokeEndpoint)."""
SWAP_SECONDS = 2
"""How long a request waits for a variant that has no process at this moment, as in the middle of a swap."""

_UNSUPPORTED = {
    "x-amzn-sagemaker-target-model": "TargetModel",
    "x-amzn-sagemaker-target-container-hostname": "TargetContainerHostname",
    "x-amzn-sagemaker-inference-component": "InferenceComponentName",
    "x-amzn-sagemaker-enable-explanations": "EnableExplanations",
    "x-amzn-sagemaker-session-id": "SessionId",
}


class Refused(Exception):
    """An answer other than success: HTTP status, error code, and what the caller reads."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.more = status, code, message, more


def choose(variants: Sequence[Mapping[str, Any]], wanted: str | None, chance: float) -> str | None:
    """The variant that answers: the one asked for, or by weight with `chance` in [0, 1). None if there is no such."""
    if wanted is not None:
        return next((each["VariantName"] for each in variants if each["VariantName"] == wanted), None)
    place = chance * sum(each["weight"] for each in variants)
    for each in variants:
        place -= each["weight"]
        if place < 0:
            return str(each["VariantName"])
    return str(variants[-1]["VariantName"])


class Runtime:
    """An ASGI application for ``/endpoints/<name>/invocations``."""

    def __init__(self, store: Store, endpoints: Endpoints) -> None:
        self._store = store
        self._endpoints = endpoints
        self._client = httpx.AsyncClient(timeout=INVOCATION_SECONDS, trust_env=False)

    async def close(self) -> None:
        """Close the connections to the serving processes."""
        await self._client.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send, region: str) -> None:
        """Answer one invocation."""
        try:
            status, body, content_type, headers = await self._invoke(scope, receive, region)
        except Refused as refused:
            document = {"Message": refused.message, **refused.more}
            headers = [("x-amzn-errortype", refused.code)]
            status, body, content_type = refused.status, json.dumps(document).encode(), "application/json"
        await respond(send, status, body, content_type, headers)

    async def _invoke(
        self, scope: Scope, receive: Receive, region: str
    ) -> tuple[int, bytes, str, list[tuple[str, str]]]:
        parts = [unquote(part) for part in scope["raw_path"].decode("ascii").split("/")]
        if len(parts) != 4 or parts[3] != "invocations" or scope["method"] != "POST":
            what = f"{scope['method']} {scope['path']}"
            raise Refused(501, "NotImplemented", f"The embedded AWS does not implement {what} of sagemaker-runtime.")
        for name, option in _UNSUPPORTED.items():
            if header(scope, name) is not None:
                raise Refused(501, "NotImplemented", f"The embedded AWS does not implement {option} of InvokeEndpoint.")
        name = parts[2]
        try:
            request = await body_of(receive, MAX_BODY)
        except TooLarge as error:
            raise Refused(413, "ValidationError", str(error)) from error
        variant, answer = await self._answer(scope, request, region, name)
        headers = [("x-amzn-invoked-production-variant", variant)]
        if custom := header(scope, "x-amzn-sagemaker-custom-attributes"):
            headers.append(("x-amzn-sagemaker-custom-attributes", custom))
        return 200, answer.content, answer.headers.get("content-type", "application/octet-stream"), headers

    async def _answer(self, scope: Scope, request: bytes, region: str, name: str) -> tuple[str, httpx.Response]:
        wanted = header(scope, "x-amzn-sagemaker-target-variant")
        deadline = time.monotonic() + SWAP_SECONDS
        while True:
            variant = self._variant(region, name, wanted)
            with self._endpoints.borrowed(region, name, variant) as server:
                if server is not None:
                    return variant, await self._post(scope, server, request, region, name)
            if time.monotonic() > deadline:
                message = f"Variant {variant} of endpoint {name} is being started again."
                raise Refused(503, "ServiceUnavailable", message)
            await asyncio.sleep(0.02)

    def _variant(self, region: str, name: str, wanted: str | None) -> str:
        record = self._store.find("endpoint", region, name)
        if record is None or not record.body.get("variants") or record.status == "Deleting":
            raise Refused(400, "ValidationError", f"Endpoint {name} of account {ACCOUNT} not found.")
        variants = record.body["variants"]
        variant = choose(variants, wanted, random.random())
        if variant is None:
            has = ", ".join(each["VariantName"] for each in variants)
            raise Refused(
                400, "ValidationError", f"Variant {wanted} is not found for endpoint {name}; it has these: {has}."
            )
        return variant

    async def _post(self, scope: Scope, server: Server, body: bytes, region: str, name: str) -> httpx.Response:
        headers = {"content-type": header(scope, "content-type") or "application/octet-stream"}
        if accept := header(scope, "accept"):
            headers["accept"] = accept
        try:
            answer = await self._client.post(
                f"http://127.0.0.1:{server.port}/invocations", content=body, headers=headers
            )
        except httpx.TimeoutException as error:
            message = f"Your invocation timed out while waiting for a response from container primary ({error})."
            raise self._model_error(region, name, 0, message) from error
        except httpx.TransportError as error:
            raise Refused(
                503, "ServiceUnavailable", f"The container of endpoint {name} went away: {error!r}"
            ) from error
        if answer.status_code != 200:
            raise self._model_error(region, name, answer.status_code, answer.text)
        return answer

    def _model_error(self, region: str, name: str, status: int, original: str) -> Refused:
        group = f"/aws/sagemaker/Endpoints/{name}"
        side = "client" if 400 <= status < 500 else "server"
        return Refused(
            424,
            "ModelError",
            f'Received {side} error ({status}) from primary with message "{original}". '
            f"See the log group {group} in account {ACCOUNT} for more information.",
            OriginalMessage=original,
            OriginalStatusCode=status,
            LogStreamArn=f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{group}",
        )
