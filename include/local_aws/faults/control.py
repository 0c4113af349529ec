"""``/_control``: what goes wrong on request, and the counters of calls and of injected faults.

``PUT`` replaces the settings and starts the counters anew, ``DELETE`` takes everything back, ``GET`` tells both.
"""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from include.local_aws.asgi import Receive, Scope, Send, TooLarge, body_of, respond
from include.local_aws.faults.injector import Hit, Injector
from include.local_aws.faults.past import LaggingStore
from include.local_aws.faults.settings import Settings, SettingsError, read

MAX_BODY = 1024 * 1024
_JSON = "application/json"


def from_file(path: Path) -> dict[str, Any]:
    """The document in a file, checked; raises `SettingsError` for what can't be read or is no such document."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(f"Expected a JSON file of faults and limits at {path}: {error}.") from error
    try:
        read(document)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error
    return dict(document)


class Control:
    """The settings in force and the counters since they are; one for the whole house."""

    def __init__(self, store: LaggingStore, document: Mapping[str, Any] | None = None) -> None:
        self._store = store
        self.apply(document or {})

    def apply(self, document: Mapping[str, Any]) -> None:
        """Put other settings in force; raises `SettingsError` and leaves everything as it was."""
        settings = read(document)
        self._document = dict(document)
        self._settings = settings
        self._injector = Injector(settings)
        self._calls: dict[str, Counter[str]] = {}
        self._store.lag(settings.list_lag_seconds, settings.list_lag_jitter_seconds, settings.seed)

    @property
    def settings(self) -> Settings:
        """What is asked for now."""
        return self._settings

    def called(self, service: str, operation: str) -> Hit:
        """Count a call, and say what goes wrong with it."""
        self._calls.setdefault(service, Counter())[operation] += 1
        return self._injector.hit(service, operation)

    def state(self) -> dict[str, Any]:
        """The settings as they were given, calls by service and operation, and the hits of each fault in its order."""
        return {
            "settings": self._document,
            "calls": {service: dict(sorted(calls.items())) for service, calls in sorted(self._calls.items())},
            "injected": self._injector.injected(),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer ``GET``, ``PUT`` and ``DELETE``."""
        match scope["method"]:
            case "GET":
                pass
            case "DELETE":
                self.apply({})
            case "PUT":
                try:
                    self.apply(json.loads(await body_of(receive, MAX_BODY)))
                except (SettingsError, TooLarge) as error:
                    await _refused(send, 400, str(error))
                    return
                except (ValueError, RecursionError) as error:
                    await _refused(send, 400, f"Expected a JSON object, found something else: {error}.")
                    return
            case other:
                await _refused(send, 405, f"Expected GET, PUT or DELETE of /_control, found {other}.")
                return
        await respond(send, 200, json.dumps(self.state()).encode(), _JSON)


async def _refused(send: Send, status: int, message: str) -> None:
    await respond(send, status, json.dumps({"message": message}).encode(), _JSON)
