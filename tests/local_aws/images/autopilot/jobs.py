"""Small jobs for the tests: tables, a job's root directory, its events, and its candidates' container chains."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from include.local_aws import images
from include.local_aws.archives import unpack

ALL_KEYS = ("predicted_label", "probability", "probabilities", "labels")


def table(problem_type: str, rows: int = 600, seed: int = 0) -> pd.DataFrame:
    """A table with a number, missing cells, a category with a comma, a date, a text, and the target ``y``."""
    random = np.random.default_rng(seed)
    number = random.normal(size=rows)
    category = random.choice(["a", "b", "it's, odd", "d"], rows)
    when = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 400, rows), "D")
    words = np.array(["good", "bad", "fine", "awful", "great", "slow", "fast", "broken"])
    text = [" ".join(random.choice(words, 6)) for _ in range(rows)]
    mood = np.array([sentence.count("good") - sentence.count("bad") for sentence in text])
    signal = 2 * number + 1.5 * (category == "a") + mood + random.normal(size=rows) * 0.5
    frame = pd.DataFrame(
        {
            "number": np.where(random.random(rows) < 0.1, np.nan, number.round(4)),
            "category": pd.Series(category, dtype=object).mask(random.random(rows) < 0.05),
            "when": when.strftime("%Y-%m-%d"),
            "text": text,
            "constant": "x",
        }
    )
    if problem_type == "Regression":
        frame["y"] = signal.round(3)
    elif problem_type == "BinaryClassification":
        frame["y"] = np.where(signal > 1, "yes", "no")
    else:
        frame["y"] = pd.cut(signal, [-np.inf, -1, 2, np.inf], labels=["low", "mid, x", "high"]).astype(str)
    return frame


def write(
    root: Path,
    frame: pd.DataFrame | str,
    *,
    target: str = "y",
    validation: pd.DataFrame | None = None,
    request: Mapping[str, Any] | None = None,
    specification: Mapping[str, Any] | None = None,
    **tabular: Any,
) -> Path:
    """Lay out a job as the supervisor does."""
    for folder in ("input/config", "input/data/train", "output"):
        (root / folder).mkdir(parents=True)
    text = frame if isinstance(frame, str) else frame.to_csv(index=False)
    (root / "input/data/train/00000-part.csv").write_text(text)
    if validation is not None:
        (root / "input/data/validation").mkdir()
        validation.to_csv(root / "input/data/validation/00000-part.csv", index=False)
    if specification is not None:
        (root / "input/data/feature_specification.json").write_text(json.dumps(specification))
    (root / "input/config/automl.json").write_text(json.dumps(job(target=target, request=request, **tabular)))
    return root


def job(*, target: str = "y", request: Mapping[str, Any] | None = None, **tabular: Any) -> dict[str, Any]:
    """The resolved job that the supervisor writes."""
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://data/churn/train/"}
    return {
        "job_name": "art-aml-churn",
        "region": "eu-west-1",
        "account": "123456789012",
        "output_uri": "s3://data/automl/art-aml-churn",
        "seed": 1,
        "request": {
            "AutoMLJobInputDataConfig": [{"ChannelType": "training", "DataSource": {"S3DataSource": source}}],
            "AutoMLProblemTypeConfig": {"TabularJobConfig": {"TargetAttributeName": target, **tabular}},
            **(request or {}),
        },
    }


def events(root: Path, kind: str | None = None) -> list[dict[str, Any]]:
    """The job's events so far, of one kind if asked."""
    lines = (root / "output" / "events.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if kind in (None, event["event"])]


def candidates(root: Path) -> dict[str, dict[str, Any]]:
    """The candidates by name, as last reported."""
    return {event["candidate"]["CandidateName"]: event["candidate"] for event in events(root, "candidate")}


def best(root: Path) -> dict[str, Any]:
    """The best candidate, as last reported."""
    return candidates(root)[events(root, "best")[-1]["candidate_name"]]


def chain(root: Path, candidate: Mapping[str, Any], keys: Sequence[str] | None = None) -> list[images.Container]:
    """The candidate's containers, loaded; asked for ``keys`` as the SageMaker SDK's ``AutoML.create_model`` asks."""
    before: list[str] = []
    containers = []
    for number, definition in enumerate(candidate["InferenceContainers"]):
        environment = dict(definition["Environment"])
        supported = environment.get("SAGEMAKER_INFERENCE_SUPPORTED", "").split(",")
        if keys is not None and supported != [""]:
            if before:
                environment["SAGEMAKER_INFERENCE_INPUT"] = ",".join(before)
            before = [key for key in keys if key in supported]
            environment["SAGEMAKER_INFERENCE_OUTPUT"] = ",".join(before)
        artifact = root / "output" / "artifacts" / definition["ModelDataUrl"].removeprefix("artifact:")
        folder = root / "models" / str(number)
        unpack(artifact, folder)
        containers.append(images.find(definition["Image"]).serve(folder, environment))
    return containers


def ask(containers: Sequence[images.Container], body: bytes) -> list[list[str]]:
    """Send CSV through the chain and read the answer's CSV."""
    content_type = "text/csv"
    for container in containers:
        body, content_type = container.invoke(body, content_type, None)
    assert content_type == "text/csv"
    return list(csv.reader(io.StringIO(body.decode())))


def rows_of(frame: pd.DataFrame) -> bytes:
    """Rows as a client sends them: no header, no target."""
    return frame.drop(columns="y").to_csv(index=False, header=False).encode()
