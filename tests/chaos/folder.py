"""What a run left in S3, without names and times: two runs of the same data and seeds must leave the same."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from typing import Any

RUN_FOLDER = re.compile(r"(?<=/runs/)[^/\"\s<>&]+")
_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_RESOURCE = re.compile(r"\bart-[a-z]+-[a-z0-9-]+", re.IGNORECASE)
_NAMES = (
    (re.compile(_ID), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z| ?UTC|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\d{4}-\d\d-\d\d\b"), "<day>"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "<time>"),
    (re.compile(r"(?<=model-package/<name>/)\d+"), "<version>"),
    (re.compile(r"\b\d+(\.\d+)? (seconds|minutes|s|min)\b"), "<seconds>"),
)
_TIME_KEY = re.compile(r"(seconds|duration|durations|_at|time|times|took|elapsed|Latency)$")
_PARTS = re.compile(r"<header.*?</header>|<h[1-3][^>]*>.*?</h[1-3]>", re.DOTALL)
"""Of a report: what it says first, and its headings."""


def neutral(text: str, given: re.Pattern[str]) -> str:
    """The text with names and times replaced by what they are; ``given`` matches the names that the suite gave."""
    text = given.sub("<given>", _RESOURCE.sub("<name>", text))
    text = RUN_FOLDER.sub("<run>", text)
    for pattern, word in _NAMES:
        text = pattern.sub(word, text)
    return text


def fingerprint(s3: Any, bucket: str, prefix: str, given: re.Pattern[str]) -> dict[str, str]:
    """By neutral path, what stands there: the neutral content of text, the mere presence of archives and models.

    Models are pickles and archives with times inside; that they are equal shows in the scores that they gave.
    """
    found: dict[str, str] = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", ()):
            path = entry["Key"].removeprefix(prefix)
            kind = path.rpartition(".")[2]
            if kind in ("json", "csv", "html", "jsonl"):
                body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read().decode("utf-8", "replace")
                content = _content(kind, body, given)
            else:
                content = "present"
            # Two things of one neutral name (two tries of one job) must be alike as well.
            found.setdefault(neutral(path, given), content)
    return found


def differences(expected: dict[str, str], found: dict[str, str], allowed_more: bool = False) -> list[str]:
    """What differs, a sentence each."""
    said = [f"{path} is missing" for path in sorted(expected.keys() - found.keys())]
    if not allowed_more:
        said += [f"{path} is not in the undisturbed run" for path in sorted(found.keys() - expected.keys())]
    for path in sorted(expected.keys() & found.keys()):
        if expected[path] != found[path]:
            said.append(f"{path}: {_first_difference(expected[path], found[path])}")
    return said


def _content(kind: str, body: str, given: re.Pattern[str]) -> str:
    if kind == "json":
        try:
            return json.dumps(_timeless(json.loads(neutral(body, given))), indent=1, sort_keys=True)
        except ValueError:
            return f"no JSON: {hashlib.sha256(body.encode()).hexdigest()}"
    if kind == "csv":
        rows = list(csv.reader(io.StringIO(body)))
        return "\n".join(map(repr, rows))
    if kind == "html":
        # Its tables and plots show durations; its figures are those of the JSON files that it is drawn from.
        return "\n".join(_PARTS.findall(neutral(body, given)))
    return neutral(body, given)


def _timeless(value: Any, key: str = "") -> Any:
    """The JSON value without its durations, and without the states that a look now and then may miss."""
    if isinstance(value, dict):
        inherited = key if _TIME_KEY.search(key) else ""
        return {name: _timeless(each, inherited or name) for name, each in value.items()}
    if key == "transitions":
        return "<transitions>"
    if _TIME_KEY.search(key):
        return "<seconds>"
    if isinstance(value, list):
        return [_timeless(each) for each in value]
    return value


def _first_difference(expected: str, found: str) -> str:
    for number, (one, other) in enumerate(zip(expected.splitlines(), found.splitlines(), strict=False), 1):
        if one != other:
            return f"line {number}: expected {one.strip()[:160]!r}, found {other.strip()[:160]!r}"
    return f"expected {expected.count(chr(10)) + 1} lines, found {found.count(chr(10)) + 1}"
