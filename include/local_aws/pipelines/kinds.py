"""What the types of steps stand for: the operations that they call, and the names that they give."""

import re
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass

_LETTERS = string.ascii_letters + string.digits
_SUFFIX = 10


@dataclass(frozen=True)
class JobKind:
    """A step that starts a job and waits for it. `store` is the job's kind in the store."""

    operation: str
    store: str
    metadata: str
    longest: int

    @property
    def create(self) -> str:
        """The operation that starts it."""
        return f"Create{self.operation}Job"

    @property
    def describe(self) -> str:
        """The operation whose answer its properties are."""
        return f"Describe{self.operation}Job"

    @property
    def stop(self) -> str:
        """The operation that stops it."""
        return f"Stop{self.operation}Job"

    @property
    def name(self) -> str:
        """The member that holds its name."""
        return f"{self.operation}JobName"

    @property
    def arn(self) -> str:
        """The member that holds its ARN."""
        return f"{self.operation}JobArn"


JOBS: Mapping[str, JobKind] = {
    "Processing": JobKind("Processing", "processing", "ProcessingJob", 63),
    "Training": JobKind("Training", "training", "TrainingJob", 63),
    "Tuning": JobKind("HyperParameterTuning", "tuning", "TuningJob", 32),
    "Transform": JobKind("Transform", "transform", "TransformJob", 63),
    "AutoML": JobKind("AutoML", "automl", "AutoMLJob", 32),
}


def job_name(execution: str, step: str, longest: int, prefix: str | None = None) -> str:
    """A new name for a step's job or resource: ``pipelines-<execution>-<step>-<suffix>``.

    Where only 32 characters may be used it is ``<execution>-<step, cut>-<suffix>``. A name that stands in the
    definition is the prefix instead.
    """
    suffix = "".join(secrets.choice(_LETTERS) for _ in range(_SUFFIX))
    middle = re.sub(r"[^A-Za-z0-9\-]", "-", step)
    if prefix is not None:
        room = longest - len(execution) - len(suffix) - 2
        return f"{prefix[:room].rstrip('-')}-{execution}-{suffix}"
    front = f"pipelines-{execution}" if longest > 32 else execution
    room = longest - len(front) - len(suffix) - 2
    middle = middle[:room].strip("-")
    return "-".join(each for each in (front, middle, suffix) if each)
