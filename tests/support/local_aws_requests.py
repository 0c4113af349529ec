"""Tables, requests and waiting for tests against the embedded AWS."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

ROLE = "arn:aws:iam::123456789012:role/service"
BUCKET = "tests"


def table(rows: int, seed: int = 1) -> pd.DataFrame:
    """A table that can be learned: `y` depends on `a`, `b` and `c` with some noise."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": rng.normal(size=rows), "b": rng.normal(size=rows), "c": rng.choice(list("xyz"), rows)})
    score = frame["a"] + frame["b"] * (frame["c"] == "x") + rng.normal(size=rows) * 0.3
    frame["y"] = np.where(score > 0, "yes", "no")
    return frame


def until(describe: Callable[[], dict[str, Any]], member: str, busy: tuple[str, ...]) -> dict[str, Any]:
    """Ask until the status in `member` is none of the `busy` ones, and answer the last description."""
    deadline = time.monotonic() + 90
    while (answer := describe())[member] in busy:
        assert time.monotonic() < deadline, f"still {answer[member]}: {answer}"
        time.sleep(0.05)
    return answer


def automl_request(name: str, data: str, **tabular: Any) -> dict[str, Any]:
    """A small CreateAutoMLJobV2 request."""
    return {
        "AutoMLJobName": name,
        "AutoMLJobInputDataConfig": [
            {
                "ChannelType": "training",
                "ContentType": "text/csv;header=present",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": data}},
            }
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/automl"},
        "RoleArn": ROLE,
        "AutoMLProblemTypeConfig": {
            "TabularJobConfig": {
                "TargetAttributeName": "y",
                "Mode": "ENSEMBLING",
                "CompletionCriteria": {"MaxCandidates": 4, "MaxAutoMLJobRuntimeInSeconds": 120},
                **tabular,
            }
        },
    }


@dataclass(frozen=True)
class Trained:
    """A job that is over, and the model made of its best candidate."""

    job: str
    model: str
    description: dict[str, Any]
